/*
 * eq_add_s8: elementwise sum or difference with broadcasting, mode "highmul".
 *
 *     out = clamp((a*a_multiplier + b*b_multiplier + offset) >> shift, clamp_min, clamp_max)        (floor shift)
 *
 * A difference is a sum with a negated multiplier. Zero points and the rounding constant are in `offset`.
 *
 * Either operand may be a constant.
 *
 * Layout  Dense row-major int8. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and
 *         b0..b3 are an operand's strides in elements (0 where it is broadcast); a_inner and b_inner are 1, or 0 where
 *         it is broadcast. Equal shapes collapse into n0..n3 = 1 and one row.
 * Ranges  |a*a_multiplier + b*b_multiplier + offset| < 2^31, proven when the model was lowered; 0 <= shift <= 22;
 *         -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may be exactly an operand that is not broadcast, or overlap one from below: elements are read and
 *           written in order.
 * Scratch none.
 */
#ifndef EQ_ADD_S8_H
#define EQ_ADD_S8_H

#include "eq_common.h"
#include "eq_elementwise.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t a_multiplier, b_multiplier, offset, shift;
  int32_t clamp_min, clamp_max;
} eq_add_s8_t;

/* One row; at least one operand is not broadcast along it, unless the row is a single element. */
EQ_INLINE void eq_add_s8_row(int8_t *out, const int8_t *a, const int8_t *b, const eq_add_s8_t *p) {
  if (p->a_inner != 0 && p->b_inner != 0) {
    eq_add_row(out, a, b, p->inner, p->a_multiplier, p->b_multiplier, p->offset, p->shift, p->clamp_min, p->clamp_max);
  } else if (p->a_inner != 0) {
    const int32_t offset = eq_multiply_add(p->offset, *b, p->b_multiplier);
    eq_scale_row(out, a, p->inner, p->a_multiplier, offset, p->shift, p->clamp_min, p->clamp_max);
  } else {
    const int32_t offset = eq_multiply_add(p->offset, *a, p->a_multiplier);
    eq_scale_row(out, b, p->inner, p->b_multiplier, offset, p->shift, p->clamp_min, p->clamp_max);
  }
}

EQ_INLINE void eq_add_s8(int8_t *out, const int8_t *a, const int8_t *b, const eq_add_s8_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          eq_add_s8_row(out, a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3),
                        b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3), p);
          out += p->inner;
        }
      }
    }
  }
}

#endif
