/*
 * eq_scatter_nd: a copy of x with other rows at the places of indices; the last update of a row stays.
 *
 *     out = x, then in order: out[row(indices[k])] = updates[k], a row of inner_bytes
 *
 * row is eq_row_of of eq_elements.h, over axes of n0 x n1 x n2 x n3, of which an index has the first `depth`
 * components.
 *
 * Layout  x, out: n0 x n1 x n2 x n3 x inner_bytes. indices: count x depth. updates: count x inner_bytes. All operands
 *         may be constants.
 * Ranges  batches is 1; 1 <= depth <= 4; sizes beyond depth are 1, none is 0.
 * Aliasing  out may be x: then nothing is copied; it must not overlap indices or updates.
 * Scratch none.
 */
#ifndef EQ_SCATTER_ND_H
#define EQ_SCATTER_ND_H

#include "eq_gather_nd.h"

EQ_INLINE void eq_scatter_nd(void *out, const void *x, const int32_t *indices, const void *updates,
                             const eq_gather_nd_t *p) {
  uint8_t *to = (uint8_t *)out;
  const uint8_t *from = (const uint8_t *)updates;
  if (out != x) { /* memmove: gcc warns of a memcpy onto itself although it is not reached */
    (void)__builtin_memmove(to, x, (size_t)(p->n0 * p->n1 * p->n2 * p->n3 * p->inner_bytes));
  }
  for (int32_t k = 0; k < p->count; k++) {
    const int32_t row = eq_row_of(indices, p->depth, p->n0, p->n1, p->n2, p->n3);
    (void)__builtin_memcpy(to + row * p->inner_bytes, from, (size_t)p->inner_bytes);
    from += p->inner_bytes;
    indices += p->depth;
  }
}

#endif
