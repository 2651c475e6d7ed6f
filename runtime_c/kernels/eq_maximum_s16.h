/*
 * eq_maximum_s16: the larger of two with broadcasting, or the smaller.
 *
 *     out = flip ^ max(flip ^ a, flip ^ b)
 *
 * With flip -1, every value counts as its complement, whose order is the other way round: the smaller one. Operands and
 * output have one scale and zero point. Either operand may be a constant.
 *
 * Layout  Dense row-major int16. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and
 *         b0..b3 are an operand's strides in elements (0 where it is broadcast); a_inner and b_inner are 1, or 0 where
 *         it is broadcast.
 * Ranges  flip is 0 or -1.
 * Aliasing  out may be exactly an operand that is not broadcast, or overlap one from below: elements are read and
 *           written in order.
 * Scratch none.
 */
#ifndef EQ_MAXIMUM_S16_H
#define EQ_MAXIMUM_S16_H

#include "eq_common.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t flip;
} eq_maximum_s16_t;

EQ_INLINE void eq_maximum_s16_row(int16_t *out, const int16_t *a, const int16_t *b, const eq_maximum_s16_t *p) {
  for (int32_t i = 0; i < p->inner; i++) {
    const int32_t left = *a ^ p->flip;
    const int32_t right = *b ^ p->flip;
    out[i] = (int16_t)(p->flip ^ (left > right ? left : right));
    a += p->a_inner;
    b += p->b_inner;
  }
}

EQ_INLINE void eq_maximum_s16(int16_t *out, const int16_t *a, const int16_t *b, const eq_maximum_s16_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          eq_maximum_s16_row(out, a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3),
                             b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3), p);
          out += p->inner;
        }
      }
    }
  }
}

#endif
