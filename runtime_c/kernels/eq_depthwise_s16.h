/*
 * Depthwise 2-D convolution (group = in_c = out_c) with int16 on either side, requantization "highmul": any kernel of at
 * most EQ_SUM_BLOCK taps, stride, dilation, padding.
 *
 *   out[oy][ox][c] = clamp(requantize(bias[c] + sum_{ky,kx} w[ky][kx][c] * x[iy][ix][c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix likewise; positions outside x hold pad_value.
 *
 * Layout     out [out_h][out_w][channels] of out_bytes (1: int8, 2: int16), x [in_h][in_w][channels] of x_bytes, weights
 *            int8 [kernel_h][kernel_w][channels]; bias and multiplier [channels].
 * Ranges     bias already contains -zero_point(x) * sum of all weights; int16 has zero point 0. wide, shift, out_zero,
 *            clamp_min and clamp_max as in eq_channels_s16.h. All sizes >= 1.
 * Aliasing   out may overlap x, not scratch, from below: channels of a pixel are written one after the other, when
 *            their window has been read.
 * Rounding   eq_requantize.h.
 * Scratch    a pointer per tap, then a pixel of padding: EQ_DEPTHWISE_S16_SCRATCH bytes, aligned for a pointer.
 */
#ifndef EQ_DEPTHWISE_S16_H
#define EQ_DEPTHWISE_S16_H

#include "eq_taps_s16.h"

typedef struct {
  int32_t in_h, in_w, channels;
  int32_t out_h, out_w;
  int32_t kernel_h, kernel_w, stride_h, stride_w;
  int32_t pad_top, pad_left, dilation_h, dilation_w;
  int32_t pad_value;
  int32_t x_bytes, out_bytes;
  int32_t wide, shift, out_zero;
  int32_t clamp_min, clamp_max;
} eq_depthwise_s16_t;

#define EQ_DEPTHWISE_S16_SCRATCH(kernel_h, kernel_w, channels, x_bytes) \
  (sizeof(void *) * (kernel_h) * (kernel_w) + (channels) * (x_bytes))

/* Where the input values under each kernel position are, for the window that starts at (y0, x0). */
EQ_INLINE void eq_depthwise_s16_point(const void **taps, const void *padding, const void *x, int32_t y0, int32_t x0,
                                      const eq_depthwise_s16_t *p) {
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    const int32_t iy = y0 + ky * p->dilation_h;
    const int32_t inside = iy >= 0 && iy < p->in_h;
    EQ_NO_UNROLL
    for (int32_t kx = 0; kx < p->kernel_w; ++kx) {
      const int32_t ix = x0 + kx * p->dilation_w;
      const int32_t at = (iy * p->in_w + ix) * p->channels;
      *taps++ = inside && ix >= 0 && ix < p->in_w ? eq_element_at(x, at, p->x_bytes) : padding;
    }
  }
}

EQ_INLINE void eq_depthwise_s16(void *out, const void *x, void *scratch, const int8_t *weights, const int32_t *bias,
                                const int32_t *multiplier, const eq_depthwise_s16_t *p) {
  const int32_t depth = p->kernel_h * p->kernel_w;
  const eq_channels_s16_t set = {weights,  bias,         multiplier,  depth,        p->channels, p->wide,
                                 p->shift, p->out_bytes, p->out_zero, p->clamp_min, p->clamp_max};
  const void **taps = (const void **)scratch;
  void *padding = (int8_t *)scratch + (size_t)depth * sizeof(*taps);
  for (int32_t c = 0; c < p->channels; ++c) {
    eq_store_element(padding, c, p->pad_value, p->x_bytes);
  }
  int8_t *to = (int8_t *)out;
  int32_t y0 = -p->pad_top;
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    int32_t x0 = -p->pad_left;
    EQ_NO_UNROLL
    for (int32_t ox = 0; ox < p->out_w; ++ox) {
      eq_depthwise_s16_point(taps, padding, x, y0, x0, p);
      eq_taps_multiply_s16(to, taps, p->x_bytes, &set);
      to += p->channels * p->out_bytes;
      x0 += p->stride_w;
    }
    y0 += p->stride_h;
  }
}

#endif
