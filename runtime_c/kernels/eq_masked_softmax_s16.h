/*
 * eq_masked_softmax_s16: softmax of int16 along rows over the positions whose mask is not 0; the output has scale
 * 1/32768 and zero point 0.
 *
 *     d = max - x;   e = (table[d >> 8]*table[256 + (d & 255)] + 2^15) >> 16 where the mask is not 0, else 0; max is
 *     that of the positions whose mask is not 0
 *     S = sum of e along the row;   out = min(32767, (e*2^15 + S/2) / S)
 *
 * with divisions of integers. A row whose mask is 0 everywhere has e = 2^16-2 everywhere.
 *
 * Layout  `rows` rows of `length` int16, dense. mask: `period` rows of `length` bytes; row r of x has the mask's row
 *         r / repeat % period. table: 512 uint16 as in eq_softmax_s16.
 * Ranges  1 <= length <= 65536; repeat, period >= 1; sums as in eq_softmax_s16.
 * Aliasing  out may be exactly x; otherwise no overlap. Until the sum is known, out holds e.
 * Scratch none.
 */
#ifndef EQ_MASKED_SOFTMAX_S16_H
#define EQ_MASKED_SOFTMAX_S16_H

#include "eq_common.h"

typedef struct {
  int32_t rows, length;
  int32_t repeat, period;
} eq_masked_softmax_s16_t;

/* The largest of a row's positions that count, -32769 where none does. */
EQ_INLINE int32_t eq_masked_softmax_s16_max(const int16_t *x, const int8_t *mask, int32_t length) {
  int32_t max = -32769;
  for (int32_t i = 0; i < length; i++) {
    max = mask[i] != 0 && x[i] > max ? x[i] : max;
  }
  return max;
}

EQ_INLINE void eq_masked_softmax_s16(int16_t *out, const int16_t *x, const int8_t *mask, const uint16_t *table,
                                     const eq_masked_softmax_s16_t *p) {
  for (int32_t row = 0; row < p->rows; row++) {
    const int8_t *of_row = mask + row / p->repeat % p->period * p->length;
    const int32_t max = eq_masked_softmax_s16_max(x, of_row, p->length);
    const int32_t none = max < -32768;
    uint32_t sum = 0;
    for (int32_t i = 0; i < p->length; i++) {
      uint32_t e = 0;
      if (none != 0 || of_row[i] != 0) {
        const uint32_t d = none != 0 ? 0 : (uint32_t)(max - x[i]);
        e = ((uint32_t)table[d >> 8] * table[256 + (d & 255)] + 0x8000u) >> 16;
      }
      sum += e;
      out[i] = (int16_t)e;
    }
    const uint32_t half = sum >> 1;
    for (int32_t i = 0; i < p->length; i++) {
      const uint32_t share = (((uint32_t)(uint16_t)out[i] << 15) + half) / sum;
      out[i] = (int16_t)(share > 32767 ? 32767 : share);
    }
    x += p->length;
    out += p->length;
  }
}

#endif
