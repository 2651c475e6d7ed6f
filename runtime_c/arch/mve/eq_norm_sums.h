/*
 * Sums of a row of `n` neighbours from place `at` on, int8 or int16 (`bytes`):
 *
 *   eq_norm_sums  *squares = sum of (x - zero)^2, in 64 bits; gives the sum of x - zero, which fits int32
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: Armv8.1-M with integer MVE; of int8 the sums of x and of its squares, 16 values at a time, tails predicated.
 */
#ifndef EQ_NORM_SUMS_H
#define EQ_NORM_SUMS_H

#include <arm_mve.h>

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
  EQ_NO_UNROLL
  for (int32_t left = n; left > 0; left -= EQ_SQUARES_BLOCK) {
    int32_t part = 0;
    __asm__ volatile(
        "dlstp.8 lr, %[n]\n"
        "1:\n\t"
        "vldrb.8 q0, [%[x]], #16\n\t"
        "vaddva.s8 %[sum], q0\n\t"
        "vmladava.s8 %[part], q0, q0\n\t"
        "letp lr, 1b"
        : [sum] "+Te"(sum), [part] "+Te"(part), [x] "+r"(from)
        : [n] "r"(left < EQ_SQUARES_BLOCK ? left : EQ_SQUARES_BLOCK)
        : "q0", "lr", "memory");
    total += part;
  }
  /* (x - z)^2 = x^2 - 2zx + z^2 */
  *squares = total - (int64_t)(2 * zero) * sum + (int64_t)n * zero * zero;
  return sum - n * zero;
}

#endif
