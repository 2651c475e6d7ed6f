/*
 * One sum or difference of int16 values of two scales:
 *
 *   eq_sum_s16  clamp((a*ma + b*mb + 2^(shift-1)) >> shift, lo, hi), in 64 bits
 *
 * 16 <= shift <= 30; |ma|, |mb| < 2^31, so that the sum stays within 2^48 and the shifted sum within int32;
 * -32768 <= lo <= hi <= 32767.
 *
 * This file: ARMv6-M, whose only multiplication is 32x32->32. With m = 2^16*h + l, 0 <= l < 2^16, the sum is
 * 2^16*(a*ha + b*hb) + a*la + b*lb; each product fits int32.
 */
#ifndef EQ_SUM_S16_H
#define EQ_SUM_S16_H

#include <eq_common.h>
#include <eq_requantize.h>

typedef struct {
  int32_t ma;
  int32_t mb;
  int32_t shift;
  int32_t lo;
  int32_t hi;
} eq_sum_s16_t;

EQ_INLINE int16_t eq_sum_s16(int32_t a, int32_t b, const eq_sum_s16_t *s) {
  const int32_t la = a * (s->ma & 0xffff);
  const int32_t lb = b * (s->mb & 0xffff);
  /* la + lb = 2^16*((la >> 16) + (lb >> 16)) + below, below < 2^17 */
  const int32_t below = (la & 0xffff) + (lb & 0xffff);
  /* At most 2^30 + 32767^2 + 2^15, as at most one multiplier is negative; at least -2^31. */
  int32_t high = a * (s->ma >> 16) + b * (s->mb >> 16);
  high += (la >> 16) + (lb >> 16) + (below >> 16);
  if (s->shift == 16) {
    high += ((below & 0xffff) + 0x8000) >> 16;
  } else {
    high = (high + ((int32_t)1 << (s->shift - 17))) >> (s->shift - 16);
  }
  return (int16_t)eq_clamp(high, s->lo, s->hi);
}

#endif
