/*
 * 2-D convolution, int8, requantization "highmul", by panels of four channels: any kernel, stride, dilation, padding, group.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][g*Cg + c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix likewise; positions outside x hold pad_value;
 *   Cg = in_c/group, g = o / (out_c/group).
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights packed per group as eq_panel.h has them (packing.py,
 *            pack_panels): bias and multiplier are among them.
 * Ranges     bias already contains -zero_point(x) * sum of all weights; no partial sum may leave int32; no left shift; on
 *            ARMv6-M also |acc * multiplier| < 2^47 - 2^40; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   with group 1 out may overlap x, not scratch, from below: EQ_PANEL_PIXELS pixels at a time in the order of out
 *            are stored when their windows have been read. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    columns: EQ_CONV2D_PANEL_S8_SCRATCH bytes, 4-byte aligned; depth = kernel_h * kernel_w * Cg.
 */
#ifndef EQ_CONV2D_PANEL_S8_H
#define EQ_CONV2D_PANEL_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_panel.h"
#include "eq_window.h"

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
  int32_t depth; /* places of a column */
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_panel_s8_t;

#define EQ_CONV2D_PANEL_S8_SCRATCH(depth) (EQ_PANEL_PIXELS * ((depth) + EQ_PANEL_SPARE))

/* eq_conv2d_panel_gather where the window is inside x, which most are, and its rows are runs. */
EQ_INLINE void eq_conv2d_panel_rows(void *columns, int32_t pixel, const int8_t *from, const eq_conv2d_panel_s8_t *p) {
  const int32_t n = p->kernel_w * p->in_c;
  const int32_t step = p->dilation_h * p->in_w * p->in_c;
  int32_t at = 0;
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    eq_panel_copy(columns, pixel, p->depth, at, from, n);
    from += step;
    at += n;
  }
}

/* Column `pixel` := the window whose first tap is at row y0, column x0 of x (already moved to the group's channels). */
EQ_INLINE void eq_conv2d_panel_gather(void *columns, int32_t pixel, const int8_t *x, int32_t y0, int32_t x0,
                                      const eq_conv2d_panel_s8_t *p) {
  const int32_t c = p->in_c / p->group;
  const int32_t whole_rows = p->group == 1 && p->dilation_w == 1;
  const int32_t runs = whole_rows ? 1 : p->kernel_w;
  const int32_t taps = whole_rows ? p->kernel_w : 1;
  const int32_t row = p->in_w * p->in_c;
  int32_t offset = y0 * row + x0 * p->in_c;
  int32_t iy = y0;
  int32_t at = 0;
  if (whole_rows && x0 >= 0 && x0 + p->kernel_w <= p->in_w && y0 >= 0 &&
      y0 + (p->kernel_h - 1) * p->dilation_h < p->in_h) {
    eq_conv2d_panel_rows(columns, pixel, x + offset, p);
    return;
  }
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    const int32_t width = iy >= 0 && iy < p->in_h ? p->in_w : 0; /* a row outside x has no columns inside */
    EQ_NO_UNROLL
    for (int32_t run = 0; run < runs; ++run) {
      const int32_t ix = x0 + run * p->dilation_w;
      const eq_range_t inside = eq_clip_window(ix, taps, width);
      const int32_t left = inside.length > 0 ? inside.first - ix : taps;
      const int32_t right = left + inside.length;
      if (left > 0) {
        eq_panel_fill(columns, pixel, p->depth, at, p->pad_value, left * c);
      }
      if (inside.length > 0) {
        eq_panel_copy(columns, pixel, p->depth, at + left * c, x + offset + (run * p->dilation_w + left) * p->in_c,
                      inside.length * c);
      }
      if (right < taps) {
        eq_panel_fill(columns, pixel, p->depth, at + right * c, p->pad_value, (taps - right) * c);
      }
      at += taps * c;
    }
    iy += p->dilation_h;
    offset += p->dilation_h * row;
  }
}

EQ_INLINE void eq_conv2d_panel_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                  const eq_conv2d_panel_s8_t *p) {
  const int32_t channels = p->out_c / p->group;
  const int8_t *w = weights;
  EQ_NO_UNROLL
  for (int32_t g = 0; g < p->group; ++g) {
    const int8_t *in = x + g * (p->in_c / p->group);
    int8_t *to = out + g * channels;
    int32_t filled = 0;
    int32_t left = p->out_h * p->out_w;
    int32_t y0 = -p->pad_top;
    EQ_NO_UNROLL
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
      int32_t x0 = -p->pad_left;
      EQ_NO_UNROLL
      for (int32_t ox = 0; ox < p->out_w; ++ox) {
        eq_conv2d_panel_gather(scratch, filled, in, y0, x0, p);
        x0 += p->stride_w;
        ++filled;
        --left;
        if (filled == EQ_PANEL_PIXELS || left == 0) {
          eq_panel_multiply(to, p->out_c, filled, scratch, w, p->depth, channels, p->out_zero);
          to += filled * p->out_c;
          filled = 0;
        }
      }
      y0 += p->stride_h;
    }
    w += eq_panel_stream(channels, p->depth);
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
