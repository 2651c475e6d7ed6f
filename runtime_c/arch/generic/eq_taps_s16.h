/*
 * Each channel against its own few weights: the core of the depthwise convolution.
 *   eq_taps_multiply_s16  out[c] for all channels of one pixel; taps[t] points to the `channels` input values under kernel
 *                         position t (or to a row of the padding value), t = 0 … depth - 1 in row-major order of the
 *                         kernel. x_bytes: 1 where they are int8, 2 where they are int16. depth <= EQ_SUM_BLOCK
 *
 * This file: weights [depth][channels], four channels at a time, then one.
 */
#ifndef EQ_TAPS_S16_H
#define EQ_TAPS_S16_H

#include <eq_channels_s16.h>

/* One channel: the sum of its products, without the bias where it is wide, to its output. */
EQ_INLINE void eq_taps_finish_s16(void *out, int32_t c, int32_t sum, const eq_channels_s16_t *p) {
  const int32_t acc = p->wide ? eq_shifted_sum(p->bias[c], sum, p->shift) : sum;
  eq_finish_s16(out, c, acc, p->multiplier[c], p);
}

EQ_INLINE void eq_taps_multiply_s16(void *out, const void *const *taps, int32_t x_bytes, const eq_channels_s16_t *p) {
  const int32_t quads = p->channels & ~3;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < quads; c += 4) {
    const int8_t *w = p->weights + c;
    int32_t s0 = p->wide ? 0 : p->bias[c];
    int32_t s1 = p->wide ? 0 : p->bias[c + 1];
    int32_t s2 = p->wide ? 0 : p->bias[c + 2];
    int32_t s3 = p->wide ? 0 : p->bias[c + 3];
    EQ_NO_UNROLL
    for (int32_t t = 0; t < p->depth; ++t) {
      const void *x = eq_element_at(taps[t], c, x_bytes);
      s0 += eq_load_element(x, 0, x_bytes) * w[0];
      s1 += eq_load_element(x, 1, x_bytes) * w[1];
      s2 += eq_load_element(x, 2, x_bytes) * w[2];
      s3 += eq_load_element(x, 3, x_bytes) * w[3];
      w += p->channels;
    }
    eq_taps_finish_s16(out, c, s0, p);
    eq_taps_finish_s16(out, c + 1, s1, p);
    eq_taps_finish_s16(out, c + 2, s2, p);
    eq_taps_finish_s16(out, c + 3, s3, p);
  }
  EQ_NO_UNROLL
  for (int32_t c = quads; c < p->channels; ++c) {
    int32_t sum = p->wide ? 0 : p->bias[c];
    for (int32_t t = 0; t < p->depth; ++t) {
      sum += eq_load_element(taps[t], c, x_bytes) * p->weights[t * p->channels + c];
    }
    eq_taps_finish_s16(out, c, sum, p);
  }
}

#endif
