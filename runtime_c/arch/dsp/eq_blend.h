/*
 * Between four rows of int8, what linear interpolation of an image makes of the channels of a pixel:
 *
 *   eq_blend_row  out[i] = (sum over j of weights[j]*x[j][i] + 2^(2*bits-1)) >> 2*bits for i < n, with a floor shift;
 *                 bits = 0 adds nothing
 *
 * The weights are 0 … 2^(2*bits), their sum is 2^(2*bits); 0 <= bits <= 11. No row overlaps out.
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: cores with the DSP extension. Up to 4 bits sums fit 16 bits, and those of two channels are one word: a multiple of
 * it is one of both. 31 instructions for four channels, and 4 for the loop.
 */
#ifndef EQ_BLEND_H
#define EQ_BLEND_H

#include <eq_dot.h>
#include <eq_unroll.h>

EQ_INLINE int32_t eq_blend_one(const int8_t *const x[4], const int32_t weights[4], int32_t i, int32_t bits) {
  const int32_t sum = x[0][i] * weights[0] + x[1][i] * weights[1] + x[2][i] * weights[2] + x[3][i] * weights[3];
  return (sum + ((1 << 2 * bits) >> 1)) >> 2 * bits;
}

/* Bytes 0 and 2 of a word as halfwords, not sign-extended. */
EQ_INLINE uint32_t eq_blend_even(uint32_t word) {
  uint32_t pair;
  __asm__("uxtb16 %0, %1" : "=r"(pair) : "r"(word));
  return pair;
}

EQ_INLINE uint32_t eq_blend_odd(uint32_t word) {
  uint32_t pair;
  __asm__("uxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
  return pair;
}

/* Values count from -128 on, so that neither half of a sum borrows from the other: 255 * 2^8 + 2^7 < 2^16. */
EQ_INLINE void eq_blend_four(int8_t *out, const int8_t *const x[4], const int32_t weights[4], int32_t i, int32_t bits) {
  const uint32_t mask = 0x00ff00ff;
  const uint32_t start = ((1u << 2 * bits) >> 1) * 0x10001u;
  uint32_t even = start;
  uint32_t odd = start;
  EQ_UNROLL_4
  for (int32_t j = 0; j < 4; j++) {
    const uint32_t word = eq_load_word(x[j] + i) ^ 0x80808080u;
    even += eq_blend_even(word) * (uint32_t)weights[j];
    odd += eq_blend_odd(word) * (uint32_t)weights[j];
  }
  const uint32_t found = ((even >> 2 * bits) & mask) | ((odd >> 2 * bits) & mask) << 8;
  *(eq_word_t *)(void *)(out + i) = found ^ 0x80808080u;
}

EQ_INLINE void eq_blend_row(int8_t *out, const int8_t *const x[4], const int32_t weights[4], int32_t n, int32_t bits) {
  int32_t i = 0;
  if (bits <= 4) {
    EQ_NO_UNROLL
    for (; i + 4 <= n; i += 4) {
      eq_blend_four(out, x, weights, i, bits);
    }
  }
  EQ_NO_UNROLL
  for (; i < n; i++) {
    out[i] = (int8_t)eq_blend_one(x, weights, i, bits);
  }
}

#endif
