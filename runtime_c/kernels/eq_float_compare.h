/*
 * eq_float_compare: a relation of a and b, with broadcasting, as truth values; in software float.
 *
 * relation: 0 is =, 1 is <, 2 is <=. None holds of what is no number.
 *
 * Layout  as eq_float_binary.h; out has one byte an element.
 * Ranges  any.
 * Aliasing  out may overlap an operand from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_FLOAT_COMPARE_H
#define EQ_FLOAT_COMPARE_H

#include "eq_common.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t relation;
} eq_float_compare_t;

EQ_INLINE int8_t eq_float_related(float a, float b, int32_t relation) {
  return relation == 0 ? a == b : relation == 1 ? a < b : a <= b;
}

EQ_INLINE void eq_float_compare(int8_t *out, const float *a, const float *b, const eq_float_compare_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          const float *a_row = a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3);
          const float *b_row = b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3);
          for (int32_t i = 0; i < p->inner; i++) {
            *out++ = eq_float_related(a_row[i * p->a_inner], b_row[i * p->b_inner], p->relation);
          }
        }
      }
    }
  }
}

#endif
