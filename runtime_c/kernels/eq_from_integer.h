/*
 * eq_from_integer: integers or truth values in steps of a scale.
 *
 *     out = clamp(((x * multiplier + 2^(shift - 1)) >> shift) + out_zero, clamp_min, clamp_max)
 *
 * The product has 64 bits.
 *
 * Layout  `elements` values in any order, x of x_bytes, as in eq_elements.h, out of out_bytes (1, 2).
 * Ranges  x is of a type that int32 holds; 0 < multiplier < 2^31; 1 <= shift <= 62; clamp_min <= clamp_max within the range of the type of out.
 * Aliasing  out may overlap x of its type or of bytes from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_FROM_INTEGER_H
#define EQ_FROM_INTEGER_H

#include "eq_elements.h"

typedef struct {
  int32_t elements, x_bytes, out_bytes;
  int32_t multiplier, shift, out_zero;
  int32_t clamp_min, clamp_max;
} eq_from_integer_t;

EQ_INLINE void eq_from_integer(void *out, const void *x, const eq_from_integer_t *p) {
  const int64_t half = (int64_t)1 << (p->shift - 1);
  for (int32_t i = 0; i < p->elements; i++) {
    const int64_t steps = (((int64_t)eq_element(x, i, p->x_bytes) * p->multiplier + half) >> p->shift) + p->out_zero;
    const int64_t kept = steps < p->clamp_min ? p->clamp_min : steps > p->clamp_max ? p->clamp_max : steps;
    eq_set_element(out, i, p->out_bytes, (int32_t)kept);
  }
}

#endif
