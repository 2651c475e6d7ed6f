/*
 * 2-D convolution, int8, requantization "highmul", with the DSP extension, in few bytes of code: any kernel, stride and
 * padding; also 1x1, and fully connected layers as images of one pixel a row. For programs in which one kernel takes all
 * of them; its loops are short with EQ_COMPACT.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][c]))
 *   iy = oy*stride_h - pad_top + ky, ix = ox*stride_w - pad_left + kx; positions outside x hold pad_value.
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights packed by packing.py, pack_triple, a kernel row as a
 *            segment: bias and multiplier are among them.
 * Ranges     bias already contains -zero_point(x) * sum of all weights; no partial sum may leave int32;
 *            requantization as in eq_requantize.h; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may overlap x, not scratch, from below: three pixels at a time in the order of out are stored when their
 *            windows have been read. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    three columns: EQ_CONV2D_SHORT_S8_SCRATCH bytes, 4-byte aligned. depth = kernel_h times a kernel row
 *            (kernel_w*in_c) rounded up to 4.
 */
#ifndef EQ_CONV2D_SHORT_S8_H
#define EQ_CONV2D_SHORT_S8_H

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
  int32_t pad_value;
  int32_t depth;   /* places of a column */
  int32_t coupled; /* how the weights are packed, see eq_triple.h */
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_short_s8_t;

#define EQ_CONV2D_SHORT_S8_SCRATCH(depth) (EQ_TRIPLE_BYTES * (depth))

/* n values to places from `at` on: those at src, or where `step` is 0 the four there again and again. */
EQ_NOINLINE __attribute__((unused)) static void eq_conv2d_short_move(eq_half_t *column, int32_t at, const int8_t *src,
                                                                     int32_t n, int32_t step) {
  EQ_NO_UNROLL
  while (n > 0) {
    if ((at & 3) == 0 && n >= 4) {
      eq_pair_t *to = (eq_pair_t *)column + (at >> 2) * 6;
      at += n & ~3;
      EQ_NO_UNROLL
      for (; n >= 4; n -= 4) {
        eq_triple_word(to, eq_load_word(src));
        src += 4 * step;
        to += 6;
      }
    } else {
      eq_triple_put(column, at++, *src);
      src += step;
      --n;
    }
  }
}

/* Column `column` := the window whose first tap is at row y0, column x0 of x. */
EQ_INLINE void eq_conv2d_short_gather(eq_half_t *column, const int8_t *x, int32_t y0, int32_t x0, const int8_t *pads,
                                      const eq_conv2d_short_s8_t *p) {
  const int32_t row = p->kernel_w * p->in_c;
  const eq_range_t inside = eq_clip_window(x0, p->kernel_w, p->in_w);
  const int32_t before = (inside.first - x0) * p->in_c;
  int32_t at = 0;
  int32_t iy = y0;
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    int32_t left = row;
    int32_t length = 0;
    if ((uint32_t)iy < (uint32_t)p->in_h && inside.length > 0) {
      left = before;
      length = inside.length * p->in_c;
    }
    if (left > 0) {
      eq_conv2d_short_move(column, at, pads, left, 0);
    }
    eq_conv2d_short_move(column, at + left, x + (iy * p->in_w + inside.first) * p->in_c, length, 1);
    if (left + length < row) {
      eq_conv2d_short_move(column, at + left + length, pads, row - left - length, 0);
    }
    at += eq_triple_segment(row);
    ++iy;
  }
}

EQ_INLINE void eq_conv2d_short_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                  const eq_conv2d_short_s8_t *p) {
  const eq_coupled_t set = eq_coupled_set(p->out_c, scratch, weights, p->depth, p->out_c, p->shift, p->out_zero);
  const uint32_t pads = (uint32_t)(uint8_t)p->pad_value * 0x01010101u;
  int8_t *to = out;
  int32_t filled = 0;
  int32_t left = p->out_h * p->out_w;
  int32_t y0 = -p->pad_top;
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    int32_t x0 = -p->pad_left;
    EQ_NO_UNROLL
    for (int32_t ox = 0; ox < p->out_w; ++ox) {
      eq_conv2d_short_gather((eq_half_t *)scratch + 4 * filled, x, y0, x0, (const int8_t *)&pads, p);
      x0 += p->stride_w;
      ++filled;
      --left;
      if (filled == 3 || left == 0) {
        eq_triple_multiply(to, filled, &set, p->coupled);
        to += 3 * p->out_c;
        filled = 0;
      }
    }
    y0 += p->stride_h;
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
