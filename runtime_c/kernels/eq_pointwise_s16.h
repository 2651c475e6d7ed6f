/*
 * 1x1 convolution of int16 without padding, group 1, any stride, requantization "highmul": one matrix product that reads
 * its input in place.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_c w[o][c] * x[oy*stride_h][ox*stride_w][c]))
 *
 * With stride 1 the binding gives all pixels as one row.
 *
 * Layout     out [out_h][out_w][out_c] of out_bytes (1: int8, 2: int16), x [..][in_w][depth], 4-byte aligned; depth is a
 *            multiple of EQ_PAIR_UNIT; weights int8, packed by packing.py, pack_columns; bias and multiplier
 *            [eq_columns_channels_s16(out_c)].
 * Ranges     wide, shift, out_zero, clamp_min and clamp_max as in eq_channels_s16.h. All sizes >= 1.
 * Aliasing   out may overlap x from below: a pair of pixels is read again for each pair of channels, which is then
 *            written.
 * Rounding   eq_requantize.h.
 * Scratch    none.
 */
#ifndef EQ_POINTWISE_S16_H
#define EQ_POINTWISE_S16_H

#include "eq_columns_s16.h"

typedef struct {
  int32_t in_w, depth;
  int32_t out_h, out_w, out_c;
  int32_t stride_h, stride_w;
  int32_t out_bytes;
  int32_t wide, shift, out_zero;
  int32_t clamp_min, clamp_max;
} eq_pointwise_s16_t;

EQ_INLINE void eq_pointwise_s16(void *out, const int16_t *x, const int8_t *weights, const int32_t *bias,
                                const int32_t *multiplier, const eq_pointwise_s16_t *p) {
  const eq_channels_s16_t set = {weights,  bias,         multiplier,  p->depth,     p->out_c,    p->wide,
                                 p->shift, p->out_bytes, p->out_zero, p->clamp_min, p->clamp_max};
  const int32_t step = p->stride_w * p->depth;
  const int32_t pixel = p->out_c * p->out_bytes;
  int8_t *to = (int8_t *)out;
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    const int16_t *in = x + oy * (p->stride_h * p->in_w * p->depth);
    EQ_NO_UNROLL
    for (int32_t left = p->out_w; left > 0; left -= 2) {
      const int32_t second = left > 1 ? 1 : 0; /* a lone last pixel is given twice */
      eq_columns_multiply_s16(to, to + second * pixel, in, in + second * step, &set);
      in += 2 * step;
      to += (1 + second) * pixel;
    }
  }
}

#endif
