/*
 * What the primitives of a product of two computed int8 matrices take (eq_product_rows.h):
 *
 *   out[m][n] = clamp(requantize(sum_k (a[m][k] - a_zero) * (b[k][n] - b_zero))), requantize as in eq_requantize.h
 *
 * Sums wrap; the total is proven to fit int32.
 */
#ifndef EQ_PRODUCT_H
#define EQ_PRODUCT_H

#include <eq_common.h>
#include <eq_scaling.h>

typedef struct {
  int32_t rows, depth, columns;
  int32_t a_zero, b_zero;
  eq_scaling_t scaling;
} eq_product_t;

/* Up to four neighbouring results. */
EQ_INLINE void eq_product_store(int8_t *out, const int32_t acc[4], int32_t count, const eq_product_t *p) {
  out[0] = (int8_t)eq_scaled(acc[0], &p->scaling);
  if (count == 4) {
    out[1] = (int8_t)eq_scaled(acc[1], &p->scaling);
    out[2] = (int8_t)eq_scaled(acc[2], &p->scaling);
    out[3] = (int8_t)eq_scaled(acc[3], &p->scaling);
    return;
  }
  if (count > 1) {
    out[1] = (int8_t)eq_scaled(acc[1], &p->scaling);
  }
  if (count > 2) {
    out[2] = (int8_t)eq_scaled(acc[2], &p->scaling);
  }
}

#endif
