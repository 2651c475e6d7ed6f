/*
 * The sum of a window over NHWC int16 data, of one channel at a time; strides in elements.
 *   eq_window_sum_s16       of at most 2^15 positions, which fit int32
 *   eq_window_sum_wide_s16  of any number of positions, in 64 bits, shifted to the right, into int32
 */
#ifndef EQ_WINDOW_SUMS_S16_H
#define EQ_WINDOW_SUMS_S16_H

#include "eq_common.h"

EQ_INLINE int32_t eq_window_sum_s16(const int16_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                    int32_t col_stride) {
  int32_t sum = 0;
  for (int32_t r = 0; r < rows; r++) {
    const int16_t *at = x + r * row_stride;
    for (int32_t k = 0; k < cols; k++) {
      sum += *at;
      at += col_stride;
    }
  }
  return sum;
}

/* Rows of at most 2^15 positions each, or parts of them. */
EQ_INLINE int32_t eq_window_sum_wide_s16(const int16_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                         int32_t col_stride, int32_t shift) {
  int64_t sum = 0;
  for (int32_t r = 0; r < rows; r++) {
    for (int32_t k = 0; k < cols; k += 1 << 15) {
      const int32_t some = cols - k < 1 << 15 ? cols - k : 1 << 15;
      sum += eq_window_sum_s16(x + r * row_stride + k * col_stride, 1, some, 0, col_stride);
    }
  }
  return (int32_t)(sum >> shift);
}

#endif
