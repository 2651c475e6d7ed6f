/*
 * 2-D convolution, int8, requantization "highmul", with the DSP extension: any kernel, stride, dilation, padding, group.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][g*Cg + c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix likewise; positions outside x hold pad_value;
 *   Cg = in_c/group, g = o / (out_c/group).
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights packed per group (packing.py, pack_triple): bias
 *            and multiplier are among them.
 * Ranges     bias already contains -zero_point(x) * sum of all weights; no partial sum may leave int32;
 *            requantization as in eq_requantize.h; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   with group 1 out may overlap x, not scratch, from below: three pixels at a time in the order of out are
 *            stored when their windows have been read. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    three columns: EQ_CONV2D_TRIPLE_S8_SCRATCH bytes, 4-byte aligned. depth = sum of the segments, each rounded up
 *            to 4: a kernel row (kernel_w*in_c) where group = dilation_w = 1, else a tap (Cg).
 */
#ifndef EQ_CONV2D_TRIPLE_S8_H
#define EQ_CONV2D_TRIPLE_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_triple.h"
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
  int32_t depth;   /* places of a column */
  int32_t coupled; /* how the weights are packed, see eq_triple.h */
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_triple_s8_t;

#define EQ_CONV2D_TRIPLE_S8_SCRATCH(depth) (EQ_TRIPLE_BYTES * (depth))

/* eq_conv2d_triple_gather where no row of the window is cut, which most are not. */
EQ_INLINE void eq_conv2d_triple_rows(void *columns, int32_t pixel, const int8_t *x, int32_t y0, int32_t x0,
                                     const eq_conv2d_triple_s8_t *p) {
  const int32_t n = p->kernel_w * p->in_c;
  const int32_t step = p->in_w * p->in_c;
  int32_t offset = y0 * step + x0 * p->in_c;
  int32_t iy = y0;
  int32_t at = 0;
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    if (iy >= 0 && iy < p->in_h) {
      eq_triple_run(columns, pixel, at, x + offset, n);
    } else {
      eq_triple_fill(columns, pixel, at, p->pad_value, n);
    }
    at += eq_triple_segment(n);
    iy += p->dilation_h;
    offset += p->dilation_h * step;
  }
}

/* Column `pixel` := the window whose first tap is at row y0, column x0 of x (already moved to the group's channels). */
EQ_INLINE void eq_conv2d_triple_gather(void *columns, int32_t pixel, const int8_t *x, int32_t y0, int32_t x0,
                                       const eq_conv2d_triple_s8_t *p) {
  const int32_t c = p->in_c / p->group;
  const int32_t whole_rows = p->group == 1 && p->dilation_w == 1;
  const int32_t runs = whole_rows ? 1 : p->kernel_w;
  const int32_t taps = whole_rows ? p->kernel_w : 1;
  int32_t at = 0;
  if (whole_rows && x0 >= 0 && x0 + p->kernel_w <= p->in_w) {
    eq_conv2d_triple_rows(columns, pixel, x, y0, x0, p);
    return;
  }
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    const int32_t iy = y0 + ky * p->dilation_h;
    const int32_t width = iy >= 0 && iy < p->in_h ? p->in_w : 0; /* a row outside x has no columns inside */
    EQ_NO_UNROLL
    for (int32_t run = 0; run < runs; ++run) {
      const int32_t ix = x0 + run * p->dilation_w;
      const eq_range_t inside = eq_clip_window(ix, taps, width);
      const int32_t left = inside.length > 0 ? inside.first - ix : taps;
      const int32_t right = left + inside.length;
      const int8_t *from = inside.length > 0 ? x + (iy * p->in_w + inside.first) * p->in_c : x;
      eq_triple_fill(columns, pixel, at, p->pad_value, left * c);
      eq_triple_copy(columns, pixel, at + left * c, from, inside.length * c);
      eq_triple_fill(columns, pixel, at + right * c, p->pad_value, (taps - right) * c);
      at += eq_triple_segment(taps * c);
    }
  }
}

EQ_INLINE void eq_conv2d_triple_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                   const eq_conv2d_triple_s8_t *p) {
  const int32_t channels = p->out_c / p->group;
  const int32_t pixels = p->out_h * p->out_w;
  const int32_t rest = pixels % 3;
  const int8_t *w = weights;
  EQ_NO_UNROLL
  for (int32_t g = 0; g < p->group; ++g) {
    const eq_coupled_t set = eq_coupled_set(p->out_c, scratch, w, p->depth, channels, p->shift, p->out_zero);
    const int8_t *in = x + g * (p->in_c / p->group);
    int8_t *to = out + g * channels;
    int32_t filled = 0;
    int32_t y0 = -p->pad_top;
    EQ_NO_UNROLL
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
      int32_t x0 = -p->pad_left;
      EQ_NO_UNROLL
      for (int32_t ox = 0; ox < p->out_w; ++ox) {
        eq_conv2d_triple_gather(scratch, filled, in, y0, x0, p);
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
    w += eq_coupled_bytes(channels, p->depth);
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
