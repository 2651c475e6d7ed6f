/*
 * eq_float_matmul: products of matrices in software float.
 *
 *     out[n][i][j] = sum over k of a[n][i][k] * b[n][k][j], from 0 on, in the order of k; each product and sum is rounded
 *
 * Layout  out: batch x rows x columns float32. a and b lie as their strides in elements say, 0 where an operand is the
 *         same for every n; either may be a constant.
 * Ranges  any.
 * Aliasing  none: out must not overlap an operand.
 * Scratch none.
 */
#ifndef EQ_FLOAT_MATMUL_H
#define EQ_FLOAT_MATMUL_H

#include "eq_float.h"

typedef struct {
  int32_t batch, rows, depth, columns;
  int32_t a_batch, a_row, a_depth;
  int32_t b_batch, b_depth, b_column;
} eq_float_matmul_t;

EQ_INLINE void eq_float_matmul(float *out, const float *a, const float *b, const eq_float_matmul_t *p) {
  for (int32_t n = 0; n < p->batch; n++) {
    for (int32_t i = 0; i < p->rows; i++) {
      for (int32_t j = 0; j < p->columns; j++) {
        const float *left = a + (n * p->a_batch + i * p->a_row), *right = b + (n * p->b_batch + j * p->b_column);
        float total = 0.0f;
        for (int32_t k = 0; k < p->depth; k++) {
          total += eq_float_product(left[k * p->a_depth], right[k * p->b_depth]);
        }
        *out++ = total;
      }
    }
  }
}

#endif
