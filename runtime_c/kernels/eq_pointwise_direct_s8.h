/*
 * 1x1 convolution without padding, group 1, any stride, int8, requantization "highmul", for instruction sets whose
 * columns are plain bytes (EQ_COLUMNS_DIRECT): the input is read in place. One matrix product.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_c w[o][c] * x[oy*stride_h][ox*stride_w][c]))
 *
 * With stride 1 the binding gives all pixels as one row.
 *
 * Layout     out [out_h][out_w][out_c], x [..][in_w][in_c]; weights packed by packing.py, pack_columns; bias and
 *            multiplier [eq_columns_channels(out_c)].
 * Ranges     bias already contains -zero_point(x) * sum of the weights; no partial sum may leave int32;
 *            -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may overlap x from below: pairs of pixels are read again for each EQ_COLUMNS_BLOCK channels,
 *            which are then written.
 * Rounding   eq_requantize.h.
 * Scratch    none. With the DSP extension see eq_pointwise_s8.h.
 */
#ifndef EQ_POINTWISE_DIRECT_S8_H
#define EQ_POINTWISE_DIRECT_S8_H

#include "eq_channels.h"
#include "eq_columns.h"

EQ_STATIC_ASSERT(EQ_COLUMNS_DIRECT == 1, "this instruction set widens its columns: use eq_pointwise_s8");

typedef struct {
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t stride_h;
  int32_t stride_w;
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
  int32_t narrow; /* eq_requantize.h */
} eq_pointwise_direct_s8_t;

EQ_INLINE void eq_pointwise_direct_s8(int8_t *out, const int8_t *x, const int8_t *weights, const int32_t *bias,
                                      const int32_t *multiplier, const eq_pointwise_direct_s8_t *p) {
  const eq_channels_t set = {weights,  bias,        multiplier,   p->in_c,      p->out_c,
                             p->shift, p->out_zero, p->clamp_min, p->clamp_max, p->narrow};
  const int32_t step = p->stride_w * p->in_c;
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    const int8_t *in = x + oy * (p->stride_h * p->in_w * p->in_c);
    EQ_NO_UNROLL
    for (int32_t left = p->out_w; left > 0; left -= 2) {
      const int32_t second = left > 1 ? 1 : 0; /* a lone last pixel is given twice */
      eq_columns_multiply(out, out + second * p->out_c, in, in + second * step, &set);
      in += 2 * step;
      out += (1 + second) * p->out_c;
    }
  }
}

#endif
