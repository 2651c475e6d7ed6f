/*
 * One vector against many rows of weights: the core of the fully connected layer.
 *   eq_rows_multiply  out[c] for all channels; x is read as it lies, `depth` bytes, any alignment
 *
 * This file: weights [channels][depth] in plain order, four rows at a time.
 */
#ifndef EQ_ROWS_H
#define EQ_ROWS_H

#include <eq_channels.h>
#include <eq_dot.h>
#include <eq_requantize.h>

EQ_INLINE void eq_rows_multiply(int8_t *out, const int8_t *x, const eq_channels_t *p) {
  for (int32_t c = 0; c < p->channels; c += 4) {
    const int32_t left = p->channels - c;
    const int8_t *rows[4];
    int32_t acc[4];
    for (int32_t r = 0; r < 4; ++r) {
      const int32_t channel = c + (r < left ? r : 0);
      rows[r] = p->weights + channel * p->depth;
      acc[r] = p->bias[channel];
    }
    eq_dot_1x4(acc, x, rows, p->depth);
    for (int32_t r = 0; r < 4 && r < left; ++r) {
      const int32_t y = eq_requantize_narrow(acc[r], p->multiplier[c + r], p->shift, p->out_zero, p->narrow);
      out[c + r] = (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
    }
  }
}

#endif
