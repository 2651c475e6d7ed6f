/*
 * Bytes of a plane in another order:
 *
 *   eq_copy_plane  out[i*columns + k] = x[i*row_stride + k*column_stride] for i < rows, k < columns; out overlaps nothing
 *
 * The same function exists for every instruction set.
 *
 * This file: cores with the DSP extension. Where rows of x become columns, four words of four rows are turned into four words
 * of four columns: 24 instructions for 16 bytes; rows that are left go byte by byte, 8 for 4. Elsewhere four bytes become a word: 9 instructions.
 */
#ifndef EQ_PLANE_H
#define EQ_PLANE_H

#include <eq_dot.h>

EQ_INLINE uint32_t eq_plane_even(uint32_t word) {
  uint32_t pair;
  __asm__("uxtb16 %0, %1" : "=r"(pair) : "r"(word));
  return pair;
}

EQ_INLINE uint32_t eq_plane_odd(uint32_t word) {
  uint32_t pair;
  __asm__("uxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
  return pair;
}

EQ_INLINE uint32_t eq_plane_low(uint32_t first, uint32_t second) {
  uint32_t both;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(both) : "r"(first), "r"(second));
  return both;
}

EQ_INLINE uint32_t eq_plane_high(uint32_t first, uint32_t second) {
  uint32_t both;
  __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(both) : "r"(second), "r"(first));
  return both;
}

EQ_INLINE void eq_plane_store(uint8_t *out, uint32_t word) { *(eq_word_t *)(void *)out = word; }

/* Four bytes of each of four rows, `stride` apart, as columns, `columns` apart. */
EQ_INLINE void eq_plane_tile(uint8_t *out, int32_t columns, const uint8_t *x, int32_t stride) {
  const uint32_t r0 = eq_load_word(x);
  const uint32_t r1 = eq_load_word(x + stride);
  const uint32_t r2 = eq_load_word(x + 2 * stride);
  const uint32_t r3 = eq_load_word(x + 3 * stride);
  const uint32_t even0 = eq_plane_even(r0) | eq_plane_even(r1) << 8; /* r0[0] r1[0] r0[2] r1[2] */
  const uint32_t odd0 = eq_plane_odd(r0) | (r1 & 0xff00ff00u);
  const uint32_t even1 = eq_plane_even(r2) | eq_plane_even(r3) << 8;
  const uint32_t odd1 = eq_plane_odd(r2) | (r3 & 0xff00ff00u);
  eq_plane_store(out, eq_plane_low(even0, even1));
  eq_plane_store(out + columns, eq_plane_low(odd0, odd1));
  eq_plane_store(out + 2 * columns, eq_plane_high(even0, even1));
  eq_plane_store(out + 3 * columns, eq_plane_high(odd0, odd1));
}

EQ_INLINE void eq_plane_row(uint8_t *out, const uint8_t *x, int32_t columns, int32_t stride) {
  int32_t k = 0;
  EQ_NO_UNROLL
  for (; k + 4 <= columns; k += 4) {
    const uint32_t low = (uint32_t)x[0] | (uint32_t)x[stride] << 8;
    eq_plane_store(out + k, low | (uint32_t)x[2 * stride] << 16 | (uint32_t)x[3 * stride] << 24);
    x += 4 * stride;
  }
  EQ_NO_UNROLL
  for (; k < columns; k++) {
    out[k] = *x;
    x += stride;
  }
}

EQ_INLINE void eq_copy_plane(uint8_t *out, const uint8_t *x, int32_t rows, int32_t row_stride, int32_t columns,
                             int32_t column_stride) {
  if (row_stride == 1) {
    EQ_NO_UNROLL
    for (; rows >= 4; rows -= 4) {
      const uint8_t *from = x;
      int32_t left = columns;
      EQ_NO_UNROLL
      for (; left >= 4; left -= 4) {
        eq_plane_tile(out, columns, from, column_stride);
        from += 4 * column_stride;
        out += 4;
      }
      EQ_NO_UNROLL
      for (; left > 0; left--) {
        const uint32_t word = eq_load_word(from);
        out[0] = (uint8_t)word;
        out[columns] = (uint8_t)(word >> 8);
        out[2 * columns] = (uint8_t)(word >> 16);
        out[3 * columns] = (uint8_t)(word >> 24);
        from += column_stride;
        out++;
      }
      out += 3 * columns;
      x += 4;
    }
  }
  EQ_NO_UNROLL
  for (; rows > 0; rows--) {
    eq_plane_row(out, x, columns, column_stride);
    out += columns;
    x += row_stride;
  }
}

#endif
