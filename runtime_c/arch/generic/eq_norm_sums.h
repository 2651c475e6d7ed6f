/*
 * Sums of a row of `n` neighbours from place `at` on, int8 or int16 (`bytes`):
 *
 *   eq_norm_sums  *squares = sum of (x - zero)^2, in 64 bits; gives the sum of x - zero, which fits int32
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: plain C.
 */
#ifndef EQ_NORM_SUMS_H
#define EQ_NORM_SUMS_H

#include <eq_reduce.h>

#define EQ_SQUARES_BLOCK 32768 /* squares of at most 255, which int32 holds */

EQ_INLINE int32_t eq_norm_sums(int64_t *squares, const void *x, int32_t at, int32_t n, int32_t zero, int32_t bytes) {
  int32_t sum = 0;
  int64_t total = 0;
  if (bytes != 1) {
    *squares = eq_total(x, at, 1, n, zero, 2, bytes);
    return eq_total_narrow(x, at, 1, n, zero, 0, bytes);
  }
  const int8_t *from = (const int8_t *)x + at;
  while (n > 0) {
    int32_t block = n < EQ_SQUARES_BLOCK ? n : EQ_SQUARES_BLOCK;
    int32_t part = 0;
    n -= block;
    EQ_NO_UNROLL
    for (; block > 0; block--) {
      const int32_t value = *from++ - zero;
      sum += value;
      part += value * value;
    }
    total += part;
  }
  *squares = total;
  return sum;
}

#endif
