/*
 * Windows over NHWC int8 data. The same functions exist for every instruction set, bit for bit equal:
 *
 *   eq_average_window  for each channel c: out[c] = clamp(requantize(offset + sum of x[r*row_stride + k*col_stride +
 *   c])) eq_max_window      for each channel c: out[c] = clamp(max of the same values)
 *   eq_sum_row         the sum of n neighbouring values
 *
 * with r < rows, k < cols, c < channels; rows, cols >= 1; strides in bytes; at most 2^23 positions in a window, so that
 * a sum stays within 2^30. requantize as eq_requantize.h defines it. Channels are written in order, each when its
 * values have been read. No alignment is required.
 *
 * This file: plain C.
 */
#ifndef EQ_POOL_H
#define EQ_POOL_H

#include <eq_common.h>
#include <eq_scaling.h>

EQ_INLINE void eq_average_window(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                 int32_t col_stride, int32_t channels, int32_t offset, eq_scaling_t scaling) {
  if (row_stride == cols * col_stride) { /* as of a global mean */
    cols *= rows;
    rows = 1;
  }
  for (int32_t c = 0; c < channels; c++) {
    int32_t acc = offset;
    for (int32_t r = 0; r < rows; r++) {
      const int8_t *at = x + c + r * row_stride;
      int32_t k = cols;
      EQ_NO_UNROLL
      for (; k >= 4; k -= 4) {
        acc += at[0] + at[col_stride] + at[2 * col_stride] + at[3 * col_stride];
        at += 4 * col_stride;
      }
      EQ_NO_UNROLL
      for (; k > 0; k--) {
        acc += *at;
        at += col_stride;
      }
    }
    out[c] = (int8_t)eq_scaled(acc, &scaling);
  }
}

EQ_INLINE void eq_max_window(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                             int32_t col_stride, int32_t channels, int32_t lo, int32_t hi) {
  for (int32_t c = 0; c < channels; c++) {
    int32_t best = lo;
    for (int32_t r = 0; r < rows; r++) {
      const int8_t *at = x + c + r * row_stride;
      for (int32_t k = 0; k < cols; k++) {
        best = *at > best ? *at : best;
        at += col_stride;
      }
    }
    out[c] = (int8_t)(best > hi ? hi : best);
  }
}

EQ_INLINE int32_t eq_sum_row(const int8_t *x, int32_t n) {
  int32_t sum = 0;
  for (int32_t i = 0; i < n; i++) {
    sum += x[i];
  }
  return sum;
}

#endif
