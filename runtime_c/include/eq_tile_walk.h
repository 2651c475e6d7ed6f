/*
 * Convolution by Winograd tile by tile: four tiles at a time, in the order of rows, each with a window of its own.
 *
 *   eq_tile_window   the window of a tile: its pixels in x, or a copy with padding and with anything behind the input
 *   eq_tile_store    results of a tile that lie inside
 */
#ifndef EQ_TILE_WALK_H
#define EQ_TILE_WALK_H

#include <eq_tile_bytes.h>

#include "eq_common.h"
#include "eq_window.h"

typedef struct {
  const int8_t *pixels;
  int32_t row; /* bytes from a row to the next */
} eq_tile_window_t;

/* `rows` rows of `columns` pixels from row y0, column x0, with padding; what they take of `copy` is 4-byte aligned. */
EQ_INLINE void eq_tile_gather(int8_t *copy, const int8_t *x, int32_t y0, int32_t x0, int32_t rows, int32_t columns,
                              int32_t in_h, int32_t in_w, int32_t in_c, int32_t pad_value) {
  const eq_range_t inside = eq_clip_window(x0, columns, in_w);
  EQ_NO_UNROLL
  for (int32_t y = y0; y < y0 + rows; ++y) {
    const int32_t length = y >= 0 && y < in_h ? inside.length : 0;
    const int32_t left = length > 0 ? inside.first - x0 : columns;
    eq_tiles_fill(copy, pad_value, left * in_c);
    copy += left * in_c;
    if (length > 0) {
      eq_tiles_copy(copy, x + (y * in_w + inside.first) * in_c, length * in_c);
      copy += length * in_c;
    }
    eq_tiles_fill(copy, pad_value, (columns - left - length) * in_c);
    copy += (columns - left - length) * in_c;
  }
}

EQ_INLINE eq_tile_window_t eq_tile_window(int8_t *copy, const int8_t *x, int32_t y0, int32_t x0, int32_t rows,
                                          int32_t columns, int32_t in_h, int32_t in_w, int32_t in_c,
                                          int32_t pad_value) {
  if (y0 >= 0 && y0 + rows <= in_h && x0 >= 0 && x0 + columns <= in_w) {
    const eq_tile_window_t found = {x + (y0 * in_w + x0) * in_c, in_w * in_c};
    return found;
  }
  eq_tile_gather(copy, x, y0, x0, rows, columns, in_h, in_w, in_c, pad_value);
  const eq_tile_window_t copied = {copy, columns * in_c};
  return copied;
}

/* Of results [][across], the first `rows` rows and `columns` columns, to where `row` and `pixel` bytes lie between. */
EQ_INLINE void eq_tile_store(int8_t *out, int32_t row, int32_t pixel, const int8_t *kept, int32_t across, int32_t rows,
                             int32_t columns) {
  EQ_NO_UNROLL
  for (int32_t y = 0; y < rows; ++y) {
    EQ_NO_UNROLL
    for (int32_t x = 0; x < columns; ++x) {
      out[y * row + x * pixel] = kept[across * y + x];
    }
  }
}

#endif
