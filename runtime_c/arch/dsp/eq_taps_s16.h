/*
 * Each channel against its own few weights: the core of the depthwise convolution.
 *   eq_taps_multiply_s16  out[c] for all channels of one pixel; taps[t] points to the `channels` input values under kernel
 *                         position t (or to a row of the padding value), t = 0 … depth - 1 in row-major order of the
 *                         kernel. x_bytes: 1 where they are int8, 2 where they are int16. depth <= EQ_SUM_BLOCK
 *
 * This file: weights [depth][channels], four channels at a time: one word of weights per tap, two of input (one of int8).
 */
#ifndef EQ_TAPS_S16_H
#define EQ_TAPS_S16_H

#include <eq_channels_s16.h>
#include <eq_dot.h>

/* acc + one half of a times one half of b. */
#define EQ_MAC_HALVES(name, instruction)                                        \
  EQ_INLINE int32_t name(uint32_t a, uint32_t b, int32_t acc) {                 \
    __asm__(instruction " %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b) : "cc"); \
    return acc;                                                                 \
  }
EQ_MAC_HALVES(eq_mac_bottom_bottom, "smlabb")
EQ_MAC_HALVES(eq_mac_bottom_top, "smlabt")
EQ_MAC_HALVES(eq_mac_top_bottom, "smlatb")
EQ_MAC_HALVES(eq_mac_top_top, "smlatt")

/* One channel: the sum of its products, without the bias where it is wide, to its output. */
EQ_INLINE void eq_taps_finish_s16(void *out, int32_t c, int32_t sum, const eq_channels_s16_t *p) {
  const int32_t acc = p->wide ? eq_shifted_sum(p->bias[c], sum, p->shift) : sum;
  eq_finish_s16(out, c, acc, p->multiplier[c], p);
}

/* acc[i] += x[i] * (byte i of weights) for four neighbouring values. */
EQ_INLINE void eq_taps_four_s16(int32_t acc[4], const void *x, int32_t x_bytes, uint32_t weights) {
  const uint32_t even = eq_even_bytes(weights);
  const uint32_t odd = eq_odd_bytes(weights);
  if (x_bytes == 1) {
    const uint32_t values = eq_load_word(x);
    const uint32_t x_even = eq_even_bytes(values);
    const uint32_t x_odd = eq_odd_bytes(values);
    acc[0] = eq_mac_bottom_bottom(x_even, even, acc[0]);
    acc[1] = eq_mac_bottom_bottom(x_odd, odd, acc[1]);
    acc[2] = eq_mac_top_top(x_even, even, acc[2]);
    acc[3] = eq_mac_top_top(x_odd, odd, acc[3]);
  } else {
    const uint32_t low = eq_load_word(x);
    const uint32_t high = eq_load_word((const int16_t *)x + 2);
    acc[0] = eq_mac_bottom_bottom(low, even, acc[0]);
    acc[1] = eq_mac_top_bottom(low, odd, acc[1]);
    acc[2] = eq_mac_bottom_top(high, even, acc[2]);
    acc[3] = eq_mac_top_top(high, odd, acc[3]);
  }
}

EQ_INLINE void eq_taps_multiply_s16(void *out, const void *const *taps, int32_t x_bytes, const eq_channels_s16_t *p) {
  const int32_t quads = p->channels & ~3;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < quads; c += 4) {
    const int8_t *w = p->weights + c;
    int32_t acc[4] = {0, 0, 0, 0};
    if (!p->wide) {
      acc[0] = p->bias[c];
      acc[1] = p->bias[c + 1];
      acc[2] = p->bias[c + 2];
      acc[3] = p->bias[c + 3];
    }
    const void *const *tap = taps;
    const void *const *const end = taps + p->depth;
    EQ_NO_UNROLL
    while (tap != end) {
      eq_taps_four_s16(acc, eq_element_at(*tap++, c, x_bytes), x_bytes, eq_load_word(w));
      w += p->channels;
    }
    eq_taps_finish_s16(out, c, acc[0], p);
    eq_taps_finish_s16(out, c + 1, acc[1], p);
    eq_taps_finish_s16(out, c + 2, acc[2], p);
    eq_taps_finish_s16(out, c + 3, acc[3], p);
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
