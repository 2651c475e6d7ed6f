/*
 * Each channel against its own few weights: the core of the depthwise convolution.
 *   eq_taps_multiply  out[c] for all channels of one pixel; taps[t] points to the `channels` input values under kernel
 *                     position t (or to a row of the padding value), t = 0 … depth - 1 in row-major order of the kernel
 *
 * This file: weights [depth][channels], four channels at a time, then one.
 */
#ifndef EQ_TAPS_H
#define EQ_TAPS_H

#include <eq_channels.h>
#include <eq_requantize.h>

EQ_INLINE int8_t eq_taps_finish(int32_t acc, int32_t c, const eq_channels_t *p) {
  const int32_t y = eq_requantize_narrow(acc, p->multiplier[c], p->shift, p->out_zero, p->narrow);
  return (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
}

EQ_INLINE void eq_taps_multiply(int8_t *out, const int8_t *const *taps, const eq_channels_t *p) {
  const int32_t quads = p->channels & ~3;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < quads; c += 4) {
    const int8_t *w = p->weights + c;
    int32_t s0 = p->bias[c];
    int32_t s1 = p->bias[c + 1];
    int32_t s2 = p->bias[c + 2];
    int32_t s3 = p->bias[c + 3];
    EQ_NO_UNROLL
    for (int32_t t = 0; t < p->depth; ++t) {
      const int8_t *x = taps[t] + c;
      s0 += x[0] * w[0];
      s1 += x[1] * w[1];
      s2 += x[2] * w[2];
      s3 += x[3] * w[3];
      w += p->channels;
    }
    out[c] = eq_taps_finish(s0, c, p);
    out[c + 1] = eq_taps_finish(s1, c + 1, p);
    out[c + 2] = eq_taps_finish(s2, c + 2, p);
    out[c + 3] = eq_taps_finish(s3, c + 3, p);
  }
  EQ_NO_UNROLL
  for (int32_t c = quads; c < p->channels; ++c) {
    int32_t acc = p->bias[c];
    for (int32_t t = 0; t < p->depth; ++t) {
      acc += taps[t][c] * p->weights[t * p->channels + c];
    }
    out[c] = eq_taps_finish(acc, c, p);
  }
}

#endif
