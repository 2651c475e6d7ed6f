/*
 * eq_float_binary: a function of two operands, with broadcasting, in software float.
 *
 * kind, in the order of the enumeration of eq_float_pair.h, which states what each is.
 *
 * Layout  Dense row-major float32. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and b0..b3
 *         are an operand's strides in elements (0 where it is broadcast), a_inner and b_inner those of the innermost
 *         axis. a and b may be constants.
 * Ranges  any.
 * Aliasing  out may overlap an operand of its type or of bytes from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_FLOAT_BINARY_H
#define EQ_FLOAT_BINARY_H

#include "eq_float_pair.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t kind;
} eq_float_binary_t;

EQ_INLINE void eq_float_binary(float *out, const float *a, const float *b, const eq_float_binary_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          const float *a_row = a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3);
          const float *b_row = b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3);
          for (int32_t i = 0; i < p->inner; i++) {
            *out++ = eq_float_pair(p->kind, a_row[i * p->a_inner], b_row[i * p->b_inner]);
          }
        }
      }
    }
  }
}

#endif
