/*
 * eq_reduce_log_sum_exp_s16: the logarithm of the sum of exponentials of int16 along an axis.
 *
 *     d = max - x[o][r][i];   S = sum over r of e of d;   L = logarithm of S as eq_reduce.h has it
 *     out[o][i] = clamp((L*multiplier + (max - in_zero)*slope + offset) >> shift, clamp_min, clamp_max)
 *
 * max is the largest element along the axis; offset is offset_high * 2^32 + offset_low, the latter unsigned.
 *
 * Layout  x: outer x reduce x inner; out: outer x inner; both int16, row-major.
 *         table: 512 uint16, as eq_softmax_s16.h has it:
 *         e = (table[d >> 8]*table[256 + (d & 255)] + 2^15) >> 16.
 * Ranges  reduce >= 1; reduce <= 65536; 0 <= slope < 2^31; 0 <= multiplier < 2^31; 1 <= shift <= 62; the sum before
 *         the shift is below 2^62. The bounds of the clamp are of the type.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_REDUCE_LOG_SUM_EXP_S16_H
#define EQ_REDUCE_LOG_SUM_EXP_S16_H

#include "eq_reduce.h"

typedef struct {
  int32_t outer, reduce, inner;
  int32_t in_zero, slope;
  int32_t multiplier, offset_high, offset_low, shift;
  int32_t clamp_min, clamp_max;
} eq_reduce_log_sum_exp_s16_t;

EQ_INLINE void eq_reduce_log_sum_exp_s16(int16_t *out, const int16_t *x, const uint16_t *table,
                                         const eq_reduce_log_sum_exp_s16_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t start = o * p->reduce * p->inner + i;
      const int32_t place = o * p->inner + i;
      int32_t largest = x[start];
      for (int32_t r = 1; r < p->reduce; r++) {
        const int32_t value = x[start + r * p->inner];
        largest = value > largest ? value : largest;
      }
      uint64_t sum = 0;
      for (int32_t r = 0; r < p->reduce; r++) {
        const uint32_t d = (uint32_t)(largest - x[start + r * p->inner]);
        sum += ((uint32_t)table[d >> 8] * table[256 + (d & 255)] + 0x8000u) >> 16;
      }
      const int64_t scaled = (int64_t)eq_logarithm(sum) * p->multiplier + (int64_t)(largest - p->in_zero) * p->slope +
                             eq_wide(p->offset_high, p->offset_low);
      out[place] = (int16_t)eq_saturated(scaled >> p->shift, 0, p->clamp_min, p->clamp_max);
    }
  }
}

#endif
