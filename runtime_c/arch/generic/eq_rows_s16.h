/*
 * One int16 vector against many rows of weights: the core of the fully connected layer.
 *   eq_rows_multiply_s16  out[c] for all channels; x is read as it lies, `depth` values, aligned to 2 bytes
 *   eq_four_sums_s16      acc[r] = start[r] + x.w[r], from 0 without `start`, over n >= 4 values, a multiple of four, with the
 *                         first four rows of a block in this order; eq_four_rows_bytes_s16(n) is what they take; x is
 *                         aligned to 4 bytes
 *
 * This file: weights [channels][depth] in plain order, four rows at a time.
 */
#ifndef EQ_ROWS_S16_H
#define EQ_ROWS_S16_H

#include <eq_channels_s16.h>

/* acc[r] += x.w[r] over n places. */
EQ_INLINE void eq_four_rows_s16(int32_t acc[4], const int16_t *x, const int8_t *const w[4], int32_t at, int32_t n) {
  int32_t s0 = acc[0];
  int32_t s1 = acc[1];
  int32_t s2 = acc[2];
  int32_t s3 = acc[3];
  for (int32_t i = at; i < at + n; ++i) {
    const int32_t value = x[i];
    s0 += value * w[0][i];
    s1 += value * w[1][i];
    s2 += value * w[2][i];
    s3 += value * w[3][i];
  }
  acc[0] = s0;
  acc[1] = s1;
  acc[2] = s2;
  acc[3] = s3;
}

EQ_INLINE int32_t eq_four_rows_bytes_s16(int32_t n) { return 4 * n; }

EQ_INLINE void eq_four_sums_s16(int32_t acc[4], const int32_t *start, const int16_t *x, const int8_t *w, int32_t n) {
  for (int32_t r = 0; r < 4; ++r) {
    acc[r] = start == NULL ? 0 : start[r];
  }
  const int8_t *const rows[4] = {w, w + n, w + 2 * n, w + 3 * n};
  eq_four_rows_s16(acc, x, rows, 0, n);
}

EQ_INLINE void eq_rows_multiply_s16(void *out, const int16_t *x, const eq_channels_s16_t *p) {
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += 4) {
    const int32_t left = p->channels - c < 4 ? p->channels - c : 4;
    const int8_t *rows[4];
    int32_t acc[4];
    for (int32_t r = 0; r < 4; ++r) {
      const int32_t channel = c + (r < left ? r : 0);
      rows[r] = p->weights + channel * p->depth;
      acc[r] = p->bias[channel];
    }
    if (p->wide) {
      int64_t sums[4] = {acc[0], acc[1], acc[2], acc[3]};
      EQ_NO_UNROLL
      for (int32_t at = 0; at < p->depth; at += EQ_SUM_BLOCK) {
        int32_t block[4] = {0, 0, 0, 0};
        eq_four_rows_s16(block, x, rows, at, p->depth - at < EQ_SUM_BLOCK ? p->depth - at : EQ_SUM_BLOCK);
        for (int32_t r = 0; r < 4; ++r) {
          sums[r] += block[r];
        }
      }
      for (int32_t r = 0; r < 4; ++r) {
        acc[r] = (int32_t)(sums[r] >> p->shift);
      }
    } else {
      eq_four_rows_s16(acc, x, rows, 0, p->depth);
    }
    for (int32_t r = 0; r < left; ++r) {
      eq_finish_s16(out, c + r, acc[r], p->multiplier[c + r], p);
    }
  }
}

#endif
