/*
 * The upper parts of products, rounded down:
 *   eq_high_product  (a*b) >> 32
 *   eq_high_add      sum + ((a*b) >> 32), which fits
 *   eq_high_narrow   (a*b) >> 16 for b of 16 bits
 *
 * This file: cores with the DSP extension, SMMUL, SMMLA and SMULWB.
 */
#ifndef EQ_HIGH_H
#define EQ_HIGH_H

#include <eq_common.h>

EQ_INLINE int32_t eq_high_product(int32_t a, int32_t b) {
  int32_t result;
  __asm__("smmul %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

EQ_INLINE int32_t eq_high_add(int32_t sum, int32_t a, int32_t b) {
  int32_t result;
  __asm__("smmla %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
  return result;
}

EQ_INLINE int32_t eq_high_narrow(int32_t a, int32_t b) {
  int32_t result;
  __asm__("smulwb %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
  return result;
}

#endif
