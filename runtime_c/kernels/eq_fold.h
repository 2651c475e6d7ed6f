/*
 * eq_fold: a function of all plain integers, or truth values, along an axis, modulo the type.
 *
 *     out[o][i] = function(... function(function(x[o][0][i], x[o][1][i]), x[o][2][i]) ..., x[o][reduce-1][i])
 *
 * function is one of eq_functions.h.
 *
 * Layout  x: outer x reduce x inner; out: outer x inner; both of item_bytes, as in eq_elements.h.
 * Ranges  reduce >= 1.
 * Aliasing  out may overlap x from below: an element is written when its terms have been read.
 * Scratch none.
 */
#ifndef EQ_FOLD_H
#define EQ_FOLD_H

#include "eq_functions.h"

typedef struct {
  int32_t outer, reduce, inner;
  int32_t item_bytes, function;
} eq_fold_t;

EQ_INLINE void eq_fold_one(void *out, int32_t to, const void *x, int32_t at, const eq_fold_t *p) {
  int32_t found = eq_element(x, at, p->item_bytes);
  for (int32_t r = 1; r < p->reduce; r++) {
    at += p->inner;
    found = eq_function(found, eq_element(x, at, p->item_bytes), p->function, p->item_bytes);
  }
  eq_set_element(out, to, p->item_bytes, found);
}

EQ_INLINE void eq_fold_long(void *out, int32_t to, const void *x, int32_t at, const eq_fold_t *p) {
  int64_t found = eq_long(x, at, p->item_bytes);
  for (int32_t r = 1; r < p->reduce; r++) {
    at += p->inner;
    found = eq_function_long(found, eq_long(x, at, p->item_bytes), p->function, p->item_bytes);
  }
  eq_set_long(out, to, p->item_bytes, found);
}

EQ_INLINE void eq_fold(void *out, const void *x, const eq_fold_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t at = o * p->reduce * p->inner + i;
      if (eq_is_long(p->item_bytes)) {
        eq_fold_long(out, o * p->inner + i, x, at, p);
      } else {
        eq_fold_one(out, o * p->inner + i, x, at, p);
      }
    }
  }
}

#endif
