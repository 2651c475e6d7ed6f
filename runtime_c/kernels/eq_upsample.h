/*
 * eq_upsample: every pixel becomes a block of row_factor x column_factor equal pixels.
 *
 * Layout  x: rows x columns pixels of `pixel` bytes (all channels of an NHWC image, any element type). out: rows *
 *         row_factor x columns * column_factor pixels.
 * Ranges  all fields at least 1.
 * Aliasing  out may overlap x from below: pixels are copied in order, none onto itself, then the rows of out.
 * Scratch none.
 */
#ifndef EQ_UPSAMPLE_H
#define EQ_UPSAMPLE_H

#include "eq_common.h"

typedef struct {
  int32_t rows, columns, pixel;
  int32_t row_factor, column_factor;
} eq_upsample_t;

EQ_INLINE void eq_upsample(void *out, const void *x, const eq_upsample_t *p) {
  uint8_t *to = (uint8_t *)out;
  const uint8_t *from = (const uint8_t *)x;
  const int32_t row_bytes = p->columns * p->column_factor * p->pixel;
  for (int32_t row = 0; row < p->rows; row++) {
    const uint8_t *first = to;
    for (int32_t column = 0; column < p->columns; column++) {
      for (int32_t copy = 0; copy < p->column_factor; copy++) {
        (void)__builtin_memcpy(to, from, (size_t)p->pixel);
        to += p->pixel;
      }
      from += p->pixel;
    }
    for (int32_t copy = 1; copy < p->row_factor; copy++) {
      (void)__builtin_memcpy(to, first, (size_t)row_bytes);
      to += row_bytes;
    }
  }
}

#endif
