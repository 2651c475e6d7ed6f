/*
 * eq_masked_softmax_s8: softmax along rows over the positions whose mask is not 0; the output has scale 1/256 and zero
 * point -128.
 *
 *     t = table[max - x] where the mask is not 0, else 0; max is that of the positions whose mask is not 0
 *     S = sum of t along the row;   out = min(255, (t*256 + S/2) / S) - 128
 *
 * with divisions of integers. A row whose mask is 0 everywhere has t = 2^23 everywhere.
 *
 * Layout  `rows` rows of `length` int8, dense. mask: `period` rows of `length` bytes; row r of x has the mask's row
 *         r / repeat % period. table: 256 uint32, table[d] = round(2^23 * exp(-scale * d)).
 * Ranges  length, repeat, period >= 1. S >= 2^23. As in eq_softmax_s8, the division is of 32 bits: S > 2^32 makes every
 *         output -128, and S = 2^32 gives the same outputs as 2^32 - 1.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_MASKED_SOFTMAX_S8_H
#define EQ_MASKED_SOFTMAX_S8_H

#include "eq_common.h"
#include "eq_masked_max.h"

typedef struct {
  int32_t rows, length;
  int32_t repeat, period;
} eq_masked_softmax_s8_t;

/* S of one row, 0 where it exceeds 2^32. */
EQ_INLINE uint32_t eq_masked_softmax_s8_sum(const int8_t *x, const int8_t *mask, int32_t max, const uint32_t *table,
                                            int32_t length) {
  if (length <= 511) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < length; i++) {
      sum += mask[i] != 0 ? table[max - x[i]] : 0;
    }
    return sum;
  }
  uint64_t sum = 0;
  for (int32_t i = 0; i < length; i++) {
    sum += mask[i] != 0 ? table[max - x[i]] : 0;
  }
  if (sum > (uint64_t)1 << 32) {
    return 0;
  }
  return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

EQ_INLINE void eq_masked_softmax_s8(int8_t *out, const int8_t *x, const int8_t *mask, const uint32_t *table,
                                    const eq_masked_softmax_s8_t *p) {
  for (int32_t row = 0; row < p->rows; row++) {
    const int8_t *of_row = mask + row / p->repeat % p->period * p->length;
    const int32_t max = eq_masked_max(x, of_row, p->length);
    if (max < -128) {
      const uint32_t length = (uint32_t)p->length;
      const uint32_t share = (512u + length) / (2u * length); /* (2^31 + length*2^22) / (length*2^23) */
      for (int32_t i = 0; i < p->length; i++) {
        out[i] = (int8_t)((int32_t)(share > 255 ? 255 : share) - 128);
      }
    } else {
      const uint32_t sum = eq_masked_softmax_s8_sum(x, of_row, max, table, p->length);
      const uint32_t half = sum >> 1;
      for (int32_t i = 0; i < p->length; i++) {
        uint32_t share = 0;
        if (of_row[i] != 0 && sum != 0) {
          share = ((table[max - x[i]] << 8) + half) / sum;
        }
        out[i] = (int8_t)((int32_t)(share > 255 ? 255 : share) - 128);
      }
    }
    x += p->length;
    out += p->length;
  }
}

#endif
