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
 * This file: ARMv6-M, whose only multiplication is 32x32->32. Four MULS; three where `narrow` is set.
 */
#ifndef EQ_REQUANTIZE_H
#define EQ_REQUANTIZE_H

#include <eq_common.h>

/* a = ah*2^16 + al, m = mh*2^16 + ml with al, ml in [0, 2^16), mh in [0, 2^15), ah in [-2^15, 2^15). */
EQ_INLINE int32_t eq_requantize(int32_t acc, int32_t multiplier, int32_t shift, int32_t zero) {
  const int32_t a = eq_shift_left(acc, shift);
  const int32_t ah = a >> 16;
  const int32_t al = a & 0xffff;
  const int32_t mh = multiplier >> 16;
  const int32_t ml = multiplier & 0xffff;
  /* At most 32767*65535 + 65534 + 32768 = 2^31 - 2, at least -2^15*65535. */
  const int32_t middle = ah * ml + (int32_t)(((uint32_t)al * (uint32_t)ml) >> 16) + 0x8000;
  /* At most 65535*32767 + 65535 < 2^31. */
  const int32_t low = al * mh + (middle & 0xffff);
  return ah * mh + (middle >> 16) + (low >> 16) + zero;
}

/* |a*m| < 2^47 - 2^40 keeps (a*m >> 16) + (zero << 16) + 2^15 inside int32; the partial sums may wrap. */
EQ_INLINE int32_t eq_requantize_narrow(int32_t acc, int32_t multiplier, int32_t shift, int32_t zero, int32_t narrow) {
  if (narrow == 0) {
    return eq_requantize(acc, multiplier, shift, zero);
  }
  const int32_t a = eq_shift_left(acc, shift);
  const uint32_t mh = (uint32_t)multiplier >> 16;
  const uint32_t ml = (uint32_t)multiplier & 0xffffu;
  const uint32_t k = ((uint32_t)zero << 16) + 0x8000u;
  const uint32_t low = (((uint32_t)a & 0xffffu) * ml) >> 16;
  return (int32_t)((uint32_t)a * mh + (uint32_t)(a >> 16) * ml + low + k) >> 16;
}

EQ_INLINE int32_t eq_clamp(int32_t value, int32_t lo, int32_t hi) {
  const int32_t low = value < lo ? lo : value;
  return low > hi ? hi : low;
}

EQ_INLINE int32_t eq_saturate_s8(int32_t value) { return eq_clamp(value, -128, 127); }

EQ_INLINE int32_t eq_saturate_s16(int32_t value) { return eq_clamp(value, -32768, 32767); }

#endif
