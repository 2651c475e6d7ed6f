/*
 * Each channel against its own few weights: the core of the depthwise convolution.
 *   eq_taps_multiply  out[c] for all channels of one pixel; taps[t] points to the `channels` input values under kernel
 *                     position t (or to a row of the padding value), t = 0 … depth - 1 in row-major order of the kernel
 *
 * This file: weights [depth][channels], sixteen channels at a time. Products are int16 (VMULLB, VMULLT); the two of a tap
 * pair are added in int16, which is exact unless both weights are -128 (taps 2i and 2i+1 of a channel must not both be:
 * the binding refuses), then widened. That leaves the sums in lanes 0 4 8 12 | 1 5 9 13 | 2 6 10 14 | 3 7 11 15 of each
 * block: bias and multiplier are stored in this order, in whole blocks of sixteen.
 */
#ifndef EQ_TAPS_H
#define EQ_TAPS_H

#include <eq_channels.h>
#include <eq_requantize.h>

/* Sums in the lane order above. */
typedef struct {
  int32x4_t a0;
  int32x4_t a1;
  int32x4_t a2;
  int32x4_t a3;
} eq_lanes_t;

/* Even lanes (0 2 4 …) of the products are in `even`, odd ones in `odd`. */
EQ_INLINE eq_lanes_t eq_taps_widen(eq_lanes_t acc, int16x8_t even, int16x8_t odd) {
  acc.a0 = vaddq_s32(acc.a0, vmovlbq_s16(even));
  acc.a2 = vaddq_s32(acc.a2, vmovltq_s16(even));
  acc.a1 = vaddq_s32(acc.a1, vmovlbq_s16(odd));
  acc.a3 = vaddq_s32(acc.a3, vmovltq_s16(odd));
  return acc;
}

/* `whole`, known at compile time: all sixteen lanes exist. */
EQ_INLINE int8x16_t eq_taps_load(const int8_t *from, mve_pred16_t lanes, int32_t whole) {
  return whole ? vldrbq_s8(from) : vldrbq_z_s8(from, lanes);
}

/* Sixteen channels from channel c. */
EQ_INLINE void eq_taps_block(int8_t *out, const int8_t *const *taps, int32_t c, int32_t whole, const eq_channels_t *p) {
  const mve_pred16_t lanes = whole ? (mve_pred16_t)0xffff : vctp8q((uint32_t)(p->channels - c));
  const int32_t *bias = p->bias + c;
  const int32_t *multiplier = p->multiplier + c;
  const int8_t *w = p->weights + c;
  eq_lanes_t acc = {vldrwq_s32(bias), vldrwq_s32(bias + 4), vldrwq_s32(bias + 8), vldrwq_s32(bias + 12)};
  EQ_NO_UNROLL
  for (int32_t pairs = p->depth >> 1; pairs > 0; --pairs) {
    int8x16_t x = eq_taps_load(taps[0] + c, lanes, whole);
    int8x16_t v = eq_taps_load(w, lanes, whole);
    int16x8_t even = vmullbq_int_s8(x, v);
    int16x8_t odd = vmulltq_int_s8(x, v);
    x = eq_taps_load(taps[1] + c, lanes, whole);
    v = eq_taps_load(w + p->channels, lanes, whole);
    even = vaddq_s16(even, vmullbq_int_s8(x, v));
    odd = vaddq_s16(odd, vmulltq_int_s8(x, v));
    acc = eq_taps_widen(acc, even, odd);
    taps += 2;
    w += 2 * p->channels;
  }
  if ((p->depth & 1) != 0) {
    const int8x16_t x = eq_taps_load(taps[0] + c, lanes, whole);
    const int8x16_t v = eq_taps_load(w, lanes, whole);
    acc = eq_taps_widen(acc, vmullbq_int_s8(x, v), vmulltq_int_s8(x, v));
  }
  acc.a0 = eq_high_multiply_x4(acc.a0, vldrwq_s32(multiplier), p->shift);
  acc.a1 = eq_high_multiply_x4(acc.a1, vldrwq_s32(multiplier + 4), p->shift);
  acc.a2 = eq_high_multiply_x4(acc.a2, vldrwq_s32(multiplier + 8), p->shift);
  acc.a3 = eq_high_multiply_x4(acc.a3, vldrwq_s32(multiplier + 12), p->shift);
  int8x16_t y = eq_requantize_x16(acc.a0, acc.a1, acc.a2, acc.a3, p->out_zero);
  if (p->clamp_min > -128) {
    y = vmaxq_s8(y, vdupq_n_s8((int8_t)p->clamp_min));
  }
  if (p->clamp_max < 127) {
    y = vminq_s8(y, vdupq_n_s8((int8_t)p->clamp_max));
  }
  if (whole) {
    vstrbq_s8(out + c, y);
  } else {
    vstrbq_p_s8(out + c, y, lanes);
  }
}

EQ_INLINE void eq_taps_multiply(int8_t *out, const int8_t *const *taps, const eq_channels_t *p) {
  const int32_t blocks = p->channels & ~15;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < blocks; c += 16) {
    eq_taps_block(out, taps, c, 1, p);
  }
  if (blocks != p->channels) {
    eq_taps_block(out, taps, blocks, 0, p);
  }
}

#endif
