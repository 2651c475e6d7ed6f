/*
 * eq_gather_elements: one element for each index.
 *
 *     out[o][k][i] = x[o][place(indices[o][k][i])][i]
 *
 * place is eq_place of eq_elements.h: negative indices count from the end, larger ones stand for the nearest element.
 *
 * Layout  x: outer x length x inner. indices, out: outer x count x inner. Elements of x and out have item_bytes (1, 2,
 *         4, 8). x and indices may be constants.
 * Ranges  length >= 1.
 * Aliasing  none: out must not overlap x or indices.
 * Scratch none.
 */
#ifndef EQ_GATHER_ELEMENTS_H
#define EQ_GATHER_ELEMENTS_H

#include "eq_elements.h"

typedef struct {
  int32_t outer, length, count, inner;
  int32_t item_bytes;
} eq_gather_elements_t;

EQ_INLINE void eq_gather_elements(void *out, const void *x, const int32_t *indices, const eq_gather_elements_t *p) {
  int32_t at = 0;
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t k = 0; k < p->count; k++) {
      for (int32_t i = 0; i < p->inner; i++) {
        const int32_t place = o * p->length + eq_place(indices[at], p->length);
        eq_copy_element(out, at, x, place * p->inner + i, p->item_bytes);
        at++;
      }
    }
  }
}

#endif
