/*
 * eq_float_unary: a function of each element, in software float.
 *
 * kind, in the order of the enumeration; alpha and beta are the bits of its parameters as float32. Functions that
 * IEEE prescribes and those of sums, products and comparisons are float32; the others are computed in float64 by
 * eq_elementary.h and rounded once.
 *
 * Layout  x, out: `elements` float32.
 * Ranges  any; outside of a function's domain the result is no number.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_FLOAT_UNARY_H
#define EQ_FLOAT_UNARY_H

#include "eq_elementary.h"

enum {
  EQ_FLOAT_ABS,
  EQ_FLOAT_ACOS,
  EQ_FLOAT_ACOSH,
  EQ_FLOAT_ASIN,
  EQ_FLOAT_ASINH,
  EQ_FLOAT_ATAN,
  EQ_FLOAT_ATANH,
  EQ_FLOAT_CEIL,
  EQ_FLOAT_CELU,
  EQ_FLOAT_COS,
  EQ_FLOAT_COSH,
  EQ_FLOAT_ELU,
  EQ_FLOAT_ERF,
  EQ_FLOAT_EXP,
  EQ_FLOAT_FLOOR,
  EQ_FLOAT_GELU,
  EQ_FLOAT_GELU_TANH,
  EQ_FLOAT_HARD_SIGMOID,
  EQ_FLOAT_HARD_SWISH,
  EQ_FLOAT_LEAKY_RELU,
  EQ_FLOAT_LOG,
  EQ_FLOAT_MISH,
  EQ_FLOAT_NEGATE,
  EQ_FLOAT_RECIPROCAL,
  EQ_FLOAT_ROUND,
  EQ_FLOAT_SELU,
  EQ_FLOAT_SHRINK,
  EQ_FLOAT_SIGMOID,
  EQ_FLOAT_SIGN,
  EQ_FLOAT_SIN,
  EQ_FLOAT_SINH,
  EQ_FLOAT_SOFTPLUS,
  EQ_FLOAT_SOFTSIGN,
  EQ_FLOAT_SQRT,
  EQ_FLOAT_SWISH,
  EQ_FLOAT_TAN,
  EQ_FLOAT_TANH,
  EQ_FLOAT_THRESHOLDED_RELU
};

typedef struct {
  int32_t elements, kind, alpha, beta;
} eq_float_unary_t;

/* The integer part of the square root of value < 2^62. */
EQ_INLINE uint32_t eq_float_integer_root(uint64_t value) {
  uint64_t root = 0;
  for (uint64_t bit = (uint64_t)1 << 60; bit != 0; bit >>= 2) {
    const uint64_t trial = root + bit;
    root >>= 1;
    if (value >= trial) {
      value -= trial;
      root += bit;
    }
  }
  return (uint32_t)root | (uint32_t)(value != 0); /* what is left decides ties; the root has 31 bits */
}

/* Correctly rounded: a root of 31 bits, of which the last says whether anything is left. */
EQ_INLINE float eq_float_root(float x) {
  const double wide = (double)x;
  if (x == 0.0f || x != x || wide == eq_infinity()) return x;
  if (x < 0.0f) return (float)eq_nan();
  const uint64_t bits = eq_bits_of_double(wide); /* normal, of 24 bits: the lower 29 are 0 */
  const int32_t exponent = (int32_t)(bits >> 52) - 1023;
  const uint64_t mantissa = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
  const int32_t odd = exponent & 1;
  const uint32_t root = eq_float_integer_root(mantissa << (8 + odd)); /* sqrt(m 2^(60 + odd)) */
  const double scale = eq_double_of_bits((uint64_t)(((exponent - odd) / 2) - 30 + 1023) << 52);
  return (float)((double)root * scale);
}

EQ_INLINE float eq_float_floor(float x) {
  const float whole = eq_round_float(x);
  return whole > x ? whole - 1.0f : whole;
}

/* Between 0 and 1; of what is no number 0. */
EQ_INLINE float eq_float_unit(float x) {
  const float above = x > 0.0f ? x : 0.0f;
  return above < 1.0f ? above : 1.0f;
}

EQ_INLINE double eq_float_asin(double x) {
  const double a = eq_absolute(x);
  return eq_atan(a / eq_sqrt(eq_product(1.0 - a, 1.0 + a)));
}

/* Functions that are odd, of x >= 0. */
EQ_INLINE double eq_float_odd(int32_t function, double x) {
  double less;
  switch (function) {
    case EQ_FLOAT_ASINH:
      if (x == eq_infinity()) return x;
      return eq_log1p(x + eq_product(x, x) / (1.0 + eq_sqrt(1.0 + eq_product(x, x))));
    case EQ_FLOAT_ATAN:
      return eq_atan(x);
    case EQ_FLOAT_ATANH:
      return eq_product(0.5, eq_log1p(eq_product(2.0, x) / (1.0 - x)));
    case EQ_FLOAT_ERF:
      return x < 0.5 ? eq_erf_near(x) : 1.0 - eq_erfc(x);
    case EQ_FLOAT_SINH:
      less = eq_expm1(x);
      return x > 700.0 ? less : eq_product(0.5, less + less / (less + 1.0));
    default: /* tanh */
      less = eq_expm1(eq_product(2.0, x > 20.0 ? 20.0 : x));
      return less / (less + 2.0);
  }
}

/* Functions in float64. */
EQ_INLINE double eq_float_wide(int32_t function, double x, double alpha, double beta) {
  double part;
  switch (function) {
    case EQ_FLOAT_ACOS:
      return eq_absolute(x) <= 1.0 ? eq_product(2.0, eq_atan(eq_sqrt((1.0 - x) / (1.0 + x)))) : eq_nan();
    case EQ_FLOAT_ACOSH:
      part = x - 1.0;
      return x >= 1.0 ? eq_log1p(part + eq_sqrt(eq_product(part, part + 2.0))) : eq_nan();
    case EQ_FLOAT_CELU:
      return x > 0.0 ? x : eq_product(alpha, eq_expm1(x / alpha));
    case EQ_FLOAT_COS:
      return eq_cos(x);
    case EQ_FLOAT_COSH:
      part = eq_exp(eq_absolute(x));
      return eq_product(0.5, part + 1.0 / part);
    case EQ_FLOAT_ELU:
      return x > 0.0 ? x : eq_product(alpha, eq_expm1(x));
    case EQ_FLOAT_EXP:
      return eq_exp(x);
    case EQ_FLOAT_GELU:
      part = eq_erfc(eq_product(eq_absolute(x), 0.7071067811865476));
      return eq_product(eq_product(0.5, x), x < 0.0 ? part : 2.0 - part);
    case EQ_FLOAT_GELU_TANH:
      part = x + eq_product(0.044715, eq_product(eq_product(x, x), x));
      return x / (1.0 + eq_exp(-eq_product(1.5957691216057308, part)));
    case EQ_FLOAT_LOG:
      return eq_log(x);
    case EQ_FLOAT_MISH:
      if (x > 20.0) return x;
      part = eq_exp(x);
      part = eq_product(part, part + 2.0);
      return eq_product(x, part) / (part + 2.0);
    case EQ_FLOAT_SELU:
      return eq_product(beta, x > 0.0 ? x : eq_product(alpha, eq_expm1(x)));
    case EQ_FLOAT_SIGMOID:
      return 1.0 / (1.0 + eq_exp(-x));
    case EQ_FLOAT_SIN:
      return eq_sin(x);
    case EQ_FLOAT_SOFTPLUS:
      return (x > 0.0 ? x : 0.0) + eq_log1p(eq_exp(-eq_absolute(x)));
    case EQ_FLOAT_SWISH:
      return x / (1.0 + eq_exp(-eq_product(alpha, x)));
    default:
      return eq_tan(x);
  }
}

EQ_INLINE float eq_float_of(float x, const eq_float_unary_t *p) {
  const float alpha = eq_float_of_bits(p->alpha), beta = eq_float_of_bits(p->beta);
  float value;
  switch (p->kind) {
    case EQ_FLOAT_ABS:
      return eq_magnitude(x);
    case EQ_FLOAT_ASIN:
      value = (float)(eq_magnitude(x) <= 1.0f ? eq_float_asin((double)x) : eq_nan());
      return eq_is_negative(x) ? eq_negative(value) : value;
    case EQ_FLOAT_ASINH:
    case EQ_FLOAT_ATAN:
    case EQ_FLOAT_ATANH:
    case EQ_FLOAT_ERF:
    case EQ_FLOAT_SINH:
    case EQ_FLOAT_TANH:
      value = (float)eq_float_odd(p->kind, (double)eq_magnitude(x));
      return eq_is_negative(x) ? eq_negative(value) : value;
    case EQ_FLOAT_CEIL:
      return eq_negative(eq_float_floor(eq_negative(x)));
    case EQ_FLOAT_FLOOR:
      return eq_float_floor(x);
    case EQ_FLOAT_HARD_SIGMOID:
      return eq_float_unit(eq_float_product(alpha, x) + beta);
    case EQ_FLOAT_HARD_SWISH:
      return x * eq_float_unit(eq_float_product(x, 1.0f / 6.0f) + 0.5f);
    case EQ_FLOAT_LEAKY_RELU:
      return x < 0.0f ? alpha * x : x;
    case EQ_FLOAT_NEGATE:
      return eq_negative(x);
    case EQ_FLOAT_RECIPROCAL:
      return 1.0f / x;
    case EQ_FLOAT_ROUND:
      return eq_round_float(x);
    case EQ_FLOAT_SHRINK: /* alpha is the bias, beta the limit */
      return x > beta ? x - alpha : x < -beta ? x + alpha : 0.0f;
    case EQ_FLOAT_SIGN:
      return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
    case EQ_FLOAT_SOFTSIGN:
      return x / (1.0f + eq_magnitude(x));
    case EQ_FLOAT_SQRT:
      return eq_float_root(x);
    case EQ_FLOAT_THRESHOLDED_RELU:
      return x > alpha ? x : 0.0f;
    default:
      return (float)eq_float_wide(p->kind, (double)x, (double)alpha, (double)beta);
  }
}

EQ_INLINE void eq_float_unary(float *out, const float *x, const eq_float_unary_t *p) {
  for (int32_t i = 0; i < p->elements; i++) {
    out[i] = eq_float_of(x[i], p);
  }
}

#endif
