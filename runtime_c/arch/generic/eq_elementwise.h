/*
 * Rows of elementwise arithmetic on int8. The same functions exist for every instruction set, bit for bit equal:
 *
 *   eq_add_row         out[i] = clamp((a[i]*ma + b[i]*mb + offset) >> shift, lo, hi)
 *   eq_scale_row       out[i] = clamp((a[i]*ma + offset) >> shift, lo, hi)
 *   eq_mul_row         out[i] = clamp(requantize((a[i] - a_zero) * (b[i] - b_zero)), lo, hi)
 *   eq_requantize_row  out[i] = clamp(requantize(x[i]*factor + addend), lo, hi)
 *   eq_lookup_row      out[i] = table[(uint8_t)x[i]]
 *
 * Ranges: -128 <= lo <= hi <= 127; 0 <= shift < 32; the final sum fits int32 (partial sums may wrap, the caller need
 * not care about their order); requantize as eq_requantize.h defines it, with its ranges and its `narrow`.
 * Aliasing: values are read and written in order, so out may be a or b (or x), or overlap them from below. No alignment is
 * required.
 *
 * This file: plain C.
 */
#ifndef EQ_ELEMENTWISE_H
#define EQ_ELEMENTWISE_H

#include <eq_common.h>
#include <eq_scaling.h>
#include <eq_unroll.h>

EQ_INLINE void eq_add_row(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t ma, int32_t mb,
                          int32_t offset, int32_t shift, int32_t lo, int32_t hi) {
  offset = eq_in_register(offset);
  for (int32_t i = 0; i < n; i++) {
    const int32_t half =
        eq_in_register(eq_multiply_add(offset, a[i], ma)); /* keeps two MLA from becoming MUL, MLA, ADD */
    out[i] = (int8_t)eq_clamp(eq_multiply_add(half, b[i], mb) >> shift, lo, hi);
  }
}

EQ_INLINE void eq_scale_row(int8_t *out, const int8_t *a, int32_t n, int32_t ma, int32_t offset, int32_t shift,
                            int32_t lo, int32_t hi) {
  offset = eq_in_register(offset);
  for (int32_t i = 0; i < n; i++) {
    out[i] = (int8_t)eq_clamp(eq_multiply_add(offset, a[i], ma) >> shift, lo, hi);
  }
}

EQ_INLINE void eq_mul_row(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t a_zero, int32_t b_zero,
                          eq_scaling_t scaling) {
  scaling.multiplier = eq_in_register(scaling.multiplier);
  for (int32_t i = 0; i < n; i++) {
    out[i] = (int8_t)eq_scaled((a[i] - a_zero) * (b[i] - b_zero), &scaling);
  }
}

EQ_INLINE void eq_requantize_row(int8_t *out, const int8_t *x, int32_t n, int32_t factor, int32_t addend,
                                 eq_scaling_t scaling) {
  /* The left shift of the accumulator goes into factor and addend: (x*f + a) << s = x*(f << s) + (a << s). */
  factor = eq_in_register(eq_shift_left(factor, scaling.shift));
  addend = eq_in_register(eq_shift_left(addend, scaling.shift));
  scaling = eq_fold_shift(scaling);
  for (int32_t i = 0; i < n; i++) {
    out[i] = (int8_t)eq_scaled(eq_multiply_add(addend, x[i], factor), &scaling);
  }
}

EQ_INLINE void eq_lookup_row(int8_t *out, const int8_t *x, const int8_t *table, int32_t n) {
  for (; n >= 4; n -= 4) {
    EQ_UNROLL_4
    for (int32_t i = 0; i < 4; i++) {
      out[i] = table[(uint8_t)x[i]];
    }
    x += 4;
    out += 4;
  }
  for (; n > 0; n--) {
    *out++ = table[(uint8_t)*x++];
  }
}

#endif
