/*
 * eq_float_determinant: determinants of square matrices by Gaussian elimination, in software float.
 *
 * Column by column: the pivot is the element of the largest magnitude from the diagonal down, the upper one of equals; its
 * row changes places with that of the diagonal, which changes the sign; the result is multiplied with it. A pivot of 0
 * ends it with 0. Then row less factor times the pivot's row, factor = element / pivot, each operation rounded.
 *
 * Layout  x: count x size x size float32. out: count.
 * Ranges  size >= 1.
 * Aliasing  none: out must not overlap x.
 * Scratch EQ_FLOAT_DETERMINANT_SCRATCH bytes, aligned to 4: a matrix.
 */
#ifndef EQ_FLOAT_DETERMINANT_H
#define EQ_FLOAT_DETERMINANT_H

#include "eq_float.h"

typedef struct {
  int32_t count, size;
} eq_float_determinant_t;

#define EQ_FLOAT_DETERMINANT_SCRATCH(size) (4 * (size) * (size))

EQ_INLINE float eq_float_eliminated(float *a, int32_t size) {
  float value = 1.0f;
  for (int32_t column = 0; column < size; column++) {
    float *const top = a + column * size;
    float *pivot = top;
    for (int32_t row = column + 1; row < size; row++) {
      float *const other = a + row * size;
      if (eq_magnitude(other[column]) > eq_magnitude(pivot[column])) pivot = other;
    }
    if (pivot != top) {
      for (int32_t i = 0; i < size; i++) {
        const float moved = top[i];
        top[i] = pivot[i];
        pivot[i] = moved;
      }
      value = eq_negative(value);
    }
    value *= top[column];
    if (top[column] == 0.0f) return value;
    for (int32_t row = column + 1; row < size; row++) {
      float *const other = a + row * size;
      const float factor = other[column] / top[column];
      for (int32_t i = column + 1; i < size; i++) {
        other[i] -= eq_float_product(factor, top[i]);
      }
    }
  }
  return value;
}

EQ_INLINE void eq_float_determinant(float *out, const float *x, void *scratch, const eq_float_determinant_t *p) {
  float *const matrix = (float *)scratch;
  for (int32_t n = 0; n < p->count; n++) {
    for (int32_t i = 0; i < p->size * p->size; i++) {
      matrix[i] = x[n * p->size * p->size + i];
    }
    out[n] = eq_float_eliminated(matrix, p->size);
  }
}

#endif
