/*
 * eq_integer: a function of two integers, or of two truth values, with broadcasting.
 *
 *     out = function(a, b), modulo the type
 *
 * function is one of eq_functions.h.
 *
 * Layout  Dense row-major. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and b0..b3 are an
 *         operand's strides in elements (0 where it is broadcast), a_inner and b_inner those of the innermost axis.
 *         Elements have item_bytes, as in eq_elements.h. a and b may be constants.
 * Ranges  any.
 * Aliasing  out may overlap an operand of its type or of bytes from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_INTEGER_H
#define EQ_INTEGER_H

#include "eq_functions.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t item_bytes, function;
} eq_integer_t;

EQ_INLINE void eq_integer_one(void *out, int32_t at, const void *a, int32_t i, const void *b, int32_t j,
                              const eq_integer_t *p) {
  if (eq_is_long(p->item_bytes)) {
    const int64_t left = eq_long(a, i, p->item_bytes), right = eq_long(b, j, p->item_bytes);
    eq_set_long(out, at, p->item_bytes, eq_function_long(left, right, p->function, p->item_bytes));
  } else {
    const int32_t left = eq_element(a, i, p->item_bytes), right = eq_element(b, j, p->item_bytes);
    eq_set_element(out, at, p->item_bytes, eq_function(left, right, p->function, p->item_bytes));
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
            eq_integer_one(out, at++, a, a_row + i * p->a_inner, b, b_row + i * p->b_inner, p);
          }
        }
      }
    }
  }
}

#endif
