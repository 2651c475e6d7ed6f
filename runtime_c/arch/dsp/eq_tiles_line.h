/*
 * Winograd's F(4,3) along one axis, in integers: a tile is six neighbouring input pixels and its four results.
 *
 * B' and G are those of eq_tiles_4x4.h, used once. A result comes out 3 * 2^k times itself, k = 3, 2, 1, 1. All sums are those of
 * int32 and wrap around; multiplied by the inverse of 3 modulo 2^32, a result is 2^k times itself, exactly.
 *
 *   eq_tiles_line_input      V of one of four tiles from its pixels
 *   eq_tiles_line_multiply   M: see eq_tile_products.h, 6 positions
 *   eq_tiles_line_results    requantized results of some neighbouring tiles for one output channel, saturated to int8
 *
 * Layout   as eq_tile_products.h has it.
 * Ranges   |V| <= 1280 and |U| <= 896 fit halfwords. A result, bias included, needs fewer than 29 bits.
 * Cost     50 instructions for four channels of a tile, 41 for its results of an output channel.
 */
#ifndef EQ_TILES_LINE_H
#define EQ_TILES_LINE_H

#include <eq_requantize.h>
#include <eq_tile_products.h>
#include <eq_tiles_4x4.h>

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_line_multiply(int32_t *m, const void *v, const void *u,
                                                                       int32_t c) {
  EQ_TILE_OPERANDS;
  EQ_TILE_PRODUCTS(6);
}

/* `pixel` bytes from one pixel of the tile to the next, c channels. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_line_input(eq_tile_t *v, const int8_t *x, int32_t pixel,
                                                                    int32_t c) {
  EQ_NO_UNROLL
  for (; c > 0; c -= 4) {
    const int8_t *q = x + 3 * pixel;
    const uint32_t d0 = eq_load_word(x);
    const uint32_t d1 = eq_load_word(x + pixel);
    const uint32_t d2 = eq_load_word(x + 2 * pixel);
    const uint32_t d3 = eq_load_word(q);
    const uint32_t d4 = eq_load_word(q + pixel);
    const uint32_t d5 = eq_load_word(q + 2 * pixel);
    eq_tiles_4x4_line(v, 4, eq_even_bytes(d0), eq_even_bytes(d1), eq_even_bytes(d2), eq_even_bytes(d3),
                      eq_even_bytes(d4), eq_even_bytes(d5));
    eq_tiles_4x4_line(v + 24, 4, eq_odd_bytes(d0), eq_odd_bytes(d1), eq_odd_bytes(d2), eq_odd_bytes(d3),
                      eq_odd_bytes(d4), eq_odd_bytes(d5));
    v += 48;
    x += 4;
  }
}

/* A sum that is 3 * 2^k times a result, modulo 2^32. */
EQ_INLINE int8_t eq_tiles_line_result(uint32_t sum, int32_t k, int32_t multiplier, int32_t shift, int32_t zero) {
  const int32_t result = (int32_t)(sum * 0xaaaaaaabu) >> k;
  return (int8_t)eq_saturate_s8(eq_requantize(result, multiplier, shift, zero));
}

EQ_INLINE void eq_tiles_line_tiles(int8_t *out, int32_t pixel, const int32_t *m, const int32_t *end, uint32_t bias,
                                   int32_t multiplier, int32_t shift, int32_t zero) {
  EQ_NO_UNROLL
  do {
    const uint32_t first = (uint32_t)m[8] + bias;
    const uint32_t near = first + (uint32_t)m[16];
    const uint32_t turned = first - (uint32_t)m[16];
    const uint32_t far = (uint32_t)m[24] + (uint32_t)m[32];
    const uint32_t apart = (uint32_t)m[24] - (uint32_t)m[32];
    out[0] = eq_tiles_line_result((uint32_t)m[0] + 4 * near + far, 3, multiplier, shift, zero);
    out[pixel] = eq_tiles_line_result(2 * turned + apart, 2, multiplier, shift, zero);
    out[2 * pixel] = eq_tiles_line_result(near + far, 1, multiplier, shift, zero);
    out += 3 * pixel;
    out[0] = eq_tiles_line_result(turned + 2 * apart + (uint32_t)m[40], 1, multiplier, shift, zero);
    out += pixel;
    ++m;
  } while (m != end);
}

/* `pixel` bytes between results; the scale's bias is 6 times that of the results, modulo 2^32. At least one tile. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_line_results(int8_t *out, int32_t pixel, const int32_t *m,
                                                                      int32_t tiles, const eq_tiles_scale_t *p) {
  if (p->shift == 0) {
    eq_tiles_line_tiles(out, pixel, m, m + tiles, (uint32_t)p->bias, p->multiplier, 0, p->out_zero);
  } else {
    eq_tiles_line_tiles(out, pixel, m, m + tiles, (uint32_t)p->bias, p->multiplier, p->shift, p->out_zero);
  }
}

#endif
