/*
 * eq_cum_sum: running sums along an axis.
 *
 *     out[o][k][i] = clamp(((sum * multiplier + 2^(shift - 1)) >> shift) + out_zero, clamp_min, clamp_max)
 *
 * sum runs over x[o][0..k][i] - in_zero, with reverse = 1 over x[o][k..length-1][i] - in_zero; with exclusive = 1 without
 * element k itself. The product has 64 bits.
 *
 * Layout  x, out: outer x length x inner elements of item_bytes (1: int8, 2: int16).
 * Ranges  sums fit int32; 0 < multiplier < 2^31; 1 <= shift <= 62;
 *         clamp_min <= clamp_max within the type.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_CUM_SUM_H
#define EQ_CUM_SUM_H

#include "eq_element.h"

typedef struct {
  int32_t outer, length, inner;
  int32_t item_bytes, exclusive, reverse;
  int32_t in_zero, multiplier, shift, out_zero;
  int32_t clamp_min, clamp_max;
} eq_cum_sum_t;

EQ_INLINE int32_t eq_cum_sum_scaled(int32_t sum, const eq_cum_sum_t *p) {
  const int64_t half = (int64_t)1 << (p->shift - 1);
  const int64_t steps = (((int64_t)sum * p->multiplier + half) >> p->shift) + p->out_zero;
  return (int32_t)(steps < p->clamp_min ? p->clamp_min : steps > p->clamp_max ? p->clamp_max : steps);
}

EQ_INLINE void eq_cum_sum(void *out, const void *x, const eq_cum_sum_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      int32_t sum = 0;
      for (int32_t k = 0; k < p->length; k++) {
        const int32_t place = p->reverse ? p->length - 1 - k : k;
        const int32_t at = (o * p->length + place) * p->inner + i;
        const int32_t value = eq_load(x, at, p->item_bytes) - p->in_zero;
        if (!p->exclusive) sum += value;
        eq_store(out, at, eq_cum_sum_scaled(sum, p), p->item_bytes);
        if (p->exclusive) sum += value;
      }
    }
  }
}

#endif
