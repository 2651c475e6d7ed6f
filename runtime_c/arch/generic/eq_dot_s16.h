/*
 * Dot products of int16 vectors in 64 bits.
 *   eq_dot_1x2_s16  sums[0] += x.a, sums[1] += x.b over n >= 1 values. All are aligned to 2 bytes
 *
 * This file: plain C.
 */
#ifndef EQ_DOT_S16_H
#define EQ_DOT_S16_H

#include <eq_common.h>

EQ_INLINE void eq_dot_1x2_s16(int64_t sums[2], const int16_t *x, const int16_t *a, const int16_t *b, int32_t n) {
  int64_t s0 = sums[0];
  int64_t s1 = sums[1];
  for (int32_t i = 0; i < n; ++i) {
    s0 += x[i] * a[i]; /* |x*a| <= 2^30 */
    s1 += x[i] * b[i];
  }
  sums[0] = s0;
  sums[1] = s1;
}

#endif
