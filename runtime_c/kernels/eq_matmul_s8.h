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
 * Scratch    four columns of b: EQ_MATMUL_S8_SCRATCH bytes, 4-byte aligned.
 *
 * Few rows, and on some cores those of little depth, take b as it lies; to copy columns pays where more rows share them
 * (eq_product_rows.h).
 */
#ifndef EQ_MATMUL_S8_H
#define EQ_MATMUL_S8_H

#include "eq_product_rows.h"

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

#define EQ_MATMUL_S8_SCRATCH(depth) (8 * (depth) + 24)

EQ_INLINE void eq_matmul_s8(int8_t *out, const int8_t *a, const int8_t *b, void *scratch, const eq_matmul_s8_t *p) {
  const eq_product_t product = {p->rows,    p->depth,
                                p->columns, p->a_zero,
                                p->b_zero,  {p->multiplier, p->shift, p->out_zero, 0, p->clamp_min, p->clamp_max}};
  EQ_NO_UNROLL
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    if (eq_product_by_rows(&product)) {
      EQ_NO_UNROLL
      for (int32_t m = 0; m < p->rows; ++m) {
        eq_product_row(out + m * p->columns, a + m * p->depth, b, &product);
      }
    } else {
      EQ_NO_UNROLL
      for (int32_t n = 0; n < p->columns; n += 4) {
        const int32_t count = p->columns - n < 4 ? p->columns - n : 4;
        eq_product_columns(out + n, a, b + n, scratch, count, &product);
      }
    }
    a += p->rows * p->depth;
    b += p->depth * p->columns;
    out += p->rows * p->columns;
  }
}

#endif
