/*
 * Sums of products of two int16 columns and the int8 weights of two channels:
 *
 *   eq_pair_s16  acc[0] += x0.w0, acc[1] += x0.w1, acc[2] += x1.w0, acc[3] += x1.w1 over places at … at + n - 1
 *   EQ_PAIR_UNIT places come in multiples of this: at and n are, and a segment of a column is rounded up to it, with
 *                weights of zero (the column may hold anything there)
 *
 * `w` are the weights of a channel pair of `depth` places; no sum may leave int32. x0 and x1 are aligned to 2 bytes.
 *
 * This file: plain C; w0 [depth], then w1 [depth].
 */
#ifndef EQ_PAIR_S16_H
#define EQ_PAIR_S16_H

#include <eq_common.h>

#define EQ_PAIR_UNIT 1

EQ_INLINE void eq_pair_s16(int32_t acc[4], const int16_t *x0, const int16_t *x1, const int8_t *w, int32_t depth,
                           int32_t at, int32_t n) {
  const int8_t *w0 = w + at;
  const int8_t *w1 = w0 + depth;
  int32_t s00 = acc[0];
  int32_t s01 = acc[1];
  int32_t s10 = acc[2];
  int32_t s11 = acc[3];
  x0 += at;
  x1 += at;
  for (int32_t i = 0; i < n; ++i) {
    s00 += x0[i] * w0[i];
    s01 += x0[i] * w1[i];
    s10 += x1[i] * w0[i];
    s11 += x1[i] * w1[i];
  }
  acc[0] = s00;
  acc[1] = s01;
  acc[2] = s10;
  acc[3] = s11;
}

#endif
