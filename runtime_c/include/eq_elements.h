/*
 * Elements of a type that a record states by its bytes, which are negative where it is unsigned: 1, 2, 4 and 8 are int8_t
 * (and truth values) to int64_t, -1, -2, -4 and -8 are uint8_t to uint64_t.
 *
 *   eq_is_long       whether int32_t does not hold all values: uint32_t, int64_t, uint64_t
 *   eq_element       as int32_t, of a type that it holds, or the bits of uint32_t
 *   eq_set_element   the low bits of a value, of at most 4 bytes
 *   eq_long          as int64_t, or the bits of uint64_t
 *   eq_set_long      the low bits of a value
 *   eq_copy_element  from one array to another
 *   eq_less          whether an element is less than another one
 *
 * The array must be aligned as its type, of 8 bytes as int32_t, which arena and constants are: such elements are read and
 * written as two words, the lower one first.
 */
#ifndef EQ_ELEMENTS_H
#define EQ_ELEMENTS_H

#include <eq_common.h>

/* An element of 8 bytes, as the application sees it; the arena may have it at any word. */
typedef int64_t __attribute__((may_alias, aligned(4))) eq_long_t;

EQ_INLINE int32_t eq_is_long(int32_t bytes) { return bytes == 8 || bytes <= -4; }

EQ_INLINE int32_t eq_element(const void *x, int32_t index, int32_t bytes) {
  if (bytes == 1) return ((const int8_t *)x)[index];
  if (bytes == -1) return ((const uint8_t *)x)[index];
  if (bytes == 2) return ((const int16_t *)x)[index];
  if (bytes == -2) return ((const uint16_t *)x)[index];
  return ((const int32_t *)x)[index];
}

EQ_INLINE void eq_set_element(void *x, int32_t index, int32_t bytes, int32_t value) {
  if (bytes == 1 || bytes == -1) {
    ((int8_t *)x)[index] = (int8_t)value;
  } else if (bytes == 2 || bytes == -2) {
    ((int16_t *)x)[index] = (int16_t)value;
  } else {
    ((int32_t *)x)[index] = value;
  }
}

EQ_INLINE int64_t eq_long(const void *x, int32_t index, int32_t bytes) {
  if (bytes == 8 || bytes == -8) return ((const eq_long_t *)x)[index];
  const int32_t value = eq_element(x, index, bytes);
  return bytes == -4 ? (int64_t)(uint32_t)value : value;
}

EQ_INLINE void eq_set_long(void *x, int32_t index, int32_t bytes, int64_t value) {
  if (bytes == 8 || bytes == -8) {
    ((eq_long_t *)x)[index] = value;
  } else {
    eq_set_element(x, index, bytes, (int32_t)value);
  }
}

EQ_INLINE void eq_copy_element(void *out, int32_t to, const void *x, int32_t from, int32_t bytes) {
  if (bytes == 8 || bytes == -8) {
    eq_set_long(out, to, bytes, eq_long(x, from, bytes));
  } else {
    eq_set_element(out, to, bytes, eq_element(x, from, bytes));
  }
}

EQ_INLINE int32_t eq_less_long(int64_t a, int64_t b, int32_t bytes) {
  return bytes == -8 ? (uint64_t)a < (uint64_t)b : a < b;
}

EQ_INLINE int32_t eq_less(const void *a, int32_t i, const void *b, int32_t j, int32_t bytes) {
  if (eq_is_long(bytes)) return eq_less_long(eq_long(a, i, bytes), eq_long(b, j, bytes), bytes);
  return eq_element(a, i, bytes) < eq_element(b, j, bytes);
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
