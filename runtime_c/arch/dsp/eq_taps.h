/*
 * Each channel against its own few weights: the core of the depthwise convolution.
 *   eq_taps_multiply  out[c] for all channels of one pixel; taps[t] points to the `channels` input values under kernel
 *                     position t (or to a row of the padding value), t = 0 … depth - 1 in row-major order of the kernel
 *
 * This file: weights [depth][channels], four channels at a time: one word of input and one of weights per tap.
 */
#ifndef EQ_TAPS_H
#define EQ_TAPS_H

#include <eq_channels.h>
#include <eq_dot.h>
#include <eq_requantize.h>

EQ_INLINE int32_t eq_mac_low(uint32_t a, uint32_t b, int32_t acc) {
  __asm__("smlabb %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b) : "cc");
  return acc;
}

EQ_INLINE int32_t eq_mac_high(uint32_t a, uint32_t b, int32_t acc) {
  __asm__("smlatt %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b) : "cc");
  return acc;
}

EQ_INLINE int8_t eq_taps_finish(int32_t acc, int32_t c, const eq_channels_t *p) {
  return (int8_t)eq_clamp(eq_requantize(acc, p->multiplier[c], p->shift, p->out_zero), p->clamp_min, p->clamp_max);
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
    const int8_t *const *tap = taps;
    const int8_t *const *const end = taps + p->depth;
    EQ_NO_UNROLL
    while (tap != end) {
      const uint32_t x = eq_load_word(*tap++ + c);
      const uint32_t v = eq_load_word(w);
      const uint32_t xe = eq_even_bytes(x);
      const uint32_t ve = eq_even_bytes(v);
      s0 = eq_mac_low(xe, ve, s0);
      s2 = eq_mac_high(xe, ve, s2);
      const uint32_t xo = eq_odd_bytes(x);
      const uint32_t vo = eq_odd_bytes(v);
      s1 = eq_mac_low(xo, vo, s1);
      s3 = eq_mac_high(xo, vo, s3);
      w += p->channels;
    }
    out[c] = eq_taps_finish(s0, c, p);
    out[c + 1] = eq_taps_finish(s1, c + 1, p);
    out[c + 2] = eq_taps_finish(s2, c + 2, p);
    out[c + 3] = eq_taps_finish(s3, c + 3, p);
  }
  EQ_NO_UNROLL
  for (int32_t c = quads; c < p->channels; ++c) {
    const int8_t *w = p->weights + c;
    int32_t acc = p->bias[c];
    for (int32_t t = 0; t < p->depth; ++t) {
      acc += taps[t][c] * w[t * p->channels];
    }
    out[c] = eq_taps_finish(acc, c, p);
  }
}

#endif
