/*
 * Rows of choices between bytes, one per place i < n:
 *
 *   eq_maximum_row  out[i] = flip ^ max(flip ^ a, flip ^ b), flip 0 or -1, a = a[i*a_step], b = b[i*b_step]
 *   eq_where_row    out[i] = condition[i] != 0 ? a[i*a_step] : b[i*b_step]
 *
 * with steps of 0 or 1. Aliasing: out may be exactly an operand with a step of 1; otherwise no overlap.
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: plain C.
 */
#ifndef EQ_CHOICE_H
#define EQ_CHOICE_H

#include <eq_common.h>

EQ_INLINE int8_t eq_maximum_one(int32_t a, int32_t b, int32_t flip) {
  a ^= flip;
  b ^= flip;
  return (int8_t)(flip ^ (a > b ? a : b));
}

EQ_INLINE void eq_maximum_row(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t a_step, int32_t b_step,
                              int32_t flip) {
  for (int32_t i = 0; i < n; i++) {
    out[i] = eq_maximum_one(*a, *b, flip);
    a += a_step;
    b += b_step;
  }
}

EQ_INLINE void eq_where_row(int8_t *out, const int8_t *condition, const int8_t *a, const int8_t *b, int32_t n,
                            int32_t a_step, int32_t b_step) {
  for (int32_t i = 0; i < n; i++) {
    out[i] = condition[i] != 0 ? *a : *b;
    a += a_step;
    b += b_step;
  }
}

#endif
