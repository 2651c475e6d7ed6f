/*
 * Product of two computed matrices of int16, requantization "highmul", batches side by side.
 *
 *   out[b][m][n] = clamp(requantize(sum_k a[b][m][k] * b[b][k][n]))
 *
 * Layout     out [batches][rows][columns], a [batches][rows][depth], b [batches][depth][columns], 4-byte aligned.
 * Ranges     wide = 0: the sum is proven to fit int32, and so is the sum times 2^shift. wide = 1: it has 64 bits, and
 *            sum >> shift, which fits int32, takes its place. Zero points are 0; -32768 <= clamp_min <= clamp_max <= 32767.
 *            All sizes >= 1. One multiplier.
 * Aliasing   out must not overlap a, b or scratch.
 * Rounding   eq_requantize.h.
 * Scratch    two columns of b: EQ_MATMUL_S16_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_MATMUL_S16_H
#define EQ_MATMUL_S16_H

#include "eq_dot_s16.h"
#include "eq_requantize.h"

typedef struct {
  int32_t batches, rows, depth, columns;
  int32_t multiplier, shift, wide;
  int32_t clamp_min, clamp_max;
} eq_matmul_s16_t;

#define EQ_MATMUL_S16_SCRATCH(depth) (4 * (depth))

EQ_INLINE int16_t eq_matmul_s16_finish(int64_t sum, const eq_matmul_s16_t *p) {
  const int32_t acc = (int32_t)(p->wide ? sum >> p->shift : sum);
  const int32_t y = eq_requantize(acc, p->multiplier, p->wide ? 0 : p->shift, 0);
  return (int16_t)eq_clamp(y, p->clamp_min, p->clamp_max);
}

EQ_INLINE void eq_matmul_s16(int16_t *out, const int16_t *a, const int16_t *b, void *scratch,
                             const eq_matmul_s16_t *p) {
  int16_t *const first = (int16_t *)scratch;
  int16_t *const second = first + p->depth;
  EQ_NO_UNROLL
  for (int32_t batch = 0; batch < p->batches; ++batch) {
    EQ_NO_UNROLL
    for (int32_t n = 0; n < p->columns; n += 2) {
      const int32_t other = n + 1 < p->columns ? 1 : 0; /* an odd last column is computed twice and stored once */
      EQ_NO_UNROLL
      for (int32_t k = 0; k < p->depth; ++k) {
        first[k] = b[k * p->columns + n];
        second[k] = b[k * p->columns + n + other];
      }
      EQ_NO_UNROLL
      for (int32_t m = 0; m < p->rows; ++m) {
        int64_t sums[2] = {0, 0};
        eq_dot_1x2_s16(sums, a + m * p->depth, first, second, p->depth);
        out[m * p->columns + n + other] = eq_matmul_s16_finish(sums[1], p);
        out[m * p->columns + n] = eq_matmul_s16_finish(sums[0], p);
      }
    }
    a += p->rows * p->depth;
    b += p->depth * p->columns;
    out += p->rows * p->columns;
  }
}

#endif
