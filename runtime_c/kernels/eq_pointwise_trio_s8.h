/*
 * 1x1 convolution without padding, group 1, any stride, int8, requantization "highmul", three pixels in two words.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_c w[o][c] * x[oy*stride_h][ox*stride_w][c]))
 *
 * With stride 1 the binding gives all pixels as one row.
 *
 * Layout     out [out_h][out_w][out_c], x [..][in_w][in_c]; weights as eq_trio.h has them (packing.py, pack_trio): bias and
 *            multiplier are among them.
 * Ranges     bias already contains -zero_point(x) * sum of the weights; sums as eq_trio.h has them; no left shift; on
 *            ARMv6-M also |acc * multiplier| < 2^47 - 2^40; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may overlap x, not scratch, from below: EQ_TRIO_PIXELS pixels of a row at a time, in order, are stored
 *            when they have been read. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    a column: EQ_POINTWISE_TRIO_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_POINTWISE_TRIO_S8_H
#define EQ_POINTWISE_TRIO_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_trio.h"

typedef struct {
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t stride_h;
  int32_t stride_w;
  int32_t first; /* places of the first segment, of the others: see eq_trio.h */
  int32_t segment;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_pointwise_trio_s8_t;

#define EQ_POINTWISE_TRIO_S8_SCRATCH(in_c) (8 * (in_c) + EQ_TRIO_SPARE)

EQ_INLINE void eq_pointwise_trio_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                    const eq_pointwise_trio_s8_t *p) {
  const int32_t step = p->stride_w * p->in_c;
  int8_t *to = out;
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    const int8_t *in = x + oy * (p->stride_h * p->in_w * p->in_c);
    EQ_NO_UNROLL
    for (int32_t left = p->out_w; left > 0; left -= EQ_TRIO_PIXELS) {
      const int32_t count = left < EQ_TRIO_PIXELS ? left : EQ_TRIO_PIXELS;
      const int8_t *const second = count > 1 ? in + step : in;
      const int8_t *const third = count > 2 ? second + step : second;
      eq_trio_begin(scratch);
      eq_trio_pack(scratch, 0, in, second, third, p->in_c);
      eq_trio_multiply(to, p->out_c, count, scratch, weights, p->in_c, p->first, p->segment, p->out_c, p->out_zero);
      in = third + step;
      to += count * p->out_c;
    }
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
