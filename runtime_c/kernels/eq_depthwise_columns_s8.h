/*
 * Depthwise 3x3 convolution, int8, requantization "highmul", with the DSP extension: stride 1, down the columns of an
 * image that is higher than wide, by way of a copy of four channels.
 *
 *   out[oy][ox][c] = clamp(requantize(bias[c] + sum_{ky,kx} w[c][ky][kx] * x[iy][ix][c])), as eq_depthwise_s8.h
 *
 * Layout     out [out_h][width][channels], x [in_h][width][channels]; weights as eq_lines.h has them, w[line][column], a
 *            line being a column of the image (packing.py, pack_lines), bias and multiplier among them.
 * Ranges     at least 3 columns of the image and 2 rows; before and behind, at most one place of padding is read; one
 *            result of a column at least needs no padding below it; width*channels < 65536; shift 0; bias contains
 *            -zero_point(x) * sum of all weights; no partial sum may leave int32.
 * Aliasing   out may be x, or overlap it by whole pixels: four channels are read before the first of their results is
 *            written. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    four channels of x: EQ_DEPTHWISE_COLUMNS_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_DEPTHWISE_COLUMNS_S8_H
#define EQ_DEPTHWISE_COLUMNS_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_lines.h"

typedef struct {
  int32_t channels;
  int32_t in_h;
  int32_t width;
  int32_t out_h;
  int32_t pad_top;  /* 0 or 1 */
  int32_t pad_left; /* 0 or 1 */
  int32_t pad_value;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_depthwise_columns_s8_t;

#define EQ_DEPTHWISE_COLUMNS_S8_SCRATCH(in_h, width) (4 * (in_h) * (width))

/* Column after column of n <= 4 channels, four bytes a pixel. */
EQ_INLINE void eq_depthwise_columns_copy(void *scratch, const int8_t *x, int32_t n,
                                         const eq_depthwise_columns_s8_t *p) {
  const int32_t row = p->width * p->channels;
  eq_pair_t *to = (eq_pair_t *)scratch;
  EQ_NO_UNROLL
  for (int32_t ix = 0; ix < p->width; ++ix) {
    const int8_t *from = x + ix * p->channels;
    int32_t left = p->in_h;
    if (n == 4) {
      EQ_NO_UNROLL
      for (; left >= 4; left -= 4) {
        to[0] = eq_load_word(from);
        to[1] = eq_load_word(from + row);
        to[2] = eq_load_word(from + 2 * row);
        to[3] = eq_load_word(from + 3 * row);
        to += 4;
        from += 4 * row;
      }
    }
    EQ_NO_UNROLL
    for (; left > 0; --left) {
      *to++ = n == 4 ? eq_load_word(from) : eq_load_tail(from, n);
      from += row;
    }
  }
}

EQ_INLINE void eq_depthwise_columns_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                       const eq_depthwise_columns_s8_t *p) {
  const int32_t line = 4 * p->in_h;
  const int32_t row = p->width * p->channels;
  const int32_t right = p->width - p->pad_left + 2 > p->width;
  const int32_t bottom = p->out_h - p->pad_top + 2 > p->in_h;
  eq_lines_t set = eq_lines_compact(scratch, line, row, p->pad_left);
  set.pads = (int32_t)((uint32_t)(uint16_t)p->pad_value * 0x10001u);
  set.out_zero = p->out_zero;
  set.top = p->pad_left;
  set.middle = p->width - p->pad_left - right;
  set.bottom = right;
  set.length = 4 * p->in_h;
  set.left = p->pad_top;
  set.right = bottom;
  set.side_step = p->channels;
  set.entry = -(p->out_h - bottom) & 3;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += 4) {
    const int32_t n = p->channels - c < 4 ? p->channels - c : 4;
    eq_depthwise_columns_copy(scratch, x + c, n, p);
    set.weights = (uint32_t)(uintptr_t)(weights + 20 * c);
    set.side = (uint32_t)(uintptr_t)(out + c);
    set.channels = n;
    eq_lines_walk_compact(&set, line);
  }
  eq_clamp_run(out, p->out_h * row, p->clamp_min, p->clamp_max);
}

#endif
