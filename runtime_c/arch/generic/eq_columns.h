/*
 * Two pixels against many output channels: the core of convolution.
 *
 * A *column* is the input window of one output pixel, `depth` products long, gathered in the order of the weights. It
 * is made of segments (a kernel row, or a tap), each of which takes eq_column_segment(n) places.
 *   EQ_COLUMNS_DIRECT     1: a column is plain bytes, so input that is already in order serves without a copy
 *   EQ_COLUMN_BYTES       bytes of a place
 *   eq_column_segment     places a segment of n values takes
 *   eq_columns_channels   channels that are stored for n channels
 *   eq_column_copy, _fill write n values into column `pixel` (0 or 1) at place `at`
 *   eq_column_at          the column as eq_columns_multiply takes it
 *   EQ_COLUMNS_BLOCK      channels that are summed before they are stored; input in place is read again for the next ones
 *   eq_columns_multiply   all channels of both pixels. Stores pixel 1 before pixel 0: a lone pixel passes itself twice
 * Scratch for two columns: 2 * EQ_COLUMN_BYTES * depth bytes, 4-byte aligned.
 *
 * This file: bytes, weights [channels][depth] in plain order, two pixels by two channels at a time.
 */
#ifndef EQ_COLUMNS_H
#define EQ_COLUMNS_H

#include <eq_channels.h>
#include <eq_dot.h>
#include <eq_requantize.h>

#define EQ_COLUMNS_DIRECT 1
#define EQ_COLUMN_BYTES 1
#define EQ_COLUMNS_BLOCK 2

EQ_INLINE int32_t eq_columns_channels(int32_t n) { return n; }

EQ_INLINE int32_t eq_column_segment(int32_t n) { return n; }

EQ_INLINE void eq_column_copy(void *columns, int32_t pixel, int32_t depth, int32_t at, const int8_t *src, int32_t n) {
  int8_t *to = (int8_t *)columns + pixel * depth + at;
  for (int32_t i = 0; i < n; ++i) {
    to[i] = src[i];
  }
}

EQ_INLINE void eq_column_fill(void *columns, int32_t pixel, int32_t depth, int32_t at, int32_t value, int32_t n) {
  int8_t *to = (int8_t *)columns + pixel * depth + at;
  for (int32_t i = 0; i < n; ++i) {
    to[i] = (int8_t)value;
  }
}

EQ_INLINE const int8_t *eq_column_at(const void *columns, int32_t pixel, int32_t depth) {
  return (const int8_t *)columns + pixel * depth;
}

EQ_INLINE int8_t eq_finish(int32_t acc, int32_t channel, const eq_channels_t *p) {
  const int32_t y = eq_requantize_narrow(acc, p->multiplier[channel], p->shift, p->out_zero, p->narrow);
  return (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
}

EQ_INLINE void eq_columns_multiply(int8_t *out0, int8_t *out1, const int8_t *x0, const int8_t *x1,
                                   const eq_channels_t *p) {
  for (int32_t c = 0; c < p->channels; c += 2) {
    /* An odd last channel is computed twice and stored twice. */
    const int32_t d = c + 1 < p->channels ? c + 1 : c;
    const int8_t *w0 = p->weights + c * p->depth;
    const int8_t *w1 = p->weights + d * p->depth;
    int32_t acc[4] = {p->bias[c], p->bias[d], p->bias[c], p->bias[d]};
    eq_dot_2x2(acc, x0, x1, w0, w1, p->depth);
    out1[c] = eq_finish(acc[2], c, p);
    out1[d] = eq_finish(acc[3], d, p);
    out0[c] = eq_finish(acc[0], c, p);
    out0[d] = eq_finish(acc[1], d, p);
  }
}

#endif
