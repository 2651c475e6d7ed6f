/*
 * eq_arg: index of the largest or the smallest element along an axis.
 *
 *     out[o][i] = the k with x[o][k][i] extreme, 0 <= k < length
 *
 * smallest = 1 looks for the smallest element, 0 for the largest; of equal elements the first counts, with last = 1 the
 * last one.
 *
 * Layout  x: outer x length x inner elements of x_bytes, as in eq_elements.h. out: outer x inner int32.
 * Ranges  length >= 1.
 * Aliasing  out may overlap x of bytes or of int32 from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_ARG_H
#define EQ_ARG_H

#include "eq_elements.h"

typedef struct {
  int32_t outer, length, inner;
  int32_t x_bytes;
  int32_t smallest, last;
} eq_arg_t;

/* Whether element k takes the place of element best, which stands before it. */
EQ_INLINE int32_t eq_arg_better(const void *x, int32_t k, int32_t best, const eq_arg_t *p) {
  if (p->last) return !(p->smallest ? eq_less(x, best, x, k, p->x_bytes) : eq_less(x, k, x, best, p->x_bytes));
  return p->smallest ? eq_less(x, k, x, best, p->x_bytes) : eq_less(x, best, x, k, p->x_bytes);
}

EQ_INLINE void eq_arg(int32_t *out, const void *x, const eq_arg_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t first = o * p->length * p->inner + i;
      int32_t place = 0;
      for (int32_t k = 1; k < p->length; k++) {
        if (eq_arg_better(x, first + k * p->inner, first + place * p->inner, p)) place = k;
      }
      *out++ = place;
    }
  }
}

#endif
