/*
 * Dot products of int8 vectors. Vectors may have any alignment and any length n >= 1; nothing beyond them is read.
 *   eq_dot_s8   acc + sum a[i]*b[i]
 *   eq_dot_2x2  two vectors against two: acc[0] += x0.w0, acc[1] += x0.w1, acc[2] += x1.w0, acc[3] += x1.w1
 *   eq_dot_1x4  one vector against four: acc[r] += x.w[r]; a row may be given twice
 * No sum may leave int32.
 *
 * This file: plain C.
 */
#ifndef EQ_DOT_H
#define EQ_DOT_H

#include <eq_common.h>

EQ_INLINE int32_t eq_dot_s8(const int8_t *a, const int8_t *b, int32_t n, int32_t acc) {
  for (int32_t i = 0; i < n; ++i) {
    acc += a[i] * b[i];
  }
  return acc;
}

EQ_INLINE void eq_dot_2x2(int32_t acc[4], const int8_t *x0, const int8_t *x1, const int8_t *w0, const int8_t *w1,
                          int32_t n) {
  int32_t s00 = acc[0];
  int32_t s01 = acc[1];
  int32_t s10 = acc[2];
  int32_t s11 = acc[3];
  int32_t i = 0;
  for (; i + 1 < n; i += 2) {
    s00 += x0[i] * w0[i];
    s01 += x0[i] * w1[i];
    s10 += x1[i] * w0[i];
    s11 += x1[i] * w1[i];
    s00 += x0[i + 1] * w0[i + 1];
    s01 += x0[i + 1] * w1[i + 1];
    s10 += x1[i + 1] * w0[i + 1];
    s11 += x1[i + 1] * w1[i + 1];
  }
  if (i < n) {
    s00 += x0[i] * w0[i];
    s01 += x0[i] * w1[i];
    s10 += x1[i] * w0[i];
    s11 += x1[i] * w1[i];
  }
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
  for (int32_t i = 0; i < n; ++i) {
    const int32_t value = x[i];
    s0 += value * w0[i];
    s1 += value * w1[i];
    s2 += value * w2[i];
    s3 += value * w3[i];
  }
  acc[0] = s0;
  acc[1] = s1;
  acc[2] = s2;
  acc[3] = s3;
}

#endif
