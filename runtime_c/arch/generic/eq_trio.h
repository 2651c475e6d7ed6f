/*
 * Three pixels in two words against panels of four output channels: a convolution of sums of 21 bits.
 *
 * A *column* is the input windows of three output pixels, value by value: x0 + 2^21 x1 and x2 + 2^10 x1, modulo 2^32. Two
 * products with a weight are then three, and their sums P0 + 2^21 P1 and P2 + 2^10 P1 hold three sums of 21 bits: the
 * first gives P0 and the lower 11 bits of P1, and without those the second gives P2 and the upper ones. That is exact as
 * long as -2^20 <= P < 2^20 at the end. Places come in segments, after each of which the sums are taken apart and added up:
 * `first` places, the bias among their sums, then `segment` ones as often as it takes to be `depth`.
 *   EQ_TRIO_PIXELS     three
 *   EQ_TRIO_SPARE      bytes beside the 8 that each place takes
 *   eq_trio_begin      before the first values of a column
 *   eq_trio_pack       n >= 1 values of each of three pixels, at any addresses, to places `at` ...; places rise
 *   eq_trio_multiply   all channels of the first `count` pixels; results saturate to int8
 *   eq_trio_stream     bytes of the weights of so many channels
 *
 * Layout    weights are one stream, 4-byte aligned: for each four channels four words b + 2^21 b and four b + 2^10 b of their
 *           biases b, for each place four weights, then four multipliers; int32 little-endian; zeros for channels that
 *           fill the last panel up.
 * Ranges    sums of a segment from -2^20 to 2^20 - 1, of all of them in int32; segment a multiple of 8; no left shift of the
 *           accumulator; ARMv6-M: |acc * multiplier| < 2^47 - 2^40, depth at most first + 7 * segment. The results of a call
 *           are stored when its column is complete.
 *
 * This file: plain C.
 */
#ifndef EQ_TRIO_H
#define EQ_TRIO_H

#include <eq_common.h>
#include <eq_requantize.h>

#define EQ_TRIO_PIXELS 3
#define EQ_TRIO_SPARE 0

typedef uint32_t __attribute__((may_alias)) eq_trio_word_t;

EQ_INLINE int32_t eq_trio_stream(int32_t channels, int32_t depth) { return ((channels + 3) >> 2) * (48 + 4 * depth); }

EQ_INLINE void eq_trio_begin(void *columns) { (void)columns; }

EQ_INLINE void eq_trio_pack(void *columns, int32_t at, const int8_t *a, const int8_t *b, const int8_t *c, int32_t n) {
  eq_trio_word_t *to = (eq_trio_word_t *)columns + 2 * at;
  for (int32_t i = 0; i < n; ++i) {
    to[2 * i] = (uint32_t)a[i] + ((uint32_t)b[i] << 21);
    to[2 * i + 1] = (uint32_t)c[i] + ((uint32_t)b[i] << 10);
  }
}

EQ_INLINE uint32_t eq_trio_number(const int8_t *bytes) {
  uint32_t value = 0;
  for (int32_t i = 3; i >= 0; --i) {
    value = value << 8 | (uint8_t)bytes[i];
  }
  return value;
}

/* The lowest 21 bits with their sign. */
EQ_INLINE int32_t eq_trio_field(uint32_t word) { return (int32_t)(word << 11) >> 11; }

/* What n places add to the sums of a channel, whose weights are 4 bytes apart; they begin with two words. */
EQ_INLINE void eq_trio_add(int32_t sums[EQ_TRIO_PIXELS], uint32_t first, uint32_t second, const eq_trio_word_t *x,
                           const int8_t *w, int32_t n) {
  for (int32_t k = 0; k < n; ++k) {
    first += (uint32_t)w[4 * k] * x[2 * k];
    second += (uint32_t)w[4 * k] * x[2 * k + 1];
  }
  const int32_t field = eq_trio_field(first);
  const int32_t low = (int32_t)(first - (uint32_t)field);
  sums[0] += field;
  second -= (uint32_t)(low >> 11);
  const int32_t other = eq_trio_field(second);
  sums[2] += other;
  sums[1] += (low >> 21) + ((int32_t)(second - (uint32_t)other) >> 10);
}

EQ_INLINE void eq_trio_multiply(int8_t *out, int32_t apart, int32_t count, void *columns, const int8_t *weights,
                                int32_t depth, int32_t first, int32_t segment, int32_t channels, int32_t out_zero) {
  const eq_trio_word_t *const x = (const eq_trio_word_t *)columns;
  const int8_t *w = weights;
  for (int32_t c = 0; c < channels; c += 4) {
    for (int32_t i = 0; i < 4 && c + i < channels; ++i) {
      const int32_t multiplier = (int32_t)eq_trio_number(w + 32 + 4 * (depth + i));
      int32_t sums[EQ_TRIO_PIXELS] = {0, 0, 0};
      eq_trio_add(sums, eq_trio_number(w + 4 * i), eq_trio_number(w + 16 + 4 * i), x, w + 32 + i, first);
      for (int32_t k = first; k < depth; k += segment) {
        eq_trio_add(sums, 0, 0, x + 2 * k, w + 32 + 4 * k + i, segment);
      }
      for (int32_t pixel = 0; pixel < count; ++pixel) {
        out[pixel * apart + c + i] = (int8_t)eq_saturate_s8(eq_requantize(sums[pixel], multiplier, 0, out_zero));
      }
    }
    w += 48 + 4 * depth;
  }
}

#endif
