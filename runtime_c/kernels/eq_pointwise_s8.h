/*
 * 1x1 convolution without padding, group 1, any stride, int8, requantization "highmul", with the DSP extension.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_c w[o][c] * x[oy*stride_h][ox*stride_w][c]))
 *
 * With stride 1 the binding gives all pixels as one row.
 *
 * Layout     out [out_h][out_w][out_c], x [..][in_w][in_c]; weights packed by packing.py, pack_triple: bias and
 *            multiplier are among them.
 * Ranges     bias already contains -zero_point(x) * sum of the weights; no partial sum may leave int32;
 *            -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may overlap x, not scratch, from below: three pixels of a row at a time, in order, are stored when they
 *            have been read; pixels i, i+1, i+2 of a row, i a multiple of 3. Bounds other than int8's are applied at the
 *            end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    three columns: EQ_POINTWISE_S8_SCRATCH bytes, 4-byte aligned. The other instruction sets read x in place:
 *            see eq_pointwise_direct_s8.h.
 */
#ifndef EQ_POINTWISE_S8_H
#define EQ_POINTWISE_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_triple.h"

typedef struct {
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t stride_h;
  int32_t stride_w;
  int32_t depth;   /* places of a column: in_c rounded up to 4 */
  int32_t coupled; /* how the weights are packed, see eq_triple.h */
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_pointwise_s8_t;

#define EQ_POINTWISE_S8_SCRATCH(depth) (EQ_TRIPLE_BYTES * (depth))

/* `count` pixels of a row, 1 to 3. */
EQ_INLINE void eq_pointwise_group(int8_t *out, const int8_t *x, void *scratch, int32_t count, const eq_coupled_t *set,
                                  const eq_pointwise_s8_t *p) {
  const int32_t step = p->stride_w * p->in_c;
  if (count == 3) {
    eq_triple_pixels(scratch, x, step, p->in_c);
  } else {
    eq_triple_run(scratch, 0, 0, x, p->in_c);
    if (count == 2) {
      eq_triple_run(scratch, 1, 0, x + step, p->in_c);
    }
  }
  eq_triple_multiply(out, count, set, p->coupled);
}

EQ_INLINE void eq_pointwise_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                               const eq_pointwise_s8_t *p) {
  const int32_t step = p->stride_w * p->in_c;
  const int32_t rest = p->out_w % 3;
  const eq_coupled_t set = eq_coupled_set(p->out_c, scratch, weights, p->depth, p->out_c, p->shift, p->out_zero);
  int8_t *to = out;
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    const int8_t *in = x + oy * (p->stride_h * p->in_w * p->in_c);
    EQ_NO_UNROLL
    for (int32_t left = p->out_w; left >= 3; left -= 3) {
      eq_pointwise_group(to, in, scratch, 3, &set, p);
      in += 3 * step;
      to += 3 * p->out_c;
    }
    if (rest == 2) {
      eq_pointwise_group(to, in, scratch, 2, &set, p);
    } else if (rest == 1) {
      eq_pointwise_group(to, in, scratch, 1, &set, p);
    }
    to += rest * p->out_c;
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
