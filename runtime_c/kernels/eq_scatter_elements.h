/*
 * eq_scatter_elements: a copy of x with other elements at the places of indices; the last update of an element stays.
 *
 *     out = x, then in order: out[o][place(indices[o][k][i])][i] = updates[o][k][i]
 *
 * place is eq_place of eq_elements.h: negative indices count from the end, larger ones stand for the nearest element.
 *
 * Layout  x, out: outer x length x inner. indices, updates: outer x count x inner. Elements of x, updates and out have
 *         item_bytes (1, 2, 4, 8). All operands may be constants.
 * Ranges  length >= 1.
 * Aliasing  out may be x: then nothing is copied; it must not overlap indices or updates.
 * Scratch none.
 */
#ifndef EQ_SCATTER_ELEMENTS_H
#define EQ_SCATTER_ELEMENTS_H

#include "eq_elements.h"

typedef struct {
  int32_t outer, length, count, inner;
  int32_t item_bytes;
} eq_scatter_elements_t;

EQ_INLINE void eq_scatter_elements(void *out, const void *x, const int32_t *indices, const void *updates,
                                   const eq_scatter_elements_t *p) {
  int32_t at = 0;
  if (out != x) { /* memmove: gcc warns of a memcpy onto itself although it is not reached */
    (void)__builtin_memmove(out, x, (size_t)(p->outer * p->length * p->inner * p->item_bytes));
  }
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t k = 0; k < p->count; k++) {
      for (int32_t i = 0; i < p->inner; i++) {
        const int32_t place = o * p->length + eq_place(indices[at], p->length);
        eq_copy_element(out, place * p->inner + i, updates, at, p->item_bytes);
        at++;
      }
    }
  }
}

#endif
