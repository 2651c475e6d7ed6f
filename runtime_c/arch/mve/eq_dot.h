/*
 * Dot products of int8 vectors. Vectors may have any alignment and any length n >= 1; nothing beyond them is read.
 *   eq_dot_s8   acc + sum a[i]*b[i]
 *   eq_dot_2x2  two vectors against two: acc[0] += x0.w0, acc[1] += x0.w1, acc[2] += x1.w0, acc[3] += x1.w1
 *   eq_dot_1x4  one vector against four: acc[r] += x.w[r]; a row may be given twice
 * No sum may leave int32.
 *
 * This file: low-overhead loops with tail predication (DLSTP/LETP), in which loads beyond the end are suppressed.
 * VMLADAVA needs an even-numbered accumulator (constraint Te).
 */
#ifndef EQ_DOT_H
#define EQ_DOT_H

#include <eq_common.h>

EQ_INLINE int32_t eq_dot_s8(const int8_t *a, const int8_t *b, int32_t n, int32_t acc) {
  if (n <= 0) {
    return acc;
  }
  __asm__ volatile(
      "dlstp.8 lr, %[n]\n\t"
      "1:\n\t"
      "vldrb.8 q0, [%[a]], #16\n\t"
      "vldrb.8 q1, [%[b]], #16\n\t"
      "vmladava.s8 %[s], q0, q1\n\t"
      "letp lr, 1b"
      : [s] "+Te"(acc), [a] "+r"(a), [b] "+r"(b)
      : [n] "r"(n)
      : "q0", "q1", "lr", "memory");
  return acc;
}

EQ_INLINE void eq_dot_2x2(int32_t acc[4], const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1,
                          int32_t n) {
  int32_t s00 = acc[0];
  int32_t s01 = acc[1];
  int32_t s10 = acc[2];
  int32_t s11 = acc[3];
  __asm__ volatile(
      "dlstp.8 lr, %[n]\n\t"
      "1:\n\t"
      "vldrb.8 q0, [%[x0]], #16\n\t"
      "vldrb.8 q2, [%[w0]], #16\n\t"
      "vmladava.s8 %[s00], q0, q2\n\t"
      "vldrb.8 q3, [%[w1]], #16\n\t"
      "vmladava.s8 %[s01], q0, q3\n\t"
      "vldrb.8 q1, [%[x1]], #16\n\t"
      "vmladava.s8 %[s10], q1, q2\n\t"
      "vmladava.s8 %[s11], q1, q3\n\t"
      "letp lr, 1b"
      : [s00] "+Te"(s00), [s01] "+Te"(s01), [s10] "+Te"(s10), [s11] "+Te"(s11), [x0] "+r"(x0), [x1] "+r"(x1),
        [w0] "+r"(w0), [w1] "+r"(w1)
      : [n] "r"(n)
      : "q0", "q1", "q2", "q3", "lr", "memory");
  acc[0] = s00;
  acc[1] = s01;
  acc[2] = s10;
  acc[3] = s11;
}

EQ_INLINE void eq_dot_1x4(int32_t acc[4], const int8_t *x, const int8_t *const w[4], int32_t n) {
  int32_t s0 = acc[0];
  int32_t s1 = acc[1];
  int32_t s2 = acc[2];
  int32_t s3 = acc[3];
  const int8_t *w0 = w[0];
  const int8_t *w1 = w[1];
  const int8_t *w2 = w[2];
  const int8_t *w3 = w[3];
  __asm__ volatile(
      "dlstp.8 lr, %[n]\n\t"
      "1:\n\t"
      "vldrb.8 q0, [%[x]], #16\n\t"
      "vldrb.8 q1, [%[w0]], #16\n\t"
      "vmladava.s8 %[s0], q0, q1\n\t"
      "vldrb.8 q2, [%[w1]], #16\n\t"
      "vmladava.s8 %[s1], q0, q2\n\t"
      "vldrb.8 q1, [%[w2]], #16\n\t"
      "vmladava.s8 %[s2], q0, q1\n\t"
      "vldrb.8 q2, [%[w3]], #16\n\t"
      "vmladava.s8 %[s3], q0, q2\n\t"
      "letp lr, 1b"
      : [s0] "+Te"(s0), [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3), [x] "+r"(x), [w0] "+r"(w0), [w1] "+r"(w1),
        [w2] "+r"(w2), [w3] "+r"(w3)
      : [n] "r"(n)
      : "q0", "q1", "q2", "lr", "memory");
  acc[0] = s0;
  acc[1] = s1;
  acc[2] = s2;
  acc[3] = s3;
}

#endif
