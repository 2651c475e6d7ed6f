/*
 * Fully connected layer, int8, requantization "tflite": bit for bit LiteRT's reference kernel, which rounds once. One
 * generic form, written for checking, not for speed.
 *
 *   out[n][o] = clamp(single_rounding(bias[o] + sum_k w[o][k] * x[n][k]) + out_zero)
 *
 * Layout     out [rows][out_c], x [rows][depth], weights [out_c][depth]; bias, multiplier, exponent [out_c].
 * Ranges     bias already contains -zero_point(x) * sum of the weights; no partial sum may leave int32; multiplier and
 *            exponent as in eq_requantize_tflite.h; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may overlap x from below: every output of a row reads all of it; a row may go when its last one is
 *            written.
 * Scratch    none.
 */
#ifndef EQ_DENSE_TFLITE_S8_H
#define EQ_DENSE_TFLITE_S8_H

#include "eq_dot.h"
#include "eq_requantize.h"
#include "eq_requantize_tflite.h"

typedef struct {
  int32_t rows;
  int32_t depth;
  int32_t out_c;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_dense_tflite_s8_t;

EQ_INLINE void eq_dense_tflite_s8(int8_t *out, const int8_t *x, const int8_t *weights, const int32_t *bias,
                                  const int32_t *multiplier, const int32_t *exponent, const eq_dense_tflite_s8_t *p) {
  for (int32_t row = 0; row < p->rows; ++row) {
    for (int32_t o = 0; o < p->out_c; ++o) {
      const int32_t acc = eq_dot_s8(x + row * p->depth, weights + o * p->depth, p->depth, bias[o]);
      const int32_t y = eq_requantize_single(acc, multiplier[o], exponent[o]) + p->out_zero;
      *out++ = (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
    }
  }
}

#endif
