/*
 * eq_gather_nd: rows by the components of their index.
 *
 *     out[b][k] = x[b][row(indices[b][k])], a row of inner_bytes
 *
 * row is eq_row_of of eq_elements.h, over axes of n0 x n1 x n2 x n3, of which an index has the first `depth`
 * components.
 *
 * Layout  x: batches x n0 x n1 x n2 x n3 x inner_bytes. indices: batches x count x depth. out: batches x count x
 *         inner_bytes. x and indices may be constants.
 * Ranges  1 <= depth <= 4; sizes beyond depth are 1, none is 0.
 * Aliasing  none: out must not overlap x or indices.
 * Scratch none.
 */
#ifndef EQ_GATHER_ND_H
#define EQ_GATHER_ND_H

#include "eq_elements.h"

typedef struct {
  int32_t batches, count, depth;
  int32_t n0, n1, n2, n3;
  int32_t inner_bytes;
} eq_gather_nd_t;

EQ_INLINE void eq_gather_nd(void *out, const void *x, const int32_t *indices, const eq_gather_nd_t *p) {
  uint8_t *to = (uint8_t *)out;
  const uint8_t *from = (const uint8_t *)x;
  for (int32_t b = 0; b < p->batches; b++) {
    for (int32_t k = 0; k < p->count; k++) {
      const int32_t row = eq_row_of(indices, p->depth, p->n0, p->n1, p->n2, p->n3);
      (void)__builtin_memcpy(to, from + row * p->inner_bytes, (size_t)p->inner_bytes);
      to += p->inner_bytes;
      indices += p->depth;
    }
    from += p->n0 * p->n1 * p->n2 * p->n3 * p->inner_bytes;
  }
}

#endif
