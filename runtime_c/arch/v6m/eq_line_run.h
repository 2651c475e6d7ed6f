/*
 * Lines of a depthwise 3x3 convolution that have the same weights: the inner part of eq_lines.h.
 *   eq_line_run_1, _2   all results of one channel in `count` lines, with stride 1 and 2 along the line
 *
 * This file: ARMv6-M. A line takes three neighbouring lines of input, a column at a time; each value serves three results
 * of stride 1, whose sums lie in high registers, where ADD reaches them; weights are words of the stack. 50 instructions
 * for a result and 2 of the loop over columns; stride 2: 56. About 45 for a line, 300 for a channel. Stack:
 * EQ_LINE_RUN_STACK bytes in assembly.
 */
#ifndef EQ_LINE_RUN_H
#define EQ_LINE_RUN_H

#include <eq_line.h>

#define EQ_LINE_RUN_STACK 156

/* clang-format off */
/* r0-r2 lines of input, r3 bytes from their beginning, r4 value, r5 product, r6 result, r7 results; r8-r10 sums, r11 bias,
   r12 bytes between columns, lr rounding. On the stack nine weights, a copy of eq_line_t from 36 on; the registers. */
#define EQ_LINE_BEGIN            \
  ".syntax unified\n\t"          \
  "push {r4-r7, lr}\n\t"         \
  "mov r4, r8\n\t"               \
  "mov r5, r9\n\t"               \
  "mov r6, r10\n\t"              \
  "mov r7, r11\n\t"              \
  "push {r4-r7}\n\t"             \
  "adds r0, #56\n\t"             \
  "ldm r0!, {r1-r7}\n\t"         \
  "push {r1-r7}\n\t"             \
  "subs r0, #56\n\t"             \
  "ldm r0!, {r1-r7}\n\t"         \
  "push {r1-r7}\n\t"             \
  "subs r0, #56\n\t"             \
  "ldm r0!, {r1-r7}\n\t"         \
  "push {r1-r7}\n\t"             \
  "adds r1, #16\n\t"             \
  "ldm r1!, {r2-r6}\n\t"         \
  "push {r2-r6}\n\t"             \
  "subs r1, #36\n\t"             \
  "ldm r1!, {r2-r5}\n\t"         \
  "push {r2-r5}\n\t"             \
  "ldr r4, [sp, #52]\n\t"        \
  "mov r11, r4\n\t"              \
  "ldr r4, [sp, #88]\n\t"        \
  "mov r12, r4\n\t"              \
  "ldr r4, [sp, #80]\n\t"        \
  "mov lr, r4\n\t"
#define EQ_LINE_NEXT             \
  "ldr r0, [sp, #40]\n\t"        \
  "ldr r7, [sp, #44]\n\t"        \
  "ldr r2, [sp, #84]\n\t"        \
  "adds r1, r0, r2\n\t"          \
  "adds r2, r1, r2\n\t"          \
  "movs r3, #0\n\t"
#define EQ_LINE_END              \
  "ldr r0, [sp, #40]\n\t"        \
  "ldr r1, [sp, #104]\n\t"       \
  "adds r0, r0, r1\n\t"          \
  "str r0, [sp, #40]\n\t"        \
  "ldr r0, [sp, #44]\n\t"        \
  "ldr r1, [sp, #108]\n\t"       \
  "adds r0, r0, r1\n\t"          \
  "str r0, [sp, #44]\n\t"        \
  "ldr r0, [sp, #48]\n\t"        \
  "subs r0, #1\n\t"              \
  "str r0, [sp, #48]\n\t"        \
  "beq 39f\n\t"                  \
  "b 31b\n\t"                    \
  "39:\n\t"                      \
  "add sp, #120\n\t"             \
  "pop {r4-r7}\n\t"              \
  "mov r8, r4\n\t"               \
  "mov r9, r5\n\t"               \
  "mov r10, r6\n\t"              \
  "mov r11, r7\n\t"              \
  "pop {r4-r7}\n\t"              \
  "pop {r3}\n\t"                 \
  "mov lr, r3"
#define EQ_LINE_VALUES(row0, row1, row2) \
  "ldrsb r4, [r0, r3]\n\t"               \
  row0                                   \
  "ldrsb r4, [r1, r3]\n\t"               \
  row1                                   \
  "ldrsb r4, [r2, r3]\n\t"               \
  row2                                   \
  "add r3, r12\n\t"
#define EQ_LINE_TAP(sum, weight)         \
  "ldr r5, [sp, #" #weight "]\n\t"       \
  "muls r5, r4, r5\n\t"                  \
  "add " sum ", r5\n\t"
/* Three multiplications, see eq_requantize.h; saturated to int8. */
#define EQ_LINE_SCALE(sum)               \
  "mov r6, " sum "\n\t"                  \
  "ldr r4, [sp, #68]\n\t"                \
  "uxth r5, r6\n\t"                      \
  "muls r5, r4, r5\n\t"                  \
  "lsrs r5, r5, #16\n\t"                 \
  "mov " sum ", r5\n\t"                  \
  "asrs r5, r6, #16\n\t"                 \
  "muls r5, r4, r5\n\t"                  \
  "add " sum ", r5\n\t"                  \
  "ldr r4, [sp, #72]\n\t"                \
  "muls r6, r4, r6\n\t"                  \
  "add r6, " sum "\n\t"                  \
  "add r6, lr\n\t"                       \
  "asrs r6, r6, #16\n\t"                 \
  "sxtb r5, r6\n\t"                      \
  "cmp r5, r6\n\t"                       \
  "beq 1f\n\t"                           \
  "asrs r6, r6, #31\n\t"                 \
  "movs r5, #127\n\t"                    \
  "eors r6, r5\n\t"                      \
  "1:\n\t"

/* The last column of the result whose sum is `a`, the second of `b`, the first of `c`. */
#define EQ_LINE_COLUMN(a, b, c)                                                  \
  "mov " c ", r11\n\t"                                                           \
  EQ_LINE_VALUES(EQ_LINE_TAP(a, 8) EQ_LINE_TAP(b, 4) EQ_LINE_TAP(c, 0),          \
                 EQ_LINE_TAP(a, 20) EQ_LINE_TAP(b, 16) EQ_LINE_TAP(c, 12),       \
                 EQ_LINE_TAP(a, 32) EQ_LINE_TAP(b, 28) EQ_LINE_TAP(c, 24))       \
  EQ_LINE_SCALE(a)                                                               \
  "strb r6, [r7, r3]\n\t"
/* clang-format on */

EQ_NOINLINE __attribute__((unused)) static void eq_line_run_1(const eq_line_t *p) {
  register const eq_line_t *r0 __asm__("r0") = p;
  /* clang-format off */
  __asm__ volatile(
      EQ_LINE_BEGIN
      "31:\n\t"
      EQ_LINE_NEXT
      "adds r7, r7, r0\n\t"
      "ldr r4, [sp, #56]\n\t"
      "mov r8, r4\n\t"
      "ldr r4, [sp, #96]\n\t"
      "cmp r4, #0\n\t"
      "bne 32f\n\t"
      "mov r8, r11\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r8", 0), EQ_LINE_TAP("r8", 12), EQ_LINE_TAP("r8", 24))
      "32:\n\t"
      "mov r9, r11\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r8", 4) EQ_LINE_TAP("r9", 0),
                     EQ_LINE_TAP("r8", 16) EQ_LINE_TAP("r9", 12),
                     EQ_LINE_TAP("r8", 28) EQ_LINE_TAP("r9", 24))
      "ldr r4, [sp, #112]\n\t"
      "cmp r4, #1\n\t"
      "blo 60f\n\t"
      "mov r10, r9\n\t"
      "mov r9, r8\n\t"
      "beq 61f\n\t"
      "mov r8, r10\n\t"
      "mov r10, r9\n\t"
      "b 62f\n\t"
      "60:\n\t"
      EQ_LINE_COLUMN("r8", "r9", "r10")
      "61:\n\t"
      EQ_LINE_COLUMN("r9", "r10", "r8")
      "62:\n\t"
      EQ_LINE_COLUMN("r10", "r8", "r9")
      "ldr r4, [sp, #92]\n\t"
      "cmp r3, r4\n\t"
      "beq 63f\n\t"
      "b 60b\n\t"
      "63:\n\t"
      "ldr r4, [sp, #100]\n\t"
      "cmp r4, #0\n\t"
      "beq 33f\n\t"
      "ldr r4, [sp, #60]\n\t"
      "add r8, r4\n\t"
      "add r3, r12\n\t"
      EQ_LINE_SCALE("r8")
      "strb r6, [r7, r3]\n\t"
      "33:\n\t"
      EQ_LINE_END
      : "+l"(r0)
      : "m"(*p)
      : "r1", "r2", "r3", "r12", "cc", "memory");
  /* clang-format on */
}

/* r7 is the address of the result. */
EQ_NOINLINE __attribute__((unused)) static void eq_line_run_2(const eq_line_t *p) {
  register const eq_line_t *r0 __asm__("r0") = p;
  /* clang-format off */
  __asm__ volatile(
      EQ_LINE_BEGIN
      "31:\n\t"
      EQ_LINE_NEXT
      "ldr r4, [sp, #56]\n\t"
      "mov r8, r4\n\t"
      "ldr r4, [sp, #96]\n\t"
      "cmp r4, #0\n\t"
      "bne 60f\n\t"
      "mov r8, r11\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r8", 0), EQ_LINE_TAP("r8", 12), EQ_LINE_TAP("r8", 24))
      "60:\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r8", 4), EQ_LINE_TAP("r8", 16), EQ_LINE_TAP("r8", 28))
      "mov r9, r11\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r8", 8) EQ_LINE_TAP("r9", 0),
                     EQ_LINE_TAP("r8", 20) EQ_LINE_TAP("r9", 12),
                     EQ_LINE_TAP("r8", 32) EQ_LINE_TAP("r9", 24))
      EQ_LINE_SCALE("r8")
      "strb r6, [r7]\n\t"
      "add r7, r12\n\t"
      "mov r8, r9\n\t"
      "ldr r4, [sp, #92]\n\t"
      "cmp r3, r4\n\t"
      "bne 60b\n\t"
      "ldr r4, [sp, #100]\n\t"
      "cmp r4, #0\n\t"
      "beq 33f\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r8", 4), EQ_LINE_TAP("r8", 16), EQ_LINE_TAP("r8", 28))
      "ldr r4, [sp, #60]\n\t"
      "add r8, r4\n\t"
      EQ_LINE_SCALE("r8")
      "strb r6, [r7]\n\t"
      "33:\n\t"
      EQ_LINE_END
      : "+l"(r0)
      : "m"(*p)
      : "r1", "r2", "r3", "r12", "cc", "memory");
  /* clang-format on */
}

#endif
