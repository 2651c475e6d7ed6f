/*
 * Requantized results of a quad of four tiles for one output channel from its sums of products: see eq_tiles.h.
 *   eq_tiles_results   out[row * y + pixel * x] for two rows of eight, saturated to int8; m is at an address of 16 bytes,
 *                      its positions are 32 bytes apart
 *
 * This file: ARMv6-M, 145 instructions for four results; with a left shift, which is rare, plain C.
 * Stack: EQ_TILES_RESULTS_STACK bytes in assembly.
 */
#ifndef EQ_TILES_RESULTS_H
#define EQ_TILES_RESULTS_H

#include <eq_common.h>
#include <eq_requantize.h>
#include <eq_tile_scale.h>

#define EQ_TILES_RESULTS_STACK 64

/* In the order in which the assembly knows it. */
typedef struct {
  int32_t low, high; /* halfwords of the multiplier */
  int32_t row;
  int32_t pixel;
  int32_t bias;
  int32_t rounding; /* out_zero * 2^16 + 2^15 */
} eq_tiles_set_t;

/* clang-format off */
/* Left and right sum of the four positions of a row of M, at r1: two columns of a tile. Then r1 moves to the next row. */
#define EQ_TILES_ROW(left, right, bias)        \
  "ldr r2, [r1, #32]\n\t"                      \
  bias                                         \
  "ldr r3, [r1, #64]\n\t"                      \
  "adds " left ", r2, r3\n\t"                  \
  "subs " right ", r2, r3\n\t"                 \
  "asrs " left ", " left ", #1\n\t"            \
  "asrs " right ", " right ", #1\n\t"          \
  "ldr r2, [r1, #0]\n\t"                       \
  "adds " left ", " left ", r2\n\t"            \
  "ldr r2, [r1, #96]\n\t"                      \
  "subs " right ", " right ", r2\n\t"          \
  "adds r1, #128\n\t"
/* Three multiplications, see eq_requantize.h; saturated to int8. */
#define EQ_TILES_SCALE(sum)                    \
  "ldr r2, [sp, #0]\n\t"                       \
  "uxth r3, " sum "\n\t"                       \
  "muls r3, r2, r3\n\t"                        \
  "lsrs r3, r3, #16\n\t"                       \
  "asrs r4, " sum ", #16\n\t"                  \
  "muls r4, r2, r4\n\t"                        \
  "ldr r2, [sp, #4]\n\t"                       \
  "muls " sum ", r2, " sum "\n\t"              \
  "adds " sum ", " sum ", r3\n\t"              \
  "adds " sum ", " sum ", r4\n\t"              \
  "add " sum ", r11\n\t"                       \
  "asrs " sum ", " sum ", #16\n\t"             \
  "sxtb r3, " sum "\n\t"                       \
  "cmp r3, " sum "\n\t"                        \
  "beq 2f\n\t"                                 \
  "asrs " sum ", " sum ", #31\n\t"             \
  "movs r3, #127\n\t"                          \
  "eors " sum ", r3\n\t"                       \
  "2:\n\t"

/*
 * r0 results, r1 M; r8 and r9 the upper results, r6 and r7 the lower ones; r10 bias, r11 rounding, r12 from the end of M's
 * rows to those of the next tile. On the stack what eq_tiles_set_t begins with, 16 bytes; the registers.
 */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_unshifted(int8_t *out, const int32_t *m,
                                                                   const eq_tiles_set_t *p) {
  register int8_t *r0 __asm__("r0") = out;
  register const int32_t *r1 __asm__("r1") = m;
  register const eq_tiles_set_t *r2 __asm__("r2") = p;
  /* gcc hands inline assembly of Thumb-1 code to the assembler in the old syntax. */
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r7, lr}\n\t"
      "mov r4, r8\n\t"
      "mov r5, r9\n\t"
      "mov r6, r10\n\t"
      "mov r7, r11\n\t"
      "push {r4-r7}\n\t"
      "ldm r2!, {r4-r7}\n\t"
      "push {r4-r7}\n\t"
      "ldm r2!, {r4, r5}\n\t"
      "mov r10, r4\n\t"
      "mov r11, r5\n\t"
      "movs r4, #127\n\t"
      "lsls r4, r4, #2\n\t"
      "rsbs r4, r4, #0\n\t"
      "mov r12, r4\n\t"
      "1:\n\t"
      EQ_TILES_ROW("r4", "r5", "")
      "mov r8, r4\n\t"
      "mov r9, r5\n\t"
      EQ_TILES_ROW("r6", "r7", "add r2, r10\n\t")
      EQ_TILES_ROW("r4", "r5", "")
      "adds r2, r6, r4\n\t"
      "subs r6, r6, r4\n\t"
      "asrs r2, r2, #1\n\t"
      "asrs r6, r6, #1\n\t"
      "add r8, r2\n\t"
      "adds r2, r7, r5\n\t"
      "subs r7, r7, r5\n\t"
      "asrs r2, r2, #1\n\t"
      "asrs r7, r7, #1\n\t"
      "add r9, r2\n\t"
      EQ_TILES_ROW("r4", "r5", "")
      "subs r6, r6, r4\n\t"
      "subs r7, r7, r5\n\t"
      "add r1, r12\n\t"
      EQ_TILES_SCALE("r6")
      EQ_TILES_SCALE("r7")
      "ldr r2, [sp, #8]\n\t"
      "strb r6, [r0, r2]\n\t"
      "ldr r3, [sp, #12]\n\t"
      "adds r2, r2, r3\n\t"
      "strb r7, [r0, r2]\n\t"
      "mov r6, r8\n\t"
      "mov r7, r9\n\t"
      EQ_TILES_SCALE("r6")
      EQ_TILES_SCALE("r7")
      "ldr r3, [sp, #12]\n\t"
      "strb r6, [r0, #0]\n\t"
      "strb r7, [r0, r3]\n\t"
      "adds r0, r0, r3\n\t"
      "adds r0, r0, r3\n\t"
      "lsls r2, r1, #28\n\t"
      "beq 3f\n\t"
      "b 1b\n\t"
      "3:\n\t"
      "add sp, #16\n\t"
      "pop {r4-r7}\n\t"
      "mov r8, r4\n\t"
      "mov r9, r5\n\t"
      "mov r10, r6\n\t"
      "mov r11, r7\n\t"
      "pop {r4-r7}\n\t"
      "pop {r3}\n\t"
      "mov lr, r3"
      : "+l"(r0), "+l"(r1), "+l"(r2)
      : "m"(*p)
      : "r3", "r12", "cc", "memory");
}
/* clang-format on */

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_shifted(int8_t *out, int32_t row, int32_t pixel,
                                                                 const int32_t *m, const eq_tiles_scale_t *p) {
  EQ_NO_UNROLL
  for (int32_t tile = 0; tile < 4; ++tile) {
    EQ_NO_UNROLL
    for (int32_t right = 0; right < 2; ++right) {
      int32_t sum[4];
      for (int32_t line = 0; line < 4; ++line) {
        const int32_t *at = m + 32 * line;
        const int32_t middle = at[8] + (line == 1 ? p->bias : 0);
        sum[line] = right == 0 ? at[0] + ((middle + at[16]) >> 1) : ((middle - at[16]) >> 1) - at[24];
      }
      const int32_t above = sum[0] + ((sum[1] + sum[2]) >> 1);
      const int32_t below = ((sum[1] - sum[2]) >> 1) - sum[3];
      out[0] = (int8_t)eq_saturate_s8(eq_requantize_narrow(above, p->multiplier, p->shift, p->out_zero, 1));
      out[row] = (int8_t)eq_saturate_s8(eq_requantize_narrow(below, p->multiplier, p->shift, p->out_zero, 1));
      out += pixel;
    }
    ++m;
  }
}

EQ_INLINE void eq_tiles_results(int8_t *out, int32_t row, int32_t pixel, const int32_t *m, const eq_tiles_scale_t *p) {
  if (p->shift == 0) {
    const eq_tiles_set_t set = {p->multiplier & 0xffff,
                                p->multiplier >> 16,
                                row,
                                pixel,
                                p->bias,
                                (int32_t)((uint32_t)p->out_zero << 16) + 0x8000};
    eq_tiles_unshifted(out, m, &set);
  } else {
    eq_tiles_shifted(out, row, pixel, m, p);
  }
}

#endif
