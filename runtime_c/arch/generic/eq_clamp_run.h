/*
 * Bounds on a run of int8 that is complete: for kernels whose inner loop saturates to int8 and knows no other bounds.
 *   eq_clamp_run   out[i] = lo <= out[i] <= hi for n values at any address; nothing where the bounds are the type's own
 *
 * This file: plain C.
 */
#ifndef EQ_CLAMP_RUN_H
#define EQ_CLAMP_RUN_H

#include <eq_common.h>

EQ_INLINE void eq_clamp_run(int8_t *out, int32_t n, int32_t lo, int32_t hi) {
  if (lo <= -128 && hi >= 127) {
    return;
  }
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; ++i) {
    const int32_t value = out[i] < lo ? lo : out[i];
    out[i] = (int8_t)(value > hi ? hi : value);
  }
}

#endif
