/*
 * eq_mul_s8: elementwise product with broadcasting, mode "highmul".
 *
 *     out = clamp(requantize((a - a_zero) * (b - b_zero)), clamp_min, clamp_max)
 *
 * requantize is eq_requantize.h's, with multiplier, shift and out_zero.
 *
 * Either operand may be a constant.
 *
 * Layout  Dense row-major int8. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and
 *         b0..b3 are an operand's strides in elements (0 where it is broadcast); a_inner and b_inner are 1, or 0 where
 *         it is broadcast. Equal shapes collapse into n0..n3 = 1 and one row.
 * Ranges  zero points in [-128, 127], hence |product| <= 255^2; product * 2^shift fits int32; `narrow` as
 *         eq_requantize.h says; -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may be exactly an operand that is not broadcast, or overlap one from below: elements are read and
 *           written in order.
 * Scratch none.
 */
#ifndef EQ_MUL_S8_H
#define EQ_MUL_S8_H

#include "eq_common.h"
#include "eq_elementwise.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t a_zero, b_zero;
  int32_t multiplier, shift, out_zero, narrow;
  int32_t clamp_min, clamp_max;
} eq_mul_s8_t;

/* One row; at least one operand is not broadcast along it, unless the row is a single element. */
EQ_INLINE void eq_mul_s8_row(int8_t *out, const int8_t *a, const int8_t *b, const eq_mul_s8_t *p) {
  const eq_scaling_t scaling = {p->multiplier, p->shift, p->out_zero, p->narrow, p->clamp_min, p->clamp_max};
  if (p->a_inner != 0 && p->b_inner != 0) {
    eq_mul_row(out, a, b, p->inner, p->a_zero, p->b_zero, scaling);
  } else if (p->a_inner != 0) {
    const int32_t factor = *b - p->b_zero;
    eq_requantize_row(out, a, p->inner, factor, -p->a_zero * factor, scaling);
  } else {
    const int32_t factor = *a - p->a_zero;
    eq_requantize_row(out, b, p->inner, factor, -p->b_zero * factor, scaling);
  }
}

EQ_INLINE void eq_mul_s8(int8_t *out, const int8_t *a, const int8_t *b, const eq_mul_s8_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          eq_mul_s8_row(out, a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3),
                        b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3), p);
          out += p->inner;
        }
      }
    }
  }
}

#endif
