/*
 * eq_prelu_s8: values below zero times a slope of their own, in one rounding.
 *
 *     v = x - in_zero;   m = v < 0 ? slopes : multiplier;   out = clamp(requantize(v, m), clamp_min, clamp_max)
 *
 * requantize is eq_requantize.h's, with shift and out_zero. slopes may be negative; v*m is -v*-m.
 *
 * Layout  Dense row-major int8. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and
 *         b0..b3 are an operand's strides in elements (0 where it is broadcast); a_inner and b_inner are 1, or 0 where
 *         it is broadcast.
 *         `a` is x, `b` the slopes, int32, constant.
 * Ranges  0 <= multiplier < 2^31, |slopes| < 2^31; |v| * 2^shift fits int32; `narrow` as eq_requantize.h says, for every
 *         multiplier; zero points in [-128, 127], -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_PRELU_S8_H
#define EQ_PRELU_S8_H

#include "eq_scaling.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t in_zero;
  int32_t multiplier, shift, out_zero, narrow;
  int32_t clamp_min, clamp_max;
} eq_prelu_s8_t;

EQ_INLINE void eq_prelu_s8_row(int8_t *out, const int8_t *x, const int32_t *slopes, const eq_prelu_s8_t *p) {
  for (int32_t i = 0; i < p->inner; i++) {
    int32_t value = *x - p->in_zero;
    int32_t multiplier = value < 0 ? *slopes : p->multiplier;
    if (multiplier < 0) {
      value = -value;
      multiplier = -multiplier;
    }
    const int32_t scaled = eq_requantize_narrow(value, multiplier, p->shift, p->out_zero, p->narrow);
    out[i] = (int8_t)eq_clamp(scaled, p->clamp_min, p->clamp_max);
    x += p->a_inner;
    slopes += p->b_inner;
  }
}

EQ_INLINE void eq_prelu_s8(int8_t *out, const int8_t *x, const int32_t *slopes, const eq_prelu_s8_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          eq_prelu_s8_row(out, x + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3),
                          slopes + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3), p);
          out += p->inner;
        }
      }
    }
  }
}

#endif
