/*
 * eq_reduce_l2: the square root of the sum of squares along an axis.
 *
 *     S = sum over r of (x[o][r][i] - in_zero)^2;   r = integer part of sqrt(S * 4^t), 2^60 <= S * 4^t < 2^62
 *     out[o][i] = clamp(((r*multiplier + 2^(shift+t-1)) >> (shift+t)) + out_zero, clamp_min, clamp_max)
 *
 * and the root of zero is zero.
 *
 * Layout  x: outer x reduce x inner; out: outer x inner; both row-major, of `bytes` bytes an element: int8 or int16.
 * Ranges  reduce >= 1; S < 2^62; 0 <= multiplier < 2^31; 1 <= shift <= 63. Beyond 62 bits the shift leaves zero, as
 *         r*multiplier < 2^62. The bounds of the clamp are of the type.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_REDUCE_L2_H
#define EQ_REDUCE_L2_H

#include "eq_reduce.h"

typedef struct {
  int32_t outer, reduce, inner;
  int32_t bytes, in_zero;
  int32_t multiplier, shift, out_zero;
  int32_t clamp_min, clamp_max;
} eq_reduce_l2_t;

EQ_INLINE int32_t eq_reduce_l2_scaled(uint64_t sum, const eq_reduce_l2_t *p) {
  int32_t shift = p->shift;
  uint64_t scaled = 0;
  if (sum != 0) {
    while (sum < (uint64_t)1 << 60) {
      sum <<= 2;
      shift++;
    }
    scaled = (uint64_t)eq_root(sum) * (uint32_t)p->multiplier;
    scaled = shift > 62 ? 0 : (scaled + ((uint64_t)1 << (shift - 1))) >> shift;
  }
  return eq_saturated((int64_t)scaled, p->out_zero, p->clamp_min, p->clamp_max);
}

EQ_INLINE void eq_reduce_l2(void *out, const void *x, const eq_reduce_l2_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t start = o * p->reduce * p->inner + i;
      const int32_t place = o * p->inner + i;
      const int64_t sum = eq_total(x, start, p->inner, p->reduce, p->in_zero, 2, p->bytes);
      eq_store(out, place, eq_reduce_l2_scaled((uint64_t)sum, p), p->bytes);
    }
  }
}

#endif
