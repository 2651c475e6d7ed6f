/*
 * Fully connected layer, int8, requantization "highmul", with the DSP extension.
 *
 *   out[n][o] = clamp(requantize(bias[o] + sum_k w[o][k] * x[n][k]))
 *
 * Layout     out [rows][out_c], x [rows][depth]; weights packed by packing.py, pack_quads: bias and multiplier are among
 *            them.
 * Ranges     bias already contains -zero_point(x) * sum of the weights; no partial sum may leave int32; weights and sums
 *            in the ranges of eq_coupled.h; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may overlap x from below: every output of a row reads all of it; a row may go when its last one is
 *            written. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    none.
 */
#ifndef EQ_DENSE_QUADS_S8_H
#define EQ_DENSE_QUADS_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_quads.h"

typedef struct {
  int32_t rows;  /* N of x[N][K]; the weights are streamed once per row */
  int32_t depth; /* K */
  int32_t out_c;
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_dense_quads_s8_t;

EQ_INLINE void eq_dense_quads_s8(int8_t *out, const int8_t *x, const int8_t *weights, const eq_dense_quads_s8_t *p) {
  EQ_NO_UNROLL
  for (int32_t row = 0; row < p->rows; ++row) {
    eq_quads_multiply(out + row * p->out_c, x + row * p->depth, weights, p->depth, p->out_c, p->shift, p->out_zero);
  }
  eq_clamp_run(out, p->rows * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
