/*
 * eq_convert: plain integers, or truth values, in another type.
 *
 *     out = x modulo the type of out, with saturate = 1 the nearest value of the type
 *
 * Layout  `elements` values in any order, x of x_bytes, out of out_bytes, as in eq_elements.h.
 * Ranges  saturate is 1 only where out is int32.
 * Aliasing  out may overlap x of its type or of bytes from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_CONVERT_H
#define EQ_CONVERT_H

#include "eq_elements.h"

typedef struct {
  int32_t elements, x_bytes, out_bytes, saturate;
} eq_convert_t;

EQ_INLINE int64_t eq_convert_nearest(int64_t value, int32_t bytes) {
  if (bytes == -8 && value < 0) return INT32_MAX;
  return value < INT32_MIN ? INT32_MIN : value > INT32_MAX ? INT32_MAX : value;
}

EQ_INLINE void eq_convert_one(void *out, const void *x, int32_t i, const eq_convert_t *p) {
  if (p->saturate) {
    eq_set_long(out, i, p->out_bytes, eq_convert_nearest(eq_long(x, i, p->x_bytes), p->x_bytes));
  } else if (p->out_bytes == 8 || p->out_bytes == -8) {
    eq_set_long(out, i, p->out_bytes, eq_long(x, i, p->x_bytes));
  } else if (p->x_bytes == 8 || p->x_bytes == -8) {
    eq_set_element(out, i, p->out_bytes, (int32_t)eq_long(x, i, p->x_bytes));
  } else {
    eq_set_element(out, i, p->out_bytes, eq_element(x, i, p->x_bytes));
  }
}

EQ_INLINE void eq_convert(void *out, const void *x, const eq_convert_t *p) {
  for (int32_t i = 0; i < p->elements; i++) {
    eq_convert_one(out, x, i, p);
  }
}

#endif
