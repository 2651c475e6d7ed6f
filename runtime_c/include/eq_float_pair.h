/*
 * Functions of two float32 numbers in software float, in the order of the enumeration.
 *
 * maximum is a where a > b, else b; minimum a where a < b, else b; prelu a * b where a < 0, else a; remainder a less the
 * whole multiples of b towards zero, exact, with the sign of a. power is e^(b ln |a|) in float64, rounded once: negative for
 * a below zero and odd b, no number where b is not whole; a^0 and 1^b are 1.
 */
#ifndef EQ_FLOAT_PAIR_H
#define EQ_FLOAT_PAIR_H

#include <eq_elementary.h>

enum {
  EQ_FLOAT_ADD,
  EQ_FLOAT_DIVIDE,
  EQ_FLOAT_MAXIMUM,
  EQ_FLOAT_MINIMUM,
  EQ_FLOAT_MULTIPLY,
  EQ_FLOAT_POWER,
  EQ_FLOAT_PRELU,
  EQ_FLOAT_REMAINDER,
  EQ_FLOAT_SUBTRACT
};

/* 2: y is whole and odd; 1: whole; 0: neither. From 2^24 on every float32 is even. */
EQ_INLINE int32_t eq_float_parity(double y) {
  if (!(eq_absolute(y) < 16777216.0)) return 1;
  if (eq_whole(y) != y) return 0;
  return eq_whole(eq_product(y, 0.5)) + eq_whole(eq_product(y, 0.5)) != y ? 2 : 1;
}

EQ_INLINE float eq_float_power(float a, float b) {
  const double x = (double)eq_magnitude(a), y = (double)b;
  if (a == 1.0f || b == 0.0f) return 1.0f;
  if (x == 1.0 && eq_absolute(y) == eq_infinity()) return 1.0f;
  const int32_t parity = eq_float_parity(y);
  if (a < 0.0f && parity == 0 && x < eq_infinity()) return (float)eq_nan();
  const float value = (float)eq_exp(eq_product(y, eq_log(x)));
  return parity == 2 && eq_is_negative(a) ? eq_negative(value) : value;
}

/* The mantissa, of 24 bits where there are as many, and the exponent of its last bit, of a number above zero. */
EQ_INLINE uint32_t eq_float_mantissa(float x, int32_t *exponent) {
  const uint32_t bits = eq_bits_of_float(x), fraction = bits & 0x7fffffu;
  const int32_t stated = (int32_t)(bits >> 23);
  *exponent = stated > 0 ? stated : 1;
  return stated > 0 ? fraction | 0x800000u : fraction;
}

EQ_INLINE float eq_float_remainder(float a, float b) {
  const float x = eq_magnitude(a), y = eq_magnitude(b);
  if (a != a || b != b || y == 0.0f || x > 3.402823466e38f) return (float)eq_nan();
  if (x < y) return a;
  int32_t of_x, of_y;
  uint32_t rest = eq_float_mantissa(x, &of_x);
  const uint32_t divisor = eq_float_mantissa(y, &of_y);
  for (rest %= divisor; of_x > of_y && rest != 0; of_x--) {
    rest = (rest << 1) % divisor;
  }
  if (rest == 0) return eq_is_negative(a) ? eq_negative(0.0f) : 0.0f;
  while (rest < 0x800000u && of_y > 1) {
    rest <<= 1;
    of_y--;
  }
  const uint32_t bits = rest < 0x800000u ? rest : (rest & 0x7fffffu) | (uint32_t)of_y << 23;
  return eq_float_of_bits((int32_t)(bits | (eq_bits_of_float(a) & 0x80000000u)));
}

EQ_INLINE float eq_float_pair(int32_t function, float a, float b) {
  switch (function) {
    case EQ_FLOAT_ADD:
      return a + b;
    case EQ_FLOAT_DIVIDE:
      return a / b;
    case EQ_FLOAT_MAXIMUM:
      return a > b ? a : b;
    case EQ_FLOAT_MINIMUM:
      return a < b ? a : b;
    case EQ_FLOAT_MULTIPLY:
      return eq_float_product(a, b);
    case EQ_FLOAT_POWER:
      return eq_float_power(a, b);
    case EQ_FLOAT_PRELU:
      return a < 0.0f ? a * b : a;
    case EQ_FLOAT_REMAINDER:
      return eq_float_remainder(a, b);
    default:
      return a - b;
  }
}

#endif
