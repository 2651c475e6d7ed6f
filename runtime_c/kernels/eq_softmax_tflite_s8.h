/*
 * eq_softmax_tflite_s8: softmax along rows, mode "tflite"; the output has scale 1/256 and zero point -128.
 *
 * What LiteRT's reference integer kernel computes, in fixed point ("Qi.f" has i integer and f fraction bits, one sign
 * bit):
 *   d    = max - x; positions with -d < diff_min count as exp = 0 and give -128
 *   e    = exp(-d * scale): the argument in Q5.26 is round(-d * 2^input_left_shift * input_multiplier / 2^31); the
 *   argument's
 *          lowest quarter by a Taylor polynomial of degree 4 around -1/8, each higher bit by one multiplication; Q0.31
 *   S    = sum of e, each rounded to Q12.19
 *   1/S  = S normalised to [1, 2), then three Newton-Raphson steps from 48/17 - 32/17 * S/2; Q0.31
 *   out  = clamp(round(e * (1/S) * 256) - 128), halves away from zero
 *
 * Layout  `rows` rows of `length` int8, dense.
 * Ranges  1 <= length <= 511, so that the last rounding shifts by at most 31; 0 <= input_multiplier < 2^31;
 *         255 * 2^input_left_shift fits int32; diff_min <= 0 is such that the argument of a counted position lies in
 *         (-32, 0].
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_SOFTMAX_TFLITE_S8_H
#define EQ_SOFTMAX_TFLITE_S8_H

#include "eq_common.h"
#include "eq_requantize.h"
#include "eq_requantize_tflite.h"

typedef struct {
  int32_t rows, length;
  int32_t input_multiplier, input_left_shift, diff_min;
} eq_softmax_tflite_s8_t;

/* exp(x) as Q0.31 for x in [-1/4, 0) as Q0.31. With u = x + 1/8: e^(-1/8) * (1 + u + u^2/2 + u^3/6 + u^4/24). */
EQ_INLINE int32_t eq_softmax_tflite_s8_exp_quarter(int32_t x) {
  const int32_t exp_of_minus_eighth = 1895147668; /* round(2^31 * e^(-1/8)) */
  const int32_t third = 715827883;                /* round(2^31 / 3) */
  const int32_t u = x + ((int32_t)1 << 28);       /* |u| <= 2^28 */
  const int32_t u2 = eq_rounding_doubling_high_multiply(u, u);
  const int32_t u3 = eq_rounding_doubling_high_multiply(u2, u);
  const int32_t u4 = eq_rounding_doubling_high_multiply(u2, u2);
  const int32_t cubic = eq_rounding_doubling_high_multiply(eq_rounding_divide_by_power(u4, 2) + u3, third);
  const int32_t tail = eq_rounding_divide_by_power(cubic + u2, 1);
  return exp_of_minus_eighth + eq_rounding_doubling_high_multiply(exp_of_minus_eighth, u + tail);
}

/* exp(x) as Q0.31 for x <= 0 as Q5.26; exactly 2^31 - 1 at 0. */
EQ_INLINE int32_t eq_softmax_tflite_s8_exp(int32_t x) {
  /* round(2^31 * exp(-2^k)) for k = -2 ... 4: the factors of the bits of -x from 1/4 upwards. */
  static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  const int32_t quarter = (int32_t)1 << 24;
  if (x == 0) {
    return INT32_MAX;
  }
  const int32_t low = (x & (quarter - 1)) - quarter; /* in [-1/4, 0), congruent to x modulo 1/4 */
  const uint32_t high = (uint32_t)(low - x);         /* a multiple of 1/4 */
  int32_t result = eq_softmax_tflite_s8_exp_quarter(eq_shift_left(low, 5));
  for (int32_t k = 0; k < 7; k++) {
    if ((high >> (24 + k)) & 1u) {
      result = eq_rounding_doubling_high_multiply(result, factors[k]);
    }
  }
  return result;
}

/* 1 / (1 + x) as Q0.31 for x in [0, 1) as Q0.31; saturates at 2^31 - 1. The iterations run in Q2.29. */
EQ_INLINE int32_t eq_softmax_tflite_s8_reciprocal(int32_t x) {
  const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2); /* in [2^30, 2^31) */
  int32_t guess = 1515870810 + eq_rounding_doubling_high_multiply(half_denominator, -1010580540);
  for (int32_t i = 0; i < 3; i++) {
    const int32_t error = ((int32_t)1 << 29) - eq_rounding_doubling_high_multiply(half_denominator, guess);
    /* The product has 4 integer bits and is small (|error| <= 1/17): times 4 it is Q2.29 again without saturating. */
    guess += eq_shift_left(eq_rounding_doubling_high_multiply(guess, error), 2);
  }
  return guess >= (int32_t)1 << 30 ? INT32_MAX : eq_shift_left(guess, 1);
}

/* exp of one position, or -1 where it does not count. */
EQ_INLINE int32_t eq_softmax_tflite_s8_term(int32_t difference, const eq_softmax_tflite_s8_t *p) {
  if (difference < p->diff_min) {
    return -1;
  }
  const int32_t wide = eq_shift_left(difference, p->input_left_shift);
  return eq_softmax_tflite_s8_exp(eq_rounding_doubling_high_multiply(wide, p->input_multiplier));
}

EQ_INLINE void eq_softmax_tflite_s8(int8_t *out, const int8_t *x, const eq_softmax_tflite_s8_t *p) {
  for (int32_t row = 0; row < p->rows; row++) {
    int32_t max = x[0];
    for (int32_t i = 1; i < p->length; i++) {
      max = x[i] > max ? x[i] : max;
    }
    int32_t sum = 0;
    for (int32_t i = 0; i < p->length; i++) {
      const int32_t term = eq_softmax_tflite_s8_term(x[i] - max, p);
      sum += term < 0 ? 0 : eq_rounding_divide_by_power(term, 12);
    }
    int32_t leading = 0; /* zeros above the highest bit of sum; sum >= 2^19 because of the maximum itself */
    while (((uint32_t)sum << leading) < (uint32_t)1 << 31) {
      leading++;
    }
    const int32_t scale = eq_softmax_tflite_s8_reciprocal((int32_t)(((uint32_t)sum << leading) - ((uint32_t)1 << 31)));
    const int32_t exponent = 12 - leading + 31 - 8; /* at most 31, because sum < 2^28 */
    for (int32_t i = 0; i < p->length; i++) {
      const int32_t term = eq_softmax_tflite_s8_term(x[i] - max, p);
      int32_t share = 0;
      if (term >= 0) {
        share = eq_rounding_divide_by_power(eq_rounding_doubling_high_multiply(scale, term), exponent);
      }
      out[i] = (int8_t)eq_clamp(share - 128, -128, 127);
    }
    x += p->length;
    out += p->length;
  }
}

#endif
