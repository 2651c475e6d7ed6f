/*
 * 1x1 convolution without padding, group 1, any stride, int8, requantization "highmul", with the DSP extension: two pixels
 * against four channels at a time, whose weights are of int16, either stored so or widened before the first pixel.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_c w[o][c] * x[oy*stride_h][ox*stride_w][c]))
 *
 * With stride 1 the binding gives all pixels as one row. Fewer instructions than eq_pointwise_s8, for memory.
 *
 * Layout     out [out_h][out_w][out_c], x [..][in_w][in_c]; weights packed by packing.py, pack_wide or pack_narrow: bias
 *            and multiplier are among them.
 * Ranges     bias already contains -zero_point(x) * sum of the weights; no partial sum may leave int32; shift 0; out_c a
 *            multiple of 4; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may overlap x, not scratch, from below: two pixels of a row at a time, in order, are stored when they
 *            have been read; pixels i, i+1 of a row, i even. Bounds other than int8's are applied at the end, to out
 *            alone.
 * Rounding   eq_requantize.h.
 * Scratch    two columns, and the weights that are widened: EQ_POINTWISE_WIDE_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_POINTWISE_WIDE_S8_H
#define EQ_POINTWISE_WIDE_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_wide.h"

typedef struct {
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t stride_h;
  int32_t stride_w;
  int32_t depth;   /* places of a column: in_c rounded up to 4 */
  int32_t widened; /* output channels whose weights are stored as int8: all, or 0 */
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_pointwise_wide_s8_t;

#define EQ_POINTWISE_WIDE_S8_SCRATCH(depth, widened) (EQ_WIDE_BYTES * (depth) + (widened) * (8 + 2 * (depth)))

EQ_INLINE void eq_pointwise_wide_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                    const eq_pointwise_wide_s8_t *p) {
  const int32_t step = p->stride_w * p->in_c;
  int8_t *const stream = (int8_t *)scratch + EQ_WIDE_BYTES * p->depth;
  if (p->widened != 0) {
    eq_wide_widen(stream, weights, p->depth, p->out_c);
  }
  const eq_wide_t set = eq_wide_set(scratch, p->widened != 0 ? stream : weights, p->depth, p->out_c, p->out_zero);
  int8_t *to = out;
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    const int8_t *in = x + oy * (p->stride_h * p->in_w * p->in_c);
    EQ_NO_UNROLL
    for (int32_t left = p->out_w; left > 0; left -= 2) {
      /* A last pixel is computed twice. */
      eq_wide_pixels(scratch, in, left > 1 ? step : 0, p->in_c);
      eq_wide_multiply(to, p->out_c, left, &set);
      in += 2 * step;
      to += left > 1 ? 2 * p->out_c : p->out_c;
    }
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
