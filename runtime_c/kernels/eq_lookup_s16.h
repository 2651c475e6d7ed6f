/*
 * eq_lookup_s16: any function of one int16 value, as a table with straight lines between its entries.
 *
 *     out = t[0] + (((t[1] - t[0])*f + 64) >> 7),   t = table + ((x + 32768) >> 7), f = x & 127
 *
 * Layout  `elements` int16 values in any order. table: 513 int16, the function at x = -32768, -32640 … 32640, 32768.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_LOOKUP_S16_H
#define EQ_LOOKUP_S16_H

#include "eq_lookup_row_s16.h"

typedef struct {
  int32_t elements;
} eq_lookup_s16_t;

EQ_INLINE void eq_lookup_s16(int16_t *out, const int16_t *x, const int16_t *table, const eq_lookup_s16_t *p) {
  eq_lookup_row_s16(out, x, table, p->elements);
}

#endif
