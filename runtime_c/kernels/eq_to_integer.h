/*
 * eq_to_integer: the whole part of what scaled integers stand for, towards zero, saturated to int32.
 *
 *     out = sign * ((|x - in_zero| * multiplier) >> shift)
 *
 * Layout  `elements` values in any order, x of x_bytes (1: int8, 2: int16).
 * Ranges  |x - in_zero| < 2^16; 0 < multiplier < 2^31; 0 <= shift <= 62.
 * Aliasing  none: out must not overlap x.
 * Scratch none.
 */
#ifndef EQ_TO_INTEGER_H
#define EQ_TO_INTEGER_H

#include "eq_elements.h"

typedef struct {
  int32_t elements, x_bytes;
  int32_t in_zero, multiplier, shift;
} eq_to_integer_t;

EQ_INLINE void eq_to_integer(int32_t *out, const void *x, const eq_to_integer_t *p) {
  for (int32_t i = 0; i < p->elements; i++) {
    const int32_t value = eq_element(x, i, p->x_bytes) - p->in_zero;
    const int64_t product = (int64_t)value * p->multiplier;
    const int64_t whole = product < 0 ? -(-product >> p->shift) : product >> p->shift;
    out[i] = whole < INT32_MIN ? INT32_MIN : whole > INT32_MAX ? INT32_MAX : (int32_t)whole;
  }
}

#endif
