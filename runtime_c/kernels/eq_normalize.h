/*
 * eq_normalize: rows less their mean over their deviation, or over their norm, scaled and shifted.
 *
 *     v = x - in_zero;   S1 = sum of v, S2 = sum of v*v along a row
 *     centred = 1: V = length*S2 - S1*S1, N = length*v - S1;   centred = 0: V = S2, N = v
 *     W = V*2^raised + epsilon;   r = integer part of sqrt(W*4^t), 2^60 <= W*4^t < 2^62;   i = min(2^61 / r, 2^31-1)
 *     h = (N*i + 2^(s-1)) >> s, s = 61 - t - raised/2 - bits;   h = 0 where V = 0
 *     out = clamp((h*scale[c] + offset[c]) >> shift, clamp_min, clamp_max)
 *
 * with floor shifts and a division rounded down. c is the channel of the element: runs of `inner` elements share one,
 * `channels` runs follow one another, and then again. epsilon is epsilon_high * 2^32 + epsilon_low, the latter unsigned.
 *
 * Layout  x, out: rows x length, of `bytes` bytes an element: int8 or int16. scale: channels int32.
 *         offsets: for each channel the upper, signed and the lower, unsigned half of its offset.
 * Ranges  length*|v| < 2^31, W < 2^62, |h*scale + offset| < 2^63; raised is even, at most 16; 1 <= bits <= 29, so that
 *         2 <= s < 62; 1 <= shift <= 62. The bounds of the clamp are of the type.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_NORMALIZE_H
#define EQ_NORMALIZE_H

#include "eq_norm_run.h"
#include "eq_norm_sums.h"
#include "eq_reduce.h"

typedef struct {
  int32_t rows, length;
  int32_t channels, inner;
  int32_t bytes, in_zero, centred;
  int32_t raised, epsilon_high, epsilon_low, bits;
  int32_t shift, clamp_min, clamp_max;
} eq_normalize_t;

/* One digit of 16 bits of (rest * 2^16) / divisor, which is below 2^16; the divisor has its highest bit set. */
EQ_INLINE uint32_t eq_normalize_digit(uint32_t rest, uint32_t divisor) {
  const uint32_t upper = divisor >> 16;
  const uint32_t lower = divisor & 0xffff;
  uint32_t digit = rest / upper;
  uint32_t left = rest - digit * upper;
  /* At most twice (Knuth, The Art of Computer Programming, 4.3.1, theorem B). */
  while (left < 0x10000 && (digit > 0xffff || digit * lower > left << 16)) {
    digit--;
    left += upper;
  }
  return digit;
}

/* min(2^61 / r, 2^31-1) for 2^30 <= r < 2^31: 2^62 / 2r, in two digits. */
EQ_INLINE int32_t eq_normalize_inverse(uint32_t r) {
  if (r == (uint32_t)1 << 30) {
    return INT32_MAX;
  }
  const uint32_t divisor = r << 1;
  const uint32_t first = eq_normalize_digit((uint32_t)1 << 30, divisor);
  return (int32_t)((first << 16) + eq_normalize_digit(((uint32_t)1 << 30 << 16) - first * divisor, divisor));
}

/* How many bits a number has, which is not 0. */
EQ_INLINE int32_t eq_normalize_length(uint64_t number) {
  const uint32_t upper = (uint32_t)(number >> 32);
  return upper != 0 ? 64 - __builtin_clz(upper) : 32 - __builtin_clz((uint32_t)number);
}

/* The row from `start` on. */
EQ_INLINE void eq_normalize_row(void *out, const void *x, const int32_t *scale, const int32_t *offsets, int32_t start,
                                const eq_normalize_t *p) {
  int64_t spread;
  const int32_t sum = eq_norm_sums(&spread, x, start, p->length, p->in_zero, p->bytes);
  if (p->centred != 0) {
    spread = p->length * spread - (int64_t)sum * sum;
  }
  int32_t inverse = 0;
  int32_t down = 61 - p->raised / 2 - p->bits;
  if (spread != 0) {
    uint64_t weight = ((uint64_t)spread << p->raised) + (uint64_t)eq_wide(p->epsilon_high, p->epsilon_low);
    const int32_t up = (62 - eq_normalize_length(weight)) / 2;
    weight <<= 2 * up;
    down -= up;
    inverse = eq_normalize_inverse(eq_root(weight));
  }
  const int32_t factor = p->centred != 0 ? p->length : 1;
  const eq_norm_t norm = {factor,      factor * p->in_zero + (p->centred != 0 ? sum : 0),
                          inverse,     down,
                          p->bytes,    p->inner == 1,
                          p->shift,    p->clamp_min,
                          p->clamp_max};
  const int32_t run = p->inner == 1 ? p->channels : p->inner;
  EQ_NO_UNROLL
  for (int32_t at = start; at < start + p->length;) {
    const int32_t place = at % run;
    const int32_t channel = p->inner == 1 ? place : at / p->inner % p->channels;
    const int32_t left = start + p->length - at;
    const int32_t n = run - place < left ? run - place : left;
    eq_norm_run(out, x, at, n, scale + channel, offsets + 2 * channel, &norm);
    at += n;
  }
}

EQ_INLINE void eq_normalize(void *out, const void *x, const int32_t *scale, const int32_t *offsets,
                            const eq_normalize_t *p) {
  for (int32_t row = 0; row < p->rows; row++) {
    eq_normalize_row(out, x, scale, offsets, row * p->length, p);
  }
}

#endif
