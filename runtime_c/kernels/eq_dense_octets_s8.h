/*
 * Fully connected layer, int8, requantization "highmul": eight outputs at a time (eq_octets.h). MVE only.
 *
 *   out[n][o] = clamp(requantize(bias[o] + sum_k w[o][k] * x[n][k]))
 *
 * Layout     out [rows][out_c], x [rows][depth]; weights as eq_octets.h states, of out_c / 8 * 8 channels; rest_weights packed by
 *            packing.py, pack_rows, rest_bias and rest_multiplier [out_c % 8] for the others, NULL where there are none.
 * Ranges     bias already contains -zero_point(x) * sum of the weights; no partial sum may leave int32;
 *            -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1, out_c >= 8.
 * Aliasing   out may overlap x from below: every output of a row reads all of it; a row may go when its last one is
 *            written.
 * Rounding   eq_requantize.h.
 * Scratch    none.
 */
#ifndef EQ_DENSE_OCTETS_S8_H
#define EQ_DENSE_OCTETS_S8_H

#include "eq_channels.h"
#include "eq_octets.h"
#include "eq_rows.h"

typedef struct {
  int32_t rows;  /* N of x[N][K]; the weights are streamed once per row */
  int32_t depth; /* K */
  int32_t out_c;
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_dense_octets_s8_t;

EQ_INLINE void eq_dense_octets_s8(int8_t *out, const int8_t *x, const int8_t *weights, const int8_t *rest_weights,
                                  const int32_t *rest_bias, const int32_t *rest_multiplier,
                                  const eq_dense_octets_s8_t *p) {
  const int32_t rest = p->out_c % EQ_OCTETS_CHANNELS;
  const int32_t done = p->out_c - rest;
  const eq_channels_t set = {rest_weights, rest_bias,   rest_multiplier, p->depth,     rest,
                             p->shift,     p->out_zero, p->clamp_min,    p->clamp_max, 0};
  EQ_NO_UNROLL
  for (int32_t row = 0; row < p->rows; ++row) {
    eq_octets_multiply(out, x, weights, p->depth, done, p->shift, p->out_zero, p->clamp_min, p->clamp_max);
    if (rest > 0) {
      eq_rows_multiply(out + done, x, &set);
    }
    out += p->out_c;
    x += p->depth;
  }
}

#endif
