/*
 * eq_mul_s16: elementwise product of int16 with broadcasting, mode "highmul".
 *
 *     out = clamp(requantize(a * b), clamp_min, clamp_max)
 *
 * requantize is eq_requantize.h's, with multiplier, shift and zero point 0. Either operand may be a constant.
 *
 * Layout  Dense row-major int16. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and
 *         b0..b3 are an operand's strides in elements (0 where it is broadcast); a_inner and b_inner are 1, or 0 where
 *         it is broadcast. Equal shapes collapse into n0..n3 = 1 and one row.
 * Ranges  |product| <= 2^30; product * 2^shift fits int32; -32768 <= clamp_min <= clamp_max <= 32767.
 * Aliasing  out may be exactly an operand that is not broadcast, or overlap one from below: elements are read and
 *           written in order.
 * Scratch none.
 */
#ifndef EQ_MUL_S16_H
#define EQ_MUL_S16_H

#include "eq_mul_row_s16.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t multiplier, shift;
  int32_t clamp_min, clamp_max;
} eq_mul_s16_t;

/* One row; at least one operand is not broadcast along it, unless the row is a single element. */
EQ_INLINE void eq_mul_s16_row(int16_t *out, const int16_t *a, const int16_t *b, const eq_mul_s16_t *p) {
  const eq_scaling_t scaling = {p->multiplier, p->shift, 0, 0, p->clamp_min, p->clamp_max};
  if (p->a_inner != 0) {
    eq_mul_row_s16(out, a, b, p->b_inner, p->inner, scaling);
  } else {
    eq_mul_row_s16(out, b, a, 0, p->inner, scaling);
  }
}

EQ_INLINE void eq_mul_s16(int16_t *out, const int16_t *a, const int16_t *b, const eq_mul_s16_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          eq_mul_s16_row(out, a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3),
                         b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3), p);
          out += p->inner;
        }
      }
    }
  }
}

#endif
