/*
 * Software float: operations of IEEE float32 and float64, which every processor rounds alike, with or without a unit.
 *
 * Only models with nodes that their user keeps in float reach this header. A product is never fused with the sum behind it:
 * EQ_APART keeps the compiler from knowing where a value comes from.
 *
 *   eq_float_of_bits, eq_bits_of_float   a float32 and the 32 bits that are it
 *   eq_double_of_bits, eq_bits_of_double the same of 64 bits
 *   eq_round_float                       the nearest whole number, ties to even, with the argument's sign
 */
#ifndef EQ_FLOAT_H
#define EQ_FLOAT_H

#include <eq_common.h>

#if defined(__FAST_MATH__)
#error "models with nodes in software float need IEEE arithmetic: compile them without -ffast-math"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "models with nodes in software float need float operations that round to float: no x87, no half precision"
#endif

#define EQ_APART(value) __asm__("" : "+r"(value))

typedef union {
  float value;
  uint32_t bits;
} eq_float_bits_t;

typedef union {
  double value;
  uint64_t bits;
} eq_double_bits_t;

EQ_INLINE float eq_float_of_bits(int32_t bits) {
  eq_float_bits_t both;
  both.bits = (uint32_t)bits;
  return both.value;
}

EQ_INLINE uint32_t eq_bits_of_float(float value) {
  eq_float_bits_t both;
  both.value = value;
  return both.bits;
}

EQ_INLINE double eq_double_of_bits(uint64_t bits) {
  eq_double_bits_t both;
  both.bits = bits;
  return both.value;
}

EQ_INLINE uint64_t eq_bits_of_double(double value) {
  eq_double_bits_t both;
  both.value = value;
  return both.bits;
}

EQ_INLINE int32_t eq_is_negative(float value) { return (int32_t)(eq_bits_of_float(value) >> 31); }

EQ_INLINE float eq_negative(float value) { return eq_float_of_bits((int32_t)(eq_bits_of_float(value) ^ 0x80000000u)); }

EQ_INLINE float eq_magnitude(float value) { return eq_float_of_bits((int32_t)(eq_bits_of_float(value) & 0x7fffffffu)); }

EQ_INLINE float eq_float_product(float a, float b) {
  float product = a * b;
  EQ_APART(product);
  return product;
}

EQ_INLINE float eq_round_float(float x) {
  float magnitude = eq_magnitude(x);
  if (magnitude < 8388608.0f) { /* 2^23: all float32 from there on are whole */
    magnitude += 8388608.0f;
    EQ_APART(magnitude);
    magnitude -= 8388608.0f;
    return eq_is_negative(x) ? eq_negative(magnitude) : magnitude;
  }
  return x;
}

#endif
