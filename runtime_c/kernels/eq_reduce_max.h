/*
 * eq_reduce_max: the largest value along an axis, or the smallest.
 *
 *     out[o][i] = flip ^ (largest over r of flip ^ x[o][r][i])
 *
 * With flip -1 every value counts as its complement, whose order is the other way round: the smallest one.
 *
 * Layout  x: outer x reduce x inner; out: outer x inner; both row-major, of `bytes` bytes an element: int8 or int16.
 * Ranges  reduce >= 1; flip is 0 or -1.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_REDUCE_MAX_H
#define EQ_REDUCE_MAX_H

#include "eq_element.h"

typedef struct {
  int32_t outer, reduce, inner;
  int32_t bytes, flip;
} eq_reduce_max_t;

EQ_INLINE void eq_reduce_max(void *out, const void *x, const eq_reduce_max_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t start = o * p->reduce * p->inner + i;
      const int32_t place = o * p->inner + i;
      int32_t best = eq_load(x, start, p->bytes) ^ p->flip;
      for (int32_t r = 1; r < p->reduce; r++) {
        const int32_t value = eq_load(x, start + r * p->inner, p->bytes) ^ p->flip;
        best = value > best ? value : best;
      }
      eq_store(out, place, best ^ p->flip, p->bytes);
    }
  }
}

#endif
