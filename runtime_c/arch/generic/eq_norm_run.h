/*
 * Elements of a row that is normalized, `n` neighbours from place `at` on:
 *
 *   eq_norm_run  N = factor*x - less;   h = (N*inverse + 2^(down-1)) >> down
 *                out = clamp((h*scale[c] + offset[c]) >> shift, lo, hi), c grows by `step`, 0 or 1, from element to element
 *
 * offset[c] is offsets[2c] * 2^32 + offsets[2c + 1], the latter unsigned. N and h fit int32, |h*scale + offset| < 2^63;
 * 0 <= inverse < 2^31; 2 <= down < 62; 1 <= shift <= 62. x and out are int8 or int16 (`bytes`); out may be exactly x.
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: plain C. Where the shift reaches the upper word of a product, only that word is worked out: on cores with
 * SMMUL and SMLAL 17 instructions for an element of a layer's.
 */
#ifndef EQ_NORM_RUN_H
#define EQ_NORM_RUN_H

#include <eq_element.h>
#include <eq_high.h>
#include <eq_norm.h>
#include <eq_requantize.h>
#include <eq_scaling.h>

EQ_INLINE int64_t eq_norm_scaled(int32_t h, const int32_t *scale, const int32_t *offsets, int32_t channel) {
  const uint64_t offset = ((uint64_t)(uint32_t)offsets[2 * channel] << 32) | (uint32_t)offsets[2 * channel + 1];
  return (int64_t)offset + (int64_t)h * scale[channel];
}

EQ_INLINE void eq_norm_run(void *out, const void *x, int32_t at, int32_t n, const int32_t *scale,
                           const int32_t *offsets, const eq_norm_t *p) {
  const int32_t raised = eq_norm_raised(p);
  const int32_t shift = p->shift;
  const int32_t lo = p->lo;
  const int32_t hi = p->hi;
  const int32_t bytes = p->bytes;
  const int32_t step = p->step;
  if (raised >= 0 && shift >= 32) {
    const int32_t left = p->down + raised - 33;
    const int32_t half = (int32_t)1 << left;
    /* (factor*x - less) << raised, raised in both */
    const int32_t factor = eq_in_register(eq_shift_left(p->factor, raised));
    const int32_t start = eq_in_register(eq_shift_left(-p->less, raised));
    const int32_t inverse = p->inverse;
    EQ_NO_UNROLL
    for (int32_t i = 0; i < n; i++) {
      const int32_t distance = eq_multiply_add(start, eq_load(x, at + i, bytes), factor);
      const int32_t h = (eq_high_product(distance, inverse) + half) >> (left + 1);
      const int32_t y = (int32_t)(eq_norm_scaled(h, scale, offsets, 0) >> 32) >> (shift - 32);
      eq_store(out, at + i, eq_clamp(y, lo, hi), bytes);
      scale += step;
      offsets += 2 * step;
    }
    return;
  }
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i++) {
    const int64_t distance = eq_multiply_add(-p->less, eq_load(x, at + i, bytes), p->factor);
    const int32_t h = (int32_t)((distance * p->inverse + ((int64_t)1 << (p->down - 1))) >> p->down);
    const int64_t y = eq_norm_scaled(h, scale, offsets, step * i) >> shift;
    eq_store(out, at + i, y < lo ? lo : y > hi ? hi : (int32_t)y, bytes);
  }
}

#endif
