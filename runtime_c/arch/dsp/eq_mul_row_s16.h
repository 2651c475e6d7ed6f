/*
 * A row of products of int16 values:
 *
 *   eq_mul_row_s16  out[i] = clamp(requantize(a[i] * b[i*b_step]), lo, hi)
 *
 * requantize as eq_requantize.h defines it, with its ranges and zero point 0; -32768 <= lo <= hi <= 32767; b_step is 1, or 0
 * where one value serves all.
 * Aliasing: out may be exactly a or exactly b; it must not overlap them otherwise.
 *
 * This file: cores with the DSP extension: pairs of values, eight a step where all addresses are multiples of 4.
 */
#ifndef EQ_MUL_ROW_S16_H
#define EQ_MUL_ROW_S16_H

#include <eq_scaling.h>

typedef struct {
  uint32_t low;
  uint32_t high;
} __attribute__((may_alias)) eq_four_s16_t;

EQ_INLINE int32_t eq_bottom_product(uint32_t a, uint32_t b) {
  int32_t product;
  __asm__("smulbb %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
  return product;
}

EQ_INLINE int32_t eq_top_product(uint32_t a, uint32_t b) {
  int32_t product;
  __asm__("smultt %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
  return product;
}

EQ_INLINE int32_t eq_scaled_product(int32_t product, const eq_scaling_t *s) {
  return eq_clamp(eq_requantize(product, s->multiplier, s->shift, 0), s->lo, s->hi);
}

EQ_INLINE uint32_t eq_mul_pair_s16(uint32_t a, uint32_t b, const eq_scaling_t *s) {
  const int32_t bottom = eq_scaled_product(eq_bottom_product(a, b), s);
  const int32_t top = eq_scaled_product(eq_top_product(a, b), s);
  uint32_t pair;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(bottom), "r"(top));
  return pair;
}

/* All addresses are multiples of 4: LDRD and STRD. */
EQ_INLINE void eq_mul_four_s16(int16_t *out, const int16_t *a, const int16_t *b, const eq_scaling_t *s) {
  const eq_four_s16_t left = *(const eq_four_s16_t *)(const void *)a;
  const eq_four_s16_t right = *(const eq_four_s16_t *)(const void *)b;
  const eq_four_s16_t four = {eq_mul_pair_s16(left.low, right.low, s), eq_mul_pair_s16(left.high, right.high, s)};
  *(eq_four_s16_t *)(void *)out = four;
}

EQ_INLINE void eq_mul_row_s16(int16_t *out, const int16_t *a, const int16_t *b, int32_t b_step, int32_t n,
                              eq_scaling_t s) {
  s.multiplier = eq_in_register(s.multiplier);
  if (b_step == 1 && (((uintptr_t)out | (uintptr_t)a | (uintptr_t)b) & 3) == 0) {
    EQ_NO_UNROLL
    for (; n >= 8; n -= 8) {
      eq_mul_four_s16(out, a, b, &s);
      eq_mul_four_s16(out + 4, a + 4, b + 4, &s);
      a += 8;
      b += 8;
      out += 8;
    }
  }
  EQ_NO_UNROLL
  for (; n > 0; n--) {
    *out++ = (int16_t)eq_scaled_product(*a++ * *b, &s);
    b += b_step;
  }
}

#endif
