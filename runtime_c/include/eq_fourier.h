/*
 * The transform of one real frame of N = 2*C samples, in place: z holds C complex numbers, real part first.
 *
 *   eq_fourier_load       z[reversed n] = v[2n] + i*v[2n+1], v[n] = ((x[start + n] - zero) * window[n]) >> 16, zeros behind
 *                         the window; gives b, so that all v lie in [-2^b, 2^b)
 *   eq_fourier_transform  Z of z*2^up, up = 25 - b; every stage halves its operands, rounding down
 *   eq_fourier_split      from Z the frequencies X[k] and X[C-k] for from <= k <= to, with X[C] in z[2C] and z[2C+1]
 *
 * The result is the transform of x*w times 2^(up - stages - 1), stages = (bits + 1) / 2, bits = log2(C).
 *
 * Products  (a*w) >> 32 for twiddle factors w of 31 bits; a turn by 0 halves. twiddles[2j], [2j+1]: cos and sin of
 *           2*pi*j/N for 0 <= j < 3N/4.
 * Stages    radix 4, the second and third of four operands exchanged, since indices have their bits reversed; one of
 *           radix 2 in front where bits is odd.
 * Ranges    16 <= N <= 4096, where nothing leaves int32; 0 <= from <= to <= C/2.
 */
#ifndef EQ_FOURIER_H
#define EQ_FOURIER_H

#include <eq_element.h>
#include <eq_high.h>
#include <eq_reverse.h>

typedef struct {
  int32_t re, im;
} eq_complex_t;

EQ_INLINE eq_complex_t eq_complex_plus(eq_complex_t a, eq_complex_t b) {
  const eq_complex_t sum = {a.re + b.re, a.im + b.im};
  return sum;
}

EQ_INLINE eq_complex_t eq_complex_minus(eq_complex_t a, eq_complex_t b) {
  const eq_complex_t difference = {a.re - b.re, a.im - b.im};
  return difference;
}

/* a*(c - i*s) / 2 */
EQ_INLINE eq_complex_t eq_complex_turned(const int32_t *a, const int32_t *twiddle) {
  const int32_t c = twiddle[0];
  const int32_t s = twiddle[1];
  const eq_complex_t turned = {eq_high_add(eq_high_product(a[0], c), a[1], s),
                               eq_high_product(a[1], c) - eq_high_product(a[0], s)};
  return turned;
}

EQ_INLINE eq_complex_t eq_complex_halved(const int32_t *a) {
  const eq_complex_t half = {a[0] >> 1, a[1] >> 1};
  return half;
}

/* a*2^left, or rounded down a*2^-right */
EQ_INLINE eq_complex_t eq_complex_shifted(const int32_t *a, int32_t left, int32_t right) {
  const eq_complex_t moved = {eq_shift_left(a[0] >> right, left), eq_shift_left(a[1] >> right, left)};
  return moved;
}

EQ_INLINE void eq_complex_store(int32_t *z, eq_complex_t value) {
  z[0] = value.re;
  z[1] = value.im;
}

EQ_INLINE int32_t eq_fourier_load(int32_t *z, const void *x, int32_t start, int32_t zero, int32_t bytes,
                                  const int32_t *window, int32_t samples, int32_t bits) {
  const int32_t filled = (samples + 1) / 2;
  const int32_t count = (int32_t)1 << bits;
  uint32_t all = 0;
  EQ_NO_UNROLL
  for (int32_t n = 0; n < filled; n++) {
    const int32_t at_n = start + 2 * n;
    const int32_t re = eq_high_narrow(window[2 * n], eq_load(x, at_n, bytes) - zero);
    const int32_t im = 2 * n + 1 < samples ? eq_high_narrow(window[2 * n + 1], eq_load(x, at_n + 1, bytes) - zero) : 0;
    int32_t *at = z + 2 * eq_reverse(n, bits);
    at[0] = re;
    at[1] = im;
    all |= (uint32_t)(re ^ (re >> 31)) | (uint32_t)(im ^ (im >> 31));
  }
  EQ_NO_UNROLL
  for (int32_t n = filled; n < count; n++) {
    int32_t *at = z + 2 * eq_reverse(n, bits);
    at[0] = 0;
    at[1] = 0;
  }
  return all == 0 ? 0 : 32 - __builtin_clz(all);
}

/* A butterfly of four operands, which lie in the order a, c, b, d; the later two are used up first. */
EQ_INLINE void eq_fourier_butterfly(int32_t *z0, int32_t *z1, int32_t *z2, int32_t *z3, eq_complex_t a, eq_complex_t c,
                                    eq_complex_t t2, eq_complex_t t3) {
  const eq_complex_t t0 = eq_complex_plus(a, c);
  const eq_complex_t t1 = eq_complex_minus(a, c);
  eq_complex_store(z0, eq_complex_plus(t0, t2));
  eq_complex_store(z2, eq_complex_minus(t0, t2));
  z1[0] = t1.re + t3.im;
  z1[1] = t1.im - t3.re;
  z3[0] = t1.re - t3.im;
  z3[1] = t1.im + t3.re;
}

/* One stage of radix 4 from transforms of `size` numbers; `turn` is the distance of its twiddle factors. */
EQ_INLINE void eq_fourier_stage(int32_t *z, const int32_t *twiddles, int32_t size, int32_t count, int32_t turn) {
  const int32_t step = 2 * size;
  EQ_NO_UNROLL
  for (int32_t *z0 = z; z0 < z + 2 * count; z0 += 4 * step) {
    int32_t *z1 = z0 + step;
    int32_t *z2 = z1 + step;
    int32_t *z3 = z2 + step;
    const eq_complex_t b = eq_complex_halved(z2);
    const eq_complex_t d = eq_complex_halved(z3);
    eq_fourier_butterfly(z0, z1, z2, z3, eq_complex_halved(z0), eq_complex_halved(z1), eq_complex_plus(b, d),
                         eq_complex_minus(b, d));
  }
  EQ_NO_UNROLL
  for (int32_t base = 0; base < 2 * count; base += 4 * step) {
    int32_t *z0 = z + base;
    const int32_t *twiddle = twiddles;
    EQ_NO_UNROLL
    for (int32_t k = 1; k < size; k++) {
      twiddle += 2 * turn;
      z0 += 2;
      int32_t *z1 = z0 + step;
      int32_t *z2 = z1 + step;
      int32_t *z3 = z2 + step;
      const eq_complex_t d = eq_complex_turned(z3, twiddle + 4 * turn * k);
      const eq_complex_t b = eq_complex_turned(z2, twiddle);
      const eq_complex_t t2 = eq_complex_plus(b, d);
      const eq_complex_t t3 = eq_complex_minus(b, d);
      const eq_complex_t c = eq_complex_turned(z1, twiddle + 2 * turn * k);
      eq_fourier_butterfly(z0, z1, z2, z3, eq_complex_halved(z0), c, t2, t3);
    }
  }
}

EQ_INLINE void eq_fourier_transform(int32_t *z, const int32_t *twiddles, int32_t bits, int32_t up) {
  const int32_t count = (int32_t)1 << bits;
  const int32_t left = up > 1 ? up - 1 : 0;
  const int32_t right = up < 1 ? 1 - up : 0;
  const int32_t first = (bits & 1) != 0 ? 2 : 4;
  EQ_NO_UNROLL
  for (int32_t base = 0; base < 2 * count; base += 2 * first) {
    int32_t *at = z + base;
    const eq_complex_t a = eq_complex_shifted(at, left, right);
    const eq_complex_t c = eq_complex_shifted(at + 2, left, right);
    if (first == 2) {
      eq_complex_store(at, eq_complex_plus(a, c));
      eq_complex_store(at + 2, eq_complex_minus(a, c));
    } else {
      const eq_complex_t b = eq_complex_shifted(at + 4, left, right);
      const eq_complex_t d = eq_complex_shifted(at + 6, left, right);
      eq_fourier_butterfly(at, at + 2, at + 4, at + 6, a, c, eq_complex_plus(b, d), eq_complex_minus(b, d));
    }
  }
  EQ_NO_UNROLL
  for (int32_t size = first; size < count; size *= 4) {
    eq_fourier_stage(z, twiddles, size, count, count / (2 * size));
  }
}

EQ_INLINE void eq_fourier_split(int32_t *z, const int32_t *twiddles, int32_t bits, int32_t from, int32_t to) {
  const int32_t count = (int32_t)1 << bits;
  if (from == 0) {
    const eq_complex_t half = eq_complex_halved(z);
    z[0] = half.re + half.im;
    z[1] = 0;
    z[2 * count] = half.re - half.im;
    z[2 * count + 1] = 0;
    from = 1;
  }
  if (to == count / 2) {
    const eq_complex_t half = eq_complex_halved(z + count);
    z[count] = half.re;
    z[count + 1] = -half.im;
    to--;
  }
  EQ_NO_UNROLL
  for (int32_t k = from; k <= to; k++) {
    int32_t *here = z + 2 * k;
    int32_t *there = z + 2 * (count - k);
    const eq_complex_t a = eq_complex_halved(here);
    const eq_complex_t b = eq_complex_halved(there);
    const int32_t o[2] = {a.re - b.re, a.im + b.im};
    const eq_complex_t turned = eq_complex_turned(o, twiddles + 2 * k);
    const int32_t re = (a.re + b.re) >> 1;
    const int32_t im = (a.im - b.im) >> 1;
    here[0] = re + turned.im;
    here[1] = im - turned.re;
    there[0] = re - turned.im;
    there[1] = -(im + turned.re);
  }
}

#endif
