/*
 * eq_mean_tflite_s8: mean over neighbouring axes, mode "tflite".
 *
 *     out[o][i] = clamp(double_rounding(sum over r of x[o][r][i] - reduce*in_zero, multiplier, exponent) + out_zero,
 *                       clamp_min, clamp_max)
 *
 * 1/reduce is part of the multiplier. double_rounding is eq_requantize_double of eq_requantize_tflite.h.
 *
 * Layout  x: outer x reduce x inner; out: outer x inner; both int8, row-major.
 * Ranges  1 <= reduce <= 2^22, hence |sum - reduce*in_zero| < 2^30; times 2^max(exponent, 0) it fits int32;
 *         -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_MEAN_TFLITE_S8_H
#define EQ_MEAN_TFLITE_S8_H

#include "eq_common.h"
#include "eq_requantize.h"
#include "eq_requantize_tflite.h"

typedef struct {
  int32_t outer, reduce, inner;
  int32_t in_zero;
  int32_t multiplier, exponent, out_zero;
  int32_t clamp_min, clamp_max;
} eq_mean_tflite_s8_t;

EQ_INLINE void eq_mean_tflite_s8(int8_t *out, const int8_t *x, const eq_mean_tflite_s8_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      int32_t acc = -p->reduce * p->in_zero;
      for (int32_t r = 0; r < p->reduce; r++) {
        acc += x[r * p->inner + i];
      }
      const int32_t scaled = eq_requantize_double(acc, p->multiplier, p->exponent) + p->out_zero;
      *out++ = (int8_t)eq_clamp(scaled, p->clamp_min, p->clamp_max);
    }
    x += p->reduce * p->inner;
  }
}

#endif
