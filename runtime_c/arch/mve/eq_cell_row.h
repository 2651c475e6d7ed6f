/*
 * Values of recurrent cells to results:
 *
 *   eq_cell_scale  (v*m + 2^(shift-1)) >> shift in 64 bits, held within low … high; 0 <= m < 2^30, 1 <= shift <= 61
 *   eq_cell_store  n hidden values as results of int8 or int16 (`bytes`) from `at` on: clamp(eq_cell_scale(h) + zero)
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: Armv8.1-M with integer MVE, four values in 7 instructions, tails predicated.
 */
#ifndef EQ_CELL_ROW_H
#define EQ_CELL_ROW_H

#include <arm_mve.h>

#include <eq_channels_s16.h>

EQ_INLINE int32_t eq_cell_scale(int32_t value, int32_t multiplier, int32_t shift, int32_t low, int32_t high) {
  const int64_t scaled = ((int64_t)value * multiplier + ((int64_t)1 << (shift - 1))) >> shift;
  return scaled < low ? low : scaled > high ? high : (int32_t)scaled;
}

EQ_INLINE void eq_cell_store(void *out, int32_t at, const int16_t *h, int32_t n, int32_t multiplier, int32_t shift,
                             int32_t zero, int32_t bytes) {
  const int32_t low = bytes == 1 ? -128 : -32768;
  const int32_t high = bytes == 1 ? 127 : 32767;
  if (shift < 18) {
    EQ_NO_UNROLL
    for (int32_t i = 0; i < n; ++i) {
      const int32_t y = eq_cell_scale(h[i], multiplier, shift, low - zero, high - zero);
      eq_store_element(out, at + i, y + zero, bytes);
    }
    return;
  }
  /* Value and divisor are raised until what is rounded off lies in the upper word of the product. */
  const int32_t raised = shift < 33 ? 33 - shift : 0;
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i += 4) {
    const mve_pred16_t exist = vctp32q((uint32_t)(n - i));
    int32x4_t y = vshlq_r_s32(vldrhq_z_s32(h + i, exist), raised);
    y = vaddq_n_s32(vrshlq_n_s32(vmulhq_s32(y, vdupq_n_s32(multiplier)), 32 - shift - raised), zero);
    y = vminq_s32(vmaxq_s32(y, vdupq_n_s32(low)), vdupq_n_s32(high));
    if (bytes == 1) {
      vstrbq_p_s32((int8_t *)out + at + i, y, exist);
    } else {
      vstrhq_p_s32((int16_t *)out + at + i, y, exist);
    }
  }
}

#endif
