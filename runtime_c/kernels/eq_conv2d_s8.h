/*
 * 2-D convolution, int8, requantization "highmul": any kernel, stride, dilation, padding and group.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][g*Cg + c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix likewise; positions outside x hold pad_value;
 *   Cg = in_c/group, g = o / (out_c/group).
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights packed per group (packing.py, pack_columns),
 *            bias and multiplier [group][eq_columns_channels(out_c/group)].
 * Ranges     bias already contains -zero_point(x) * sum of all weights; no partial sum may leave int32;
 *            requantization as in eq_requantize.h; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   with group 1 out may overlap x, not scratch, from below: two pixels are written when both windows are
 *            gathered.
 * Rounding   eq_requantize.h.
 * Scratch    two columns: EQ_CONV2D_S8_SCRATCH bytes, 4-byte aligned. depth = sum of the segments: a
 *            kernel row (kernel_w*in_c) where group = dilation_w = 1, else a tap (Cg); a segment is rounded up to 4 with
 *            the DSP extension.
 */
#ifndef EQ_CONV2D_S8_H
#define EQ_CONV2D_S8_H

#include "eq_channels.h"
#include "eq_columns.h"

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
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
  int32_t narrow; /* eq_requantize.h */
} eq_conv2d_s8_t;

#define EQ_CONV2D_S8_SCRATCH(depth) (2 * EQ_COLUMN_BYTES * (depth))

EQ_INLINE int32_t eq_conv2d_limit(int32_t value, int32_t top) { return value < 0 ? 0 : value > top ? top : value; }

/* Column `pixel` := the window whose first tap is at row y0, column x0 of x (already moved to the group's channels). */
EQ_INLINE void eq_conv2d_gather(void *columns, int32_t pixel, const int8_t *x, int32_t y0, int32_t x0,
                                const eq_conv2d_s8_t *p) {
  const int32_t c = p->in_c / p->group;
  const int32_t whole_rows = p->group == 1 && p->dilation_w == 1;
  const int32_t runs = whole_rows ? 1 : p->kernel_w;
  const int32_t taps = whole_rows ? p->kernel_w : 1;
  int32_t at = 0;
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    const int32_t iy = y0 + ky * p->dilation_h;
    const int32_t width = iy >= 0 && iy < p->in_h ? p->in_w : 0; /* a row outside x has no columns inside */
    EQ_NO_UNROLL
    for (int32_t run = 0; run < runs; ++run) {
      const int32_t ix = x0 + run * p->dilation_w;
      int32_t left = eq_conv2d_limit(-ix, taps);
      int32_t right = eq_conv2d_limit(width - ix, taps);
      const int8_t *from = x;
      if (right > left) {
        from = x + (iy * p->in_w + ix + left) * p->in_c;
      } else {
        left = taps;
        right = taps;
      }
      eq_column_fill(columns, pixel, p->depth, at, p->pad_value, left * c);
      eq_column_copy(columns, pixel, p->depth, at + left * c, from, (right - left) * c);
      eq_column_fill(columns, pixel, p->depth, at + right * c, p->pad_value, (taps - right) * c);
      at += eq_column_segment(taps * c);
    }
  }
}

EQ_INLINE void eq_conv2d_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights, const int32_t *bias,
                            const int32_t *multiplier, const eq_conv2d_s8_t *p) {
  const int32_t channels = p->out_c / p->group;
  const int32_t stored = eq_columns_channels(channels);
  EQ_NO_UNROLL
  for (int32_t g = 0; g < p->group; ++g) {
    const eq_channels_t set = {weights + g * stored * p->depth,
                               bias + g * stored,
                               multiplier + g * stored,
                               p->depth,
                               channels,
                               p->shift,
                               p->out_zero,
                               p->clamp_min,
                               p->clamp_max,
                               p->narrow};
    const int8_t *in = x + g * (p->in_c / p->group);
    int8_t *to = out + g * channels;
    int32_t filled = 0;
    int32_t y0 = -p->pad_top;
    EQ_NO_UNROLL
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
      int32_t x0 = -p->pad_left;
      EQ_NO_UNROLL
      for (int32_t ox = 0; ox < p->out_w; ++ox) {
        eq_conv2d_gather(scratch, filled, in, y0, x0, p);
        const int32_t last = ox + 1 == p->out_w && oy + 1 == p->out_h;
        if (filled == 1 || last) {
          eq_columns_multiply(to, filled == 1 ? to + p->out_c : to, eq_column_at(scratch, 0, p->depth),
                              eq_column_at(scratch, filled, p->depth), &set);
          to += 2 * p->out_c;
        }
        filled ^= 1;
        x0 += p->stride_w;
      }
      y0 += p->stride_h;
    }
  }
}

#endif
