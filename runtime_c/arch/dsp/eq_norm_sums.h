/*
 * Sums of a row of `n` neighbours from place `at` on, int8 or int16 (`bytes`):
 *
 *   eq_norm_sums  *squares = sum of (x - zero)^2, in 64 bits; gives the sum of x - zero, which fits int32
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: cores with the DSP extension; of int8 the sums of x and of its squares by SMLAD, 7 instructions for four values.
 */
#ifndef EQ_NORM_SUMS_H
#define EQ_NORM_SUMS_H

#include <eq_dot.h>
#include <eq_reduce.h>

#define EQ_SQUARES_BLOCK 32768 /* squares of at most 128, which int32 holds */

EQ_INLINE int32_t eq_norm_sums(int64_t *squares, const void *x, int32_t at, int32_t n, int32_t zero, int32_t bytes) {
  if (bytes != 1) {
    *squares = eq_total(x, at, 1, n, zero, 2, bytes);
    return eq_total_narrow(x, at, 1, n, zero, 0, bytes);
  }
  const int8_t *from = (const int8_t *)x + at;
  int32_t sum = 0;
  int64_t total = 0;
  for (int32_t left = n; left > 0;) {
    int32_t block = left < EQ_SQUARES_BLOCK ? left : EQ_SQUARES_BLOCK;
    int32_t part = 0;
    left -= block;
    EQ_NO_UNROLL
    for (; block >= 4; block -= 4) {
      const uint32_t word = eq_load_word(from);
      const uint32_t even = eq_even_bytes(word);
      const uint32_t odd = eq_odd_bytes(word);
      sum = eq_mac_dual(odd, 0x10001, eq_mac_dual(even, 0x10001, sum));
      part = eq_mac_dual(odd, odd, eq_mac_dual(even, even, part));
      from += 4;
    }
    for (; block > 0; block--) {
      const int32_t value = *from++;
      sum += value;
      part += value * value;
    }
    total += part;
  }
  /* (x - z)^2 = x^2 - 2zx + z^2 */
  *squares = total - (int64_t)(2 * zero) * sum + (int64_t)n * zero * zero;
  return sum - n * zero;
}

#endif
