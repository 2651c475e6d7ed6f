/*
 * eq_reduce_log_sum: the logarithm of the sum along an axis.
 *
 *     S = sum over r of (x[o][r][i] - in_zero);   L = logarithm of S as eq_reduce.h has it
 *     out[o][i] = clamp((L*multiplier + offset) >> shift, clamp_min, clamp_max)
 *
 * and clamp_min where S <= 0. offset is offset_high * 2^32 + offset_low, the latter unsigned.
 *
 * Layout  x: outer x reduce x inner; out: outer x inner; both row-major, of `bytes` bytes an element: int8 or int16.
 * Ranges  reduce >= 1; 0 <= multiplier < 2^31; 1 <= shift <= 62; the sum before the shift is below 2^62. The bounds
 *         of the clamp are of the type.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_REDUCE_LOG_SUM_H
#define EQ_REDUCE_LOG_SUM_H

#include "eq_reduce.h"

typedef struct {
  int32_t outer, reduce, inner;
  int32_t bytes, in_zero;
  int32_t multiplier, offset_high, offset_low, shift;
  int32_t clamp_min, clamp_max;
} eq_reduce_log_sum_t;

EQ_INLINE void eq_reduce_log_sum(void *out, const void *x, const eq_reduce_log_sum_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t start = o * p->reduce * p->inner + i;
      const int32_t place = o * p->inner + i;
      const int64_t sum = eq_total(x, start, p->inner, p->reduce, p->in_zero, 0, p->bytes);
      int32_t value = p->clamp_min;
      if (sum > 0) {
        const int64_t scaled =
            (int64_t)eq_logarithm((uint64_t)sum) * p->multiplier + eq_wide(p->offset_high, p->offset_low);
        value = eq_saturated(scaled >> p->shift, 0, p->clamp_min, p->clamp_max);
      }
      eq_store(out, place, value, p->bytes);
    }
  }
}

#endif
