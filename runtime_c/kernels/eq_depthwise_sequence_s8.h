/*
 * Depthwise convolution along one axis, int8, requantization "highmul", with the DSP extension: stride 1, by way of a copy
 * of four channels.
 *
 *   out[i][c] = clamp(requantize(bias[c] + sum_k w[c][k] * x[i - pad + k][c])); positions outside x hold pad_value.
 *
 * Layout     out [out_length][channels], x [length][channels]; weights: one stream, 4-byte aligned, per channel bias and
 *            multiplier (int32), then `kernel` weights (int8), zeros among them, in the order of eq_sequence.h.
 * Ranges     kernel a multiple of 4; first even, at least pad; places even, at least first + length + 1 and at least first -
 *            pad + kernel + out_length rounded up to 4; no left shift of the accumulator; bias contains -zero_point(x) * sum
 *            of all weights; no partial sum may leave int32; -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1.
 * Aliasing   out may be x, or overlap it by whole pixels: four channels are read before the first of their results is
 *            written. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    four channels of x and of padding as int16: EQ_DEPTHWISE_SEQUENCE_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_DEPTHWISE_SEQUENCE_S8_H
#define EQ_DEPTHWISE_SEQUENCE_S8_H

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_requantize.h"
#include "eq_sequence.h"

typedef struct {
  int32_t channels;
  int32_t length;
  int32_t out_length;
  int32_t kernel;
  int32_t pad;    /* places of padding that the first window reads */
  int32_t first;  /* place of a plane at which x begins */
  int32_t places; /* of a plane */
  int32_t pad_value;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_depthwise_sequence_s8_t;

#define EQ_DEPTHWISE_SEQUENCE_S8_SCRATCH(places) (8 * (places))

/* n <= 4 channels into their planes. */
EQ_INLINE void eq_depthwise_sequence_copy(void *planes, const int8_t *x, int32_t n,
                                          const eq_depthwise_sequence_s8_t *p) {
  const int32_t apart = p->places >> 1;
  const uint32_t padding = (uint32_t)(uint8_t)p->pad_value * 0x01010101u;
  eq_pair_t *to = (eq_pair_t *)planes + (p->first >> 1);
  int32_t left = p->length;
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

EQ_INLINE int8_t eq_depthwise_sequence_finish(int32_t sum, int32_t multiplier, const eq_depthwise_sequence_s8_t *p) {
  return (int8_t)eq_clamp(eq_requantize(sum, multiplier, 0, p->out_zero), -128, 127);
}

/* All results of a channel, from its plane. */
EQ_INLINE void eq_depthwise_sequence_channel(int8_t *out, const int16_t *x, const int8_t *weights,
                                             const eq_depthwise_sequence_s8_t *p) {
  const int32_t bias = ((const int32_t __attribute__((may_alias)) *)(const void *)weights)[0];
  const int32_t multiplier = ((const int32_t __attribute__((may_alias)) *)(const void *)weights)[1];
  int32_t left = p->out_length;
  EQ_NO_UNROLL
  for (; left >= 4; left -= 4) {
    int32_t sums[4] = {bias, bias, bias, bias};
    eq_sequence_four(sums, x, weights + 8, p->kernel);
    out[0] = eq_depthwise_sequence_finish(sums[0], multiplier, p);
    out[p->channels] = eq_depthwise_sequence_finish(sums[1], multiplier, p);
    out[2 * p->channels] = eq_depthwise_sequence_finish(sums[2], multiplier, p);
    out[3 * p->channels] = eq_depthwise_sequence_finish(sums[3], multiplier, p);
    x += 4;
    out += 4 * p->channels;
  }
  if (left > 0) {
    int32_t sums[4] = {bias, bias, bias, bias};
    eq_sequence_four(sums, x, weights + 8, p->kernel);
    out[0] = eq_depthwise_sequence_finish(sums[0], multiplier, p);
    if (left > 1) {
      out[p->channels] = eq_depthwise_sequence_finish(sums[1], multiplier, p);
    }
    if (left > 2) {
      out[2 * p->channels] = eq_depthwise_sequence_finish(sums[2], multiplier, p);
    }
  }
}

EQ_INLINE void eq_depthwise_sequence_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                        const eq_depthwise_sequence_s8_t *p) {
  const int16_t *const planes = (const int16_t *)scratch + p->first - p->pad;
  const uint32_t padding = (uint32_t)(uint16_t)p->pad_value * 0x10001u;
  EQ_NO_UNROLL
  for (int32_t i = 0; i < 2 * p->places; ++i) {
    ((eq_pair_t *)scratch)[i] = padding;
  }
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += 4) {
    const int32_t n = p->channels - c < 4 ? p->channels - c : 4;
    eq_depthwise_sequence_copy(scratch, x + c, n, p);
    EQ_NO_UNROLL
    for (int32_t i = 0; i < n; ++i) {
      eq_depthwise_sequence_channel(out + c + i, planes + i * p->places, weights, p);
      weights += 8 + p->kernel;
    }
  }
  eq_clamp_run(out, p->out_length * p->channels, p->clamp_min, p->clamp_max);
}

#endif
