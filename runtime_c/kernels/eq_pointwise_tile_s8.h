/*
 * 1x1 convolution without padding, group 1, any stride, int8, requantization "highmul": two pixels by eight channels at a
 * time (eq_tile.h). MVE only.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_c w[o][c] * x[oy*stride_h][ox*stride_w][c]))
 *
 * With stride 1 the binding gives all pixels as one row. The last out_c % 8 channels are done by eq_columns.h.
 *
 * Layout     out [out_h][out_w][out_c], x [..][in_w][in_c]; weights as eq_tile.h states, of out_c / 8 * 8 channels;
 *            rest_weights packed by packing.py, pack_columns, rest_bias and rest_multiplier [eq_columns_channels(out_c % 8)]
 *            for the others, NULL where there are none.
 * Ranges     bias already contains -zero_point(x) * sum of the weights; no partial sum may leave int32;
 *            -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1, out_c >= 8.
 * Aliasing   out may overlap x from below. Pixels are done in order, by pairs within a row: a pair is written while it is still
 *            read, and nothing of it is read later.
 * Rounding   eq_requantize.h.
 * Scratch    none.
 */
#ifndef EQ_POINTWISE_TILE_S8_H
#define EQ_POINTWISE_TILE_S8_H

#include "eq_channels.h"
#include "eq_columns.h"
#include "eq_tile.h"

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
} eq_pointwise_tile_s8_t;

EQ_INLINE void eq_pointwise_tile_s8(int8_t *out, const int8_t *x, const int8_t *weights, const int8_t *rest_weights,
                                    const int32_t *rest_bias, const int32_t *rest_multiplier,
                                    const eq_pointwise_tile_s8_t *p) {
  const int32_t blocks = p->out_c / EQ_TILE_CHANNELS;
  const int32_t rest = p->out_c % EQ_TILE_CHANNELS;
  const int32_t done = p->out_c - rest;
  const eq_channels_t set = {rest_weights, rest_bias,   rest_multiplier, p->in_c,      rest,
                             p->shift,     p->out_zero, p->clamp_min,    p->clamp_max, 0};
  const int32_t step = p->stride_w * p->in_c;
  eq_tile_frame_t frame;
  eq_tile_start(&frame, p->shift, p->out_zero, p->clamp_min, p->clamp_max);
  eq_tile_start_pairs(&frame, p->in_c);
  EQ_NO_UNROLL
  for (int32_t oy = 0; oy < p->out_h; ++oy) {
    const int8_t *in = x + oy * (p->stride_h * p->in_w * p->in_c);
    EQ_NO_UNROLL
    for (int32_t left = p->out_w; left > 0; left -= 2) {
      const int32_t second = left > 1 ? 1 : 0; /* a lone last pixel is given twice */
      const int8_t *other = in + second * step;
      int8_t *out1 = out + second * p->out_c;
      eq_tile_pair(out, out1, in, other, p->in_c, weights, blocks, p->shift, p->clamp_min, p->clamp_max, &frame);
      if (rest > 0) {
        eq_columns_multiply(out + done, out1 + done, in, other, &set);
      }
      in += 2 * step;
      out += (1 + second) * p->out_c;
    }
  }
}

#endif
