/*
 * Bytes of a window.
 *   eq_tiles_fill   `n` bytes, a multiple of 4, at a 4-byte address
 *   eq_tiles_copy   likewise, from any address
 */
#ifndef EQ_TILE_BYTES_H
#define EQ_TILE_BYTES_H

#include <eq_common.h>
#include <eq_dot.h>

/* `n` bytes, a multiple of 4, at 4-byte addresses. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_fill(void *out, int32_t value, int32_t n) {
  eq_pair_t *to = (eq_pair_t *)out;
  const uint32_t word = (uint32_t)(uint8_t)value * 0x01010101u;
  EQ_NO_UNROLL
  for (; n > 0; n -= 4) {
    *to++ = word;
  }
}

/* `n` bytes, a multiple of 4, from any address to a 4-byte address. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_copy(void *out, const int8_t *x, int32_t n) {
  eq_pair_t *to = (eq_pair_t *)out;
  EQ_NO_UNROLL
  for (; n >= 16; n -= 16) {
    const uint32_t a = eq_load_word(x);
    const uint32_t b = eq_load_word(x + 4);
    const uint32_t c = eq_load_word(x + 8);
    const uint32_t d = eq_load_word(x + 12);
    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
    x += 16;
    to += 4;
  }
  EQ_NO_UNROLL
  for (; n > 0; n -= 4) {
    *to++ = eq_load_word(x);
    x += 4;
  }
}

#endif
