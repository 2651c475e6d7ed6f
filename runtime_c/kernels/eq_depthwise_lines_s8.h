/*
 * Depthwise 3x3 convolution, int8, requantization "highmul": stride 1 or 2 along a line.
 *
 *   out[oy][ox][c] = clamp(requantize(bias[c] + sum_{ky,kx} w[c][ky][kx] * x[iy][ix][c])), as eq_depthwise_s8.h
 *
 * A line is a row, or a column of the image where those are longer; the record speaks of lines, and of columns across
 * them. With the DSP extension, eq_depthwise_columns_s8.h goes down columns.
 *
 * Layout     out [out_h][out_w][channels], x [in_h][in_w][channels]; weights as eq_lines.h has them (packing.py,
 *            pack_lines), bias and multiplier among them.
 * Ranges     at least 3 lines and 2 columns; before and behind, at most one line and one column of padding are read;
 *            one result of a line at least needs no padding behind it; 0 < column < 65536; shift 0; bias contains
 *            -zero_point(x) * sum of all weights; no partial sum may leave int32.
 * Aliasing   where lines are rows, out may overlap x from below by whole pixels; otherwise not at all. Channel by
 *            channel, line by line, results of a line in order: result (l, c) of a channel is stored when the last
 *            input it reads, (l*stride + 2 - pad, c*stride_column + 2 - pad), was loaded; bounds other than int8's are
 *            applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    none.
 */
#ifndef EQ_DEPTHWISE_LINES_S8_H
#define EQ_DEPTHWISE_LINES_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_lines.h"

typedef struct {
  int32_t channels;
  int32_t lines; /* of the input */
  int32_t columns;
  int32_t out_lines;
  int32_t out_columns;
  int32_t line; /* bytes between lines of the input */
  int32_t column;
  int32_t out_line; /* bytes between lines of the result; its columns are as far apart as the input's */
  int32_t stride;   /* of lines */
  int32_t stride_column;
  int32_t pad; /* lines of padding before the first: 0 or 1 */
  int32_t pad_column;
  int32_t pad_value;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_depthwise_lines_s8_t;

EQ_INLINE void eq_depthwise_lines_s8(int8_t *out, const int8_t *x, const int8_t *weights,
                                     const eq_depthwise_lines_s8_t *p) {
  /* Padding behind: whether the last window ends one place outside. */
  const int32_t bottom = (p->out_lines - 1) * p->stride - p->pad + 3 > p->lines;
  const int32_t right = (p->out_columns - 1) * p->stride_column - p->pad_column + 3 > p->columns;
  /* Results that the loop over columns completes: with stride 1 those whose last column exists; the first columns of a
     line, one or two, come before it. */
  const int32_t inner = p->out_columns - right;
  const int32_t taken = p->stride_column == 1 ? p->columns : 2 * inner + 1 - p->pad_column;
  const uint32_t from = (uint32_t)(uintptr_t)x;
  const uint32_t to = (uint32_t)(uintptr_t)out;
  /* Stride 1 stores a result when its last column was passed: two columns behind, less padding. */
  const uint32_t side = p->stride_column == 1 ? to - from - (uint32_t)((3 - p->pad_column) * p->column) : to;
  const eq_lines_t set = {(uint32_t)(uintptr_t)weights,
                          from - (uint32_t)(p->pad * p->line),
                          p->stride_column == 1 ? side + (uint32_t)(p->pad * p->line) : side,
                          p->channels,
                          (int32_t)((uint32_t)(uint16_t)p->pad_value * 0x10001u),
                          p->out_zero,
                          p->line,
                          (uint32_t)p->column << 16,
                          p->pad,
                          p->out_lines - p->pad - bottom,
                          bottom,
                          taken * p->column,
                          p->pad_column,
                          right,
                          p->stride * p->line,
                          p->stride_column == 1 ? p->out_line - p->stride * p->line : p->out_line,
                          eq_lines_entry(inner, p->stride_column),
                          {0, 0, 0}};
  eq_lines_walk(&set, p->stride_column, p->line, p->column);
  eq_clamp_run(out, p->out_lines * p->out_columns * p->channels, p->clamp_min, p->clamp_max);
}

#endif
