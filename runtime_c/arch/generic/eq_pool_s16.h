/*
 * Windows over NHWC int16 data. The same functions exist for every instruction set, bit for bit equal:
 *
 *   eq_average_window_s16  for each channel c: out[c] = clamp(requantize(sum of x[r*row_stride + k*col_stride + c]))
 *   eq_max_window_s16      for each channel c: out[c] = clamp(max of the same values)
 *
 * with r < rows, k < cols, c < channels; rows, cols >= 1; strides in elements. At most 2^15 positions in a window give a
 * sum of int32, requantized as eq_requantize.h defines it; where `wide` is 1 there may be more, the sum has 64 bits, and
 * scaling.shift shifts it to the right, into int32. Channels are written in order, each
 * when its values have been read.
 *
 * This file: plain C.
 */
#ifndef EQ_POOL_S16_H
#define EQ_POOL_S16_H

#include <eq_common.h>
#include <eq_scaling.h>
#include <eq_window_sums_s16.h>

EQ_INLINE void eq_average_window_s16(int16_t *out, const int16_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                     int32_t col_stride, int32_t channels, int32_t wide, eq_scaling_t scaling) {
  const int32_t right = scaling.shift;
  scaling.shift = wide ? 0 : right;
  for (int32_t c = 0; c < channels; c++) {
    const int32_t sum = wide ? eq_window_sum_wide_s16(x + c, rows, cols, row_stride, col_stride, right)
                             : eq_window_sum_s16(x + c, rows, cols, row_stride, col_stride);
    out[c] = (int16_t)eq_clamp(eq_requantize(sum, scaling.multiplier, scaling.shift, 0), scaling.lo, scaling.hi);
  }
}

EQ_INLINE void eq_max_window_s16(int16_t *out, const int16_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                 int32_t col_stride, int32_t channels, int32_t lo, int32_t hi) {
  for (int32_t c = 0; c < channels; c++) {
    int32_t best = lo;
    for (int32_t r = 0; r < rows; r++) {
      const int16_t *at = x + c + r * row_stride;
      for (int32_t k = 0; k < cols; k++) {
        best = *at > best ? *at : best;
        at += col_stride;
      }
    }
    out[c] = (int16_t)(best > hi ? hi : best);
  }
}

#endif
