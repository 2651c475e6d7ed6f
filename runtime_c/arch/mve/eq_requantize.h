/*
 * Requantization of an int32 accumulator, mode "highmul":
 *
 *     y = ((((int64)acc << shift) * multiplier + 2^31) >> 32) + zero        (floor shift; not clamped)
 *
 * Ranges: 0 <= multiplier < 2^31; 0 <= shift < 32 and acc * 2^shift fits int32; -128 <= zero <= 127.
 * The same functions exist for every instruction set, bit for bit equal:
 *   eq_requantize         the definition above
 *   eq_requantize_narrow  the same value, for callers that know |acc * 2^shift * multiplier| < 2^47 - 2^40; `narrow` says
 *                         at compile time whether they do, so that one call serves both
 *   eq_clamp              lo <= result <= hi
 *   eq_saturate_s8, _s16  clamp to the type's range
 * and, here only, the vector forms
 *   eq_requantize_x4      four accumulators with their four multipliers
 *   eq_requantize_x16     sixteen accumulators to int8 lanes, saturated: 4 VRMULH, 4 VQMOVN.s32, 2 VQADD.s16, 2 VQMOVN.s16
 *
 * This file: Armv8.1-M with integer MVE. Scalars as with the DSP extension.
 */
#ifndef EQ_REQUANTIZE_H
#define EQ_REQUANTIZE_H

#include <arm_mve.h>

#include <eq_common.h>

EQ_INLINE int32_t eq_requantize(int32_t acc, int32_t multiplier, int32_t shift, int32_t zero) {
  int32_t result;
  __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(eq_shift_left(acc, shift)), "r"(multiplier), "r"(zero));
  return result;
}

EQ_INLINE int32_t eq_requantize_narrow(int32_t acc, int32_t multiplier, int32_t shift, int32_t zero, int32_t narrow) {
  (void)narrow;
  return eq_requantize(acc, multiplier, shift, zero);
}

EQ_INLINE int32_t eq_saturate_s8(int32_t value) {
  int32_t result;
  __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value) : "cc");
  return result;
}

EQ_INLINE int32_t eq_saturate_s16(int32_t value) {
  int32_t result;
  __asm__("ssat %0, #16, %1" : "=r"(result) : "r"(value) : "cc");
  return result;
}

EQ_INLINE int32_t eq_clamp(int32_t value, int32_t lo, int32_t hi) {
  if (__builtin_constant_p(lo) && __builtin_constant_p(hi) && lo == -128 && hi == 127) {
    return eq_saturate_s8(value);
  }
  if (__builtin_constant_p(lo) && __builtin_constant_p(hi) && lo == -32768 && hi == 32767) {
    return eq_saturate_s16(value);
  }
  const int32_t low = value < lo ? lo : value;
  return low > hi ? hi : low;
}

/* VSHL by a register keeps the low 32 bits; VRMULH is (a*b + 2^31) >> 32 per lane. Neither saturates nor adds zero. */
EQ_INLINE int32x4_t eq_high_multiply_x4(int32x4_t acc, int32x4_t multiplier, int32_t shift) {
  if (!(__builtin_constant_p(shift) && shift == 0)) {
    acc = vshlq_r_s32(acc, shift);
  }
  return vrmulhq_s32(acc, multiplier);
}

EQ_INLINE int32x4_t eq_requantize_x4(int32x4_t acc, int32x4_t multiplier, int32_t shift, int32_t zero) {
  return vaddq_n_s32(eq_high_multiply_x4(acc, multiplier, shift), zero);
}

/*
 * Lane 4i of the result comes from lane i of a0, lane 4i+1 from a1, 4i+2 from a2, 4i+3 from a3.
 * Each a is the result of eq_high_multiply_x4. Saturating to int16 first is exact: |zero| <= 128, so what saturates in
 * int16 saturates in int8 as well. The zero point is added in int16: in int8 the sum would saturate too early.
 */
EQ_INLINE int8x16_t eq_requantize_x16(int32x4_t a0, int32x4_t a1, int32x4_t a2, int32x4_t a3, int32_t zero) {
  int16x8_t even = vdupq_n_s16(0);
  int16x8_t odd = vdupq_n_s16(0);
  even = vqmovntq_s32(vqmovnbq_s32(even, a0), a2);
  odd = vqmovntq_s32(vqmovnbq_s32(odd, a1), a3);
  even = vqaddq_n_s16(even, (int16_t)zero);
  odd = vqaddq_n_s16(odd, (int16_t)zero);
  return vqmovntq_s16(vqmovnbq_s16(vdupq_n_s8(0), even), odd);
}

#endif
