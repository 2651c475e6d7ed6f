/*
 * The zero-point corrections of a product of two computed matrices, mode "tflite":
 *
 *   sum (a - za)(b - zb) = sum a*b - zb * sum_k a - za * sum_k b + depth * za * zb
 *
 * with depth < 2^15 each term fits int32.
 */
#ifndef EQ_MATMUL_SUMS_H
#define EQ_MATMUL_SUMS_H

#include "eq_common.h"

/* sums[m] = -b_zero * sum_k a[m][k] */
EQ_INLINE void eq_matmul_row_sums(int32_t *sums, const int8_t *a, int32_t rows, int32_t depth, int32_t b_zero) {
  for (int32_t m = 0; m < rows; ++m) {
    int32_t sum = 0;
    for (int32_t k = 0; k < depth; ++k) {
      sum += *a++;
    }
    sums[m] = -b_zero * sum;
  }
}

/* Copies one column of b, whose rows are `stride` apart, and returns -a_zero * sum_k b + depth * a_zero * b_zero. */
EQ_INLINE int32_t eq_matmul_column(int8_t *column, const int8_t *b, int32_t depth, int32_t stride, int32_t a_zero,
                                   int32_t b_zero) {
  int32_t sum = 0;
  for (int32_t k = 0; k < depth; ++k) {
    const int8_t value = b[k * stride];
    column[k] = value;
    sum += value - b_zero;
  }
  return -a_zero * sum;
}

#endif
