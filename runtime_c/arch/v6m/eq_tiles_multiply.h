/*
 * Products of transformed windows and weights over c channels, for four tiles and two output channels: see eq_tiles.h.
 *   EQ_TILES_V, _V_CHANNEL, _TILE    halfwords of V from a position, a channel, a tile to the next
 *   EQ_TILES_U, _U_CHANNEL, _OUTPUT  those of U, and from an output to the next
 *   eq_tiles_multiply                m[16][2][4] = sums over channels of v * u
 *
 * This file: ARMv6-M. Only LDRSH with an index register loads a sign, so that one negative index, which counts up to zero,
 * serves the four tiles, an output and the loop; sums lie in high registers, where ADD reaches them. 14 instructions for
 * four products, 1 for a loop of four channels, 26 for a position and an output. Stack: EQ_TILES_STACK bytes in assembly.
 */
#ifndef EQ_TILES_MULTIPLY_H
#define EQ_TILES_MULTIPLY_H

#include <eq_common.h>

#define EQ_TILES_STACK 48

#define EQ_TILES_V(c) (4 * (c))
#define EQ_TILES_V_CHANNEL 1
#define EQ_TILES_TILE(c) (c)
#define EQ_TILES_U(c) (2 * (c))
#define EQ_TILES_U_CHANNEL 1
#define EQ_TILES_OUTPUT(c) (c)

/* clang-format off */
/* r0-r3 ends of a position's tiles, r4 of U, r5 index, r6 value of U, r7 product; r8-r11 sums. */
#define EQ_TILES_PRODUCT(take, tile, sum) \
  "ldrsh r7, [" tile ", r5]\n\t"          \
  "muls r7, r6, r7\n\t"                  \
  take " " sum ", r7\n\t"
#define EQ_TILES_STEP(take)               \
  "ldrsh r6, [r4, r5]\n\t"               \
  EQ_TILES_PRODUCT(take, "r0", "r8")      \
  EQ_TILES_PRODUCT(take, "r1", "r9")      \
  EQ_TILES_PRODUCT(take, "r2", "r10")     \
  EQ_TILES_PRODUCT(take, "r3", "r11")     \
  "adds r5, #2\n\t"
/* clang-format on */

/* r12 M, lr 2 * c. On the stack the end of M; whether the second output is the next; the caller's registers. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_multiply(int32_t *m, const void *v, const void *u, int32_t c) {
  register int32_t *r0 __asm__("r0") = m;
  register const void *r1 __asm__("r1") = v;
  register const void *r2 __asm__("r2") = u;
  register int32_t r3 __asm__("r3") = c;
  /* clang-format off */
  /* gcc hands inline assembly of Thumb-1 code to the assembler in the old syntax. */
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r7, lr}\n\t"
      "mov r4, r8\n\t"
      "mov r5, r9\n\t"
      "mov r6, r10\n\t"
      "mov r7, r11\n\t"
      "push {r4-r7}\n\t"
      "mov r12, r0\n\t"
      "movs r4, #255\n\t"
      "adds r4, #1\n\t"
      "adds r5, r0, r4\n\t"
      "adds r5, r5, r4\n\t"
      "movs r6, #0\n\t"
      "push {r5, r6}\n\t"
      "lsls r5, r3, #1\n\t"
      "mov lr, r5\n\t"
      "adds r4, r2, r5\n\t"
      "adds r0, r1, r5\n\t"
      "adds r1, r0, r5\n\t"
      "adds r2, r1, r5\n\t"
      "adds r3, r2, r5\n\t"
      "1:\n\t"
      "mov r5, lr\n\t"
      "rsbs r5, r5, #0\n\t"
      EQ_TILES_STEP("mov") EQ_TILES_STEP("add") EQ_TILES_STEP("add") EQ_TILES_STEP("add")
      "beq 3f\n\t"
      "2:\n\t"
      EQ_TILES_STEP("add") EQ_TILES_STEP("add") EQ_TILES_STEP("add") EQ_TILES_STEP("add")
      "bne 2b\n\t"
      "3:\n\t"
      "mov r5, r12\n\t"
      "mov r6, r8\n\t"
      "mov r7, r9\n\t"
      "stm r5!, {r6, r7}\n\t"
      "mov r6, r10\n\t"
      "mov r7, r11\n\t"
      "stm r5!, {r6, r7}\n\t"
      "mov r12, r5\n\t"
      "add r4, lr\n\t"
      "ldr r6, [sp, #4]\n\t"
      "mvns r6, r6\n\t"
      "str r6, [sp, #4]\n\t"
      "beq 4f\n\t"
      "b 1b\n\t"
      "4:\n\t"
      "mov r6, lr\n\t"
      "lsls r6, r6, #2\n\t"
      "adds r0, r0, r6\n\t"
      "adds r1, r1, r6\n\t"
      "adds r2, r2, r6\n\t"
      "adds r3, r3, r6\n\t"
      "ldr r6, [sp, #0]\n\t"
      "cmp r5, r6\n\t"
      "beq 5f\n\t"
      "b 1b\n\t"
      "5:\n\t"
      "add sp, #8\n\t"
      "pop {r4-r7}\n\t"
      "mov r8, r4\n\t"
      "mov r9, r5\n\t"
      "mov r10, r6\n\t"
      "mov r11, r7\n\t"
      "pop {r4-r7}\n\t"
      "pop {r3}\n\t"
      "mov lr, r3"
      : "+l"(r0), "+l"(r1), "+l"(r2), "+l"(r3)
      :
      : "r12", "cc", "memory");
  /* clang-format on */
}

#endif
