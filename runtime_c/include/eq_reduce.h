/*
 * Sums along an axis of int8 or int16, and functions of sums of up to 62 bits.
 *
 *   eq_total         sum over r of term(x[start + r*step] - zero), in 64 bits; term 0: the value, 1: its magnitude, 2: its
 *                    square
 *   eq_total_narrow  the same in 32 bits, for sums that fit
 *   eq_root          the integer part of the square root, of 31 bits, for 2^60 <= value < 2^62
 *   eq_logarithm     the logarithm to base 2 in units of 2^-20, rounded down, for 1 <= value < 2^62: squared, a number in
 *                    [1, 2) of 31 bits behind the point yields a bit of its logarithm
 *   eq_saturated     value + zero within the bounds, for results of 64 bits
 *   eq_wide          the 64-bit constant of two fields of a record
 */
#ifndef EQ_REDUCE_H
#define EQ_REDUCE_H

#include <eq_element.h>

EQ_INLINE int32_t eq_term(int32_t value, int32_t term) {
  if (term == 0) {
    return value;
  }
  return term == 1 && value < 0 ? -value : value;
}

EQ_INLINE int64_t eq_total(const void *x, int32_t start, int32_t step, int32_t count, int32_t zero, int32_t term,
                           int32_t bytes) {
  int64_t sum = 0;
  for (int32_t r = 0; r < count; r++) {
    const int32_t value = eq_load(x, start + r * step, bytes) - zero;
    sum += term == 2 ? (int64_t)((uint32_t)value * (uint32_t)value) : eq_term(value, term);
  }
  return sum;
}

EQ_INLINE int32_t eq_total_narrow(const void *x, int32_t start, int32_t step, int32_t count, int32_t zero, int32_t term,
                                  int32_t bytes) {
  int32_t sum = 0;
  for (int32_t r = 0; r < count; r++) {
    const int32_t value = eq_load(x, start + r * step, bytes) - zero;
    sum += term == 2 ? value * value : eq_term(value, term);
  }
  return sum;
}

/* The root of the upper half and the remainder yield the lower digits by one division (P. Zimmermann, Karatsuba square
   root, INRIA RR-3805): here of a 32-bit number from its upper 16 bits, 2^14 <= upper < 2^16, */
EQ_INLINE uint32_t eq_root_narrow(uint32_t value) {
  const uint32_t upper = value >> 16;
  uint32_t root = 128;
  for (uint32_t bit = 64; bit != 0; bit >>= 1) {
    const uint32_t trial = root + bit;
    root = trial * trial <= upper ? trial : root;
  }
  const uint32_t rest = ((upper - root * root) << 7) + ((value >> 9) & 127);
  const uint32_t digit = rest / root;
  const uint32_t found = (root << 8) + digit;
  /* rest - digit*root, the last bit of the upper digits, and the lower digits */
  const uint32_t left = ((rest - digit * root) << 9) + (value & 511);
  return left < digit * digit ? found - 1 : found;
}

/* and of 4*value from its upper 32 bits; the root of value is half of it. */
EQ_INLINE uint32_t eq_root(uint64_t value) {
  const uint32_t upper = (uint32_t)(value >> 30);
  const uint32_t lower = (uint32_t)value << 2;
  const uint32_t root = eq_root_narrow(upper);
  const uint32_t rest = ((upper - root * root) << 15) + (lower >> 17);
  const uint32_t digit = rest / root;
  const uint64_t left = ((uint64_t)(rest - digit * root) << 17) + (lower & 0x1ffff);
  const uint64_t found = ((uint64_t)root << 16) + digit;
  return (uint32_t)((left < (uint64_t)digit * digit ? found - 1 : found) >> 1);
}

EQ_INLINE int32_t eq_logarithm(uint64_t value) {
  int32_t result = 61;
  while (value < (uint64_t)1 << 61) {
    value <<= 1;
    result--;
  }
  uint64_t x = value >> 30;
  for (int32_t i = 0; i < 20; i++) {
    x = (x * x) >> 31;
    const uint32_t bit = (uint32_t)(x >> 32);
    x >>= bit;
    result = 2 * result + (int32_t)bit;
  }
  return result;
}

EQ_INLINE int32_t eq_saturated(int64_t value, int32_t zero, int32_t lo, int32_t hi) {
  const int64_t result = value + zero;
  return result < lo ? lo : result > hi ? hi : (int32_t)result;
}

EQ_INLINE int64_t eq_wide(int32_t high, int32_t low) {
  return (int64_t)(((uint64_t)(uint32_t)high << 32) | (uint32_t)low);
}

#endif
