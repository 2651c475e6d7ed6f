/*
 * Bytes of a plane in another order:
 *
 *   eq_copy_plane  out[i*columns + k] = x[i*row_stride + k*column_stride] for i < rows, k < columns; out overlaps nothing
 *
 * The same function exists for every instruction set.
 *
 * This file: plain C.
 */
#ifndef EQ_PLANE_H
#define EQ_PLANE_H

#include <eq_common.h>

EQ_INLINE void eq_copy_plane(uint8_t *out, const uint8_t *x, int32_t rows, int32_t row_stride, int32_t columns,
                             int32_t column_stride) {
  for (int32_t i = 0; i < rows; i++) {
    const uint8_t *from = x;
    for (int32_t k = 0; k < columns; k++) {
      *out++ = *from;
      from += column_stride;
    }
    x += row_stride;
  }
}

#endif
