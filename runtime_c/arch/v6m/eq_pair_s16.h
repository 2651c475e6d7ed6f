/*
 * Sums of products of two int16 columns and the int8 weights of two channels:
 *
 *   eq_pair_s16  acc[0] += x0.w0, acc[1] += x0.w1, acc[2] += x1.w0, acc[3] += x1.w1 over places at … at + n - 1
 *   EQ_PAIR_UNIT places come in multiples of this: at and n are, and a segment of a column is rounded up to it, with
 *                weights of zero (the column may hold anything there)
 *
 * `w` are the weights of a channel pair of `depth` places; no sum may leave int32. x0 and x1 are aligned to 2 bytes.
 *
 * This file: ARMv6-M; w0 [depth], then w1 [depth]. LDRSH has only the register+register form, so one negative index that
 * counts up to zero serves both columns and the loop; the accumulators live in IP and LR, where ADD can reach them, and
 * six low registers are enough, which leaves one for a frame pointer: 11 instructions for two products.
 */
#ifndef EQ_PAIR_S16_H
#define EQ_PAIR_S16_H

#include <eq_common.h>

#define EQ_PAIR_UNIT 1

/* *s0 += x0.w, *s1 += x1.w over n >= 1 places */
EQ_INLINE void eq_row_pair_s16(int32_t *s0, int32_t *s1, const int16_t *x0, const int16_t *x1, const int8_t *w,
                               int32_t n) {
  int32_t index = -2 * n;
  int32_t a = *s0;
  int32_t b = *s1;
  /* gcc hands inline assembly of Thumb-1 code to the assembler in the old syntax. */
  __asm__ volatile(
      ".syntax unified\n"
      "mov ip, %[a]\n\t"
      "mov lr, %[b]\n"
      "1:\n\t"
      "ldrb %[a], [%[w]]\n\t"
      "sxtb %[a], %[a]\n\t"
      "adds %[w], #1\n\t"
      "ldrsh %[b], [%[x0], %[i]]\n\t"
      "muls %[b], %[a]\n\t"
      "add ip, %[b]\n\t"
      "ldrsh %[b], [%[x1], %[i]]\n\t"
      "muls %[b], %[a]\n\t"
      "add lr, %[b]\n\t"
      "adds %[i], #2\n\t"
      "bne 1b\n\t"
      "mov %[a], ip\n\t"
      "mov %[b], lr"
      : [a] "+l"(a), [b] "+l"(b), [i] "+l"(index), [w] "+l"(w)
      : [x0] "l"(x0 + n), [x1] "l"(x1 + n)
      : "ip", "lr", "cc", "memory");
  *s0 = a;
  *s1 = b;
}

EQ_INLINE void eq_pair_s16(int32_t acc[4], const int16_t *x0, const int16_t *x1, const int8_t *w, int32_t depth,
                           int32_t at, int32_t n) {
  EQ_NO_UNROLL
  for (int32_t c = 0; c < 2; ++c) {
    eq_row_pair_s16(&acc[c], &acc[c + 2], x0 + at, x1 + at, w + c * depth + at, n);
  }
}

#endif
