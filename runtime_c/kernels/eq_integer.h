/*
 * eq_integer: a function of two integers, or of two truth values, with broadcasting.
 *
 *     out = function(a, b) modulo 2^32
 *
 * function: 0 is a + b, 1 a - b, 2 a * b, 3 a / b towards zero, 4 its remainder (the sign of a), 5 the remainder with the
 * sign of b, 6 the smaller, 7 the larger, 8 a & b, 9 a | b, 10 a ^ b. Division by zero and its remainders are 0.
 *
 * Layout  Dense row-major. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and b0..b3 are an
 *         operand's strides in elements (0 where it is broadcast), a_inner and b_inner those of the innermost axis.
 *         Elements have item_bytes: 4, or 1 for truth values. a and b may be constants.
 * Ranges  any.
 * Aliasing  none: out must not overlap an operand.
 * Scratch none.
 */
#ifndef EQ_INTEGER_H
#define EQ_INTEGER_H

#include "eq_elements.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t item_bytes, function;
} eq_integer_t;

/* Division by -1 is a negation, which wraps around. */
EQ_INLINE int32_t eq_integer_divide(int32_t a, int32_t b, int32_t function) {
  if (b == 0) return 0;
  if (b == -1) return function == 3 ? (int32_t)(0u - (uint32_t)a) : 0;
  if (function == 3) return a / b;
  const int32_t rest = a % b;
  return function == 5 && rest != 0 && (rest ^ b) < 0 ? rest + b : rest;
}

EQ_INLINE int32_t eq_integer_one(int32_t a, int32_t b, int32_t function) {
  switch (function) {
    case 0:
      return (int32_t)((uint32_t)a + (uint32_t)b);
    case 1:
      return (int32_t)((uint32_t)a - (uint32_t)b);
    case 2:
      return (int32_t)((uint32_t)a * (uint32_t)b);
    case 6:
      return a < b ? a : b;
    case 7:
      return a > b ? a : b;
    case 8:
      return a & b;
    case 9:
      return a | b;
    case 10:
      return a ^ b;
    default:
      return eq_integer_divide(a, b, function);
  }
}

EQ_INLINE void eq_integer(void *out, const void *a, const void *b, const eq_integer_t *p) {
  int32_t at = 0;
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          const int32_t a_row = i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3,
                        b_row = i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3;
          for (int32_t i = 0; i < p->inner; i++) {
            const int32_t left = eq_element(a, a_row + i * p->a_inner, p->item_bytes);
            const int32_t right = eq_element(b, b_row + i * p->b_inner, p->item_bytes);
            eq_set_element(out, at++, p->item_bytes, eq_integer_one(left, right, p->function));
          }
        }
      }
    }
  }
}

#endif
