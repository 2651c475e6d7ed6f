/*
 * One channel of a sequence against a filter: the core of a depthwise convolution along one axis.
 *   eq_sequence_spread   two values of four channels into the planes of these channels, as pairs of int16
 *   eq_sequence_four     four sums of neighbouring windows
 *
 * Weights are int8, per four places in the order 0 2 1 3, so that SXTB16 makes pairs of neighbours. Windows that lie side by
 * side share most of what they load: 17 instructions for the 16 products of four places, 2 for the loop. Pairs are loaded
 * from any even address; where the compiler may not (-mno-unaligned-access), plain C takes the place of the assembly.
 */
#ifndef EQ_SEQUENCE_H
#define EQ_SEQUENCE_H

#include <eq_common.h>
#include <eq_dot.h>

/* The planes are `apart` words apart. */
EQ_INLINE void eq_sequence_spread(eq_pair_t *to, int32_t apart, uint32_t first, uint32_t second) {
  const uint32_t even0 = eq_even_bytes(first);
  const uint32_t odd0 = eq_odd_bytes(first);
  const uint32_t even1 = eq_even_bytes(second);
  const uint32_t odd1 = eq_odd_bytes(second);
  uint32_t pairs[4];
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pairs[0]) : "r"(even0), "r"(even1));
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pairs[1]) : "r"(odd0), "r"(odd1));
  __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(pairs[2]) : "r"(even0), "r"(even1));
  __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(pairs[3]) : "r"(odd0), "r"(odd1));
  to[0] = pairs[0];
  to[apart] = pairs[1];
  to[2 * apart] = pairs[2];
  to[3 * apart] = pairs[3];
}

/* sums[i] += the window at x + i, for `places` weights, a multiple of 4, at least 4. */
EQ_INLINE void eq_sequence_four(int32_t sums[4], const int16_t *x, const int8_t *weights, int32_t places) {
#if defined(__ARM_FEATURE_UNALIGNED)
  const int8_t *const end = weights + places;
  int32_t s0 = sums[0];
  int32_t s1 = sums[1];
  int32_t s2 = sums[2];
  int32_t s3 = sums[3];
  uint32_t even;
  uint32_t odd;
  uint32_t t;
  __asm__ volatile(
      "1:\n\t"
      "ldr %[odd], [%[w]], #4\n\t"
      "sxtb16 %[even], %[odd]\n\t"
      "sxtb16 %[odd], %[odd], ror #8\n\t"
      "ldr %[t], [%[x]]\n\t"
      "smlad %[s0], %[even], %[t], %[s0]\n\t"
      "ldr %[t], [%[x], #2]\n\t"
      "smlad %[s1], %[even], %[t], %[s1]\n\t"
      "ldr %[t], [%[x], #4]\n\t"
      "smlad %[s2], %[even], %[t], %[s2]\n\t"
      "smlad %[s0], %[odd], %[t], %[s0]\n\t"
      "ldr %[t], [%[x], #6]\n\t"
      "smlad %[s3], %[even], %[t], %[s3]\n\t"
      "smlad %[s1], %[odd], %[t], %[s1]\n\t"
      "ldr %[t], [%[x], #8]!\n\t"
      "smlad %[s2], %[odd], %[t], %[s2]\n\t"
      "ldr %[t], [%[x], #2]\n\t"
      "smlad %[s3], %[odd], %[t], %[s3]\n\t"
      "cmp %[w], %[end]\n\t"
      "bne 1b"
      : [s0] "+&r"(s0), [s1] "+&r"(s1), [s2] "+&r"(s2), [s3] "+&r"(s3), [x] "+&r"(x), [w] "+&r"(weights),
        [even] "=&r"(even), [odd] "=&r"(odd), [t] "=&r"(t)
      : [end] "r"(end)
      : "cc", "memory");
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
#else
  for (int32_t place = 0; place < places; ++place) {
    const int32_t w = weights[(place & ~3) + ((place & 1) << 1) + ((place >> 1) & 1)];
    for (int32_t i = 0; i < 4; ++i) {
      sums[i] += w * x[place + i];
    }
  }
#endif
}

#endif
