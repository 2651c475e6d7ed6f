/*
 * eq_top_k: the k largest or smallest elements along an axis in order, and their indices.
 *
 *     out[o][j][i], indices[o][j][i] = the j-th of x[o][..][i]; of equal elements the one with the smaller index
 *
 * Each result takes one pass over the axis, which looks for the next element behind the last one in that order: k passes
 * and no memory.
 *
 * Layout  x: outer x length x inner; out: outer x k x inner; both of x_bytes (1, 2, 4). indices: as out, int32.
 * Ranges  1 <= k <= length.
 * Aliasing  none: results must not overlap x.
 * Scratch none.
 */
#ifndef EQ_TOP_K_H
#define EQ_TOP_K_H

#include "eq_elements.h"

typedef struct {
  int32_t outer, length, inner;
  int32_t x_bytes, k, largest;
} eq_top_k_t;

/* Whether element a at place i comes before element b at place j. */
EQ_INLINE int eq_top_k_before(int32_t a, int32_t i, int32_t b, int32_t j, int32_t largest) {
  if (a == b) return i < j;
  return largest ? a > b : a < b;
}

EQ_INLINE void eq_top_k(void *out, int32_t *indices, const void *x, const eq_top_k_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t first = o * p->length * p->inner + i;
      int32_t last = 0, last_place = -1;
      for (int32_t j = 0; j < p->k; j++) {
        int32_t best = 0, place = -1;
        for (int32_t at = 0; at < p->length; at++) {
          const int32_t found = eq_element(x, first + at * p->inner, p->x_bytes);
          if (last_place >= 0 && !eq_top_k_before(last, last_place, found, at, p->largest)) continue;
          if (place < 0 || eq_top_k_before(found, at, best, place, p->largest)) {
            best = found;
            place = at;
          }
        }
        const int32_t to = (o * p->k + j) * p->inner + i;
        eq_set_element(out, to, p->x_bytes, best);
        indices[to] = place;
        last = best;
        last_place = place;
      }
    }
  }
}

#endif
