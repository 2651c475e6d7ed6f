/*
 * LSTM over a sequence of one sample; the state has 15 fractional bits: hidden values are int16, cells int32.
 *
 *   i, o, f, g = pre-activations of (bias + W(x - in_zero), R*h), eq_cell.h; o, f, i through Sigmoid, g through Tanh
 *   c = (f*c + i*g + 2^14) >> 15,   h = clamp16((o*tanh(c) + 2^14) >> 15),   tanh(c) at (c + 4) >> 3, held within int16
 *   out = clamp(eq_cell_scale(h, out_multiplier, out_shift) + out_zero) to the type of out
 *
 * Layout     x [steps][inputs] of x_bytes, out [steps][units] of out_bytes (1: int8, 2: int16); with sequence = 0 out is
 *            [units], the last step. Weights packed by packing.py, pack_rows, four rows i, o, f, g of a unit at a time,
 *            for int16 operands; bias, x_multiplier, h_multiplier [units][4]; table [513], Tanh in steps of 2^-12.
 *            hidden, cell, cell_out [units]; NULL: the state begins at zero, or the cell is not asked for. They are
 *            scaled by hidden_multiplier, cell_multiplier and cell_out_multiplier with their shifts.
 *            Rows of weights have zeros up to stored_inputs and stored_units columns.
 * Ranges     no sum may leave int32; steps <= 2^15, so that no cell does. All sizes >= 1.
 * Aliasing   results overlap no operand and not each other.
 * Rounding   half up, as above.
 * Scratch    EQ_LSTM_SCRATCH bytes: cells (int32), hidden values before and behind a step (int16), and x as int16
 *            where `widened`, the length of that row, is not 0.
 */
#ifndef EQ_LSTM_H
#define EQ_LSTM_H

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
  int32_t cell_multiplier, cell_shift;
  int32_t cell_out_multiplier, cell_out_shift;
} eq_lstm_t;

#define EQ_LSTM_SCRATCH(stored_units, widened) (8 * (stored_units) + 2 * (widened))
#define EQ_LSTM_CELL_MAX (1 << 30)

/* One step: cells are updated in place, hidden values go from `h` to `next`. */
EQ_INLINE void eq_lstm_step(int16_t *next, int32_t *cells, const int16_t *x, const int16_t *h, const int8_t *weights,
                            const int8_t *recurrent, const int32_t *bias, const int32_t *x_multiplier,
                            const int32_t *h_multiplier, const int16_t *table, const eq_lstm_t *p) {
  EQ_NO_UNROLL
  for (int32_t unit = 0; unit < p->units; unit += EQ_LSTM_BLOCK) {
    const int32_t left = p->units - unit;
    const int32_t filled = 4 * (EQ_LSTM_BLOCK == 1 || left >= EQ_LSTM_BLOCK ? EQ_LSTM_BLOCK : left);
    int32_t from_x[4 * EQ_LSTM_BLOCK];
    int32_t from_h[4 * EQ_LSTM_BLOCK];
    int32_t n[4 * EQ_LSTM_BLOCK];
    EQ_NO_UNROLL
    for (int32_t at = 0; at < filled; at += 4) {
      eq_four_sums_s16(from_x + at, bias + at, x, weights, p->stored_inputs);
      weights += eq_four_rows_bytes_s16(p->stored_inputs);
    }
    EQ_NO_UNROLL
    for (int32_t at = 0; at < filled; at += 4) {
      eq_four_sums_s16(from_h + at, NULL, h, recurrent, p->stored_units);
      recurrent += eq_four_rows_bytes_s16(p->stored_units);
    }
    EQ_NO_UNROLL
    for (int32_t at = 0; at < filled; at += 4) {
      eq_preactivation_four(n + at, from_x + at, from_h + at, x_multiplier + at, h_multiplier + at, p->shift);
    }
    for (int32_t at = filled; at < 4 * EQ_LSTM_BLOCK; ++at) {
      n[at] = 0;
    }
    eq_lstm_update(next + unit, cells + unit, n, table + EQ_CELL_MIDDLE);
    bias += filled;
    x_multiplier += filled;
    h_multiplier += filled;
  }
}

EQ_INLINE void eq_lstm(void *out, int16_t *cell_out, const void *x, const int16_t *hidden, const int16_t *cell,
                       void *scratch, const int8_t *weights, const int8_t *recurrent, const int32_t *bias,
                       const int32_t *x_multiplier, const int32_t *h_multiplier, const int16_t *table,
                       const eq_lstm_t *p) {
  int32_t *cells = (int32_t *)scratch;
  int16_t *h = (int16_t *)(cells + p->stored_units);
  int16_t *next = h + p->stored_units;
  int16_t *wide = next + p->stored_units;
  eq_cell_begin(h, next, hidden, p->units, p->stored_units, p->hidden_multiplier, p->hidden_shift);
  EQ_NO_UNROLL
  for (int32_t unit = 0; unit < p->stored_units; ++unit) {
    cells[unit] = 0;
    if (cell != NULL && unit < p->units) {
      cells[unit] = eq_cell_scale(cell[unit], p->cell_multiplier, p->cell_shift, -EQ_LSTM_CELL_MAX, EQ_LSTM_CELL_MAX);
    }
  }
  EQ_NO_UNROLL
  for (int32_t number = 0; number < p->steps; ++number) {
    const int32_t step = p->reverse ? p->steps - 1 - number : number;
    const int16_t *row = eq_cell_row(wide, x, step, p->inputs, p->widened, p->x_bytes, p->in_zero);
    eq_lstm_step(next, cells, row, h, weights, recurrent, bias, x_multiplier, h_multiplier, table, p);
    int16_t *before = h;
    h = next;
    next = before;
    if (p->sequence || number == p->steps - 1) {
      eq_cell_store(out, p->sequence ? step * p->units : 0, h, p->units, p->out_multiplier, p->out_shift, p->out_zero,
                    p->out_bytes);
    }
  }
  if (cell_out != NULL) {
    for (int32_t unit = 0; unit < p->units; ++unit) {
      cell_out[unit] = (int16_t)eq_cell_scale(cells[unit], p->cell_out_multiplier, p->cell_out_shift, -32768, 32767);
    }
  }
}

#endif
