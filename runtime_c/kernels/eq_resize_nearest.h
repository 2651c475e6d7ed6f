/*
 * eq_resize_nearest: the nearest pixels of an image, by tables of rows and columns.
 *
 *     out[y][x] = x[rows[y]][columns[x]], whole pixels
 *
 * Layout  x: ... x in_width pixels of `pixel` bytes, NHWC; out: out_height x out_width pixels. rows, columns: int32.
 * Ranges  0 <= rows < height of x, 0 <= columns < in_width.
 * Aliasing  out may overlap x from below: pixels are copied in order, none onto itself.
 * Scratch none.
 */
#ifndef EQ_RESIZE_NEAREST_H
#define EQ_RESIZE_NEAREST_H

#include "eq_common.h"

typedef struct {
  int32_t out_height, out_width;
  int32_t in_width, pixel;
} eq_resize_nearest_t;

EQ_INLINE void eq_resize_nearest(void *out, const void *x, const int32_t *rows, const int32_t *columns,
                                 const eq_resize_nearest_t *p) {
  uint8_t *to = (uint8_t *)out;
  for (int32_t row = 0; row < p->out_height; row++) {
    const uint8_t *line = (const uint8_t *)x + rows[row] * p->in_width * p->pixel;
    for (int32_t column = 0; column < p->out_width; column++) {
      (void)__builtin_memcpy(to, line + columns[column] * p->pixel, (size_t)p->pixel);
      to += p->pixel;
    }
  }
}

#endif
