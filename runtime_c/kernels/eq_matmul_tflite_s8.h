/*
 * Product of two computed matrices, int8, requantization "tflite" (two roundings), batches side by side. One
 * generic form, no speed promised.
 *
 *   out[b][m][n] = clamp(double_rounding(sum_k (a[b][m][k] - a_zero) * (b[b][k][n] - b_zero)) + out_zero)
 *
 * Layout     out [batches][rows][columns], a [batches][rows][depth], b [batches][depth][columns].
 * Ranges     depth < 2^15, so that sum a*b fits int32; the centred sum must fit int32 as well;
 *            -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1. One multiplier.
 * Aliasing   out must not overlap a, b or scratch.
 * Rounding   eq_requantize_tflite.h.
 * Scratch    a sum per row, then one column of b: EQ_MATMUL_TFLITE_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_MATMUL_TFLITE_S8_H
#define EQ_MATMUL_TFLITE_S8_H

#include "eq_dot.h"
#include "eq_matmul_sums.h"
#include "eq_requantize.h"
#include "eq_requantize_tflite.h"

typedef struct {
  int32_t batches;
  int32_t rows;
  int32_t depth;
  int32_t columns;
  int32_t a_zero;
  int32_t b_zero;
  int32_t multiplier;
  int32_t exponent;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_matmul_tflite_s8_t;

#define EQ_MATMUL_TFLITE_S8_SCRATCH(rows, depth) (4 * (rows) + (depth))

EQ_INLINE void eq_matmul_tflite_s8(int8_t *out, const int8_t *a, const int8_t *b, void *scratch,
                                   const eq_matmul_tflite_s8_t *p) {
  int32_t *sums = (int32_t *)scratch;
  int8_t *column = (int8_t *)(sums + p->rows);
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    eq_matmul_row_sums(sums, a, p->rows, p->depth, p->b_zero);
    for (int32_t n = 0; n < p->columns; ++n) {
      const int32_t offset = eq_matmul_column(column, b + n, p->depth, p->columns, p->a_zero, p->b_zero);
      for (int32_t m = 0; m < p->rows; ++m) {
        /* Wraps where an intermediate sum leaves int32: the total is proven to fit. */
        const int32_t acc = eq_add(eq_dot_s8(a + m * p->depth, column, p->depth, 0), eq_add(sums[m], offset));
        const int32_t y = eq_requantize_double(acc, p->multiplier, p->exponent) + p->out_zero;
        out[m * p->columns + n] = (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
      }
    }
    a += p->rows * p->depth;
    b += p->depth * p->columns;
    out += p->rows * p->columns;
  }
}

#endif
