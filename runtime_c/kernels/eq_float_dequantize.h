/*
 * eq_float_dequantize: from integers to software float.
 *
 *     out = (float)(x - zero) * scale
 *
 * Both the conversion and the product are rounded to nearest, ties to even.
 *
 * Layout  x: `elements` of item_bytes (1: int8 or a truth value, 2: int16, 4: int32). out: as many float32. scale: the bits
 *         of a float32.
 * Ranges  x - zero fits int32.
 * Aliasing  out may overlap x of its type or of bytes from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_FLOAT_DEQUANTIZE_H
#define EQ_FLOAT_DEQUANTIZE_H

#include "eq_elements.h"
#include "eq_float.h"

typedef struct {
  int32_t elements, item_bytes, zero, scale;
} eq_float_dequantize_t;

EQ_INLINE void eq_float_dequantize(float *out, const void *x, const eq_float_dequantize_t *p) {
  const float scale = eq_float_of_bits(p->scale);
  for (int32_t i = 0; i < p->elements; i++) {
    out[i] = (float)(eq_element(x, i, p->item_bytes) - p->zero) * scale;
  }
}

#endif
