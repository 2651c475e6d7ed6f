/*
 * Two pixels of int16 against many output channels: the core of convolution.
 *
 * A *column* is the input window of one output pixel as int16, gathered in the order of the weights. It is made of
 * segments (a kernel row, or a tap), each of which takes eq_segment_s16(n) places.
 *   eq_segment_s16           places that a segment of n values takes
 *   eq_column_copy_s16       n >= 1 values of x_bytes (1 or 2) as int16; the place behind them
 *   eq_columns_channels_s16  channels that are stored for n channels: an even number
 *   eq_columns_multiply_s16  all channels of both pixels; a lone pixel passes itself twice
 * Columns are aligned to 4 bytes, and start at a multiple of EQ_PAIR_UNIT places from one another.
 *
 * This file: pairs of channels by eq_pair_s16.h; the weights of a pair take 2 * depth bytes in its order, an odd last
 * channel has a partner of zeros.
 */
#ifndef EQ_COLUMNS_S16_H
#define EQ_COLUMNS_S16_H

#include <eq_channels_s16.h>
#include <eq_pair_s16.h>

EQ_INLINE int32_t eq_segment_s16(int32_t n) { return (n + EQ_PAIR_UNIT - 1) / EQ_PAIR_UNIT * EQ_PAIR_UNIT; }

EQ_INLINE int32_t eq_columns_channels_s16(int32_t n) { return (n + 1) & ~1; }

EQ_INLINE int16_t *eq_column_copy_s16(int16_t *to, const void *x, int32_t n, int32_t x_bytes) {
  if (x_bytes == 2) {
    (void)__builtin_memcpy(to, x, 2 * (size_t)n);
    return to + n;
  }
  const int8_t *from = (const int8_t *)x;
  EQ_NO_UNROLL
  for (; n > 0; --n) {
    *to++ = *from++;
  }
  return to;
}

/* The four sums of a channel pair, bias included, in 64 bits and shifted. */
EQ_INLINE void eq_pair_wide_s16(int32_t acc[4], const int16_t *x0, const int16_t *x1, const int8_t *w,
                                const eq_channels_s16_t *p) {
  if (p->depth <= EQ_SUM_BLOCK) {
    int32_t products[4] = {0, 0, 0, 0};
    eq_pair_s16(products, x0, x1, w, p->depth, 0, p->depth);
    for (int32_t i = 0; i < 4; ++i) {
      acc[i] = eq_shifted_sum(acc[i], products[i], p->shift);
    }
    return;
  }
  int64_t sums[4] = {acc[0], acc[1], acc[2], acc[3]};
  EQ_NO_UNROLL
  for (int32_t at = 0; at < p->depth; at += EQ_SUM_BLOCK) {
    int32_t block[4] = {0, 0, 0, 0};
    eq_pair_s16(block, x0, x1, w, p->depth, at, p->depth - at < EQ_SUM_BLOCK ? p->depth - at : EQ_SUM_BLOCK);
    for (int32_t i = 0; i < 4; ++i) {
      sums[i] += block[i];
    }
  }
  for (int32_t i = 0; i < 4; ++i) {
    acc[i] = (int32_t)(sums[i] >> p->shift);
  }
}

EQ_INLINE void eq_columns_multiply_s16(void *out0, void *out1, const int16_t *x0, const int16_t *x1,
                                       const eq_channels_s16_t *p) {
  const int8_t *w = p->weights;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += 2) {
    int32_t acc[4] = {p->bias[c], p->bias[c + 1], p->bias[c], p->bias[c + 1]};
    if (p->wide) {
      eq_pair_wide_s16(acc, x0, x1, w, p);
    } else {
      eq_pair_s16(acc, x0, x1, w, p->depth, 0, p->depth);
    }
    w += 2 * p->depth;
    const int32_t m0 = p->multiplier[c];
    const int32_t m1 = p->multiplier[c + 1];
    eq_finish_s16(out1, c, acc[2], m0, p);
    if (c + 1 < p->channels) {
      eq_finish_s16(out1, c + 1, acc[3], m1, p);
      eq_finish_s16(out0, c + 1, acc[1], m1, p);
    }
    eq_finish_s16(out0, c, acc[0], m0, p);
  }
}

#endif
