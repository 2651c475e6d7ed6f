/*
 * eq_requantize_tflite_s8: int8 to int8 with another scale and zero point, mode "tflite".
 *
 *     out = clamp(double_rounding(x - in_zero, multiplier, exponent) + out_zero, clamp_min, clamp_max)
 *
 * double_rounding is eq_requantize_double of eq_requantize_tflite.h: what LiteRT's reference integer kernel does.
 *
 * Layout  `elements` int8 values in any order.
 * Ranges  in_zero in [-128, 127]; 255 * 2^max(exponent, 0) fits int32; -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_REQUANTIZE_TFLITE_S8_H
#define EQ_REQUANTIZE_TFLITE_S8_H

#include "eq_common.h"
#include "eq_requantize.h"
#include "eq_requantize_tflite.h"

typedef struct {
  int32_t elements;
  int32_t in_zero;
  int32_t multiplier, exponent, out_zero;
  int32_t clamp_min, clamp_max;
} eq_requantize_tflite_s8_t;

EQ_INLINE void eq_requantize_tflite_s8(int8_t *out, const int8_t *x, const eq_requantize_tflite_s8_t *p) {
  for (int32_t i = 0; i < p->elements; i++) {
    const int32_t scaled = eq_requantize_double(x[i] - p->in_zero, p->multiplier, p->exponent) + p->out_zero;
    out[i] = (int8_t)eq_clamp(scaled, p->clamp_min, p->clamp_max);
  }
}

#endif
