/*
 * eq_lookup_s8: any function of one int8 value, as a table.
 *
 *     out = table[(uint8_t)x]
 *
 * Layout  `elements` int8 values in any order. table: 256 int8, indexed by x modulo 256: entries 0..127 belong to
 *         x = 0..127, entries 128..255 to x = -128..-1.
 * Aliasing  out may be exactly x; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_LOOKUP_S8_H
#define EQ_LOOKUP_S8_H

#include "eq_common.h"
#include "eq_elementwise.h"

typedef struct {
  int32_t elements;
} eq_lookup_s8_t;

EQ_INLINE void eq_lookup_s8(int8_t *out, const int8_t *x, const int8_t *table, const eq_lookup_s8_t *p) {
  eq_lookup_row(out, x, table, p->elements);
}

#endif
