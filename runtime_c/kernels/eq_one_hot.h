/*
 * eq_one_hot: one of two values along a new axis, by an index.
 *
 *     out[o][d][i] = values[d is the place that indices[o][i] stands for]
 *
 * A negative index counts from the end; one beyond the axis stands for no place.
 *
 * Layout  indices: outer x inner. values: 2. out: outer x depth x inner. values and out have item_bytes (1, 2, 4, 8).
 *         indices and values may be constants.
 * Ranges  depth >= 1.
 * Aliasing  none: out must not overlap an operand.
 * Scratch none.
 */
#ifndef EQ_ONE_HOT_H
#define EQ_ONE_HOT_H

#include "eq_elements.h"

typedef struct {
  int32_t outer, depth, inner;
  int32_t item_bytes;
} eq_one_hot_t;

EQ_INLINE void eq_one_hot(void *out, const int32_t *indices, const void *values, const eq_one_hot_t *p) {
  int32_t to = 0;
  for (int32_t o = 0; o < p->outer; o++) {
    for (int32_t d = 0; d < p->depth; d++) {
      for (int32_t i = 0; i < p->inner; i++) {
        const int32_t index = indices[o * p->inner + i];
        const int32_t place = index < 0 ? index + p->depth : index;
        eq_copy_element(out, to++, values, place == d, p->item_bytes);
      }
    }
  }
}

#endif
