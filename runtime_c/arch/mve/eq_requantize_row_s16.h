/*
 * A row of int8 or int16 to int8 or int16:
 *
 *   eq_requantize_row_s16  out[i] = clamp(requantize(x[i] - x_zero), lo, hi), x of x_bytes and out of out_bytes (1 or 2)
 *
 * requantize as eq_requantize.h defines it, with its ranges; lo <= hi within the range of the type of out.
 * Aliasing: out may be exactly x, if its type is as wide; it must not overlap it otherwise.
 *
 * This file: Armv8.1-M with integer MVE, tails predicated.
 */
#ifndef EQ_REQUANTIZE_ROW_S16_H
#define EQ_REQUANTIZE_ROW_S16_H

#include <arm_mve.h>

#include <eq_channels_s16.h>
#include <eq_scaling.h>

/* Eight results from the accumulators of even and odd lanes; the zero point is added in int16 after saturation. */
EQ_INLINE int16x8_t eq_scaled_x8(int32x4_t even, int32x4_t odd, const eq_scaling_t *s) {
  int16x8_t y = vdupq_n_s16(0);
  y = vqmovnbq_s32(y, eq_high_multiply_x4(even, vdupq_n_s32(s->multiplier), s->shift));
  y = vqmovntq_s32(y, eq_high_multiply_x4(odd, vdupq_n_s32(s->multiplier), s->shift));
  if (!(__builtin_constant_p(s->zero) && s->zero == 0)) {
    y = vqaddq_n_s16(y, (int16_t)s->zero);
  }
  if (!(__builtin_constant_p(s->lo) && s->lo == -32768)) {
    y = vmaxq_s16(y, vdupq_n_s16((int16_t)s->lo));
  }
  if (!(__builtin_constant_p(s->hi) && s->hi == 32767)) {
    y = vminq_s16(y, vdupq_n_s16((int16_t)s->hi));
  }
  return y;
}

EQ_INLINE void eq_requantize_row_s16(void *out, int32_t out_bytes, const void *x, int32_t x_bytes, int32_t x_zero,
                                     int32_t n, eq_scaling_t s) {
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i += 8) {
    const mve_pred16_t exist = vctp16q((uint32_t)(n - i));
    const int16x8_t wide =
        x_bytes == 1 ? vldrbq_z_s16((const int8_t *)x + i, exist) : vldrhq_z_s16((const int16_t *)x + i, exist);
    const int32x4_t even = vsubq_n_s32(vmovlbq_s16(wide), x_zero);
    const int32x4_t odd = vsubq_n_s32(vmovltq_s16(wide), x_zero);
    const int16x8_t y = eq_scaled_x8(even, odd, &s);
    if (out_bytes == 1) {
      vstrbq_p_s16((int8_t *)out + i, y, exist);
    } else {
      vstrhq_p_s16((int16_t *)out + i, y, exist);
    }
  }
}

#endif
