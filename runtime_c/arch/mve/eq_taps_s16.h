/*
 * Each channel against its own few weights: the core of the depthwise convolution.
 *   eq_taps_multiply_s16  out[c] for all channels of one pixel; taps[t] points to the `channels` input values under kernel
 *                         position t (or to a row of the padding value), t = 0 … depth - 1 in row-major order of the
 *                         kernel. x_bytes: 1 where they are int8, 2 where they are int16. depth <= EQ_SUM_BLOCK
 *
 * This file: weights [depth][channels], four channels at a time; nothing beyond the last is read or written.
 */
#ifndef EQ_TAPS_S16_H
#define EQ_TAPS_S16_H

#include <eq_lanes_s16.h>

/* Four channels from `c`, of which `left` exist: products to outputs. */
EQ_INLINE void eq_taps_finish_s16(void *out, int32_t c, int32x4_t sums, int32_t left, const eq_channels_s16_t *p) {
  const int32x4_t bias = vldrwq_z_s32(p->bias + c, vctp32q((uint32_t)left));
  sums = p->wide ? eq_shifted_sum_x4(bias, sums, p->shift) : vaddq_s32(bias, sums);
  eq_finish_four_s16(out, c, sums, left, p);
}

EQ_INLINE int32x4_t eq_taps_load_s16(const void *from, int32_t x_bytes, mve_pred16_t exist) {
  return x_bytes == 1 ? vldrbq_z_s32((const int8_t *)from, exist) : vldrhq_z_s32((const int16_t *)from, exist);
}

EQ_INLINE void eq_taps_multiply_s16(void *out, const void *const *taps, int32_t x_bytes, const eq_channels_s16_t *p) {
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += 4) {
    const int32_t left = p->channels - c;
    const mve_pred16_t exist = vctp32q((uint32_t)left);
    const int8_t *w = p->weights + c;
    const void *const *tap = taps;
    int32x4_t sums = vdupq_n_s32(0);
    EQ_NO_UNROLL
    for (int32_t t = p->depth; t > 0; --t) {
      const int32x4_t x = eq_taps_load_s16(eq_element_at(*tap++, c, x_bytes), x_bytes, exist);
      sums = vaddq_s32(sums, vmulq_s32(x, vldrbq_z_s32(w, exist)));
      w += p->channels;
    }
    eq_taps_finish_s16(out, c, sums, left, p);
  }
}

#endif
