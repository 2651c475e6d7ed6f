/*
 * Values of recurrent cells to results:
 *
 *   eq_cell_scale  (v*m + 2^(shift-1)) >> shift in 64 bits, held within low … high; 0 <= m < 2^30, 1 <= shift <= 61
 *   eq_cell_store  n hidden values as results of int8 or int16 (`bytes`) from `at` on: clamp(eq_cell_scale(h) + zero)
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: plain C.
 */
#ifndef EQ_CELL_ROW_H
#define EQ_CELL_ROW_H

#include <eq_channels_s16.h>
#include <eq_high.h>
#include <eq_scaling.h>

EQ_INLINE int32_t eq_cell_scale(int32_t value, int32_t multiplier, int32_t shift, int32_t low, int32_t high) {
  const int64_t scaled = ((int64_t)value * multiplier + ((int64_t)1 << (shift - 1))) >> shift;
  return scaled < low ? low : scaled > high ? high : (int32_t)scaled;
}

/* eq_cell_scale of an int16 before the clamp, 18 <= shift <= 61: value and divisor are raised until the half lies in the
   upper word of the product. */
EQ_INLINE int32_t eq_cell_scale_high(int32_t value, int32_t multiplier, int32_t shift) {
  const int32_t raised = shift < 33 ? 33 - shift : 0;
  const int32_t left = shift + raised - 33;
  return (eq_high_product(eq_shift_left(value, raised), multiplier) + ((int32_t)1 << left)) >> (left + 1);
}

EQ_INLINE void eq_cell_store(void *out, int32_t at, const int16_t *h, int32_t n, int32_t multiplier, int32_t shift,
                             int32_t zero, int32_t bytes) {
  const int32_t low = bytes == 1 ? -128 : -32768;
  const int32_t high = bytes == 1 ? 127 : 32767;
  multiplier = eq_in_register(multiplier);
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; ++i) {
    const int32_t y = shift < 18 ? eq_cell_scale(h[i], multiplier, shift, low - zero, high - zero)
                                 : eq_cell_scale_high(h[i], multiplier, shift);
    eq_store_element(out, at + i, eq_clamp(y + zero, low, high), bytes);
  }
}

#endif
