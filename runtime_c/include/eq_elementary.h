/*
 * Elementary functions in float64, each a stated sequence of IEEE operations: equal bits on every processor.
 *
 * No fused operation, no function of a C library. Arguments are float32 numbers, or what one of these functions gave.
 * Polynomials are Horner's, from the last coefficient on.
 *
 *   eq_exp, eq_expm1   x = k ln 2 + r; e^r - 1 in nine terms; times 2^k
 *   eq_log, eq_log1p   2^k m with m in (sqrt(1/2), sqrt(2)]; ln((1 + f) / (1 - f)) in eight terms of f^2
 *   eq_sqrt            four of Newton's steps
 *   eq_sin, eq_cos, eq_tan   x = k pi/2 + r; six and seven terms of r^2; |x| >= 2^30 gives NaN
 *   eq_atan            of x >= 0: 1/x, then (x - 1) / (x + 1) of what is above tan(pi/8); thirteen terms of x^2
 *   eq_erfc            of x >= 0: e^(-x^2) times a polynomial in 1 / (1 + x/2); below 1/2 nine terms of x^2
 */
#ifndef EQ_ELEMENTARY_H
#define EQ_ELEMENTARY_H

#include <eq_float.h>

EQ_INLINE double eq_infinity(void) { return eq_double_of_bits((uint64_t)0x7ff << 52); }

EQ_INLINE double eq_nan(void) { return eq_double_of_bits((uint64_t)0x7ff8 << 48); }

EQ_INLINE double eq_product(double a, double b) {
  double product = a * b;
  EQ_APART(product);
  return product;
}

EQ_NOINLINE __attribute__((unused)) static double eq_horner(double x, const double *terms, int32_t count) {
  double total = terms[count - 1];
  for (int32_t n = count - 2; n >= 0; n--) {
    total = eq_product(total, x) + terms[n];
  }
  return total;
}

EQ_INLINE double eq_absolute(double x) { return x < 0.0 ? -x : x; }

/* The nearest whole number of |x| < 2^51, ties to even. */
EQ_INLINE double eq_whole(double x) {
  double sum = x + 6755399441055744.0;
  EQ_APART(sum);
  return sum - 6755399441055744.0;
}

/* e^r - 1 and 2^k of x = k ln 2 + r, |x| <= 700. */
EQ_INLINE double eq_reduced_exp(double x, double *power) {
  static const double terms[] = {1.0,         1.0 / 2.0,    1.0 / 6.0,     1.0 / 24.0,    1.0 / 120.0,
                                 1.0 / 720.0, 1.0 / 5040.0, 1.0 / 40320.0, 1.0 / 362880.0};
  const double k = eq_whole(eq_product(x, 1.4426950408889634));
  const double r = (x - eq_product(k, 0.6931471803691238)) - eq_product(k, 1.9082149292705877e-10);
  *power = eq_double_of_bits((uint64_t)((int32_t)k + 1023) << 52);
  return eq_product(eq_horner(r, terms, 9), r);
}

EQ_NOINLINE __attribute__((unused)) static double eq_exp(double x) {
  double power;
  if (x != x) return x;
  if (x > 700.0) return eq_infinity();
  if (x < -700.0) return 0.0;
  const double rest = eq_reduced_exp(x, &power);
  return eq_product(1.0 + rest, power);
}

EQ_NOINLINE __attribute__((unused)) static double eq_expm1(double x) {
  double power;
  if (x != x) return x;
  if (x > 700.0) return eq_infinity();
  if (x < -700.0) return -1.0;
  const double rest = eq_reduced_exp(x, &power);
  return (power - 1.0) + eq_product(power, rest);
}

/* ln((1 + f) / (1 - f)). */
EQ_INLINE double eq_log_ratio(double f) {
  static const double terms[] = {1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0};
  return eq_product(eq_product(2.0, f), eq_horner(eq_product(f, f), terms, 8));
}

EQ_NOINLINE __attribute__((unused)) static double eq_log(double x) {
  if (x == 0.0) return -eq_infinity();
  if (!(x > 0.0)) return eq_nan();
  if (x == eq_infinity()) return x;
  const uint64_t bits = eq_bits_of_double(x);
  int32_t k = (int32_t)(bits >> 52) - 1023;
  double m = eq_double_of_bits((bits & (((uint64_t)1 << 52) - 1)) | ((uint64_t)1023 << 52));
  if (m > 1.4142135623730951) {
    m *= 0.5;
    k++;
  }
  return eq_product((double)k, 0.6931471805599453) + eq_log_ratio((m - 1.0) / (m + 1.0));
}

EQ_NOINLINE __attribute__((unused)) static double eq_log1p(double x) {
  if (x > -0.25 && x < 0.5) return eq_log_ratio(x / (2.0 + x));
  return eq_log(1.0 + x);
}

EQ_NOINLINE __attribute__((unused)) static double eq_sqrt(double x) {
  if (!(x >= 0.0)) return eq_nan();
  if (x == 0.0 || x == eq_infinity()) return x;
  double root = eq_double_of_bits((eq_bits_of_double(x) >> 1) + ((uint64_t)0x1ff8 << 48));
  for (int32_t step = 0; step < 4; step++) {
    root = eq_product(0.5, root + x / root);
  }
  return root;
}

/* The quadrant of an angle |x| < 2^30, and what is left of it. */
EQ_INLINE int32_t eq_quadrant(double x, double *rest) {
  const double k = eq_whole(eq_product(x, 0.6366197723675814));
  *rest = ((x - eq_product(k, 1.5707963267341256)) - eq_product(k, 6.077100506303966e-11)) -
          eq_product(k, 2.0222662487959506e-21);
  return (int32_t)k & 3;
}

EQ_INLINE double eq_sine(double r) {
  static const double terms[] = {1.0, -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0, 1.0 / 362880.0, -1.0 / 39916800.0};
  return eq_product(eq_horner(eq_product(r, r), terms, 6), r);
}

EQ_INLINE double eq_cosine(double r) {
  static const double terms[] = {1.0,           -1.0 / 2.0,       1.0 / 24.0,       -1.0 / 720.0,
                                 1.0 / 40320.0, -1.0 / 3628800.0, 1.0 / 479001600.0};
  return eq_horner(eq_product(r, r), terms, 7);
}

EQ_NOINLINE __attribute__((unused)) static double eq_sin(double x) {
  double rest;
  if (!(eq_absolute(x) < 1073741824.0)) return eq_nan();
  const int32_t quadrant = eq_quadrant(x, &rest);
  const double value = quadrant & 1 ? eq_cosine(rest) : eq_sine(rest);
  return quadrant & 2 ? -value : value;
}

EQ_NOINLINE __attribute__((unused)) static double eq_cos(double x) {
  double rest;
  if (!(eq_absolute(x) < 1073741824.0)) return eq_nan();
  const int32_t quadrant = eq_quadrant(x, &rest);
  const double value = quadrant & 1 ? eq_sine(rest) : eq_cosine(rest);
  return (quadrant + 1) & 2 ? -value : value;
}

EQ_NOINLINE __attribute__((unused)) static double eq_tan(double x) {
  double rest;
  if (!(eq_absolute(x) < 1073741824.0)) return eq_nan();
  const int32_t quadrant = eq_quadrant(x, &rest);
  const double sine = eq_sine(rest), cosine = eq_cosine(rest);
  return quadrant & 1 ? -cosine / sine : sine / cosine;
}

EQ_NOINLINE __attribute__((unused)) static double eq_atan(double x) {
  static const double terms[] = {1.0,         -1.0 / 3.0, 1.0 / 5.0,   -1.0 / 7.0, 1.0 / 9.0,   -1.0 / 11.0, 1.0 / 13.0,
                                 -1.0 / 15.0, 1.0 / 17.0, -1.0 / 19.0, 1.0 / 21.0, -1.0 / 23.0, 1.0 / 25.0};
  const int32_t steep = x > 1.0;
  const double small = steep ? 1.0 / x : x;
  const int32_t middle = small > 0.41421356237309503;
  const double rest = middle ? (small - 1.0) / (small + 1.0) : small;
  const double value =
      (middle ? 0.7853981633974483 : 0.0) + eq_product(eq_horner(eq_product(rest, rest), terms, 13), rest);
  return steep ? 1.5707963267948966 - value : value;
}

/* erf(x) for |x| < 1/2. */
EQ_NOINLINE __attribute__((unused)) static double eq_erf_near(double x) {
  static const double terms[] = {1.0,           -1.0 / 3.0,   1.0 / 10.0,     -1.0 / 42.0,   1.0 / 216.0,
                                 -1.0 / 1320.0, 1.0 / 9360.0, -1.0 / 75600.0, 1.0 / 685440.0};
  return eq_product(eq_product(1.1283791670955126, x), eq_horner(eq_product(x, x), terms, 9));
}

EQ_NOINLINE __attribute__((unused)) static double eq_erfc(double x) {
  static const double terms[] = {0.28209479223188116, 0.2820951255499261,   0.24681893196619992,  0.17656374551390697,
                                 0.08106079601874973, 0.013979436193384499, -0.14265052416799223, 0.22605709028957133,
                                 -0.6345283571376744, 1.0024781569584895,   -0.8192534217940011,  0.34630576207992236,
                                 -0.06102416722670303};
  if (x < 0.5) return 1.0 - eq_erf_near(x);
  const double u = 1.0 / (1.0 + eq_product(x, 0.5));
  return eq_product(eq_exp(-eq_product(x, x)), eq_product(eq_horner(u, terms, 13), u));
}

#endif
