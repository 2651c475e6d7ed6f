/*
 * eq_requantize_s16: int8 or int16 to int8 or int16 with another scale and zero point, mode "highmul".
 *
 *     out = clamp(requantize(x - in_zero), clamp_min, clamp_max)
 *
 * requantize is eq_requantize.h's, with multiplier, shift and out_zero.
 *
 * Layout  `elements` values in any order, x of x_bytes and out of out_bytes (1: int8, 2: int16).
 * Ranges  zero points in [-128, 127], 0 for int16; (x - in_zero) * 2^shift fits int32; clamp_min <= clamp_max within the
 *         range of the type of out.
 * Aliasing  out may overlap x of its type or of bytes from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_REQUANTIZE_S16_H
#define EQ_REQUANTIZE_S16_H

#include "eq_requantize_row_s16.h"

typedef struct {
  int32_t elements;
  int32_t x_bytes, out_bytes;
  int32_t in_zero;
  int32_t multiplier, shift, out_zero;
  int32_t clamp_min, clamp_max;
} eq_requantize_s16_t;

EQ_INLINE void eq_requantize_s16(void *out, const void *x, const eq_requantize_s16_t *p) {
  const eq_scaling_t scaling = {p->multiplier, p->shift, p->out_zero, 0, p->clamp_min, p->clamp_max};
  eq_requantize_row_s16(out, p->out_bytes, x, p->x_bytes, p->in_zero, p->elements, scaling);
}

#endif
