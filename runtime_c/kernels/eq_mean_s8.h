/*
 * eq_mean_s8: mean over neighbouring axes, mode "highmul".
 *
 *     out[o][i] = clamp(requantize(sum over r of x[o][r][i] - reduce*in_zero), clamp_min, clamp_max)
 *
 * 1/reduce is part of the multiplier. requantize is eq_requantize.h's, with multiplier, shift and out_zero.
 *
 * Layout  x: outer x reduce x inner; out: outer x inner; both int8, row-major.
 * Ranges  1 <= reduce <= 2^22, hence |sum - reduce*in_zero| < 2^30; times 2^shift it fits int32, proven when the model
 *         was lowered; `narrow` as eq_requantize.h says; -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_MEAN_S8_H
#define EQ_MEAN_S8_H

#include "eq_common.h"
#include "eq_pool.h"

typedef struct {
  int32_t outer, reduce, inner;
  int32_t in_zero;
  int32_t multiplier, shift, out_zero, narrow;
  int32_t clamp_min, clamp_max;
} eq_mean_s8_t;

EQ_INLINE void eq_mean_s8(int8_t *out, const int8_t *x, const eq_mean_s8_t *p) {
  const eq_scaling_t scaling = {p->multiplier, p->shift, p->out_zero, p->narrow, p->clamp_min, p->clamp_max};
  const int32_t offset = -p->reduce * p->in_zero;
  for (int32_t o = 0; o < p->outer; o++) {
    if (p->inner == 1) {
      *out = (int8_t)eq_scaled(offset + eq_sum_row(x, p->reduce), &scaling);
    } else {
      eq_average_window(out, x, 1, p->reduce, 0, p->inner, p->inner, offset, scaling);
    }
    x += p->reduce * p->inner;
    out += p->inner;
  }
}

#endif
