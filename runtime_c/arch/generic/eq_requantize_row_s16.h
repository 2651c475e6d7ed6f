/*
 * A row of int8 or int16 to int8 or int16:
 *
 *   eq_requantize_row_s16  out[i] = clamp(requantize(x[i] - x_zero), lo, hi), x of x_bytes and out of out_bytes (1 or 2)
 *
 * requantize as eq_requantize.h defines it, with its ranges; lo <= hi within the range of the type of out.
 * Aliasing: out may be exactly x, if its type is as wide; it must not overlap it otherwise.
 *
 * This file: plain C.
 */
#ifndef EQ_REQUANTIZE_ROW_S16_H
#define EQ_REQUANTIZE_ROW_S16_H

#include <eq_channels_s16.h>
#include <eq_scaling.h>

EQ_INLINE void eq_requantize_row_s16(void *out, int32_t out_bytes, const void *x, int32_t x_bytes, int32_t x_zero,
                                     int32_t n, eq_scaling_t s) {
  for (int32_t i = 0; i < n; i++) {
    const int32_t y = eq_requantize(eq_load_element(x, i, x_bytes) - x_zero, s.multiplier, s.shift, s.zero);
    eq_store_element(out, i, eq_clamp(y, s.lo, s.hi), out_bytes);
  }
}

#endif
