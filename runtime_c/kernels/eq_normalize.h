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

#include "eq_reduce.h"

typedef struct {
  int32_t rows, length;
  int32_t channels, inner;
  int32_t bytes, in_zero, centred;
  int32_t raised, epsilon_high, epsilon_low, bits;
  int32_t shift, clamp_min, clamp_max;
} eq_normalize_t;

/* min(2^61 / r, 2^31-1) for 2^30 <= r < 2^31: 31 bits behind 2^30 / r, one at a time. */
EQ_INLINE int32_t eq_normalize_inverse(uint32_t r) {
  if (r == (uint32_t)1 << 30) {
    return INT32_MAX;
  }
  uint32_t remainder = (uint32_t)1 << 30;
  uint32_t quotient = 0;
  for (int32_t i = 0; i < 31; i++) {
    remainder <<= 1;
    quotient <<= 1;
    if (remainder >= r) {
      remainder -= r;
      quotient |= 1;
    }
  }
  return (int32_t)quotient;
}

/* The row from `start` on. */
EQ_INLINE void eq_normalize_row(void *out, const void *x, const int32_t *scale, const int32_t *offsets, int32_t start,
                                const eq_normalize_t *p) {
  const int32_t sum = eq_total_narrow(x, start, 1, p->length, p->in_zero, 0, p->bytes);
  int64_t spread = eq_total(x, start, 1, p->length, p->in_zero, 2, p->bytes);
  if (p->centred != 0) {
    spread = p->length * spread - (int64_t)sum * sum;
  }
  int32_t inverse = 0;
  int32_t down = 61 - p->raised / 2 - p->bits;
  if (spread != 0) {
    uint64_t weight = ((uint64_t)spread << p->raised) + (uint64_t)eq_wide(p->epsilon_high, p->epsilon_low);
    while (weight < (uint64_t)1 << 60) {
      weight <<= 2;
      down--;
    }
    inverse = eq_normalize_inverse(eq_root(weight));
  }
  int32_t channel = start / p->inner % p->channels;
  int32_t place = start % p->inner;
  for (int32_t i = 0; i < p->length; i++) {
    const int32_t value = eq_load(x, start + i, p->bytes) - p->in_zero;
    const int32_t distance = p->centred != 0 ? p->length * value - sum : value;
    const int32_t h = (int32_t)(((int64_t)distance * inverse + ((int64_t)1 << (down - 1))) >> down);
    const int64_t scaled = (int64_t)h * scale[channel] + eq_wide(offsets[2 * channel], offsets[2 * channel + 1]);
    eq_store(out, start + i, eq_saturated(scaled >> p->shift, 0, p->clamp_min, p->clamp_max), p->bytes);
    place++;
    if (place == p->inner) {
      place = 0;
      channel = channel + 1 == p->channels ? 0 : channel + 1;
    }
  }
}

EQ_INLINE void eq_normalize(void *out, const void *x, const int32_t *scale, const int32_t *offsets,
                            const eq_normalize_t *p) {
  for (int32_t row = 0; row < p->rows; row++) {
    eq_normalize_row(out, x, scale, offsets, row * p->length, p);
  }
}

#endif
