/*
 * Product of two computed matrices, int8, requantization "highmul", batches side by side.
 *
 *   out[b][m][n] = clamp(requantize(sum_k (a[b][m][k] - a_zero) * (b[b][k][n] - b_zero)))
 *
 * Layout     out [batches][rows][columns], a [batches][rows][depth], b [batches][depth][columns].
 * Ranges     depth < 2^15, so that sum a*b fits int32; the centred sum must fit int32 as well;
 *            -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1. One multiplier.
 * Aliasing   out must not overlap a, b or scratch.
 * Rounding   eq_requantize.h.
 * Scratch    a sum per row, then one column of b: EQ_MATMUL_S8_SCRATCH bytes, 4-byte aligned.
 *
 * Up to EQ_MATMUL_S8_FEW rows take b as it lies, four columns at a time; to copy each column, so that it can be read by
 * words, pays where more rows share it.
 */
#ifndef EQ_MATMUL_S8_H
#define EQ_MATMUL_S8_H

#include "eq_dot.h"
#include "eq_matmul_sums.h"
#include "eq_requantize.h"

typedef struct {
  int32_t batches;
  int32_t rows;
  int32_t depth;
  int32_t columns;
  int32_t a_zero;
  int32_t b_zero;
  int32_t multiplier;
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_matmul_s8_t;

#define EQ_MATMUL_S8_SCRATCH(rows, depth) (4 * (rows) + (depth))

#define EQ_MATMUL_S8_FEW 3

/* One row of the result. */
EQ_INLINE void eq_matmul_s8_row(int8_t *out, const int8_t *a, const int8_t *b, const eq_matmul_s8_t *p) {
  int32_t sum = 0;
  for (int32_t k = 0; k < p->depth; ++k) {
    sum += a[k] - p->a_zero;
  }
  /* sum (a - a_zero)(b - b_zero) = sum (a - a_zero)*b - b_zero * sum (a - a_zero); wraps as the sums do. */
  const int32_t start = -p->b_zero * sum;
  int32_t n = 0;
  EQ_NO_UNROLL
  for (; n + 4 <= p->columns; n += 4) {
    const int8_t *at = b + n;
    int32_t acc[4] = {start, start, start, start};
    EQ_NO_UNROLL
    for (int32_t k = 0; k < p->depth; ++k) {
      const int32_t factor = a[k] - p->a_zero;
      acc[0] = eq_add(acc[0], factor * at[0]);
      acc[1] = eq_add(acc[1], factor * at[1]);
      acc[2] = eq_add(acc[2], factor * at[2]);
      acc[3] = eq_add(acc[3], factor * at[3]);
      at += p->columns;
    }
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t y = eq_requantize(acc[i], p->multiplier, p->shift, p->out_zero);
      out[n + i] = (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
    }
  }
  EQ_NO_UNROLL
  for (; n < p->columns; ++n) {
    int32_t acc = start;
    EQ_NO_UNROLL
    for (int32_t k = 0; k < p->depth; ++k) {
      acc = eq_add(acc, (a[k] - p->a_zero) * b[k * p->columns + n]);
    }
    const int32_t y = eq_requantize(acc, p->multiplier, p->shift, p->out_zero);
    out[n] = (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
  }
}

EQ_INLINE void eq_matmul_s8(int8_t *out, const int8_t *a, const int8_t *b, void *scratch, const eq_matmul_s8_t *p) {
  int32_t *sums = (int32_t *)scratch;
  int8_t *column = (int8_t *)(sums + p->rows);
  for (int32_t batch = 0; p->rows <= EQ_MATMUL_S8_FEW && batch < p->batches; ++batch) {
    for (int32_t m = 0; m < p->rows; ++m) {
      eq_matmul_s8_row(out + m * p->columns, a + m * p->depth, b, p);
    }
    a += p->rows * p->depth;
    b += p->depth * p->columns;
    out += p->rows * p->columns;
  }
  for (int32_t batch = 0; p->rows > EQ_MATMUL_S8_FEW && batch < p->batches; ++batch) {
    eq_matmul_row_sums(sums, a, p->rows, p->depth, p->b_zero);
    for (int32_t n = 0; n < p->columns; ++n) {
      const int32_t offset = eq_matmul_column(column, b + n, p->depth, p->columns, p->a_zero, p->b_zero);
      for (int32_t m = 0; m < p->rows; ++m) {
        /* Wraps where an intermediate sum leaves int32: the total is proven to fit. */
        const int32_t acc = eq_add(eq_dot_s8(a + m * p->depth, column, p->depth, 0), eq_add(sums[m], offset));
        const int32_t y = eq_requantize(acc, p->multiplier, p->shift, p->out_zero);
        out[m * p->columns + n] = (int8_t)eq_clamp(y, p->clamp_min, p->clamp_max);
      }
    }
    a += p->rows * p->depth;
    b += p->depth * p->columns;
    out += p->rows * p->columns;
  }
}

#endif
