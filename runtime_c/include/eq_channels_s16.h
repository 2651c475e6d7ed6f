/*
 * A set of output channels of a multiply-accumulate kernel with int16 on either side: what eq_columns_s16.h, eq_rows_s16.h
 * and eq_taps_s16.h need to know, and how their sums become outputs.
 *
 *   wide == 0  sum = bias[c] + sum_k weight[c][k] * x[k], proven to fit int32
 *              out = clamp(requantize(sum, multiplier[c], shift, out_zero)), requantize as in eq_requantize.h
 *   wide == 1  the same sum in 64 bits; out = clamp(requantize(sum >> shift, multiplier[c], 0, out_zero)), floor shift,
 *              sum >> shift proven to fit int32
 *
 * Any EQ_SUM_BLOCK products fit int32, whatever the values: |int16 * int8| <= 2^22. So wide sums are int32 sums of blocks,
 * added in 64 bits: no instruction set needs a 64-bit accumulator in its inner loop.
 *
 * The order of `weights` is the instruction set's own; edgeq/backends/c/packing.py writes it, and each arch header states it.
 */
#ifndef EQ_CHANNELS_S16_H
#define EQ_CHANNELS_S16_H

#include <eq_common.h>
#include <eq_requantize.h>

#define EQ_SUM_BLOCK 504 /* 504 * 2^22 < 2^31; a multiple of 8, and of twice the four products of a step */

typedef struct {
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  int32_t depth;    /* products per output, as stored */
  int32_t channels; /* outputs */
  int32_t wide;     /* 0, 1: see above */
  int32_t shift;
  int32_t out_bytes; /* 1: out is int8, 2: int16 with out_zero = 0 */
  int32_t out_zero;
  int32_t clamp_min; /* within the range of the type of out */
  int32_t clamp_max;
} eq_channels_s16_t;

/* (a + b) >> shift in 64 bits, shift >= 1: half the sum always fits int32. */
EQ_INLINE int32_t eq_shifted_sum(int32_t a, int32_t b, int32_t shift) {
  return ((a & b) + ((a ^ b) >> 1)) >> (shift - 1);
}

/* Element `at` of int8 (bytes = 1) or int16 (bytes = 2) data. */
EQ_INLINE int32_t eq_load_element(const void *x, int32_t at, int32_t bytes) {
  return bytes == 1 ? ((const int8_t *)x)[at] : ((const int16_t *)x)[at];
}

EQ_INLINE void eq_store_element(void *out, int32_t at, int32_t value, int32_t bytes) {
  if (bytes == 1) {
    ((int8_t *)out)[at] = (int8_t)value;
  } else {
    ((int16_t *)out)[at] = (int16_t)value;
  }
}

EQ_INLINE const void *eq_element_at(const void *x, int32_t at, int32_t bytes) { return (const int8_t *)x + at * bytes; }

/* Requantize a sum, wide ones already shifted, and store it as channel c. */
EQ_INLINE void eq_finish_s16(void *out, int32_t c, int32_t sum, int32_t multiplier, const eq_channels_s16_t *p) {
  const int32_t y = eq_requantize(sum, multiplier, p->wide ? 0 : p->shift, p->out_zero);
  eq_store_element(out, c, eq_clamp(y, p->clamp_min, p->clamp_max), p->out_bytes);
}

#endif
