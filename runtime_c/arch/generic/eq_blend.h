/*
 * Between four rows of int8, what linear interpolation of an image makes of the channels of a pixel:
 *
 *   eq_blend_row  out[i] = (sum over j of weights[j]*x[j][i] + 2^(2*bits-1)) >> 2*bits for i < n, with a floor shift;
 *                 bits = 0 adds nothing
 *
 * The weights are 0 … 2^(2*bits), their sum is 2^(2*bits); 0 <= bits <= 11. No row overlaps out.
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: plain C.
 */
#ifndef EQ_BLEND_H
#define EQ_BLEND_H

#include <eq_common.h>

EQ_INLINE int32_t eq_blend_one(const int8_t *const x[4], const int32_t weights[4], int32_t i, int32_t bits) {
  const int32_t sum = x[0][i] * weights[0] + x[1][i] * weights[1] + x[2][i] * weights[2] + x[3][i] * weights[3];
  return (sum + ((1 << 2 * bits) >> 1)) >> 2 * bits;
}

EQ_INLINE void eq_blend_row(int8_t *out, const int8_t *const x[4], const int32_t weights[4], int32_t n, int32_t bits) {
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i++) {
    out[i] = (int8_t)eq_blend_one(x, weights, i, bits);
  }
}

#endif
