/*
 * One sum or difference of int16 values of two scales:
 *
 *   eq_sum_s16  clamp((a*ma + b*mb + 2^(shift-1)) >> shift, lo, hi), in 64 bits
 *
 * 16 <= shift <= 30; |ma|, |mb| < 2^31, so that the sum stays within 2^48 and the shifted sum within int32;
 * -32768 <= lo <= hi <= 32767.
 *
 * This file: a multiplication 32x32->64. Operands are shifted to the left, so that the result is the high word.
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
  const int32_t up = 32 - s->shift; /* 2 … 16 */
  const int64_t sum = (int64_t)eq_shift_left(a, up) * s->ma + (int64_t)eq_shift_left(b, up) * s->mb;
  return (int16_t)eq_clamp((int32_t)((sum + ((int64_t)1 << 31)) >> 32), s->lo, s->hi);
}

#endif
