/*
 * Elements of int8 or int16, by their size in bytes, which is a constant where speed counts.
 *
 *   eq_load   x[index] as int32
 *   eq_store  out[index] = value, which fits the type
 */
#ifndef EQ_ELEMENT_H
#define EQ_ELEMENT_H

#include <eq_common.h>

EQ_INLINE int32_t eq_load(const void *x, int32_t index, int32_t bytes) {
  return bytes == 1 ? ((const int8_t *)x)[index] : ((const int16_t *)x)[index];
}

EQ_INLINE void eq_store(void *out, int32_t index, int32_t value, int32_t bytes) {
  if (bytes == 1) {
    ((int8_t *)out)[index] = (int8_t)value;
  } else {
    ((int16_t *)out)[index] = (int16_t)value;
  }
}

#endif
