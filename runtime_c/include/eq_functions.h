/*
 * Functions of two plain integers of one type, modulo the type; types as in eq_elements.h.
 *
 *   0   a + b
 *   1   a - b
 *   2   a * b
 *   3   a / b towards zero
 *   4   its remainder, with the sign of a
 *   5   the remainder with the sign of b
 *   6   the smaller
 *   7   the larger
 *   8   a & b
 *   9   a | b
 *   10  a ^ b
 *   11  a to the power of b, towards zero where b is negative
 *   12  a << b; 0 where b is not one of the bits
 *   13  a >> b, arithmetic; only copies of the sign where b is not one of the bits
 *
 * Division by zero, its remainders and negative powers of zero are 0.
 *
 *   eq_function       of types that int32_t holds
 *   eq_function_long  of the others: eq_is_long
 */
#ifndef EQ_FUNCTIONS_H
#define EQ_FUNCTIONS_H

#include <eq_elements.h>

/* Division by -1 is a negation, which wraps around. */
EQ_INLINE int32_t eq_divide(int32_t a, int32_t b, int32_t function) {
  if (b == 0) return 0;
  if (b == -1) return function == 3 ? (int32_t)(0u - (uint32_t)a) : 0;
  if (function == 3) return a / b;
  const int32_t rest = a % b;
  return function == 5 && rest != 0 && (rest ^ b) < 0 ? rest + b : rest;
}

EQ_INLINE int64_t eq_divide_long(int64_t a, int64_t b, int32_t function, int32_t bytes) {
  if (b == 0) return 0;
  if (bytes == -8) return (int64_t)(function == 3 ? (uint64_t)a / (uint64_t)b : (uint64_t)a % (uint64_t)b);
  if (b == -1) return function == 3 ? (int64_t)(0u - (uint64_t)a) : 0;
  if (function == 3) return a / b;
  const int64_t rest = a % b;
  return function == 5 && rest != 0 && (rest ^ b) < 0 ? rest + b : rest;
}

/* Of a negative exponent: only powers of 1 and -1 have a whole part. */
EQ_INLINE int32_t eq_inverse_power(int32_t is_one, int32_t is_minus_one, int32_t odd) {
  return is_one || (is_minus_one && !odd) ? 1 : is_minus_one ? -1 : 0;
}

EQ_INLINE int32_t eq_power(int32_t a, int32_t b) {
  if (b < 0) return eq_inverse_power(a == 1, a == -1, b & 1);
  uint32_t result = 1, square = (uint32_t)a;
  for (uint32_t rest = (uint32_t)b; rest != 0; rest >>= 1) {
    if (rest & 1) result *= square;
    square *= square;
  }
  return (int32_t)result;
}

EQ_INLINE int64_t eq_power_long(int64_t a, int64_t b, int32_t bytes) {
  if (b < 0 && bytes != -8) return eq_inverse_power(a == 1, a == -1, (int32_t)(b & 1));
  uint64_t result = 1, square = (uint64_t)a;
  for (uint64_t rest = (uint64_t)b; rest != 0; rest >>= 1) {
    if (rest & 1) result *= square;
    square *= square;
  }
  return (int64_t)result;
}

EQ_INLINE int32_t eq_shift(int32_t a, int32_t b, int32_t function, int32_t bytes) {
  const int32_t bits = 8 * (bytes < 0 ? -bytes : bytes);
  if (b < 0 || b >= bits) return function == 13 && a < 0 ? -1 : 0;
  return function == 12 ? (int32_t)((uint32_t)a << b) : a >> b;
}

EQ_INLINE int64_t eq_shift_long(int64_t a, int64_t b, int32_t function, int32_t bytes) {
  const int32_t bits = 8 * (bytes < 0 ? -bytes : bytes);
  if (b < 0 || b >= bits) return function == 13 && bytes > 0 && a < 0 ? -1 : 0;
  if (function == 12) return (int64_t)((uint64_t)a << b);
  return bytes == -8 ? (int64_t)((uint64_t)a >> b) : a >> b;
}

EQ_INLINE int32_t eq_function(int32_t a, int32_t b, int32_t function, int32_t bytes) {
  switch (function) {
    case 0:
      return (int32_t)((uint32_t)a + (uint32_t)b);
    case 1:
      return (int32_t)((uint32_t)a - (uint32_t)b);
    case 2:
      return (int32_t)((uint32_t)a * (uint32_t)b);
    case 6:
      return a < b ? a : b;
    case 7:
      return a > b ? a : b;
    case 8:
      return a & b;
    case 9:
      return a | b;
    case 10:
      return a ^ b;
    case 11:
      return eq_power(a, b);
    case 12:
    case 13:
      return eq_shift(a, b, function, bytes);
    default:
      return eq_divide(a, b, function);
  }
}

EQ_INLINE int64_t eq_function_long(int64_t a, int64_t b, int32_t function, int32_t bytes) {
  switch (function) {
    case 0:
      return (int64_t)((uint64_t)a + (uint64_t)b);
    case 1:
      return (int64_t)((uint64_t)a - (uint64_t)b);
    case 2:
      return (int64_t)((uint64_t)a * (uint64_t)b);
    case 6:
      return eq_less_long(a, b, bytes) ? a : b;
    case 7:
      return eq_less_long(a, b, bytes) ? b : a;
    case 8:
      return a & b;
    case 9:
      return a | b;
    case 10:
      return a ^ b;
    case 11:
      return eq_power_long(a, b, bytes);
    case 12:
    case 13:
      return eq_shift_long(a, b, function, bytes);
    default:
      return eq_divide_long(a, b, function, bytes);
  }
}

#endif
