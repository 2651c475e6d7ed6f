/*
 * eq_divide_s8: elementwise quotient with broadcasting, by a table of reciprocals.
 *
 *     out = clamp(((a - a_zero)*factors[b & 255] + out_zero*2^15 + 2^14) >> 15, clamp_min, clamp_max)
 *
 * with a floor shift. The entry of the b that stands for zero is 2^23: the quotient saturates by the sign of a - a_zero,
 * and 0/0 is out_zero. Either operand may be a constant.
 *
 * Layout  Dense row-major int8. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and
 *         b0..b3 are an operand's strides in elements (0 where it is broadcast); a_inner and b_inner are 1, or 0 where
 *         it is broadcast.
 * Ranges  zero points in [-128, 127]; |factors| <= 2^23, hence everything fits int32;
 *         -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may be exactly an operand that is not broadcast, or overlap one from below: elements are read and
 *           written in order.
 * Scratch none.
 */
#ifndef EQ_DIVIDE_S8_H
#define EQ_DIVIDE_S8_H

#include "eq_scaling.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t a_zero, out_zero;
  int32_t clamp_min, clamp_max;
} eq_divide_s8_t;

EQ_INLINE void eq_divide_s8_row(int8_t *out, const int8_t *a, const int8_t *b, const int32_t *factors,
                                const eq_divide_s8_t *p) {
  const int32_t offset = p->out_zero * (1 << 15) + (1 << 14);
  for (int32_t i = 0; i < p->inner; i++) {
    const int32_t total = (*a - p->a_zero) * factors[*b & 255] + offset;
    out[i] = (int8_t)eq_clamp(total >> 15, p->clamp_min, p->clamp_max);
    a += p->a_inner;
    b += p->b_inner;
  }
}

EQ_INLINE void eq_divide_s8(int8_t *out, const int8_t *a, const int8_t *b, const int32_t *factors,
                            const eq_divide_s8_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          eq_divide_s8_row(out, a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3),
                           b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3), factors, p);
          out += p->inner;
        }
      }
    }
  }
}

#endif
