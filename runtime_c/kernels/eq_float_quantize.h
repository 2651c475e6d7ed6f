/*
 * eq_float_quantize: from software float to integers.
 *
 *     out = clamp(round(x / scale) + zero, clamp_min, clamp_max)
 *
 * The quotient is rounded to float32, then to the nearest whole number, ties to even. What is no number becomes zero.
 *
 * Layout  x: `elements` float32. out: as many of item_bytes (1: int8, 2: int16). scale: the bits of a float32.
 * Ranges  scale > 0; the bounds of the clamp and zero are of the type.
 * Aliasing  out may overlap x of its type or of bytes from below: elements are read and written in order.
 * Scratch none.
 */
#ifndef EQ_FLOAT_QUANTIZE_H
#define EQ_FLOAT_QUANTIZE_H

#include "eq_elements.h"
#include "eq_float.h"

typedef struct {
  int32_t elements, item_bytes, scale, zero, clamp_min, clamp_max;
} eq_float_quantize_t;

/* The nearest whole number; beyond 2^20, which is beyond the clamp, 2^20. */
EQ_INLINE int32_t eq_float_steps(float x) {
  if (x != x) return 0;
  const float bounded = x > 1048576.0f ? 1048576.0f : x < -1048576.0f ? -1048576.0f : x;
  return (int32_t)eq_round_float(bounded);
}

EQ_INLINE void eq_float_quantize(void *out, const float *x, const eq_float_quantize_t *p) {
  const float scale = eq_float_of_bits(p->scale);
  for (int32_t i = 0; i < p->elements; i++) {
    const int32_t steps = eq_float_steps(x[i] / scale) + p->zero;
    const int32_t low = steps < p->clamp_min ? p->clamp_min : steps;
    eq_set_element(out, i, p->item_bytes, low > p->clamp_max ? p->clamp_max : low);
  }
}

#endif
