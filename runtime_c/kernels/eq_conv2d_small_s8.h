/*
 * 2-D convolution of images with few channels, int8, requantization "highmul", with the DSP extension: a first layer.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix = ox*stride_w - pad_left + kx; positions outside x hold pad_value.
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights packed by packing.py, pack_triple, in the order of
 *            eq_small_rows.h: bias and multiplier are among them.
 * Ranges     bias already contains -zero_point(x) * sum of all weights; no partial sum may leave int32;
 *            requantization as in eq_requantize.h; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may overlap x, not scratch, from below: three pixels at a time in the order of out are stored when their
 *            windows have been read. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    three columns, and two rows of a window: EQ_CONV2D_SMALL_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_CONV2D_SMALL_S8_H
#define EQ_CONV2D_SMALL_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_small_rows.h"
#include "eq_triple.h"

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
  int32_t pad_value;
  int32_t depth;   /* places of a column: the values of a window, rounded up to 4 */
  int32_t coupled; /* how the weights are packed, see eq_triple.h */
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_small_s8_t;

#define EQ_CONV2D_SMALL_S8_SCRATCH(depth, kernel_w, in_c) (EQ_TRIPLE_BYTES * (depth) + 2 * ((kernel_w) * (in_c) + 3))

EQ_INLINE void eq_conv2d_small_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                  const eq_conv2d_small_s8_t *p) {
  const int32_t pixels = p->out_h * p->out_w;
  const int32_t rest = pixels % 3;
  const int32_t row = p->kernel_w * p->in_c;
  int8_t *const cut = (int8_t *)scratch + EQ_TRIPLE_BYTES * p->depth;
  int8_t *const outside = cut + eq_triple_segment(row);
  const eq_small_rows_t image = {x,           cut,           outside,      p->in_h, p->in_w, p->in_c, p->kernel_h,
                                 p->kernel_w, p->dilation_h, p->pad_value, 2,       6,       1};
  const eq_coupled_t set = eq_coupled_set(p->out_c, scratch, weights, p->depth, p->out_c, p->shift, p->out_zero);
  int8_t *to = out;
  int32_t filled = 0;
  int32_t y0 = -p->pad_top;
  EQ_NO_UNROLL
  for (int32_t i = 0; i < row; ++i) {
    outside[i] = (int8_t)p->pad_value;
  }
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    int32_t x0 = -p->pad_left;
    EQ_NO_UNROLL
    for (int32_t ox = 0; ox < p->out_w; ++ox) {
      eq_small_rows_window(scratch, filled, y0, x0, &image);
      x0 += p->stride_w;
      ++filled;
      if (pixels >= 3 && filled == 3) {
        eq_triple_multiply(to, 3, &set, p->coupled);
        to += 3 * p->out_c;
        filled = 0;
      }
    }
    y0 += p->stride_h;
  }
  if (rest == 2) {
    eq_triple_multiply(to, 2, &set, p->coupled);
  } else if (rest == 1) {
    eq_triple_multiply(to, 1, &set, p->coupled);
  }
  eq_clamp_run(out, pixels * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
