/*
 * eq_mul_tflite_s8: elementwise product with broadcasting, mode "tflite".
 *
 *     out = clamp(double_rounding((a - a_zero) * (b - b_zero), multiplier, exponent) + out_zero, clamp_min, clamp_max)
 *
 * double_rounding is eq_requantize_double of eq_requantize_tflite.h: what LiteRT's reference integer kernel does.
 *
 * Either operand may be a constant.
 *
 * Layout  Dense row-major int8. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and
 *         b0..b3 are an operand's strides in elements (0 where it is broadcast); a_inner and b_inner are 1, or 0 where
 *         it is broadcast. Equal shapes collapse into n0..n3 = 1 and one row.
 * Ranges  zero points in [-128, 127], hence |product| <= 255^2; product * 2^max(exponent, 0) fits int32;
 *         -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may be exactly an operand that is not broadcast, or overlap one from below: elements are read and
 *           written in order.
 * Scratch none.
 */
#ifndef EQ_MUL_TFLITE_S8_H
#define EQ_MUL_TFLITE_S8_H

#include "eq_common.h"
#include "eq_requantize.h"
#include "eq_requantize_tflite.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t a_zero, b_zero;
  int32_t multiplier, exponent, out_zero;
  int32_t clamp_min, clamp_max;
} eq_mul_tflite_s8_t;

EQ_INLINE void eq_mul_tflite_s8_row(int8_t *out, const int8_t *a, const int8_t *b, const eq_mul_tflite_s8_t *p) {
  for (int32_t i = 0; i < p->inner; i++) {
    const int32_t product = (a[i * p->a_inner] - p->a_zero) * (b[i * p->b_inner] - p->b_zero);
    const int32_t scaled = eq_requantize_double(product, p->multiplier, p->exponent) + p->out_zero;
    out[i] = (int8_t)eq_clamp(scaled, p->clamp_min, p->clamp_max);
  }
}

EQ_INLINE void eq_mul_tflite_s8(int8_t *out, const int8_t *a, const int8_t *b, const eq_mul_tflite_s8_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          eq_mul_tflite_s8_row(out, a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3),
                               b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3), p);
          out += p->inner;
        }
      }
    }
  }
}

#endif
