/*
 * eq_float_reduce: sums, products and extremes along an axis, in software float.
 *
 * kind: 0 is the maximum and 1 the minimum, from the first element on; 2 is the product, 3 the sum, 4 the sum of
 * squares, from 1 or 0 on. One element after the other, each result rounded.
 *
 * Layout  x: outer x length x inner float32. out: outer x inner.
 * Ranges  length >= 1.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_FLOAT_REDUCE_H
#define EQ_FLOAT_REDUCE_H

#include "eq_float.h"

typedef struct {
  int32_t outer, length, inner, kind;
} eq_float_reduce_t;

EQ_INLINE float eq_float_reduced(float total, float item, int32_t function) {
  switch (function) {
    case 0:
      return total > item ? total : item;
    case 1:
      return total < item ? total : item;
    case 2:
      return eq_float_product(total, item);
    case 3:
      return total + item;
    default:
      return total + eq_float_product(item, item);
  }
}

EQ_INLINE void eq_float_reduce(float *out, const float *x, const eq_float_reduce_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const float *item = x + (o * p->length * p->inner + i);
      float total = p->kind < 2 ? item[0] : p->kind == 2 ? 1.0f : 0.0f;
      for (int32_t k = p->kind < 2 ? 1 : 0; k < p->length; k++) {
        total = eq_float_reduced(total, item[k * p->inner], p->kind);
      }
      *out++ = total;
    }
  }
}

#endif
