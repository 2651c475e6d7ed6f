/*
 * eq_pad_s16: a dense block surrounded by a constant of two bytes that differ; eq_pad serves all others. Same record, with
 * all sizes in bytes and `value` as int16.
 *
 * Aliasing  none: out must not overlap x.
 * Scratch none.
 */
#ifndef EQ_PAD_S16_H
#define EQ_PAD_S16_H

#include "eq_pad.h"

EQ_INLINE void eq_pad_s16(void *out, const void *x, const eq_pad_t *p) {
  for (int32_t i = 0; i < p->out_bytes / 2; i++) {
    ((int16_t *)out)[i] = (int16_t)p->value;
  }
  eq_pad_place(out, x, p);
}

#endif
