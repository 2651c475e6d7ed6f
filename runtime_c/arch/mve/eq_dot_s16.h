/*
 * Dot products of int16 vectors in 64 bits.
 *   eq_dot_1x2_s16  sums[0] += x.a, sums[1] += x.b over n >= 1 values. All are aligned to 2 bytes
 *
 * This file: VMLALDAVA in a low-overhead loop with tail predication, in which loads beyond the end are suppressed.
 */
#ifndef EQ_DOT_S16_H
#define EQ_DOT_S16_H

#include <eq_common.h>

EQ_INLINE void eq_dot_1x2_s16(int64_t sums[2], const int16_t *x, const int16_t *a, const int16_t *b, int32_t n) {
  int64_t s0 = sums[0];
  int64_t s1 = sums[1];
  __asm__ volatile(
      "dlstp.16 lr, %[n]\n\t"
      "1:\n\t"
      "vldrh.u16 q0, [%[x]], #16\n\t"
      "vldrh.u16 q1, [%[a]], #16\n\t"
      "vmlaldava.s16 %Q[s0], %R[s0], q0, q1\n\t"
      "vldrh.u16 q2, [%[b]], #16\n\t"
      "vmlaldava.s16 %Q[s1], %R[s1], q0, q2\n\t"
      "letp lr, 1b"
      : [s0] "+r"(s0), [s1] "+r"(s1), [x] "+r"(x), [a] "+r"(a), [b] "+r"(b)
      : [n] "r"(n)
      : "q0", "q1", "q2", "lr", "memory");
  sums[0] = s0;
  sums[1] = s1;
}

#endif
