/*
 * The largest of the values of a row that count:
 *
 *   eq_masked_max  the largest x[i] of those i < n whose mask is not 0; -129 where there is none
 *
 * The same function exists for every instruction set.
 *
 * This file: cores with the DSP extension, four values in 7 instructions and the loop: what does not count is -128, and whether
 * anything does is asked of the masks.
 */
#ifndef EQ_MASKED_MAX_H
#define EQ_MASKED_MAX_H

#include <eq_choice.h>

EQ_INLINE int32_t eq_masked_max(const int8_t *x, const int8_t *mask, int32_t n) {
  const uint32_t lowest = 0x80808080u;
  uint32_t any = 0;
  uint32_t best = lowest;
  int32_t max = -129;
  int32_t i = 0;
  EQ_NO_UNROLL
  for (; i + 4 <= n; i += 4) {
    const uint32_t counts = eq_load_word(mask + i);
    any |= counts;
    best = eq_max_bytes(eq_where_word(counts, eq_load_word(x + i), lowest), best);
  }
  if (any != 0) {
    for (int32_t byte = 0; byte < 32; byte += 8) {
      const int32_t value = (int8_t)(best >> byte);
      max = value > max ? value : max;
    }
  }
  for (; i < n; i++) {
    max = mask[i] != 0 && x[i] > max ? x[i] : max;
  }
  return max;
}

#endif
