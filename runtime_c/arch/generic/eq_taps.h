/*
 * Each channel against its own few weights: the core of the depthwise convolution.
 *   eq_taps_multiply  out[c] for all channels of one pixel; taps[t] points to the `channels` input values under kernel
 *                     position t (or to a row of the padding value), t = 0 … depth - 1 in row-major order of the kernel
 *
 * This file: weights [depth][channels], one channel at a time.
 */
#ifndef EQ_TAPS_H
#define EQ_TAPS_H

#include <eq_channels.h>
#include <eq_requantize.h>

EQ_INLINE void eq_taps_multiply(int8_t *out, const int8_t *const *taps, const eq_channels_t *p) {
  for (int32_t c = 0; c < p->channels; ++c) {
    const int8_t *w = p->weights + c;
    int32_t acc = p->bias[c];
    for (int32_t t = 0; t < p->depth; ++t) {
      acc += taps[t][c] * w[t * p->channels];
    }
    acc = eq_requantize_narrow(acc, p->multiplier[c], p->shift, p->out_zero, p->narrow);
    out[c] = (int8_t)eq_clamp(acc, p->clamp_min, p->clamp_max);
  }
}

#endif
