/*
 * Gates of recurrent cells:
 *
 *   eq_preactivation_four  n[r] = clamp16((x[r]*mx[r] + h[r]*mh[r] + 2^(shift-1)) >> shift) in 64 bits for r = 0 … 3;
 *                          0 <= mx, mh < 2^30, 1 <= shift <= 61
 *   eq_cell_tanh           15 fractional bits, from n with 12: a table of 513 values, linear between them, given at its
 *                          middle
 *   eq_cell_sigmoid        0 … 2^15 from n with 11 fractional bits, by the same table: (1 + tanh(v/2))/2
 *   eq_lstm_update         a step of the cells of EQ_LSTM_BLOCK units, of which n[4*unit] … are the pre-activations of i, o,
 *                          f, g; `next` and `cells` of all of them exist, also where units do not
 *                            c = (f*c + i*g + 2^14) >> 15,   next = (o*tanh(c) + 2^14) >> 15, tanh(c) at (c + 4) >> 3, held
 *                            within int16
 *
 * The same functions exist for every instruction set, bit for bit equal.
 */
#ifndef EQ_GATE_H
#define EQ_GATE_H

#include <eq_common.h>
#include <eq_requantize.h>
#include <eq_unroll.h>

#define EQ_LSTM_BLOCK 1

EQ_INLINE int32_t eq_preactivation(int32_t x, int32_t h, int32_t mx, int32_t mh, int32_t shift) {
  const int64_t n = ((int64_t)x * mx + (int64_t)h * mh + ((int64_t)1 << (shift - 1))) >> shift;
  return n < -32768 ? -32768 : n > 32767 ? 32767 : (int32_t)n;
}

EQ_INLINE void eq_preactivation_four(int32_t n[4], const int32_t x[4], const int32_t h[4], const int32_t mx[4],
                                     const int32_t mh[4], int32_t shift) {
  EQ_UNROLL_4
  for (int32_t r = 0; r < 4; ++r) {
    n[r] = eq_preactivation(x[r], h[r], mx[r], mh[r], shift);
  }
}

EQ_INLINE int32_t eq_cell_tanh(int32_t n, const int16_t *middle) {
  const int32_t f = n & 127;
  const int16_t *t = middle + (n >> 7);
  return (t[0] * (128 - f) + t[1] * f + 64) >> 7;
}

EQ_INLINE int32_t eq_cell_sigmoid(int32_t n, const int16_t *middle) { return (eq_cell_tanh(n, middle) + 32769) >> 1; }

EQ_INLINE void eq_lstm_update(int16_t *next, int32_t *cells, const int32_t n[4], const int16_t *middle) {
  const int32_t added = eq_cell_sigmoid(n[0], middle) * eq_cell_tanh(n[3], middle) + 16384; /* within 2^30 */
  const int32_t cell = (int32_t)(((int64_t)eq_cell_sigmoid(n[2], middle) * *cells + added) >> 15);
  const int32_t at = eq_clamp((cell + 4) >> 3, -32768, 32767);
  *cells = cell;
  /* Of at most 2^15 and an int16: within 2^30, and never beyond int16 behind the shift. */
  *next = (int16_t)((eq_cell_sigmoid(n[1], middle) * eq_cell_tanh(at, middle) + 16384) >> 15);
}

#endif
