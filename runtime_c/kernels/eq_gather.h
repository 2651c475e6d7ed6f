/*
 * eq_gather: slices by their index along an axis.
 *
 *     out[o][k] = x[o][place(indices[k])], a slice of inner_bytes
 *
 * place is eq_place of eq_elements.h: negative indices count from the end, larger ones stand for the nearest slice.
 *
 * Layout  x: outer x length x inner_bytes. indices: count. out: outer x count x inner_bytes. x and indices may be
 *         constants.
 * Ranges  length >= 1.
 * Aliasing  none: out must not overlap x or indices.
 * Scratch none.
 */
#ifndef EQ_GATHER_H
#define EQ_GATHER_H

#include "eq_elements.h"

typedef struct {
  int32_t outer, length, inner_bytes;
  int32_t count;
} eq_gather_t;

EQ_INLINE void eq_gather(void *out, const void *x, const int32_t *indices, const eq_gather_t *p) {
  uint8_t *to = (uint8_t *)out;
  const uint8_t *from = (const uint8_t *)x;
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t k = 0; k < p->count; k++) {
      const int32_t place = eq_place(indices[k], p->length);
      (void)__builtin_memcpy(to, from + place * p->inner_bytes, (size_t)p->inner_bytes);
      to += p->inner_bytes;
    }
    from += p->length * p->inner_bytes;
  }
}

#endif
