/*
 * Recurrent layer without gates over a sequence of one sample; hidden values have 15 fractional bits.
 *
 *   h   = Tanh of the pre-activation of (bias + W(x - in_zero), R*h), eq_cell.h
 *   out = clamp(eq_cell_scale(h, out_multiplier, out_shift) + out_zero) to the type of out
 *
 * Layout     x [steps][inputs] of x_bytes, out [steps][units] of out_bytes (1: int8, 2: int16); with sequence = 0 out is
 *            [units], the last step. Weights packed by packing.py, pack_rows, for int16 operands, in blocks of four rows;
 *            units that do not exist have zeros, also in bias, x_multiplier and h_multiplier. table [513], Tanh in steps
 *            of 2^-12. hidden [units], scaled by hidden_multiplier and hidden_shift; NULL: the state begins at zero.
 *            Rows of weights have zeros up to stored_inputs and stored_units columns.
 * Ranges     no sum may leave int32. All sizes >= 1.
 * Aliasing   out overlaps no operand.
 * Rounding   half up, as above.
 * Scratch    EQ_RNN_SCRATCH bytes: hidden values before and behind a step, and x as int16 where `widened`,
 *            the length of that row, is not 0.
 */
#ifndef EQ_RNN_H
#define EQ_RNN_H

#include <eq_cell.h>

#include "eq_rows_s16.h"

typedef struct {
  int32_t steps, inputs, units;
  int32_t stored_inputs, stored_units; /* up to the next multiple of four */
  int32_t x_bytes, in_zero, widened;
  int32_t sequence, reverse;
  int32_t shift;
  int32_t out_bytes, out_zero, out_multiplier, out_shift;
  int32_t hidden_multiplier, hidden_shift;
} eq_rnn_t;

#define EQ_RNN_SCRATCH(stored_units, widened) (4 * (stored_units) + 2 * (widened))

EQ_INLINE void eq_rnn_step(int16_t *next, const int16_t *x, const int16_t *h, const int8_t *weights,
                           const int8_t *recurrent, const int32_t *bias, const int32_t *x_multiplier,
                           const int32_t *h_multiplier, const int16_t *table, const eq_rnn_t *p) {
  EQ_NO_UNROLL
  for (int32_t unit = 0; unit < p->units; unit += 4) {
    const int32_t left = p->units - unit < 4 ? p->units - unit : 4;
    int32_t from_x[4];
    int32_t from_h[4];
    int32_t n[4];
    eq_four_sums_s16(from_x, bias + unit, x, weights, p->stored_inputs);
    eq_four_sums_s16(from_h, NULL, h, recurrent, p->stored_units);
    eq_preactivation_four(n, from_x, from_h, x_multiplier + unit, h_multiplier + unit, p->shift);
    for (int32_t r = 0; r < left; ++r) {
      next[unit + r] = (int16_t)eq_cell_tanh(n[r], table + EQ_CELL_MIDDLE);
    }
    weights += eq_four_rows_bytes_s16(p->stored_inputs);
    recurrent += eq_four_rows_bytes_s16(p->stored_units);
  }
}

EQ_INLINE void eq_rnn(void *out, const void *x, const int16_t *hidden, void *scratch, const int8_t *weights,
                      const int8_t *recurrent, const int32_t *bias, const int32_t *x_multiplier,
                      const int32_t *h_multiplier, const int16_t *table, const eq_rnn_t *p) {
  int16_t *h = (int16_t *)scratch;
  int16_t *next = h + p->stored_units;
  int16_t *wide = next + p->stored_units;
  eq_cell_begin(h, next, hidden, p->units, p->stored_units, p->hidden_multiplier, p->hidden_shift);
  EQ_NO_UNROLL
  for (int32_t number = 0; number < p->steps; ++number) {
    const int32_t step = p->reverse ? p->steps - 1 - number : number;
    const int16_t *row = eq_cell_row(wide, x, step, p->inputs, p->widened, p->x_bytes, p->in_zero);
    eq_rnn_step(next, row, h, weights, recurrent, bias, x_multiplier, h_multiplier, table, p);
    int16_t *before = h;
    h = next;
    next = before;
    if (p->sequence || number == p->steps - 1) {
      eq_cell_store(out, p->sequence ? step * p->units : 0, h, p->units, p->out_multiplier, p->out_shift, p->out_zero,
                    p->out_bytes);
    }
  }
}

#endif
