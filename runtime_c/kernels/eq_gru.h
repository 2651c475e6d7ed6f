/*
 * GRU over a sequence of one sample; hidden values have 15 fractional bits.
 *
 *   z, r = Sigmoid of the pre-activations of (bias + W(x - in_zero), R*h), eq_cell.h
 *   g    = Tanh of that of (bias + W(x - in_zero), s);  with reset_after = 1  s = r*(recurrent_bias + R*h), else R*(r*h)
 *   h    = ((2^15 - z)*g + z*h + 2^14) >> 15
 *   out  = clamp(eq_cell_scale(h, out_multiplier, out_shift) + out_zero) to the type of out
 *
 * Layout     x [steps][inputs] of x_bytes, out [steps][units] of out_bytes (1: int8, 2: int16); with sequence = 0 out is
 *            [units], the last step. Weights packed by packing.py, pack_rows, for int16 operands, in blocks of four rows:
 *            z and r of four units in turn, then g of all units; units that do not exist have zeros. bias, x_multiplier
 *            and h_multiplier in the order of the rows, recurrent_bias [units] for g; table [513], Tanh in steps of 2^-12.
 *            hidden [units], scaled by hidden_multiplier and hidden_shift; NULL: the state begins at zero.
 *            Rows of weights have zeros up to stored_inputs and stored_units columns.
 * Ranges     no sum may leave int32. All sizes >= 1.
 * Aliasing   out overlaps no operand.
 * Rounding   half up, as above.
 * Scratch    EQ_GRU_SCRATCH bytes: hidden values before and behind a step, z and r, and x as int16 where
 *            `widened`, the length of that row, is not 0.
 */
#ifndef EQ_GRU_H
#define EQ_GRU_H

#include <eq_cell.h>

#include "eq_rows_s16.h"

typedef struct {
  int32_t steps, inputs, units;
  int32_t stored_inputs, stored_units; /* up to the next multiple of four */
  int32_t x_bytes, in_zero, widened;
  int32_t sequence, reverse, reset_after;
  int32_t shift;
  int32_t out_bytes, out_zero, out_multiplier, out_shift;
  int32_t hidden_multiplier, hidden_shift;
} eq_gru_t;

#define EQ_GRU_SCRATCH(stored_units, widened) (8 * (stored_units) + 2 * (widened))

/* Where the next block of four rows is read. */
typedef struct {
  const int8_t *weights;
  const int8_t *recurrent;
  const int32_t *bias;
  const int32_t *x_multiplier;
  const int32_t *h_multiplier;
} eq_gru_rows_t;

EQ_INLINE void eq_gru_next(eq_gru_rows_t *rows, const eq_gru_t *p) {
  rows->weights += eq_four_rows_bytes_s16(p->stored_inputs);
  rows->recurrent += eq_four_rows_bytes_s16(p->stored_units);
  rows->bias += 4;
  rows->x_multiplier += 4;
  rows->h_multiplier += 4;
}

/* n[r] of the rows and of sums with a vector of hidden values, which begin at `inner` and are scaled by `reset`. */
EQ_INLINE void eq_gru_four(int32_t n[4], const int16_t *x, const int16_t *h, const int32_t *inner,
                           const uint16_t *reset, int32_t left, const eq_gru_rows_t *rows, const eq_gru_t *p) {
  int32_t from_x[4];
  int32_t from_h[4] = {0, 0, 0, 0};
  if (inner != NULL) {
    for (int32_t r = 0; r < left; ++r) {
      from_h[r] = inner[r];
    }
  }
  eq_four_sums_s16(from_x, rows->bias, x, rows->weights, p->stored_inputs);
  eq_four_sums_s16(from_h, inner != NULL ? from_h : NULL, h, rows->recurrent, p->stored_units);
  for (int32_t r = 0; r < 4 && reset != NULL; ++r) {
    from_h[r] = eq_cell_product(r < left ? reset[r] : 0, from_h[r]);
  }
  eq_preactivation_four(n, from_x, from_h, rows->x_multiplier, rows->h_multiplier, p->shift);
}

EQ_INLINE void eq_gru_step(int16_t *next, uint16_t *update, uint16_t *reset, const int16_t *x, const int16_t *h,
                           eq_gru_rows_t rows, const int32_t *recurrent_bias, const int16_t *table, const eq_gru_t *p) {
  const int16_t *const middle = table + EQ_CELL_MIDDLE;
  int32_t n[4];
  EQ_NO_UNROLL
  for (int32_t unit = 0; unit < p->units; unit += 4) {
    const int32_t left = p->units - unit < 4 ? p->units - unit : 4;
    eq_gru_four(n, x, h, NULL, NULL, left, &rows, p);
    eq_gru_next(&rows, p);
    for (int32_t r = 0; r < left; ++r) {
      update[unit + r] = (uint16_t)eq_cell_sigmoid(n[r], middle);
    }
    eq_gru_four(n, x, h, NULL, NULL, left, &rows, p);
    eq_gru_next(&rows, p);
    for (int32_t r = 0; r < left; ++r) {
      const int32_t gate = eq_cell_sigmoid(n[r], middle);
      reset[unit + r] = (uint16_t)(p->reset_after ? gate : eq_clamp(eq_cell_product(gate, h[unit + r]), -32768, 32767));
    }
  }
  EQ_NO_UNROLL
  for (int32_t unit = 0; unit < p->units; unit += 4) {
    const int32_t left = p->units - unit < 4 ? p->units - unit : 4;
    if (p->reset_after) {
      eq_gru_four(n, x, h, recurrent_bias + unit, reset + unit, left, &rows, p);
    } else {
      eq_gru_four(n, x, (const int16_t *)reset, NULL, NULL, left, &rows, p);
    }
    eq_gru_next(&rows, p);
    for (int32_t r = 0; r < left; ++r) {
      const int32_t z = update[unit + r];
      const int32_t sum = (32768 - z) * eq_cell_tanh(n[r], middle) + z * h[unit + r]; /* within 2^30 */
      next[unit + r] = (int16_t)eq_clamp((sum + 16384) >> 15, -32768, 32767);
    }
  }
}

EQ_INLINE void eq_gru(void *out, const void *x, const int16_t *hidden, void *scratch, const int8_t *weights,
                      const int8_t *recurrent, const int32_t *bias, const int32_t *x_multiplier,
                      const int32_t *h_multiplier, const int32_t *recurrent_bias, const int16_t *table,
                      const eq_gru_t *p) {
  const eq_gru_rows_t rows = {weights, recurrent, bias, x_multiplier, h_multiplier};
  int16_t *h = (int16_t *)scratch;
  int16_t *next = h + p->stored_units;
  uint16_t *update = (uint16_t *)(next + p->stored_units);
  uint16_t *reset = update + p->stored_units;
  int16_t *wide = (int16_t *)(reset + p->stored_units);
  EQ_NO_UNROLL
  for (int32_t unit = 0; unit < p->stored_units; ++unit) {
    reset[unit] = 0;
  }
  eq_cell_begin(h, next, hidden, p->units, p->stored_units, p->hidden_multiplier, p->hidden_shift);
  EQ_NO_UNROLL
  for (int32_t number = 0; number < p->steps; ++number) {
    const int32_t step = p->reverse ? p->steps - 1 - number : number;
    const int16_t *row = eq_cell_row(wide, x, step, p->inputs, p->widened, p->x_bytes, p->in_zero);
    eq_gru_step(next, update, reset, row, h, rows, recurrent_bias, table, p);
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
