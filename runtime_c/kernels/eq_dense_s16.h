/*
 * Fully connected layer of int16, requantization "highmul".
 *
 *   out[n][o] = clamp(requantize(bias[o] + sum_k w[o][k] * x[n][k]))
 *
 * Layout     out [rows][out_c] of out_bytes (1: int8, 2: int16), x [rows][depth]; weights int8, packed by packing.py,
 *            pack_rows; bias, multiplier [out_c].
 * Ranges     wide, shift, out_zero, clamp_min and clamp_max as in eq_channels_s16.h. All sizes >= 1.
 * Aliasing   out may overlap x from below: every output of a row reads all of it; a row may go when its last one is
 *            written.
 * Rounding   eq_requantize.h.
 * Scratch    none.
 */
#ifndef EQ_DENSE_S16_H
#define EQ_DENSE_S16_H

#include "eq_rows_s16.h"

typedef struct {
  int32_t rows, depth, out_c; /* N and K of x[N][K]; the weights are streamed once per row */
  int32_t out_bytes;
  int32_t wide, shift, out_zero;
  int32_t clamp_min, clamp_max;
} eq_dense_s16_t;

EQ_INLINE void eq_dense_s16(void *out, const int16_t *x, const int8_t *weights, const int32_t *bias,
                            const int32_t *multiplier, const eq_dense_s16_t *p) {
  const eq_channels_s16_t set = {weights,  bias,         multiplier,  p->depth,     p->out_c,    p->wide,
                                 p->shift, p->out_bytes, p->out_zero, p->clamp_min, p->clamp_max};
  int8_t *to = (int8_t *)out;
  EQ_NO_UNROLL
  for (int32_t row = 0; row < p->rows; ++row) {
    eq_rows_multiply_s16(to, x, &set);
    to += p->out_c * p->out_bytes;
    x += p->depth;
  }
}

#endif
