/*
 * Lines of a depthwise 3x3 convolution that have the same weights: the inner part of eq_lines.h.
 *   eq_line_run_1, _2   all results of one channel in `count` lines, with stride 1 and 2 along the line
 *
 * This file: ARMv7-M without the DSP extension. A line takes three neighbouring lines of input, a column at a time; each
 * value serves three results of stride 1, whose sums are in registers like all nine weights. 25 instructions for a result
 * and 1 of the loop over columns; stride 2: 35. About 35 for a line, 250 for a channel. Stack: EQ_LINE_RUN_STACK bytes in
 * assembly.
 */
#ifndef EQ_LINE_RUN_H
#define EQ_LINE_RUN_H

#include <eq_line.h>

#define EQ_LINE_RUN_STACK 120

/* clang-format off */
/* r0 input, r1 value, r2-r4 sums, r5-r12 and lr weights. On the stack a copy of eq_line_t, 84 bytes; the registers. */
#define EQ_LINE_BEGIN            \
  "push {r4-r11, lr}\n\t"        \
  "add r0, #56\n\t"              \
  "ldm r0, {r1-r7}\n\t"          \
  "push {r1-r7}\n\t"             \
  "sub r0, #28\n\t"              \
  "ldm r0, {r1-r7}\n\t"          \
  "push {r1-r7}\n\t"             \
  "sub r0, #28\n\t"              \
  "ldm r0, {r1-r7}\n\t"          \
  "push {r1-r7}\n\t"             \
  "ldm r1, {r5-r12, lr}\n\t"
#define EQ_LINE_END              \
  "ldrd r0, r1, [sp, #4]\n\t"    \
  "ldrd r2, r3, [sp, #68]\n\t"   \
  "add r0, r2\n\t"               \
  "add r1, r3\n\t"               \
  "strd r0, r1, [sp, #4]\n\t"    \
  "ldr r2, [sp, #12]\n\t"        \
  "subs r2, #1\n\t"              \
  "str r2, [sp, #12]\n\t"        \
  "bne 31b\n\t"                  \
  "add sp, #84\n\t"              \
  "pop {r4-r11, lr}"
#define EQ_LINE_VALUES(row0, row1, row2) \
  "ldrsb r1, [r0]\n\t"                  \
  row0                                  \
  "ldr r1, [sp, #48]\n\t"               \
  "ldrsb r1, [r0, r1]\n\t"              \
  row1                                  \
  "ldr r1, [sp, #48]\n\t"               \
  "ldrsb r1, [r0, r1, lsl #1]\n\t"      \
  row2                                  \
  "ldr r1, [sp, #52]\n\t"               \
  "add r0, r1\n\t"
#define EQ_LINE_TAP(sum, weight) "mla " sum ", r1, " weight ", " sum "\n\t"
#define EQ_LINE_SCALE(sum)               \
  "ldr r1, [sp, #28]\n\t"                \
  "smull r1, " sum ", " sum ", r1\n\t"   \
  "add " sum ", " sum ", r1, lsr #31\n\t" \
  "ldr r1, [sp, #40]\n\t"                \
  "add " sum ", r1\n\t"                  \
  "ssat " sum ", #8, " sum "\n\t"
#define EQ_LINE_STORE(sum)               \
  EQ_LINE_SCALE(sum)                     \
  "ldr r1, [sp, #8]\n\t"                 \
  "strb " sum ", [r0, r1]\n\t"

/* The last column of the result whose sum is `a`, the second of `b`, the first of `c`. */
#define EQ_LINE_COLUMN(a, b, c)                                                         \
  "ldr " c ", [sp, #16]\n\t"                                                            \
  EQ_LINE_VALUES(EQ_LINE_TAP(a, "r7") EQ_LINE_TAP(b, "r6") EQ_LINE_TAP(c, "r5"),         \
                EQ_LINE_TAP(a, "r10") EQ_LINE_TAP(b, "r9") EQ_LINE_TAP(c, "r8"),        \
                EQ_LINE_TAP(a, "lr") EQ_LINE_TAP(b, "r12") EQ_LINE_TAP(c, "r11"))       \
  EQ_LINE_STORE(a)
/* clang-format on */

EQ_NOINLINE __attribute__((unused)) static void eq_line_run_1(const eq_line_t *p) {
  register const eq_line_t *r0 __asm__("r0") = p;
  /* clang-format off */
  __asm__ volatile(
      EQ_LINE_BEGIN
      "31:\n\t"
      "ldr r0, [sp, #4]\n\t"
      "ldr r1, [sp, #56]\n\t"
      "add r1, r0\n\t"
      "str r1, [sp, #80]\n\t"
      "ldr r2, [sp, #20]\n\t"
      "ldr r1, [sp, #60]\n\t"
      "cbnz r1, 32f\n\t"
      "ldr r2, [sp, #16]\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r2", "r5"), EQ_LINE_TAP("r2", "r8"), EQ_LINE_TAP("r2", "r11"))
      "32:\n\t"
      "ldr r3, [sp, #16]\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r2", "r6") EQ_LINE_TAP("r3", "r5"),
                    EQ_LINE_TAP("r2", "r9") EQ_LINE_TAP("r3", "r8"),
                    EQ_LINE_TAP("r2", "r12") EQ_LINE_TAP("r3", "r11"))
      "ldr r1, [sp, #76]\n\t"
      "cmp r1, #1\n\t"
      "blo 60f\n\t"
      "mov r4, r3\n\t"
      "mov r3, r2\n\t"
      "beq 61f\n\t"
      "mov r2, r4\n\t"
      "mov r4, r3\n\t"
      "b 62f\n\t"
      "60:\n\t"
      EQ_LINE_COLUMN("r2", "r3", "r4")
      "61:\n\t"
      EQ_LINE_COLUMN("r3", "r4", "r2")
      "62:\n\t"
      EQ_LINE_COLUMN("r4", "r2", "r3")
      "ldr r1, [sp, #80]\n\t"
      "cmp r0, r1\n\t"
      "bne 60b\n\t"
      "ldr r1, [sp, #64]\n\t"
      "cbz r1, 33f\n\t"
      "ldr r1, [sp, #24]\n\t"
      "add r2, r1\n\t"
      "ldr r1, [sp, #52]\n\t"
      "add r0, r1\n\t"
      EQ_LINE_STORE("r2")
      "33:\n\t"
      EQ_LINE_END
      : "+r"(r0)
      : "m"(*p)
      : "r1", "r2", "r3", "r12", "cc", "memory");
  /* clang-format on */
}

/* r4 is the address of the result. */
EQ_NOINLINE __attribute__((unused)) static void eq_line_run_2(const eq_line_t *p) {
  register const eq_line_t *r0 __asm__("r0") = p;
  /* clang-format off */
  __asm__ volatile(
      EQ_LINE_BEGIN
      "31:\n\t"
      "ldrd r0, r4, [sp, #4]\n\t"
      "ldr r1, [sp, #56]\n\t"
      "add r1, r0\n\t"
      "str r1, [sp, #80]\n\t"
      "ldr r2, [sp, #20]\n\t"
      "ldr r1, [sp, #60]\n\t"
      "cbnz r1, 60f\n\t"
      "ldr r2, [sp, #16]\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r2", "r5"), EQ_LINE_TAP("r2", "r8"), EQ_LINE_TAP("r2", "r11"))
      "60:\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r2", "r6"), EQ_LINE_TAP("r2", "r9"), EQ_LINE_TAP("r2", "r12"))
      "ldr r3, [sp, #16]\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r2", "r7") EQ_LINE_TAP("r3", "r5"),
                    EQ_LINE_TAP("r2", "r10") EQ_LINE_TAP("r3", "r8"),
                    EQ_LINE_TAP("r2", "lr") EQ_LINE_TAP("r3", "r11"))
      EQ_LINE_SCALE("r2")
      "strb r2, [r4]\n\t"
      "ldr r1, [sp, #52]\n\t"
      "add r4, r1\n\t"
      "mov r2, r3\n\t"
      "ldr r1, [sp, #80]\n\t"
      "cmp r0, r1\n\t"
      "bne 60b\n\t"
      "ldr r1, [sp, #64]\n\t"
      "cbz r1, 33f\n\t"
      EQ_LINE_VALUES(EQ_LINE_TAP("r2", "r6"), EQ_LINE_TAP("r2", "r9"), EQ_LINE_TAP("r2", "r12"))
      "ldr r1, [sp, #24]\n\t"
      "add r2, r1\n\t"
      EQ_LINE_SCALE("r2")
      "strb r2, [r4]\n\t"
      "33:\n\t"
      EQ_LINE_END
      : "+r"(r0)
      : "m"(*p)
      : "r1", "r2", "r3", "r12", "cc", "memory");
  /* clang-format on */
}

#endif
