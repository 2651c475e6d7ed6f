/*
 * eq_requantize_s8: int8 to int8 with another scale and zero point, mode "highmul".
 *
 *     out = clamp(requantize(x - in_zero), clamp_min, clamp_max)
 *
 * requantize is eq_requantize.h's, with multiplier, shift and out_zero.
 *
 * Layout  `elements` int8 values in any order.
 * Ranges  in_zero in [-128, 127], hence |x - in_zero| <= 255; 255 * 2^shift fits int32; `narrow` as eq_requantize.h
 *         says; -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_REQUANTIZE_S8_H
#define EQ_REQUANTIZE_S8_H

#include "eq_common.h"
#include "eq_elementwise.h"

typedef struct {
  int32_t elements;
  int32_t in_zero;
  int32_t multiplier, shift, out_zero, narrow;
  int32_t clamp_min, clamp_max;
} eq_requantize_s8_t;

EQ_INLINE void eq_requantize_s8(int8_t *out, const int8_t *x, const eq_requantize_s8_t *p) {
  const eq_scaling_t scaling = {p->multiplier, p->shift, p->out_zero, p->narrow, p->clamp_min, p->clamp_max};
  eq_requantize_row(out, x, p->elements, 1, -p->in_zero, scaling);
}

#endif
