/*
 * Dot products of int16 vectors in 64 bits.
 *   eq_dot_1x2_s16  sums[0] += x.a, sums[1] += x.b over n >= 1 values. All are aligned to 2 bytes
 *
 * This file: SMLALD, two products at once.
 */
#ifndef EQ_DOT_S16_H
#define EQ_DOT_S16_H

#include <eq_common.h>
#include <eq_dot.h>

EQ_INLINE int64_t eq_mac_dual_wide(uint32_t a, uint32_t b, int64_t acc) {
  uint32_t low = (uint32_t)acc;
  int32_t high = (int32_t)(acc >> 32);
  __asm__("smlald %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(a), "r"(b));
  return (int64_t)(((uint64_t)(uint32_t)high << 32) | low);
}

EQ_INLINE void eq_dot_1x2_s16(int64_t sums[2], const int16_t *x, const int16_t *a, const int16_t *b, int32_t n) {
  int64_t s0 = sums[0];
  int64_t s1 = sums[1];
  EQ_NO_UNROLL
  for (; n >= 4; n -= 4) {
    const uint32_t low = eq_load_word(x);
    const uint32_t high = eq_load_word(x + 2);
    s0 = eq_mac_dual_wide(low, eq_load_word(a), s0);
    s1 = eq_mac_dual_wide(low, eq_load_word(b), s1);
    s0 = eq_mac_dual_wide(high, eq_load_word(a + 2), s0);
    s1 = eq_mac_dual_wide(high, eq_load_word(b + 2), s1);
    x += 4;
    a += 4;
    b += 4;
  }
  EQ_NO_UNROLL
  for (; n > 0; --n) {
    s0 += *x * *a++;
    s1 += *x++ * *b++;
  }
  sums[0] = s0;
  sums[1] = s1;
}

#endif
