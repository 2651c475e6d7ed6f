/*
 * Bytes of a window.
 *   eq_tiles_fill   `n` bytes, a multiple of 4, at a 4-byte address
 *   eq_tiles_copy   likewise, from any address
 */
#ifndef EQ_TILE_BYTES_H
#define EQ_TILE_BYTES_H

#include <eq_common.h>

typedef uint32_t __attribute__((may_alias)) eq_tile_word_t;

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_fill(int8_t *out, int32_t value, int32_t n) {
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; ++i) {
    out[i] = (int8_t)value;
  }
}

/* `n` bytes, a multiple of 4, to a 4-byte address. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_copy(int8_t *out, const int8_t *x, int32_t n) {
  if (((uintptr_t)x & 3) == 0) {
    const eq_tile_word_t *from = (const eq_tile_word_t *)(const void *)x;
    eq_tile_word_t *to = (eq_tile_word_t *)(void *)out;
    EQ_NO_UNROLL
    for (; n > 0; n -= 4) {
      *to++ = *from++;
    }
    return;
  }
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; ++i) {
    out[i] = x[i];
  }
}

#endif
