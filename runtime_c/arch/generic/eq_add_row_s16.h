/*
 * A row of sums or differences of int16 values of two scales:
 *
 *   eq_add_row_s16  out[i] = clamp((a[i]*ma + b[i*b_step]*mb + 2^(shift-1)) >> shift, lo, hi), in 64 bits
 *
 * Ranges: as eq_sum_s16.h says; b_step is 1, or 0 where one value serves all.
 * Aliasing: out may be exactly a or exactly b; it must not overlap them otherwise.
 *
 * This file: plain C.
 */
#ifndef EQ_ADD_ROW_S16_H
#define EQ_ADD_ROW_S16_H

#include <eq_sum_s16.h>

EQ_INLINE void eq_add_row_s16(int16_t *out, const int16_t *a, const int16_t *b, int32_t b_step, int32_t n,
                              eq_sum_s16_t s) {
  for (int32_t i = 0; i < n; i++) {
    out[i] = eq_sum_s16(a[i], b[i * b_step], &s);
  }
}

#endif
