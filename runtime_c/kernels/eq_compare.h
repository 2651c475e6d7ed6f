/*
 * eq_compare: a relation of a and b, with broadcasting, as truth values.
 *
 *     out = 1 where (a - a_zero) * a_multiplier * 2^a_shift  relation  (b - b_zero) * b_multiplier * 2^b_shift, else 0
 *
 * relation: 0 is =, 1 is <, 2 is <=. Exact, in 64 bits where `wide` is 1; without it the factors are 1 and shifts 0.
 *
 * Layout  Dense row-major. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and b0..b3 are an
 *         operand's strides in elements (0 where it is broadcast), a_inner and b_inner those of the innermost axis.
 *         Operands have item_bytes, as in eq_elements.h, out one byte. a and b may be constants.
 * Ranges  0 < multipliers < 2^24, 0 <= shifts <= 20; differences fit int32, with wide 16 bits and a sign. What int32 does
 *         not hold has zero points 0, and no factors.
 * Aliasing  out may overlap an operand from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_COMPARE_H
#define EQ_COMPARE_H

#include "eq_elements.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t a_zero, a_multiplier, a_shift;
  int32_t b_zero, b_multiplier, b_shift;
  int32_t item_bytes, relation, wide;
} eq_compare_t;

EQ_INLINE int8_t eq_compare_long(int64_t a, int64_t b, const eq_compare_t *p) {
  if (p->relation == 0) return a == b;
  return p->relation == 1 ? (int8_t)eq_less_long(a, b, p->item_bytes) : !eq_less_long(b, a, p->item_bytes);
}

EQ_INLINE int8_t eq_compare_one(const void *a, int32_t i, const void *b, int32_t j, const eq_compare_t *p) {
  if (eq_is_long(p->item_bytes)) {
    return eq_compare_long(eq_long(a, i, p->item_bytes), eq_long(b, j, p->item_bytes), p);
  }
  const int32_t first = eq_element(a, i, p->item_bytes) - p->a_zero;
  const int32_t second = eq_element(b, j, p->item_bytes) - p->b_zero;
  if (p->wide) {
    const int64_t left = (int64_t)first * p->a_multiplier * ((int64_t)1 << p->a_shift);
    const int64_t right = (int64_t)second * p->b_multiplier * ((int64_t)1 << p->b_shift);
    return p->relation == 0 ? left == right : p->relation == 1 ? left < right : left <= right;
  }
  return p->relation == 0 ? first == second : p->relation == 1 ? first < second : first <= second;
}

EQ_INLINE void eq_compare(int8_t *out, const void *a, const void *b, const eq_compare_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          const int32_t a_row = i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3,
                        b_row = i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3;
          for (int32_t i = 0; i < p->inner; i++) {
            *out++ = eq_compare_one(a, a_row + i * p->a_inner, b, b_row + i * p->b_inner, p);
          }
        }
      }
    }
  }
}

#endif
