/*
 * The upper parts of products, rounded down:
 *   eq_high_product  (a*b) >> 32
 *   eq_high_add      sum + ((a*b) >> 32), which fits
 *   eq_high_narrow   (a*b) >> 16 for b of 16 bits
 *
 * This file: plain C.
 */
#ifndef EQ_HIGH_H
#define EQ_HIGH_H

#include <eq_common.h>

EQ_INLINE int32_t eq_high_product(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b) >> 32); }

EQ_INLINE int32_t eq_high_add(int32_t sum, int32_t a, int32_t b) { return sum + eq_high_product(a, b); }

EQ_INLINE int32_t eq_high_narrow(int32_t a, int32_t b) { return (a >> 16) * b + (((a & 0xffff) * b) >> 16); }

#endif
