/*
 * eq_mean_s16: mean of int16 over neighbouring axes, mode "highmul".
 *
 *     out[o][i] = clamp(requantize(sum over r of x[o][r][i]), clamp_min, clamp_max)
 *
 * 1/reduce is part of the multiplier. requantize is eq_requantize.h's, with multiplier, shift and zero point 0.
 *
 * Layout  x: outer x reduce x inner; out: outer x inner; both int16, row-major.
 * Ranges  wide = 0: reduce < 2^16, hence sum fits int32; times 2^shift it fits int32. wide = 1: the sum has 64 bits, and
 *         sum >> shift, which fits int32, takes its place. -32768 <= clamp_min <= clamp_max <= 32767.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_MEAN_S16_H
#define EQ_MEAN_S16_H

#include "eq_pool_s16.h"

typedef struct {
  int32_t outer, reduce, inner;
  int32_t multiplier, shift, wide;
  int32_t clamp_min, clamp_max;
} eq_mean_s16_t;

EQ_INLINE void eq_mean_s16(int16_t *out, const int16_t *x, const eq_mean_s16_t *p) {
  const eq_scaling_t scaling = {p->multiplier, p->shift, 0, 0, p->clamp_min, p->clamp_max};
  for (int32_t o = 0; o < p->outer; o++) {
    eq_average_window_s16(out, x, 1, p->reduce, 0, p->inner, p->inner, p->wide, scaling);
    x += p->reduce * p->inner;
    out += p->inner;
  }
}

#endif
