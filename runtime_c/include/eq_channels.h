/*
 * A set of output channels of one multiply-accumulate kernel: what the arch primitives of eq_columns.h (many pixels
 * against the same weights), eq_rows.h (one vector) and eq_taps.h (each channel on its own) need to know.
 *
 * result[c] = clamp(requantize(bias[c] + sum_k weight[c][k] * x[k], multiplier[c], shift, out_zero))
 *
 * The order of `weights` (and, for eq_taps.h on MVE, of bias and multiplier) is the instruction set's own;
 * edgeq/backends/c/packing.py writes it, and each arch header states it.
 */
#ifndef EQ_CHANNELS_H
#define EQ_CHANNELS_H

#include "eq_common.h"

typedef struct {
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multiplier;
  int32_t depth;    /* products per output, padding of the packed weights not counted for eq_rows.h and eq_taps.h */
  int32_t channels; /* outputs */
  int32_t shift;    /* requantization: see eq_requantize.h */
  int32_t out_zero;
  int32_t clamp_min; /* -128 <= clamp_min <= clamp_max <= 127 */
  int32_t clamp_max;
  int32_t narrow; /* 1: proven |acc * 2^shift * multiplier| < 2^47 - 2^40 */
} eq_channels_t;

#endif
