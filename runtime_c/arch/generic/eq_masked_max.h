/*
 * The largest of the values of a row that count:
 *
 *   eq_masked_max  the largest x[i] of those i < n whose mask is not 0; -129 where there is none
 *
 * The same function exists for every instruction set.
 *
 * This file: plain C.
 */
#ifndef EQ_MASKED_MAX_H
#define EQ_MASKED_MAX_H

#include <eq_common.h>

EQ_INLINE int32_t eq_masked_max(const int8_t *x, const int8_t *mask, int32_t n) {
  int32_t max = -129;
  for (int32_t i = 0; i < n; i++) {
    max = mask[i] != 0 && x[i] > max ? x[i] : max;
  }
  return max;
}

#endif
