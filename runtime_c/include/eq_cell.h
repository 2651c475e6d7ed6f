/*
 * What recurrent cells have in common beside their gates (eq_gate.h): products of numbers with 15 fractional bits, states
 * and rows.
 *
 *   eq_cell_product   (a*b + 2^14) >> 15 in 64 bits
 *   eq_cell_begin     n hidden values from a state, or zeros where it is NULL, and zeros up to `stored` in both buffers
 *   eq_cell_row       the row of a step as int16, as long as the weights' rows: where `widened` is not 0, a copy in `wide`
 *                     less the zero point, with zeros up to that length
 */
#ifndef EQ_CELL_H
#define EQ_CELL_H

#include <eq_channels_s16.h>
#include <eq_cell_row.h>
#include <eq_gate.h>
#include <eq_unroll.h>

#define EQ_CELL_MIDDLE 256 /* of a table of Tanh */

EQ_INLINE int32_t eq_cell_product(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b + 16384) >> 15); }

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

#endif
