/*
 * 2-D convolution, int8, requantization "tflite": bit for bit LiteRT's reference convolution and depthwise convolution
 * (group = in_c). One generic form, written for checking, not for speed.
 *
 *   out[oy][ox][o] = clamp(double_rounding(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][g*Cg + c]) + out_zero)
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix likewise; positions outside x hold pad_value;
 *   Cg = in_c/group, g = o / (out_c/group).
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c], weights [out_c][kernel_h][kernel_w][Cg];
 *            bias, multiplier, exponent [out_c].
 * Ranges     bias already contains -zero_point(x) * sum of all weights; no partial sum may leave int32; multiplier and
 *            exponent as in eq_requantize_tflite.h; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   with group 1 out may overlap x from below: every channel reads the window of its pixel, pixels in rows.
 * Scratch    none.
 */
#ifndef EQ_CONV2D_TFLITE_S8_H
#define EQ_CONV2D_TFLITE_S8_H

#include "eq_requantize.h"
#include "eq_requantize_tflite.h"

typedef struct {
  int32_t in_h;
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t kernel_h;
  int32_t kernel_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t group;
  int32_t pad_value;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_tflite_s8_t;

/* The accumulator of one output; x starts at the group's first channel, w at the output channel's weights. */
EQ_INLINE int32_t eq_conv2d_tflite_sum(int32_t acc, const int8_t *x, const int8_t *w, int32_t y0, int32_t x0,
                                       const eq_conv2d_tflite_s8_t *p) {
  const int32_t depth = p->in_c / p->group;
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    const int32_t iy = y0 + ky * p->dilation_h;
    for (int32_t kx = 0; kx < p->kernel_w; ++kx) {
      const int32_t ix = x0 + kx * p->dilation_w;
      const int32_t inside = iy >= 0 && iy < p->in_h && ix >= 0 && ix < p->in_w;
      const int8_t *row = inside ? x + (iy * p->in_w + ix) * p->in_c : x;
      for (int32_t c = 0; c < depth; ++c) {
        acc += (inside ? row[c] : p->pad_value) * *w++;
      }
    }
  }
  return acc;
}

EQ_INLINE void eq_conv2d_tflite_s8(int8_t *out, const int8_t *x, const int8_t *weights, const int32_t *bias,
                                   const int32_t *multiplier, const int32_t *exponent, const eq_conv2d_tflite_s8_t *p) {
  const int32_t depth = p->in_c / p->group;
  const int32_t channels = p->out_c / p->group;
  const int32_t row = p->kernel_h * p->kernel_w * depth;
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    for (int32_t ox = 0; ox < p->out_w; ++ox) {
      for (int32_t o = 0; o < p->out_c; ++o) {
        const int32_t acc = eq_conv2d_tflite_sum(bias[o], x + (o / channels) * depth, weights + o * row,
                                                 oy * p->stride_h - p->pad_top, ox * p->stride_w - p->pad_left, p);
        const int32_t y = eq_requantize_double(acc, multiplier[o], exponent[o]) + p->out_zero;
        *out++ = (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
      }
    }
  }
}

#endif
