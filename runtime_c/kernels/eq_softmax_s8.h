/*
 * eq_softmax_s8: softmax along rows, mode "highmul"; the output has scale 1/256 and zero point -128.
 *
 *     t = table[max - x];   S = sum of t along the row;   out = min(255, (t*256 + S/2) / S) - 128
 *
 * with divisions of integers.
 *
 * Layout  `rows` rows of `length` int8, dense. table: 256 uint32, table[d] = round(2^23 * exp(-scale * d)), so the
 *         first entry is 2^23.
 * Ranges  length >= 1. S >= 2^23, so nothing divides by zero; t*256 <= 2^31. S needs more than 32 bits only where
 *         length > 511. There S > 2^32 makes every output -128 (t*256 < S/2), and S = 2^32 gives the same outputs as
 *         2^32 - 1; so the division is always of 32 bits, with S <= 2^32 - 1 and t*256 + S/2 <= 2^31 + 2^31 - 1.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_SOFTMAX_S8_H
#define EQ_SOFTMAX_S8_H

#include "eq_common.h"

typedef struct {
  int32_t rows, length;
} eq_softmax_s8_t;

/* S of one row as above, 0 where it exceeds 2^32. */
EQ_INLINE uint32_t eq_softmax_s8_sum(const int8_t *x, int32_t max, const uint32_t *table, const eq_softmax_s8_t *p) {
  if (p->length <= 511) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < p->length; i++) {
      sum += table[max - x[i]];
    }
    return sum;
  }
  uint64_t sum = 0;
  for (int32_t i = 0; i < p->length; i++) {
    sum += table[max - x[i]];
  }
  if (sum > (uint64_t)1 << 32) {
    return 0;
  }
  return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

EQ_INLINE void eq_softmax_s8(int8_t *out, const int8_t *x, const uint32_t *table, const eq_softmax_s8_t *p) {
  for (int32_t row = 0; row < p->rows; row++) {
    int32_t max = x[0];
    for (int32_t i = 1; i < p->length; i++) {
      max = x[i] > max ? x[i] : max;
    }
    const uint32_t sum = eq_softmax_s8_sum(x, max, table, p);
    const uint32_t half = sum >> 1;
    for (int32_t i = 0; i < p->length; i++) {
      const uint32_t share = sum == 0 ? 0 : ((table[max - x[i]] << 8) + half) / sum;
      out[i] = (int8_t)((int32_t)(share > 255 ? 255 : share) - 128);
    }
    x += p->length;
    out += p->length;
  }
}

#endif
