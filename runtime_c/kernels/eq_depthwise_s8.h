/*
 * Depthwise 2-D convolution (group = in_c = out_c), int8, requantization "highmul": any kernel, stride, dilation, padding.
 *
 *   out[oy][ox][c] = clamp(requantize(bias[c] + sum_{ky,kx} w[ky][kx][c] * x[iy][ix][c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix likewise; positions outside x hold pad_value.
 *
 * Layout     out [out_h][out_w][channels], x [in_h][in_w][channels], weights [kernel_h][kernel_w][channels]; bias and
 *            multiplier [channels], on MVE in the lane order of eq_taps.h, in whole blocks of 16.
 * Ranges     bias already contains -zero_point(x) * sum of all weights; no partial sum may leave int32;
 *            -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1. MVE: see eq_taps.h about weights of -128.
 * Aliasing   out may overlap x, not scratch, from below: channels of a pixel are written one after the other, when
 *            their window has been read.
 * Rounding   eq_requantize.h.
 * Scratch    a pointer per tap, then a pixel of padding: EQ_DEPTHWISE_S8_SCRATCH bytes, aligned for a pointer.
 */
#ifndef EQ_DEPTHWISE_S8_H
#define EQ_DEPTHWISE_S8_H

#include "eq_channels.h"
#include "eq_taps.h"

typedef struct {
  int32_t in_h;
  int32_t in_w;
  int32_t channels;
  int32_t out_h;
  int32_t out_w;
  int32_t kernel_h;
  int32_t kernel_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_value;
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
  int32_t narrow; /* eq_requantize.h */
} eq_depthwise_s8_t;

#define EQ_DEPTHWISE_S8_SCRATCH(kernel_h, kernel_w, channels) (sizeof(void *) * (kernel_h) * (kernel_w) + (channels))

/* Where the input values under each kernel position are, for the window that starts at (y0, x0). */
EQ_INLINE void eq_depthwise_point(const int8_t **taps, const int8_t *padding, const int8_t *x, int32_t y0, int32_t x0,
                                  const eq_depthwise_s8_t *p) {
  const int32_t clear = x0 >= 0 && x0 + (p->kernel_w - 1) * p->dilation_w < p->in_w;
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    const int32_t iy = y0 + ky * p->dilation_h;
    const int32_t inside = iy >= 0 && iy < p->in_h;
    if (inside && clear) {
      const int8_t *from = x + (iy * p->in_w + x0) * p->channels;
      for (int32_t kx = 0; kx < p->kernel_w; ++kx) {
        *taps++ = from + kx * (p->dilation_w * p->channels);
      }
      continue;
    }
    EQ_NO_UNROLL
    for (int32_t kx = 0; kx < p->kernel_w; ++kx) {
      const int32_t ix = x0 + kx * p->dilation_w;
      *taps++ = inside && ix >= 0 && ix < p->in_w ? x + (iy * p->in_w + ix) * p->channels : padding;
    }
  }
}

EQ_INLINE void eq_depthwise_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights, const int32_t *bias,
                               const int32_t *multiplier, const eq_depthwise_s8_t *p) {
  const int32_t depth = p->kernel_h * p->kernel_w;
  const eq_channels_t set = {weights,  bias,        multiplier,   depth,        p->channels,
                             p->shift, p->out_zero, p->clamp_min, p->clamp_max, p->narrow};
  const int8_t **taps = (const int8_t **)scratch;
  int8_t *padding = (int8_t *)scratch + (size_t)depth * sizeof(*taps);
  for (int32_t c = 0; c < p->channels; ++c) {
    padding[c] = (int8_t)p->pad_value;
  }
  int32_t y0 = -p->pad_top;
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    int32_t x0 = -p->pad_left;
    EQ_NO_UNROLL
    for (int32_t ox = 0; ox < p->out_w; ++ox) {
      eq_depthwise_point(taps, padding, x, y0, x0, p);
      eq_taps_multiply(out, taps, &set);
      out += p->channels;
      x0 += p->stride_w;
    }
    y0 += p->stride_h;
  }
}

#endif
