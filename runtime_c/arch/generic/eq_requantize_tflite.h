/*
 * Requantization as LiteRT's reference kernels do it, mode "tflite". One generic form serves every core.
 *
 *   eq_requantize_double  q31 multiplier with two roundings (convolution, depthwise, elementwise):
 *                         RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(acc << max(e, 0), q), max(-e, 0))
 *   eq_requantize_single  one rounding (fully connected): (acc*q + 2^(30-e)) >> (31-e)
 *
 * Ranges: 0 <= q < 2^31; -31 <= e <= 30; acc * 2^max(e,0) fits int32. The zero point is not added here.
 */
#ifndef EQ_REQUANTIZE_TFLITE_H
#define EQ_REQUANTIZE_TFLITE_H

#include <eq_common.h>

/* round(a*b / 2^31), halves away from zero; b >= 0, so the one saturating case (both -2^31) cannot occur. */
EQ_INLINE int32_t eq_rounding_doubling_high_multiply(int32_t a, int32_t b) {
  const int64_t product = (int64_t)a * b;
  const int64_t nudge = product >= 0 ? ((int64_t)1 << 30) : 1 - ((int64_t)1 << 30);
  return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

/* round(x / 2^exponent), halves away from zero; 0 <= exponent <= 31. */
EQ_INLINE int32_t eq_rounding_divide_by_power(int32_t x, int32_t exponent) {
  const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1u);
  const int32_t remainder = x & mask;
  const int32_t threshold = (int32_t)((uint32_t)mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

EQ_INLINE int32_t eq_requantize_double(int32_t acc, int32_t q, int32_t e) {
  const int32_t left = e > 0 ? e : 0;
  const int32_t right = e > 0 ? 0 : -e;
  return eq_rounding_divide_by_power(eq_rounding_doubling_high_multiply(eq_shift_left(acc, left), q), right);
}

EQ_INLINE int32_t eq_requantize_single(int32_t acc, int32_t q, int32_t e) {
  const int64_t product = (int64_t)acc * q;
  return (int32_t)((product + ((int64_t)1 << (30 - e))) >> (31 - e));
}

#endif
