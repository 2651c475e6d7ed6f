/*
 * A row of a function of int16 values, linear between the entries of a table:
 *
 *   eq_lookup_row_s16  out[i] = (t[0]*(128 - f) + t[1]*f + 64) >> 7, f = x[i] & 127, t = table + ((x[i] + 32768) >> 7)
 *
 * table[0 … 512] are the values at x = -32768, -32640 … 32768.
 * Aliasing: out may be exactly x; it must not overlap it otherwise.
 *
 * This file: plain C.
 */
#ifndef EQ_LOOKUP_ROW_S16_H
#define EQ_LOOKUP_ROW_S16_H

#include <eq_common.h>

EQ_INLINE void eq_lookup_row_s16(int16_t *out, const int16_t *x, const int16_t *table, int32_t n) {
  for (int32_t i = 0; i < n; i++) {
    const int32_t f = x[i] & 127;
    const int16_t *t = table + 256 + (x[i] >> 7);
    out[i] = (int16_t)((t[0] * (128 - f) + t[1] * f + 64) >> 7);
  }
}

#endif
