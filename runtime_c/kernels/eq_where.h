/*
 * eq_where: one of two values by a truth value, with broadcasting.
 *
 *     out = condition != 0 ? a : b
 *
 * Layout  Dense row-major. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; c0..c3, a0..a3 and b0..b3
 *         are the strides of condition, a and b in elements (0 where it is broadcast), c_inner, a_inner and b_inner
 *         those of the innermost axis. a, b and out have item_bytes (1, 2, 4, 8). All operands may be constants.
 * Ranges  any.
 * Aliasing  out may overlap an operand of its type or of bytes from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_WHERE_H
#define EQ_WHERE_H

#include "eq_choice.h"
#include "eq_elements.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t c0, c1, c2, c3, c_inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t item_bytes;
} eq_where_t;

EQ_INLINE void eq_where(void *out, const int8_t *condition, const void *a, const void *b, const eq_where_t *p) {
  int32_t at = 0;
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          const int8_t *c_row = condition + (i0 * p->c0 + i1 * p->c1 + i2 * p->c2 + i3 * p->c3);
          const int32_t a_row = i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3,
                        b_row = i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3;
          if (p->item_bytes == 1 && p->c_inner == 1) {
            eq_where_row((int8_t *)out + at, c_row, (const int8_t *)a + a_row, (const int8_t *)b + b_row, p->inner,
                         p->a_inner, p->b_inner);
            at += p->inner;
            continue;
          }
          for (int32_t i = 0; i < p->inner; i++) {
            const int32_t first = c_row[i * p->c_inner] != 0;
            const int32_t from = first ? a_row + i * p->a_inner : b_row + i * p->b_inner;
            eq_copy_element(out, at++, first ? a : b, from, p->item_bytes);
          }
        }
      }
    }
  }
}

#endif
