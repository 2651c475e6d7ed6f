/*
 * 2-D convolution of images with few channels, int8, requantization "highmul", with the DSP extension: a first layer
 * of few weights, which are stored as int16.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix = ox*stride_w - pad_left + kx; positions outside x hold pad_value.
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights packed by packing.py, pack_wide, in the order of
 *            eq_small_rows.h: bias and multiplier are among them.
 * Ranges     bias already contains -zero_point(x) * sum of all weights; no partial sum may leave int32;
 *            requantization as in eq_requantize.h, shift 0; out_c a multiple of 4; -128 <= clamp_min <= clamp_max <= 127.
 *            All sizes >= 1.
 * Aliasing   out may overlap x, not scratch, from below: two pixels at a time in the order of out are stored when their
 *            windows have been read. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    two columns, and two rows of a window: EQ_CONV2D_WIDE_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_CONV2D_WIDE_S8_H
#define EQ_CONV2D_WIDE_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_small_rows.h"
#include "eq_wide.h"

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
  int32_t depth; /* places of a column: the values of a window, rounded up to 4 */
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_wide_s8_t;

#define EQ_CONV2D_WIDE_S8_SCRATCH(depth, kernel_w, in_c) (EQ_WIDE_BYTES * (depth) + 2 * ((kernel_w) * (in_c) + 3))

EQ_INLINE void eq_conv2d_wide_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                 const eq_conv2d_wide_s8_t *p) {
  const int32_t pixels = p->out_h * p->out_w;
  const int32_t row = p->kernel_w * p->in_c;
  int8_t *const cut = (int8_t *)scratch + EQ_WIDE_BYTES * p->depth;
  int8_t *const outside = cut + ((row + 3) & ~3);
  const eq_small_rows_t image = {x,           cut,           outside,      p->in_h, p->in_w, p->in_c, p->kernel_h,
                                 p->kernel_w, p->dilation_h, p->pad_value, 1,       4,       2};
  const eq_wide_t set = eq_wide_set(scratch, weights, p->depth, p->out_c, p->out_zero);
  int8_t *to = out;
  const int32_t apart = p->stride_w * p->in_c;
  const int32_t last = p->in_w - p->stride_w - p->kernel_w; /* where a pair of windows may begin */
  int32_t filled = 0;
  int32_t y0 = -p->pad_top;
  EQ_NO_UNROLL
  for (int32_t i = 0; i < row; ++i) {
    outside[i] = (int8_t)p->pad_value;
  }
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    const int32_t is_inside = y0 >= 0 && y0 + (p->kernel_h - 1) * p->dilation_h < p->in_h;
    int32_t x0 = -p->pad_left;
    int32_t left = p->out_w;
    while (left > 0) {
      if (is_inside && filled == 0 && x0 >= 0) {
        const int8_t *from = x + (y0 * p->in_w + x0) * p->in_c;
        for (; left > 1 && x0 <= last; left -= 2) {
          eq_small_rows_pair(scratch, from, apart, &image);
          eq_wide_multiply(to, p->out_c, 2, &set);
          from += 2 * apart;
          to += 2 * p->out_c;
          x0 += 2 * p->stride_w;
        }
        if (left == 0) {
          break;
        }
      }
      eq_small_rows_window(scratch, filled, y0, x0, &image);
      x0 += p->stride_w;
      --left;
      ++filled;
      if (pixels >= 2 && filled == 2) {
        eq_wide_multiply(to, p->out_c, 2, &set);
        to += 2 * p->out_c;
        filled = 0;
      }
    }
    y0 += p->stride_h;
  }
  if ((pixels & 1) != 0) {
    eq_wide_multiply(to, p->out_c, 1, &set);
  }
  eq_clamp_run(out, pixels * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
