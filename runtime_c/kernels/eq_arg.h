/*
 * eq_arg: index of the largest or the smallest element along an axis.
 *
 *     out[o][i] = the k with x[o][k][i] extreme, 0 <= k < length
 *
 * smallest = 1 looks for the smallest element, 0 for the largest; of equal elements the first counts, with last = 1 the
 * last one.
 *
 * Layout  x: outer x length x inner elements of x_bytes (1: int8, 2: int16, 4: int32). out: outer x inner int32.
 * Ranges  length >= 1.
 * Aliasing  none: out must not overlap x.
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

/* Whether a later element takes the place of the best one so far. */
EQ_INLINE int eq_arg_better(int32_t found, int32_t best, const eq_arg_t *p) {
  if (found == best) return p->last;
  return p->smallest ? found < best : found > best;
}

EQ_INLINE void eq_arg(int32_t *out, const void *x, const eq_arg_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t first = o * p->length * p->inner + i;
      int32_t best = eq_element(x, first, p->x_bytes), place = 0;
      for (int32_t k = 1; k < p->length; k++) {
        const int32_t found = eq_element(x, first + k * p->inner, p->x_bytes);
        if (eq_arg_better(found, best, p)) {
          best = found;
          place = k;
        }
      }
      *out++ = place;
    }
  }
}

#endif
