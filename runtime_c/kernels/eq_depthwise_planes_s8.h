/*
 * Depthwise convolution, int8, requantization "highmul", with the DSP extension: stride 1, by way of a copy of four
 * channels with the padding around them.
 *
 *   out[oy][ox][c] = clamp(requantize(bias[c] + sum_{ky,kx} w[c][ky][kx] * x[oy - pad_top + ky][ox - pad_left + kx][c]))
 *   positions outside x hold pad_value. An image one pixel wide may be given as one that is one pixel high.
 *
 * Layout     out [out_h][out_w][channels], x [in_h][in_w][channels]; weights: one stream, 4-byte aligned, per channel bias
 *            and multiplier (int32), then kernel_h rows of kernel_w weights (int8), zeros among them, in the order of
 *            eq_sequence.h.
 * Ranges     kernel_w a multiple of 4; first even, at least pad_left; places even, at least first + in_w + 1 and at least
 *            first - pad_left + kernel_w + out_w rounded up to 4; rows at least pad_top + in_h and out_h + kernel_h - 1; no
 *            left shift of the accumulator; bias contains -zero_point(x) * sum of all weights; no partial sum may leave
 *            int32; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may be x, or overlap it by whole pixels: four channels are read before the first of their results is
 *            written. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    four planes of int16: EQ_DEPTHWISE_PLANES_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_DEPTHWISE_PLANES_S8_H
#define EQ_DEPTHWISE_PLANES_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_requantize.h"
#include "eq_sequence.h"

typedef struct {
  int32_t channels;
  int32_t in_h;
  int32_t in_w;
  int32_t out_h;
  int32_t out_w;
  int32_t kernel_h;
  int32_t kernel_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t first;  /* place of a row of a plane at which x begins */
  int32_t places; /* of a row */
  int32_t rows;   /* of a plane */
  int32_t pad_value;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_depthwise_planes_s8_t;

#define EQ_DEPTHWISE_PLANES_S8_SCRATCH(places, rows) (8 * (places) * (rows))

/* A row of n <= 4 channels into their planes. */
EQ_INLINE void eq_depthwise_planes_row(eq_pair_t *to, const int8_t *x, int32_t n, const eq_depthwise_planes_s8_t *p) {
  const int32_t apart = (p->places >> 1) * p->rows;
  const uint32_t padding = (uint32_t)(uint8_t)p->pad_value * 0x01010101u;
  int32_t left = p->in_w;
  if (n == 4) {
    EQ_NO_UNROLL
    for (; left >= 2; left -= 2) {
      eq_sequence_spread(to++, apart, eq_load_word(x), eq_load_word(x + p->channels));
      x += 2 * p->channels;
    }
  }
  EQ_NO_UNROLL
  for (; left > 0; left -= 2) {
    const uint32_t second = left > 1 ? eq_load_tail(x + p->channels, n < 4 ? n : 3) : padding;
    eq_sequence_spread(to++, apart, n == 4 ? eq_load_word(x) : eq_load_tail(x, n), second);
    x += 2 * p->channels;
  }
}

/* Four neighbouring results, before they are requantized. */
EQ_INLINE void eq_depthwise_planes_sums(int32_t sums[4], const int16_t *x, const int8_t *weights,
                                        const eq_depthwise_planes_s8_t *p) {
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    eq_sequence_four(sums, x, weights, p->kernel_w);
    weights += p->kernel_w;
    x += p->places;
  }
}

EQ_INLINE int8_t eq_depthwise_planes_finish(int32_t sum, int32_t multiplier, const eq_depthwise_planes_s8_t *p) {
  return (int8_t)eq_clamp(eq_requantize(sum, multiplier, 0, p->out_zero), -128, 127);
}

/* A row of results of a channel, from its plane. */
EQ_INLINE void eq_depthwise_planes_line(int8_t *out, const int16_t *x, const int8_t *weights,
                                        const eq_depthwise_planes_s8_t *p) {
  const int32_t bias = ((const int32_t __attribute__((may_alias)) *)(const void *)weights)[0];
  const int32_t multiplier = ((const int32_t __attribute__((may_alias)) *)(const void *)weights)[1];
  int32_t left = p->out_w;
  EQ_NO_UNROLL
  for (; left >= 4; left -= 4) {
    int32_t sums[4] = {bias, bias, bias, bias};
    eq_depthwise_planes_sums(sums, x, weights + 8, p);
    out[0] = eq_depthwise_planes_finish(sums[0], multiplier, p);
    out[p->channels] = eq_depthwise_planes_finish(sums[1], multiplier, p);
    out[2 * p->channels] = eq_depthwise_planes_finish(sums[2], multiplier, p);
    out[3 * p->channels] = eq_depthwise_planes_finish(sums[3], multiplier, p);
    x += 4;
    out += 4 * p->channels;
  }
  if (left > 0) {
    int32_t sums[4] = {bias, bias, bias, bias};
    eq_depthwise_planes_sums(sums, x, weights + 8, p);
    out[0] = eq_depthwise_planes_finish(sums[0], multiplier, p);
    if (left > 1) {
      out[p->channels] = eq_depthwise_planes_finish(sums[1], multiplier, p);
    }
    if (left > 2) {
      out[2 * p->channels] = eq_depthwise_planes_finish(sums[2], multiplier, p);
    }
  }
}

EQ_INLINE void eq_depthwise_planes_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                      const eq_depthwise_planes_s8_t *p) {
  const int32_t plane = p->places * p->rows;
  const int16_t *const windows = (const int16_t *)scratch + p->first - p->pad_left;
  eq_pair_t *const inside = (eq_pair_t *)scratch + ((p->pad_top * p->places + p->first) >> 1);
  const uint32_t padding = (uint32_t)(uint16_t)p->pad_value * 0x10001u;
  EQ_NO_UNROLL
  for (int32_t i = 0; i < 2 * plane; ++i) {
    ((eq_pair_t *)scratch)[i] = padding;
  }
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += 4) {
    const int32_t n = p->channels - c < 4 ? p->channels - c : 4;
    EQ_NO_UNROLL
    for (int32_t iy = 0; iy < p->in_h; ++iy) {
      eq_depthwise_planes_row(inside + iy * (p->places >> 1), x + iy * p->in_w * p->channels + c, n, p);
    }
    EQ_NO_UNROLL
    for (int32_t i = 0; i < n; ++i) {
      EQ_NO_UNROLL
      for (int32_t oy = 0; oy < p->out_h; ++oy) {
        eq_depthwise_planes_line(out + oy * p->out_w * p->channels + c + i, windows + i * plane + oy * p->places,
                                 weights, p);
      }
      weights += 8 + p->kernel_h * p->kernel_w;
    }
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->channels, p->clamp_min, p->clamp_max);
}

#endif
