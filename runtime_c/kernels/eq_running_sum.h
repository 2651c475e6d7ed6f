/*
 * eq_running_sum: running sums of plain integers along an axis, modulo the type.
 *
 *     out[o][k][i] = sum of x[o][0..k][i], with reverse = 1 of x[o][k..length-1][i]; with exclusive = 1 without element k
 *
 * Layout  x, out: outer x length x inner elements of item_bytes, as in eq_elements.h.
 * Ranges  any.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_RUNNING_SUM_H
#define EQ_RUNNING_SUM_H

#include "eq_functions.h"

typedef struct {
  int32_t outer, length, inner;
  int32_t item_bytes, exclusive, reverse;
} eq_running_sum_t;

/* The sum so far, in `sum`, before and behind element `at`. */
EQ_INLINE int64_t eq_running_sum_one(void *out, const void *x, int32_t at, int64_t sum, const eq_running_sum_t *p) {
  const int64_t next = eq_function_long(sum, eq_long(x, at, p->item_bytes), 0, p->item_bytes);
  eq_set_long(out, at, p->item_bytes, p->exclusive ? sum : next);
  return next;
}

EQ_INLINE void eq_running_sum(void *out, const void *x, const eq_running_sum_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      int64_t sum = 0;
      for (int32_t k = 0; k < p->length; k++) {
        const int32_t place = p->reverse ? p->length - 1 - k : k;
        sum = eq_running_sum_one(out, x, (o * p->length + place) * p->inner + i, sum, p);
      }
    }
  }
}

#endif
