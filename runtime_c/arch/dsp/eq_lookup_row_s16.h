/*
 * A row of a function of int16 values, linear between the entries of a table:
 *
 *   eq_lookup_row_s16  out[i] = (t[0]*(128 - f) + t[1]*f + 64) >> 7, f = x[i] & 127, t = table + ((x[i] + 32768) >> 7)
 *
 * table[0 … 512] are the values at x = -32768, -32640 … 32768.
 * Aliasing: out may be exactly x; it must not overlap it otherwise.
 *
 * This file: cores with the DSP extension. Both entries come by one load at any address, 128 - f and f by one MLA, the sum by
 * one SMLAD.
 */
#ifndef EQ_LOOKUP_ROW_S16_H
#define EQ_LOOKUP_ROW_S16_H

#include <eq_common.h>
#include <eq_dot.h>
#include <eq_scaling.h>

EQ_INLINE void eq_lookup_row_s16(int16_t *out, const int16_t *x, const int16_t *table, int32_t n) {
  const int16_t *const middle = table + 256;
  const int32_t ones = eq_in_register(0xffff);
  const int32_t one = eq_in_register(128);
  EQ_NO_UNROLL
  for (; n > 0; n--) {
    const int32_t value = *x++;
    /* 2^16*f + 128 - f */
    const int32_t parts = eq_multiply_add(one, value & 127, ones);
    *out++ = (int16_t)(eq_mac_dual(eq_load_word(middle + (value >> 7)), (uint32_t)parts, 64) >> 7);
  }
}

#endif
