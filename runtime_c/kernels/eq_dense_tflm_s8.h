/*
 * Fully connected layer, int8, requantization "tflm": bit for bit TFLite Micro's reference kernel, which rounds twice
 * where LiteRT's rounds once. One generic form, written for checking, not for speed.
 *
 *   out[n][o] = clamp(double_rounding(bias[o] + sum_k w[o][k] * x[n][k]) + out_zero)
 *
 * Record, layout, aliasing and scratch as in eq_dense_tflite_s8.h.
 * Ranges     as there, and no accumulator, shifted left by a positive exponent, may leave int32.
 */
#ifndef EQ_DENSE_TFLM_S8_H
#define EQ_DENSE_TFLM_S8_H

#include "eq_dense_tflite_s8.h"

EQ_INLINE void eq_dense_tflm_s8(int8_t *out, const int8_t *x, const int8_t *weights, const int32_t *bias,
                                const int32_t *multiplier, const int32_t *exponent, const eq_dense_tflite_s8_t *p) {
  for (int32_t row = 0; row < p->rows; ++row) {
    for (int32_t o = 0; o < p->out_c; ++o) {
      const int32_t acc = eq_dot_s8(x + row * p->depth, weights + o * p->depth, p->depth, bias[o]);
      const int32_t y = eq_requantize_double(acc, multiplier[o], exponent[o]) + p->out_zero;
      *out++ = (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
    }
  }
}

#endif
