/*
 * eq_top_k: the k largest or smallest elements along an axis in order, and their indices.
 *
 *     out[o][j][i], indices[o][j][i] = the j-th of x[o][..][i]; of equal elements the one with the smaller index
 *
 * Each result takes one pass over the axis, which looks for the next element behind the last one in that order: k passes
 * and no memory.
 *
 * Layout  x: outer x length x inner; out: outer x k x inner; both of x_bytes, as in eq_elements.h. indices: as out, int32.
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

/* Whether the element at i comes before the one at j in the order. */
EQ_INLINE int32_t eq_top_k_before(const void *x, int32_t i, int32_t j, const eq_top_k_t *p) {
  const int32_t more = p->largest ? eq_less(x, j, x, i, p->x_bytes) : eq_less(x, i, x, j, p->x_bytes);
  const int32_t less = p->largest ? eq_less(x, i, x, j, p->x_bytes) : eq_less(x, j, x, i, p->x_bytes);
  return more || (!less && i < j);
}

EQ_INLINE void eq_top_k(void *out, int32_t *indices, const void *x, const eq_top_k_t *p) {
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t i = 0; i < p->inner; i++) {
      const int32_t first = o * p->length * p->inner + i;
      int32_t last = -1;
      for (int32_t j = 0; j < p->k; j++) {
        int32_t best = -1;
        for (int32_t at = first; at < first + p->length * p->inner; at += p->inner) {
          if (last >= 0 && !eq_top_k_before(x, last, at, p)) continue;
          if (best < 0 || eq_top_k_before(x, at, best, p)) best = at;
        }
        const int32_t to = (o * p->k + j) * p->inner + i;
        eq_copy_element(out, to, x, best, p->x_bytes);
        indices[to] = (best - first) / p->inner;
        last = best;
      }
    }
  }
}

#endif
