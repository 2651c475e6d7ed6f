/*
 * eq_reduce_sum: the sum along an axis of values, magnitudes or squares, mode "highmul".
 *
 *     out[o][i] = clamp(requantize(sum over r of term(x[o][r][i] - in_zero)), clamp_min, clamp_max)
 *
 * term is eq_reduce.h's. requantize is eq_requantize.h's, with multiplier, shift and out_zero.
 *
 * Layout  x: outer x reduce x inner; out: outer x inner; both row-major, of `bytes` bytes an element: int8 or int16.
 * Ranges  reduce >= 1; wide = 0: the sum times 2^shift fits int32. wide = 1: the sum has 64 bits, and sum >> shift,
 *         which fits int32, takes its place. The bounds of the clamp are of the type.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_REDUCE_SUM_H
#define EQ_REDUCE_SUM_H

#include "eq_reduce.h"
#include "eq_scaling.h"

typedef struct {
  int32_t outer, reduce, inner;
  int32_t bytes, term, in_zero;
  int32_t multiplier, shift, wide, out_zero;
  int32_t clamp_min, clamp_max;
} eq_reduce_sum_t;

EQ_INLINE void eq_reduce_sum(void *out, const void *x, const eq_reduce_sum_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t start = o * p->reduce * p->inner + i;
      const int32_t place = o * p->inner + i;
      int32_t value;
      if (p->wide != 0) {
        const int64_t sum = eq_total(x, start, p->inner, p->reduce, p->in_zero, p->term, p->bytes);
        value = eq_requantize((int32_t)(sum >> p->shift), p->multiplier, 0, p->out_zero);
      } else {
        const int32_t sum = eq_total_narrow(x, start, p->inner, p->reduce, p->in_zero, p->term, p->bytes);
        value = eq_requantize(sum, p->multiplier, p->shift, p->out_zero);
      }
      eq_store(out, place, eq_clamp(value, p->clamp_min, p->clamp_max), p->bytes);
    }
  }
}

#endif
