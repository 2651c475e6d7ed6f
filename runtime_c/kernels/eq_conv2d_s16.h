/*
 * 2-D convolution with int16 on either side, requantization "highmul": any kernel, stride, dilation, padding and group.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][g*Cg + c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix likewise; positions outside x hold pad_value;
 *   Cg = in_c/group, g = o / (out_c/group).
 *
 * Layout     out [out_h][out_w][out_c] of out_bytes (1: int8, 2: int16), x [in_h][in_w][in_c] of x_bytes; weights int8,
 *            packed per group (packing.py, pack_columns), bias and multiplier [group][eq_columns_channels_s16(out_c/group)].
 * Ranges     bias already contains -zero_point(x) * sum of all weights; int16 has zero point 0. wide, shift, out_zero,
 *            clamp_min and clamp_max as in eq_channels_s16.h. All sizes >= 1.
 * Aliasing   with group 1 out may overlap x, not scratch, from below: two pixels are written when both windows are
 *            gathered.
 * Rounding   eq_requantize.h.
 * Scratch    two columns: EQ_CONV2D_S16_SCRATCH bytes, 4-byte aligned. depth = sum of the segments: a kernel row
 *            (kernel_w*in_c) where group = dilation_w = 1, else a tap (Cg); a segment is rounded up by eq_segment_s16.
 */
#ifndef EQ_CONV2D_S16_H
#define EQ_CONV2D_S16_H

#include "eq_columns_s16.h"

typedef struct {
  int32_t in_h, in_w, in_c;
  int32_t out_h, out_w, out_c;
  int32_t kernel_h, kernel_w, stride_h, stride_w;
  int32_t pad_top, pad_left, dilation_h, dilation_w;
  int32_t group;
  int32_t pad_value;
  int32_t depth; /* places of a column */
  int32_t x_bytes, out_bytes;
  int32_t wide, shift, out_zero;
  int32_t clamp_min, clamp_max;
} eq_conv2d_s16_t;

#define EQ_CONV2D_S16_SCRATCH(depth) (4 * (depth))

EQ_INLINE int16_t *eq_conv2d_s16_fill(int16_t *to, int32_t value, int32_t n) {
  EQ_NO_UNROLL
  for (; n > 0; --n) {
    *to++ = (int16_t)value;
  }
  return to;
}

/* The window whose first tap is at row y0, column x0 of x (already moved to the group's channels), as a column. */
EQ_INLINE void eq_conv2d_s16_gather(int16_t *column, const void *x, int32_t y0, int32_t x0, const eq_conv2d_s16_t *p) {
  const int32_t c = p->in_c / p->group;
  const int32_t whole_rows = p->group == 1 && p->dilation_w == 1;
  const int32_t runs = whole_rows ? 1 : p->kernel_w;
  const int32_t taps = whole_rows ? p->kernel_w : 1;
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    const int32_t iy = y0 + ky * p->dilation_h;
    const int32_t width = iy >= 0 && iy < p->in_h ? p->in_w : 0; /* a row outside x has no columns inside */
    EQ_NO_UNROLL
    for (int32_t run = 0; run < runs; ++run) {
      const int32_t ix = x0 + run * p->dilation_w;
      const int32_t first = ix < 0 ? -ix : 0;
      const int32_t end = width - ix < taps ? width - ix : taps;
      const int32_t left = end > first ? first : taps; /* a segment wholly outside is padding to its end */
      const int32_t right = end > first ? end : taps;
      int16_t *to = eq_conv2d_s16_fill(column, p->pad_value, left * c);
      if (right > left) {
        const int32_t at = (iy * p->in_w + ix + left) * p->in_c;
        to = eq_column_copy_s16(to, eq_element_at(x, at, p->x_bytes), (right - left) * c, p->x_bytes);
      }
      (void)eq_conv2d_s16_fill(to, p->pad_value, (taps - right) * c);
      column += eq_segment_s16(taps * c);
    }
  }
}

EQ_INLINE void eq_conv2d_s16(void *out, const void *x, void *scratch, const int8_t *weights, const int32_t *bias,
                             const int32_t *multiplier, const eq_conv2d_s16_t *p) {
  const int32_t channels = p->out_c / p->group;
  const int32_t stored = eq_columns_channels_s16(channels);
  const int32_t pixel = p->out_c * p->out_bytes;
  int16_t *const columns[2] = {(int16_t *)scratch, (int16_t *)scratch + p->depth};
  EQ_NO_UNROLL
  for (int32_t g = 0; g < p->group; ++g) {
    const eq_channels_s16_t set = {weights + g * stored * p->depth,
                                   bias + g * stored,
                                   multiplier + g * stored,
                                   p->depth,
                                   channels,
                                   p->wide,
                                   p->shift,
                                   p->out_bytes,
                                   p->out_zero,
                                   p->clamp_min,
                                   p->clamp_max};
    const void *in = eq_element_at(x, g * (p->in_c / p->group), p->x_bytes);
    int8_t *to = (int8_t *)out + g * channels * p->out_bytes;
    int32_t filled = 0;
    int32_t y0 = -p->pad_top;
    EQ_NO_UNROLL
    for (int32_t oy = 0; oy < p->out_h; ++oy) {
      int32_t x0 = -p->pad_left;
      EQ_NO_UNROLL
      for (int32_t ox = 0; ox < p->out_w; ++ox) {
        eq_conv2d_s16_gather(columns[filled], in, y0, x0, p);
        const int32_t last = ox + 1 == p->out_w && oy + 1 == p->out_h;
        if (filled == 1 || last) {
          eq_columns_multiply_s16(to, filled == 1 ? to + pixel : to, columns[0], columns[filled], &set);
          to += 2 * pixel;
        }
        filled ^= 1;
        x0 += p->stride_w;
      }
      y0 += p->stride_h;
    }
  }
}

#endif
