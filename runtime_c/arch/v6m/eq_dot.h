/*
 * Dot products of int8 vectors. Vectors may have any alignment and any length n >= 1; nothing beyond them is read.
 *   eq_dot_s8   acc + sum a[i]*b[i]
 *   eq_dot_2x2  two vectors against two: acc[0] += x0.w0, acc[1] += x0.w1, acc[2] += x1.w0, acc[3] += x1.w1
 *   eq_dot_1x4  one vector against four: acc[r] += x.w[r]; a row may be given twice
 * No sum may leave int32.
 *
 * This file: ARMv6-M. LDRSB has only the register+register form, so one negative index that counts up to zero serves
 * all pointers and the loop; the accumulators live in IP and LR, where ADD can reach them, and six low registers are
 * enough, which leaves one for a frame pointer: 9 instructions for two products.
 */
#ifndef EQ_DOT_H
#define EQ_DOT_H

#include <eq_common.h>

/* *s0 += x.w0, *s1 += x.w1 */
EQ_INLINE void eq_dot_1x2(int32_t *s0, int32_t *s1, const int8_t *x, const int8_t *w0, const int8_t *w1, int32_t n) {
  if (n <= 0) {
    return;
  }
  int32_t index = -n;
  int32_t a = *s0;
  int32_t b = *s1;
  /* gcc hands inline assembly of Thumb-1 code to the assembler in the old syntax. */
  __asm__ volatile(
      ".syntax unified\n"
      "mov ip, %[a]\n\t"
      "mov lr, %[b]\n"
      "1:\n\t"
      "ldrsb %[a], [%[x], %[i]]\n\t"
      "ldrsb %[b], [%[w0], %[i]]\n\t"
      "muls %[b], %[a]\n\t"
      "add ip, %[b]\n\t"
      "ldrsb %[b], [%[w1], %[i]]\n\t"
      "muls %[b], %[a]\n\t"
      "add lr, %[b]\n\t"
      "adds %[i], #1\n\t"
      "bne 1b\n\t"
      "mov %[a], ip\n\t"
      "mov %[b], lr"
      : [a] "+l"(a), [b] "+l"(b), [i] "+l"(index)
      : [x] "l"(x + n), [w0] "l"(w0 + n), [w1] "l"(w1 + n)
      : "ip", "lr", "cc", "memory");
  *s0 = a;
  *s1 = b;
}

EQ_INLINE int32_t eq_dot_s8(const int8_t *a, const int8_t *b, int32_t n, int32_t acc) {
  for (int32_t i = 0; i < n; ++i) {
    acc += a[i] * b[i];
  }
  return acc;
}

EQ_INLINE void eq_dot_2x2(int32_t acc[4], const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1,
                          int32_t n) {
  eq_dot_1x2(&acc[0], &acc[2], w0, x0, x1, n);
  eq_dot_1x2(&acc[1], &acc[3], w1, x0, x1, n);
}

EQ_INLINE void eq_dot_1x4(int32_t acc[4], const int8_t *x, const int8_t *const w[4], int32_t n) {
  EQ_NO_UNROLL
  for (int32_t pair = 0; pair < 4; pair += 2) {
    eq_dot_1x2(&acc[pair], &acc[pair + 1], x, w[pair], w[pair + 1], n);
  }
}

#endif
