/*
 * Bounds on a run of int8 that is complete: for kernels whose inner loop saturates to int8 and knows no other bounds.
 *   eq_clamp_run   out[i] = lo <= out[i] <= hi for n values at any address; nothing where the bounds are the type's own
 *
 * This file: SSUB8 and SEL on four values at a time, 8 instructions for four.
 */
#ifndef EQ_CLAMP_RUN_H
#define EQ_CLAMP_RUN_H

#include <eq_common.h>
#include <eq_dot.h>

EQ_INLINE void eq_clamp_run(int8_t *out, int32_t n, int32_t lo, int32_t hi) {
  if (lo <= -128 && hi >= 127) {
    return;
  }
  const uint32_t low = (uint32_t)(uint8_t)lo * 0x01010101u;
  const uint32_t high = (uint32_t)(uint8_t)hi * 0x01010101u;
  for (; n > 0 && ((uintptr_t)out & 3) != 0; --n) {
    const int32_t value = *out < lo ? lo : *out;
    *out++ = (int8_t)(value > hi ? hi : value);
  }
  eq_pair_t *words = (eq_pair_t *)(void *)out;
  EQ_NO_UNROLL
  for (; n >= 4; n -= 4) {
    uint32_t t;
    uint32_t word = *words;
    __asm__("ssub8 %1, %0, %2\n\tsel %0, %0, %2\n\tssub8 %1, %3, %0\n\tsel %0, %0, %3"
            : "+r"(word), "=&r"(t)
            : "r"(low), "r"(high)
            : "cc");
    *words++ = word;
  }
  out = (int8_t *)words;
  EQ_NO_UNROLL
  for (; n > 0; --n) {
    const int32_t value = *out < lo ? lo : *out;
    *out++ = (int8_t)(value > hi ? hi : value);
  }
}

#endif
