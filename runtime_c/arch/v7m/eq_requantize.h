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
 *
 * This file: Armv7-M without the DSP extension: SMULL; ADD hi,hi,lo,LSR #31; ADD zero; and SSAT.
 */
#ifndef EQ_REQUANTIZE_H
#define EQ_REQUANTIZE_H

#include <eq_common.h>

EQ_INLINE int32_t eq_requantize(int32_t acc, int32_t multiplier, int32_t shift, int32_t zero) {
  const int64_t product = (int64_t)eq_shift_left(acc, shift) * multiplier;
  /* Adding bit 31 to the high word is adding 2^31 before the shift; |product| < 2^62, so the high word cannot overflow. */
  return (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31) + zero;
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

/* One SSAT where the bounds are the type's own at compile time. */
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

#endif
