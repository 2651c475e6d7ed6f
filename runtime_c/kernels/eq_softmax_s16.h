/*
 * eq_softmax_s16: softmax of int16 along rows, mode "highmul"; the output has scale 1/32768 and zero point 0.
 *
 *     d = max - x;   e = (table[d >> 8]*table[256 + (d & 255)] + 2^15) >> 16;   S = sum of e along the row;
 *     out = min(32767, (e*2^15 + S/2) / S)
 *
 * with divisions of integers.
 *
 * Layout  `rows` rows of `length` int16, dense. table: 512 uint16, with s the scale of x and i = 0 … 255:
 *         table[i] = round((2^16-1) * exp(-s*256*i)), table[256 + i] = round((2^16-1) * exp(-s*i)).
 * Ranges  1 <= length <= 65536. The first entries are 2^16-1, so e <= 2^16-2 and 2^16-2 <= S < 2^32; e*2^15 + S/2 < 2^32.
 * Aliasing  out may be exactly x; otherwise no overlap. Until the sum is known, out holds e.
 * Scratch none.
 */
#ifndef EQ_SOFTMAX_S16_H
#define EQ_SOFTMAX_S16_H

#include "eq_common.h"

typedef struct {
  int32_t rows, length;
} eq_softmax_s16_t;

EQ_INLINE void eq_softmax_s16(int16_t *out, const int16_t *x, const uint16_t *table, const eq_softmax_s16_t *p) {
  for (int32_t row = 0; row < p->rows; row++) {
    int32_t max = x[0];
    for (int32_t i = 1; i < p->length; i++) {
      max = x[i] > max ? x[i] : max;
    }
    uint32_t sum = 0;
    for (int32_t i = 0; i < p->length; i++) {
      const uint32_t d = (uint32_t)(max - x[i]);
      const uint32_t e = ((uint32_t)table[d >> 8] * table[256 + (d & 255)] + 0x8000u) >> 16;
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
