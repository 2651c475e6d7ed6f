/*
 * eq_to_integer: the whole part of what scaled integers stand for, towards zero, saturated to the type.
 *
 *     out = sign * ((|x - in_zero| * multiplier) >> shift)
 *
 * Layout  `elements` values in any order, x of x_bytes (1: int8, 2: int16), out of out_bytes, as in eq_elements.h.
 * Ranges  |x - in_zero| < 2^16; 0 < multiplier < 2^31; 0 <= shift <= 62.
 * Aliasing  out may overlap x of its type or of bytes from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_TO_INTEGER_H
#define EQ_TO_INTEGER_H

#include "eq_elements.h"

typedef struct {
  int32_t elements, x_bytes, out_bytes;
  int32_t in_zero, multiplier, shift;
} eq_to_integer_t;

/* The nearest value of a type; `whole` has less than 48 bits. */
EQ_INLINE int64_t eq_nearest(int64_t whole, int32_t bytes) {
  if (bytes == 8) return whole;
  if (bytes == -8) return whole < 0 ? 0 : whole;
  const int64_t most = ((int64_t)1 << (bytes < 0 ? -8 * bytes : 8 * bytes - 1)) - 1, least = bytes < 0 ? 0 : -most - 1;
  return whole < least ? least : whole > most ? most : whole;
}

EQ_INLINE void eq_to_integer(void *out, const void *x, const eq_to_integer_t *p) {
  for (int32_t i = 0; i < p->elements; i++) {
    const int32_t value = eq_element(x, i, p->x_bytes) - p->in_zero;
    const int64_t product = (int64_t)value * p->multiplier;
    const int64_t whole = product < 0 ? -(-product >> p->shift) : product >> p->shift;
    eq_set_long(out, i, p->out_bytes, eq_nearest(whole, p->out_bytes));
  }
}

#endif
