/*
 * Elements of a type that a record states by its bytes: 1 is int8_t (and truth values), 2 int16_t, 4 int32_t.
 *
 * The array must be aligned as its type, which arena and constants are.
 */
#ifndef EQ_ELEMENTS_H
#define EQ_ELEMENTS_H

#include <eq_common.h>

EQ_INLINE int32_t eq_element(const void *x, int32_t index, int32_t bytes) {
  if (bytes == 1) return ((const int8_t *)x)[index];
  if (bytes == 2) return ((const int16_t *)x)[index];
  return ((const int32_t *)x)[index];
}

EQ_INLINE void eq_set_element(void *x, int32_t index, int32_t bytes, int32_t value) {
  if (bytes == 1) {
    ((int8_t *)x)[index] = (int8_t)value;
  } else if (bytes == 2) {
    ((int16_t *)x)[index] = (int16_t)value;
  } else {
    ((int32_t *)x)[index] = value;
  }
}

/* The place, 0 to n - 1, that an index stands for: from the end where it is negative, else the nearest one. */
EQ_INLINE int32_t eq_place(int32_t index, int32_t n) {
  if (index < 0) index += n;
  if (index < 0) return 0;
  return index < n ? index : n - 1;
}

/* The row that `depth` components of an index stand for, along axes of n0, n1, n2, n3 elements. */
EQ_INLINE int32_t eq_row_of(const int32_t *index, int32_t depth, int32_t n0, int32_t n1, int32_t n2, int32_t n3) {
  int32_t row = eq_place(index[0], n0);
  if (depth > 1) row = row * n1 + eq_place(index[1], n1);
  if (depth > 2) row = row * n2 + eq_place(index[2], n2);
  if (depth > 3) row = row * n3 + eq_place(index[3], n3);
  return row;
}

#endif
