/*
 * Products of computed int8 matrices, eq_product.h:
 *
 *   eq_product_by_rows  whether the rows of a product had better take b as it lies
 *   eq_product_row      one row of the result, with b as it lies
 *   eq_product_columns  `count`, 1 to 4, columns of all rows; b begins at the first of them, out is its first result. scratch
 *                       has 8 bytes for each row of b and 24 more, and is aligned to 4 bytes
 *
 * The same functions exist for every instruction set, bit for bit equal. Nothing beyond the matrices is read.
 *
 * This file: plain C; columns as int16 less their zero point, four side by side, so that a value of `a` serves four sums.
 */
#ifndef EQ_PRODUCT_ROWS_H
#define EQ_PRODUCT_ROWS_H

#include <eq_product.h>

EQ_INLINE int32_t eq_product_by_rows(const eq_product_t *p) { return p->rows < 4; }

EQ_INLINE void eq_product_row(int8_t *out, const int8_t *a, const int8_t *b, const eq_product_t *p) {
  int32_t sum = 0;
  for (int32_t k = 0; k < p->depth; ++k) {
    sum += a[k] - p->a_zero;
  }
  /* sum (a - a_zero)(b - b_zero) = sum (a - a_zero)*b - b_zero * sum (a - a_zero); wraps as the sums do. */
  const int32_t start = -p->b_zero * sum;
  EQ_NO_UNROLL
  for (int32_t n = 0; n < p->columns; n += 4) {
    const int32_t count = p->columns - n < 4 ? p->columns - n : 4;
    const int8_t *at = b + n;
    int32_t acc[4] = {start, start, start, start};
    EQ_NO_UNROLL
    for (int32_t k = 0; k < p->depth; ++k) {
      const int32_t factor = a[k] - p->a_zero;
      acc[0] = eq_multiply_add(acc[0], factor, at[0]);
      if (count == 4) {
        acc[1] = eq_multiply_add(acc[1], factor, at[1]);
        acc[2] = eq_multiply_add(acc[2], factor, at[2]);
        acc[3] = eq_multiply_add(acc[3], factor, at[3]);
      } else {
        acc[1] = count > 1 ? eq_multiply_add(acc[1], factor, at[1]) : 0;
        acc[2] = count > 2 ? eq_multiply_add(acc[2], factor, at[2]) : 0;
      }
      at += p->columns;
    }
    eq_product_store(out + n, acc, count, p);
  }
}

EQ_INLINE void eq_product_columns(int8_t *out, const int8_t *a, const int8_t *b, void *scratch, int32_t count,
                                  const eq_product_t *p) {
  int16_t *columns = (int16_t *)scratch;
  int32_t start[4] = {0, 0, 0, 0};
  for (int32_t k = 0; k < p->depth; ++k) {
    for (int32_t c = 0; c < 4; ++c) {
      const int32_t value = c < count ? b[k * p->columns + c] - p->b_zero : 0;
      columns[4 * k + c] = (int16_t)value;
      start[c] -= p->a_zero * value;
    }
  }
  EQ_NO_UNROLL
  for (int32_t m = 0; m < p->rows; ++m) {
    int32_t acc[4] = {start[0], start[1], start[2], start[3]};
    const int16_t *at = columns;
    EQ_NO_UNROLL
    for (int32_t k = 0; k < p->depth; ++k) {
      const int32_t factor = a[k];
      acc[0] = eq_multiply_add(acc[0], factor, at[0]);
      acc[1] = eq_multiply_add(acc[1], factor, at[1]);
      acc[2] = eq_multiply_add(acc[2], factor, at[2]);
      acc[3] = eq_multiply_add(acc[3], factor, at[3]);
      at += 4;
    }
    eq_product_store(out, acc, count, p);
    out += p->columns;
    a += p->depth;
  }
}

#endif
