/*
 * 2-D convolution, group 1, int8, requantization "highmul": two pixels by eight channels at a time (eq_tile.h). Any kernel,
 * stride and padding; the kernel's rows may be dilated, its columns not. MVE only.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[iy][ix][c]))
 *   iy = oy*stride_h - pad_top + ky*dilation_h, ix = ox*stride_w - pad_left + kx; positions outside x hold pad_value.
 *
 * kind 0: every window is copied into a column. The last out_c % 8 channels are done by eq_columns.h.
 * kind 1 … 6: windows inside x are read where they lie, a row of the kernel in groups of `kind` chunks of sixteen bytes; only
 * the others, and the last ones where the chunks would reach beyond x, are copied. out_c is a multiple of 8.
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights as eq_tile.h states, of out_c / 8 * 8 channels: for
 *            kind 0 the rows of the kernel behind each other, else each filled up to whole chunks. rest_weights packed by
 *            packing.py, pack_columns, rest_bias and rest_multiplier [eq_columns_channels(out_c % 8)] for the others, NULL
 *            where there are none.
 * Ranges     bias already contains -zero_point(x) * sum of the weights; no partial sum may leave int32;
 *            -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1, out_c >= 8.
 * Aliasing   out may overlap x from below, and must not overlap scratch. Pixels are done in order, one or two neighbours at a
 *            time; windows that lie inside x are read again for every eight channels, which are stored before the next. Of
 *            copied pixels one may wait for the next: it is written late, at a place that was free all the time.
 * Rounding   eq_requantize.h.
 * Scratch    two columns and two lists of groups: EQ_CONV2D_TILE_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_CONV2D_TILE_S8_H
#define EQ_CONV2D_TILE_S8_H

#include "eq_channels.h"
#include "eq_columns.h"
#include "eq_tile.h"

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
  int32_t kind;
  int32_t groups;  /* of a window; kind 0: 0 */
  int32_t segment; /* places of a row of the kernel in a column */
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_tile_s8_t;

#define EQ_CONV2D_TILE_S8_SCRATCH(kernel_h, groups, segment) (2 * (kernel_h) * (segment) + 16 * (groups) + 8)

EQ_INLINE int32_t eq_conv2d_tile_limit(int32_t value, int32_t top) { return value < 0 ? 0 : value > top ? top : value; }

/* The window whose first tap is at row y0, column x0 of x. */
EQ_INLINE void eq_conv2d_tile_gather(int8_t *to, const int8_t *x, int32_t y0, int32_t x0,
                                     const eq_conv2d_tile_s8_t *p) {
  const int32_t left = eq_conv2d_tile_limit(-x0, p->kernel_w) * p->in_c;
  const int32_t right = eq_conv2d_tile_limit(p->in_w - x0, p->kernel_w) * p->in_c;
  const int32_t whole = p->kernel_w * p->in_c;
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    const int32_t iy = y0 + ky * p->dilation_h;
    if (iy < 0 || iy >= p->in_h || right <= left) {
      eq_column_fill(to, 0, 0, 0, p->pad_value, whole);
    } else {
      const int8_t *from = x + (iy * p->in_w + x0) * p->in_c + left;
      if (whole > 16) {
        eq_column_fill(to, 0, 0, 0, p->pad_value, left);
        eq_column_fill(to, 0, 0, right, p->pad_value, whole - right);
      } else if (right - left < whole) {
        eq_column_fill(to, 0, 0, 0, p->pad_value, whole);
      }
      eq_column_copy(to, 0, 0, left, from, right - left);
    }
    to += p->segment;
  }
}

/* The same for a window inside x whose rows have at most sixteen bytes. */
EQ_INLINE void eq_conv2d_tile_copy(int8_t *to, const int8_t *x, int32_t y0, int32_t x0, const eq_conv2d_tile_s8_t *p) {
  const int8_t *from = x + (y0 * p->in_w + x0) * p->in_c;
  __asm__ volatile(
      "vctp.8 %[n]\n\t"
      "dls lr, %[rows]\n"
      "1:\n\t"
      "vpstt\n\t"
      "vldrbt.8 q0, [%[from]]\n\t"
      "vstrbt.8 q0, [%[to]]\n\t"
      "add %[from], %[from], %[row]\n\t"
      "add %[to], %[to], %[segment]\n\t"
      "le lr, 1b"
      : [from] "+r"(from), [to] "+r"(to)
      : [n] "r"(p->kernel_w * p->in_c), [rows] "r"(p->kernel_h), [row] "r"(p->dilation_h * p->in_w * p->in_c),
        [segment] "r"(p->segment)
      : "q0", "lr", "memory");
}

/* A list of the groups of two windows, `apart` bytes from one to the other; `row` bytes from a row of the kernel to the next. */
EQ_INLINE void eq_conv2d_tile_point(const int8_t **list, const int8_t *x, int32_t apart, int32_t row,
                                    const eq_conv2d_tile_s8_t *p) {
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    EQ_NO_UNROLL
    for (int32_t at = 0; at < p->segment; at += 16 * p->kind) {
      list[0] = x + at;
      list[1] = x + at + apart;
      list += 2;
    }
    x += row;
  }
}

/* Both windows of a list move by `step` bytes. */
EQ_INLINE void eq_conv2d_tile_move(const int8_t **list, int32_t step, int32_t groups) {
  __asm__ volatile(
      "dlstp.32 lr, %[count]\n"
      "1:\n\t"
      "vldrw.32 q0, [%[list]]\n\t"
      "vadd.i32 q0, q0, %[step]\n\t"
      "vstrw.32 q0, [%[list]], #16\n\t"
      "letp lr, 1b"
      : [list] "+r"(list)
      : [count] "r"(2 * groups), [step] "r"(step)
      : "q0", "lr", "memory");
}

EQ_INLINE void eq_conv2d_tile_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                 const int8_t *rest_weights, const int32_t *rest_bias, const int32_t *rest_multiplier,
                                 const eq_conv2d_tile_s8_t *p) {
  const int32_t blocks = p->out_c / EQ_TILE_CHANNELS;
  const int32_t rest = p->out_c % EQ_TILE_CHANNELS;
  const int32_t depth = p->kernel_h * p->segment;
  const eq_channels_t set = {rest_weights, rest_bias,   rest_multiplier, depth,        rest,
                             p->shift,     p->out_zero, p->clamp_min,    p->clamp_max, 0};
  const int32_t row = p->in_w * p->in_c;
  const int32_t step = p->stride_w * p->in_c;
  const int32_t reach = (p->kernel_h - 1) * p->dilation_h;
  /* The pixels of a row whose windows lie inside x; some are read where they lie. */
  const int32_t first = (p->pad_left + p->stride_w - 1) / p->stride_w;
  const int32_t fitting = p->in_w + p->pad_left - p->kernel_w;
  const int32_t behind = fitting < 0 ? 0 : eq_conv2d_tile_limit(fitting / p->stride_w + 1, p->out_w);
  const int8_t **direct = (const int8_t **)scratch;
  const int8_t **copied = direct + 2 * p->groups + 1;
  int8_t *columns = (int8_t *)(copied + 2 * p->groups + 1);
  int8_t *waiting = NULL; /* the place of the results of a pixel in column 0 that waits for another one in column 1 */
  eq_tile_frame_t frame;
  eq_tile_start(&frame, p->shift, p->out_zero, p->clamp_min, p->clamp_max);
  if (p->kind > 0) {
    eq_conv2d_tile_point(copied, columns, depth, p->segment, p);
    direct[2 * p->groups] = NULL;
    copied[2 * p->groups] = NULL;
  } else {
    eq_tile_start_pairs(&frame, depth);
  }
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy <= p->out_h; ++oy) {
    const int32_t flush = oy == p->out_h; /* behind the last row: the pixel that still waits */
    const int32_t width = !flush ? p->out_w : waiting != NULL ? 1 : 0;
    const int32_t y0 = oy * p->stride_h - p->pad_top;
    int32_t end = 0;
    if (p->kind > 0 && !flush && y0 >= 0 && y0 + reach < p->in_h && first < behind) {
      const int8_t *from = x + y0 * row + first * step - p->pad_left * p->in_c;
      const int32_t most = (p->in_h - reach - y0) * row - p->segment + p->pad_left * p->in_c;
      end = eq_conv2d_tile_limit((most + step) / step, behind);
      eq_conv2d_tile_point(direct, from, step, p->dilation_h * row, p);
    }
    EQ_NO_UNROLL
    for (int32_t ox = 0; ox < width;) {
      const int32_t inside = ox >= first && ox + 1 < end;
      int8_t *out0 = out;
      int8_t *out1 = out + p->out_c;
      if (inside) {
        ox += 2;
        out += 2 * p->out_c;
      } else {
        if (p->kind == 0 && p->kernel_w * p->in_c <= 16 && y0 >= 0 && y0 + reach < p->in_h && ox >= first &&
            ox < behind) {
          eq_conv2d_tile_copy(columns + (waiting == NULL ? 0 : depth), x, y0, ox * p->stride_w - p->pad_left, p);
        } else if (!flush) {
          eq_conv2d_tile_gather(columns + (waiting == NULL ? 0 : depth), x, y0, ox * p->stride_w - p->pad_left, p);
        }
        ox += 1;
        out += p->out_c;
        if (waiting == NULL) {
          waiting = out0;
          continue;
        }
        out1 = flush ? waiting : out0;
        out0 = waiting;
        waiting = NULL;
      }
      if (p->kind > 0) {
        eq_tile_list(out0, out1, inside ? direct : copied, p->kind, weights, blocks, p->shift, p->clamp_min,
                     p->clamp_max, &frame);
        if (inside) {
          eq_conv2d_tile_move(direct, 2 * step, p->groups);
        }
      } else {
        const int8_t *other = columns + depth;
        eq_tile_pair(out0, out1, columns, other, depth, weights, blocks, p->shift, p->clamp_min, p->clamp_max, &frame);
        if (rest > 0) {
          eq_columns_multiply(out0 + p->out_c - rest, out1 + p->out_c - rest, columns, other, &set);
        }
      }
    }
  }
}

#endif
