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
 * This file: cores with the DSP extension, four at a time. SEL takes the bytes that a subtraction or an addition has marked: 5
 * instructions for a maximum, 6 for a choice, and 5 for the loop of four.
 */
#ifndef EQ_CHOICE_H
#define EQ_CHOICE_H

#include <eq_dot.h>
#include <eq_pool.h>

EQ_INLINE int8_t eq_maximum_one(int32_t a, int32_t b, int32_t flip) {
  a ^= flip;
  b ^= flip;
  return (int8_t)(flip ^ (a > b ? a : b));
}

/* Bytes of a where those of the condition are not 0: plus 255 they carry. */
EQ_INLINE uint32_t eq_where_word(uint32_t condition, uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("uadd8 %0, %1, %2\n\tsel %0, %3, %4"
          : "=&r"(result)
          : "r"(condition), "r"(0xffffffffu), "r"(a), "r"(b)
          : "cc");
  return result;
}

/* Four values of a row from i on, or four times its only one. */
EQ_INLINE uint32_t eq_choice_word(const int8_t *x, int32_t i, int32_t step) {
  return step != 0 ? eq_load_word(x + i) : eq_splat_byte(*x);
}

EQ_INLINE void eq_maximum_row(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t a_step, int32_t b_step,
                              int32_t flip) {
  int32_t i = 0;
  EQ_NO_UNROLL
  for (; i + 4 <= n; i += 4) {
    const uint32_t left = eq_choice_word(a, i, a_step);
    const uint32_t right = eq_choice_word(b, i, b_step);
    eq_store_word(out + i, flip == 0 ? eq_max_bytes(left, right) : eq_min_bytes(left, right));
  }
  EQ_NO_UNROLL
  for (; i < n; i++) {
    out[i] = eq_maximum_one(a[i * a_step], b[i * b_step], flip);
  }
}

EQ_INLINE void eq_where_row(int8_t *out, const int8_t *condition, const int8_t *a, const int8_t *b, int32_t n,
                            int32_t a_step, int32_t b_step) {
  int32_t i = 0;
  EQ_NO_UNROLL
  for (; i + 4 <= n; i += 4) {
    const uint32_t left = eq_choice_word(a, i, a_step);
    const uint32_t right = eq_choice_word(b, i, b_step);
    eq_store_word(out + i, eq_where_word(eq_load_word(condition + i), left, right));
  }
  EQ_NO_UNROLL
  for (; i < n; i++) {
    out[i] = condition[i] != 0 ? a[i * a_step] : b[i * b_step];
  }
}

#endif
