/*
 * Few pixels against panels of four output channels: the core of convolution without the DSP extension.
 *
 * A *column* is the input window of one output pixel, `depth` values long, gathered in the order of the weights.
 *   EQ_PANEL_PIXELS     columns that are multiplied together
 *   EQ_PANEL_SPARE      bytes behind each column
 *   eq_panel_copy       n values, at any address, into column `pixel` at place `at`; places rise
 *   eq_panel_fill       the same value n times
 *   eq_panel_multiply   all channels of one to EQ_PANEL_PIXELS pixels; results saturate to int8
 *   eq_panel_row        all channels of one vector that lies anywhere, not copied
 *   eq_panel_stream     bytes of the weights of so many channels
 *
 * Weights are one stream, 4-byte aligned: for each four channels four biases, then for each place four weights, then four
 * multipliers; int32 little-endian; zeros for channels that fill the last panel up.
 * Ranges: no left shift of the accumulator; ARMv6-M: |acc * multiplier| < 2^47 - 2^40. The results of a call are stored
 * when its columns are complete, channel by channel, a later pixel before an earlier one.
 *
 * This file: plain C, two pixels; columns and weights are int8.
 */
#ifndef EQ_PANEL_H
#define EQ_PANEL_H

#include <eq_common.h>
#include <eq_requantize.h>

#define EQ_PANEL_PIXELS 2
#define EQ_PANEL_SPARE 0

EQ_INLINE int32_t eq_panel_stream(int32_t channels, int32_t depth) { return ((channels + 3) >> 2) * (32 + 4 * depth); }

EQ_INLINE void eq_panel_copy(void *columns, int32_t pixel, int32_t depth, int32_t at, const int8_t *src, int32_t n) {
  int8_t *to = (int8_t *)columns + pixel * depth + at;
  for (int32_t i = 0; i < n; ++i) {
    to[i] = src[i];
  }
}

EQ_INLINE void eq_panel_fill(void *columns, int32_t pixel, int32_t depth, int32_t at, int32_t value, int32_t n) {
  int8_t *to = (int8_t *)columns + pixel * depth + at;
  for (int32_t i = 0; i < n; ++i) {
    to[i] = (int8_t)value;
  }
}

EQ_INLINE int32_t eq_panel_number(const int8_t *bytes) {
  uint32_t value = 0;
  for (int32_t i = 3; i >= 0; --i) {
    value = value << 8 | (uint8_t)bytes[i];
  }
  return (int32_t)value;
}

/* `count` pixels, one or two, whose results are `apart` bytes apart, from columns at x and x1. */
EQ_INLINE void eq_panel_run(int8_t *out, int32_t apart, int32_t count, const int8_t *x, const int8_t *x1,
                            const int8_t *weights, int32_t depth, int32_t channels, int32_t out_zero) {
  const int8_t *w = weights;
  for (int32_t c = 0; c < channels; c += 4) {
    int32_t first[4];
    int32_t second[4];
    for (int32_t i = 0; i < 4; ++i) {
      first[i] = eq_panel_number(w + 4 * i);
      second[i] = first[i];
    }
    w += 16;
    for (int32_t k = 0; k < depth; ++k) {
      for (int32_t i = 0; i < 4; ++i) {
        first[i] += w[i] * x[k];
        second[i] += w[i] * x1[k];
      }
      w += 4;
    }
    for (int32_t i = 0; i < 4 && c + i < channels; ++i) {
      const int32_t multiplier = eq_panel_number(w + 4 * i);
      if (count > 1) {
        out[apart + c + i] = (int8_t)eq_saturate_s8(eq_requantize(second[i], multiplier, 0, out_zero));
      }
      out[c + i] = (int8_t)eq_saturate_s8(eq_requantize(first[i], multiplier, 0, out_zero));
    }
    w += 16;
  }
}

EQ_INLINE void eq_panel_multiply(int8_t *out, int32_t apart, int32_t count, void *columns, const int8_t *weights,
                                 int32_t depth, int32_t channels, int32_t out_zero) {
  const int8_t *const x = (const int8_t *)columns;
  eq_panel_run(out, apart, count, x, x + (count > 1 ? depth : 0), weights, depth, channels, out_zero);
}

EQ_INLINE void eq_panel_row(int8_t *out, const int8_t *x, const int8_t *weights, int32_t depth, int32_t channels,
                            int32_t out_zero) {
  eq_panel_run(out, 0, 1, x, x, weights, depth, channels, out_zero);
}

#endif
