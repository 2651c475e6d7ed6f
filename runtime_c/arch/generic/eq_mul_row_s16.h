/*
 * A row of products of int16 values:
 *
 *   eq_mul_row_s16  out[i] = clamp(requantize(a[i] * b[i*b_step]), lo, hi)
 *
 * requantize as eq_requantize.h defines it, with its ranges and zero point 0; -32768 <= lo <= hi <= 32767; b_step is 1, or 0
 * where one value serves all.
 * Aliasing: out may be exactly a or exactly b; it must not overlap them otherwise.
 *
 * This file: plain C.
 */
#ifndef EQ_MUL_ROW_S16_H
#define EQ_MUL_ROW_S16_H

#include <eq_scaling.h>

EQ_INLINE void eq_mul_row_s16(int16_t *out, const int16_t *a, const int16_t *b, int32_t b_step, int32_t n,
                              eq_scaling_t s) {
  for (int32_t i = 0; i < n; i++) {
    out[i] = (int16_t)eq_clamp(eq_requantize(a[i] * b[i * b_step], s.multiplier, s.shift, s.zero), s.lo, s.hi);
  }
}

#endif
