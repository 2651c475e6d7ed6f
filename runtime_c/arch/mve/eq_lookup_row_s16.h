/*
 * A row of a function of int16 values, linear between the entries of a table:
 *
 *   eq_lookup_row_s16  out[i] = (t[0]*(128 - f) + t[1]*f + 64) >> 7, f = x[i] & 127, t = table + ((x[i] + 32768) >> 7)
 *
 * table[0 … 512] are the values at x = -32768, -32640 … 32768.
 * Aliasing: out may be exactly x; it must not overlap it otherwise.
 *
 * This file: Armv8.1-M with integer MVE: gathers of four entries and of their neighbours.
 */
#ifndef EQ_LOOKUP_ROW_S16_H
#define EQ_LOOKUP_ROW_S16_H

#include <arm_mve.h>

#include <eq_common.h>

EQ_INLINE void eq_lookup_row_s16(int16_t *out, const int16_t *x, const int16_t *table, int32_t n) {
  EQ_NO_UNROLL
  for (; n > 0; n -= 4) {
    const mve_pred16_t exist = vctp32q((uint32_t)n);
    const int32x4_t value = vldrhq_z_s32(x, exist);
    const uint32x4_t index = vreinterpretq_u32_s32(vaddq_n_s32(vshrq_n_s32(value, 7), 256));
    const int32x4_t first = vldrhq_gather_shifted_offset_z_s32(table, index, exist);
    const int32x4_t rise = vsubq_s32(vldrhq_gather_shifted_offset_z_s32(table + 1, index, exist), first);
    const int32x4_t part = vmulq_s32(rise, vandq_s32(value, vdupq_n_s32(127)));
    vstrhq_p_s32(out, vaddq_s32(first, vrshrq_n_s32(part, 7)), exist);
    x += 4;
    out += 4;
  }
}

#endif
