/*
 * What recurrent cells have in common: pre-activations, Sigmoid and Tanh of them, products of numbers with 15 fractional
 * bits.
 *
 *   eq_preactivation  clamp16((x*mx + h*mh + 2^(shift-1)) >> shift) in 64 bits; 0 <= mx, mh < 2^30, 1 <= shift <= 61
 *   eq_cell_tanh      15 fractional bits, from n with 12: the table of 513 values, linear between them
 *   eq_cell_sigmoid   0 … 2^15 from n with 11 fractional bits, by the same table: (1 + tanh(v/2))/2
 *   eq_cell_product   (a*b + 2^14) >> 15 in 64 bits
 *   eq_cell_begin     n hidden values from a state, or zeros where it is NULL, and zeros up to `stored` in both buffers
 *   eq_cell_row       the row of a step as int16, as long as the weights' rows: where `widened` is not 0, a copy in `wide`
 *                     less the zero point, with zeros up to that length
 *   eq_cell_store     n hidden values as results of int8 or int16 (`bytes`): clamp(eq_cell_scale(h) + zero)
 *   eq_cell_scale     (v*m + 2^(shift-1)) >> shift in 64 bits, held within low … high
 */
#ifndef EQ_CELL_H
#define EQ_CELL_H

#include <eq_channels_s16.h>

EQ_INLINE int32_t eq_clamp_wide(int64_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : (int32_t)value;
}

EQ_INLINE int32_t eq_preactivation(int32_t x, int32_t h, int32_t mx, int32_t mh, int32_t shift) {
  const int64_t sum = (int64_t)x * mx + (int64_t)h * mh + ((int64_t)1 << (shift - 1));
  return eq_clamp_wide(sum >> shift, -32768, 32767);
}

EQ_INLINE int32_t eq_cell_tanh(int32_t n, const int16_t *table) {
  const int32_t f = n & 127;
  const int16_t *t = table + 256 + (n >> 7);
  return (t[0] * (128 - f) + t[1] * f + 64) >> 7;
}

EQ_INLINE int32_t eq_cell_sigmoid(int32_t n, const int16_t *table) { return (eq_cell_tanh(n, table) + 32769) >> 1; }

EQ_INLINE int32_t eq_cell_product(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b + 16384) >> 15); }

EQ_INLINE int32_t eq_cell_scale(int32_t value, int32_t multiplier, int32_t shift, int32_t low, int32_t high) {
  return eq_clamp_wide(((int64_t)value * multiplier + ((int64_t)1 << (shift - 1))) >> shift, low, high);
}

EQ_INLINE void eq_cell_begin(int16_t *h, int16_t *next, const int16_t *state, int32_t n, int32_t stored,
                             int32_t multiplier, int32_t shift) {
  EQ_NO_UNROLL
  for (int32_t i = 0; i < stored; ++i) {
    h[i] = 0;
    next[i] = 0;
    if (state != NULL && i < n) {
      h[i] = (int16_t)eq_cell_scale(state[i], multiplier, shift, -32768, 32767);
    }
  }
}

EQ_INLINE const int16_t *eq_cell_row(int16_t *wide, const void *x, int32_t step, int32_t n, int32_t widened,
                                     int32_t bytes, int32_t zero) {
  if (widened == 0) {
    return (const int16_t *)x + step * n;
  }
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; ++i) {
    wide[i] = (int16_t)(eq_load_element(x, step * n + i, bytes) - zero);
  }
  for (int32_t i = n; i < widened; ++i) {
    wide[i] = 0;
  }
  return wide;
}

EQ_INLINE void eq_cell_store(void *out, int32_t at, const int16_t *h, int32_t n, int32_t multiplier, int32_t shift,
                             int32_t zero, int32_t bytes) {
  const int32_t low = bytes == 1 ? -128 : -32768;
  const int32_t high = bytes == 1 ? 127 : 32767;
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; ++i) {
    const int32_t y = eq_cell_scale(h[i], multiplier, shift, low - zero, high - zero) + zero;
    eq_store_element(out, at + i, y, bytes);
  }
}

#endif
