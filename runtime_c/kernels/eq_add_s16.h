/*
 * eq_add_s16: elementwise sum or difference of int16 with broadcasting, mode "highmul".
 *
 *     out = clamp((a*a_multiplier + b*b_multiplier + 2^(shift-1)) >> shift, clamp_min, clamp_max)
 *
 * in 64 bits, with a floor shift. A difference is a sum with a negated multiplier. All zero points are 0. Either operand
 * may be a constant.
 *
 * Layout  Dense row-major int16. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and
 *         b0..b3 are an operand's strides in elements (0 where it is broadcast); a_inner and b_inner are 1, or 0 where
 *         it is broadcast. Equal shapes collapse into n0..n3 = 1 and one row.
 * Ranges  |a_multiplier|, |b_multiplier| < 2^31, at most one negative; 16 <= shift <= 30;
 *         -32768 <= clamp_min <= clamp_max <= 32767.
 * Aliasing  out may be exactly an operand that is not broadcast, or overlap one from below: elements are read and
 *           written in order.
 * Scratch none.
 */
#ifndef EQ_ADD_S16_H
#define EQ_ADD_S16_H

#include "eq_add_row_s16.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t a_multiplier, b_multiplier, shift;
  int32_t clamp_min, clamp_max;
} eq_add_s16_t;

/* One row; at least one operand is not broadcast along it, unless the row is a single element. */
EQ_INLINE void eq_add_s16_row(int16_t *out, const int16_t *a, const int16_t *b, const eq_add_s16_t *p) {
  const eq_sum_s16_t sum = {p->a_multiplier, p->b_multiplier, p->shift, p->clamp_min, p->clamp_max};
  const eq_sum_s16_t swapped = {p->b_multiplier, p->a_multiplier, p->shift, p->clamp_min, p->clamp_max};
  if (p->a_inner != 0) {
    eq_add_row_s16(out, a, b, p->b_inner, p->inner, sum);
  } else {
    eq_add_row_s16(out, b, a, 0, p->inner, swapped);
  }
}

EQ_INLINE void eq_add_s16(int16_t *out, const int16_t *a, const int16_t *b, const eq_add_s16_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          eq_add_s16_row(out, a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3),
                         b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3), p);
          out += p->inner;
        }
      }
    }
  }
}

#endif
