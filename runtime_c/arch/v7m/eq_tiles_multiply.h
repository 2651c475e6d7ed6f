/*
 * Products of transformed windows and weights over c channels, for four tiles and two output channels: see eq_tiles.h.
 *   EQ_TILES_V, _V_CHANNEL, _TILE    halfwords of V from a position, a channel, a tile to the next
 *   EQ_TILES_U, _U_CHANNEL, _OUTPUT  those of U, and from an output to the next
 *   eq_tiles_multiply                m[16][2][4] = sums over channels of v * u
 *
 * This file: ARMv7-M without the DSP extension. 14 instructions for eight products, 3 for a loop of eight channels, 13 for a
 * position. Stack: EQ_TILES_STACK bytes in assembly.
 */
#ifndef EQ_TILES_MULTIPLY_H
#define EQ_TILES_MULTIPLY_H

#include <eq_common.h>

#define EQ_TILES_STACK 56

#define EQ_TILES_V(c) 4
#define EQ_TILES_V_CHANNEL 64
#define EQ_TILES_TILE(c) 1
#define EQ_TILES_U(c) 2
#define EQ_TILES_U_CHANNEL 32
#define EQ_TILES_OUTPUT(c) 1

/* clang-format off */
/* r0 to r3 the first output's sums of four tiles, r4 to r7 the second's; r12 V, lr U. 56 bytes. */
#define EQ_TILES_STEP(product, sum)        \
  "ldrsh r8, [lr], #2\n\t"                 \
  "ldrsh r9, [lr], #62\n\t"                \
  "ldrsh r10, [r12], #2\n\t"               \
  "ldrsh r11, [r12], #2\n\t"               \
  product " r0, r10, r8" sum("r0") "\n\t"  \
  product " r4, r10, r9" sum("r4") "\n\t"  \
  product " r1, r11, r8" sum("r1") "\n\t"  \
  product " r5, r11, r9" sum("r5") "\n\t"  \
  "ldrsh r10, [r12], #2\n\t"               \
  "ldrsh r11, [r12], #122\n\t"             \
  product " r2, r10, r8" sum("r2") "\n\t"  \
  product " r6, r10, r9" sum("r6") "\n\t"  \
  product " r3, r11, r8" sum("r3") "\n\t"  \
  product " r7, r11, r9" sum("r7") "\n\t"
#define EQ_TILES_ALONE(sum) ""
#define EQ_TILES_ADDED(sum) ", " sum
#define EQ_TILES_ADD EQ_TILES_STEP("mla", EQ_TILES_ADDED)
/* clang-format on */

/* A position begins with a channel of its own. On the stack: where it enters the loop then, how far it goes in V, its
   end there, M and its end; then the registers. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_multiply(int32_t *m, const void *v, const void *u, int32_t c) {
  register int32_t *r0 __asm__("r0") = m;
  register const void *r1 __asm__("r1") = v;
  register const void *r2 __asm__("r2") = u;
  register int32_t r3 __asm__("r3") = c;
  /* clang-format off */
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "mov r12, r1\n\t"
      "mov lr, r2\n\t"
      "lsl r5, r3, #7\n\t"           /* from a position of V to its end */
      "rsb r4, r3, #1\n\t"
      "and r4, r4, #7\n\t"           /* steps that the first round leaves out */
      "mov r8, #56\n\t"
      ".balign 4\n\t"
      "adr.w r7, 2f\n\t"
      "mla r4, r4, r8, r7\n\t"
      "add r4, #1\n\t"
      "mov r7, r0\n\t"
      "add r8, r7, #512\n\t"         /* 16 positions */
      "push {r4-r8}\n\t"
      "1:\n\t"
      "ldr r9, [sp, #4]\n\t"
      "add r9, r12\n\t"
      "str r9, [sp, #8]\n\t"
      EQ_TILES_STEP("mul", EQ_TILES_ALONE)
      "ldr pc, [sp, #0]\n\t"
      "2:\n\t"
      EQ_TILES_ADD EQ_TILES_ADD EQ_TILES_ADD EQ_TILES_ADD
      EQ_TILES_ADD EQ_TILES_ADD EQ_TILES_ADD EQ_TILES_ADD
      "ldr r8, [sp, #8]\n\t"
      "cmp r12, r8\n\t"
      "bne 2b\n\t"
      "ldr r9, [sp, #4]\n\t"
      "sub lr, lr, r9, lsr #1\n\t"
      "add lr, #4\n\t"
      "sub r12, r12, r9\n\t"
      "add r12, #8\n\t"
      "ldrd r8, r9, [sp, #12]\n\t"
      "stm r8!, {r0-r7}\n\t"
      "str r8, [sp, #12]\n\t"
      "cmp r8, r9\n\t"
      "bne 1b\n\t"
      "add sp, #20\n\t"
      "pop {r4-r11, lr}\n\t"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r12", "cc", "memory");
  /* clang-format on */
}

#endif
