/*
 * 1x1 convolution of eight channels without padding, group 1, any stride, int8, requantization "highmul", with the DSP
 * extension: a pixel stays in registers while all output channels go by, whose weights are stored as int16.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_c w[o][c] * x[oy*stride_h][ox*stride_w][c])), c < 8
 *
 * With stride 1 the binding gives all pixels as one row.
 *
 * Layout     out [out_h][out_w][out_c], x [..][in_w][8]; weights packed by packing.py, pack_eight: bias and multiplier are
 *            among them.
 * Ranges     bias already contains -zero_point(x) * sum of the weights; no partial sum may leave int32; shift 0; out_c a
 *            multiple of 4; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may overlap x from below: a pixel at a time, in order, is stored when it has been read. Bounds other than
 *            int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    none.
 */
#ifndef EQ_POINTWISE_EIGHT_S8_H
#define EQ_POINTWISE_EIGHT_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_eight.h"

typedef struct {
  int32_t in_w;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t stride_h;
  int32_t stride_w;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_pointwise_eight_s8_t;

EQ_INLINE void eq_pointwise_eight_s8(int8_t *out, const int8_t *x, const int8_t *weights,
                                     const eq_pointwise_eight_s8_t *p) {
  const int32_t row = p->out_w * p->out_c;
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    eq_eight_row(out + oy * row, x + oy * (8 * p->stride_h * p->in_w), 8 * p->stride_w, p->out_w, weights, p->out_c,
                 p->out_zero);
  }
  eq_clamp_run(out, p->out_h * row, p->clamp_min, p->clamp_max);
}

#endif
