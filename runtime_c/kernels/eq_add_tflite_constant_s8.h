/*
 * eq_add_tflite_constant_s8: eq_add_tflite_s8 with a constant operand.
 *
 * a is the activation, whichever side of the operator it stands on; b is p->constant. Formula, layout and ranges are
 * those of eq_add_tflite_s8, whose record it shares.
 * Aliasing  out may be exactly a where a is not broadcast; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_ADD_TFLITE_CONSTANT_S8_H
#define EQ_ADD_TFLITE_CONSTANT_S8_H

#include "eq_add_tflite_s8.h"
#include "eq_common.h"

EQ_INLINE void eq_add_tflite_constant_s8(int8_t *out, const int8_t *a, const eq_add_tflite_s8_t *p) {
  eq_add_tflite_s8(out, a, p->constant, p);
}

#endif
