/*
 * Convolution 3x3 with stride 2 by phases: a tile is a window of 5x5 input pixels and its 2x2 results.
 *
 * Along an axis, taps 0 and 2 see even pixels e and tap 1 odd ones o: results are g0 e0 + g2 e1 + g1 o0 and
 * g0 e1 + g2 e2 + g1 o1. The even part is a convolution of two taps, which three products give instead of four:
 * with  B' = [1 0 -1 0 0; 0 0 1 0 0; 0 0 -1 0 1; 0 1 0 0 0; 0 0 0 1 0]  of pixels e0 o0 e1 o1 e2  and
 * G = [1 0 0; 1 0 1; 0 0 1; 0 1 0; 0 1 0]  results are the sums of positions 0, 1, 3 and of positions 1, 2, 4.
 *
 *   eq_tiles_stride2_input      V of one of four tiles from its window
 *   eq_tiles_stride2_multiply   M: see eq_tile_products.h, 25 positions
 *   eq_tiles_stride2_results    requantized results of a tile for one output channel, saturated to int8, from its part of M
 *
 * Layout   as eq_tile_products.h has it.
 * Ranges   |V| <= 512 and |U| <= 512 fit halfwords; sums must fit int32.
 */
#ifndef EQ_TILES_STRIDE2_H
#define EQ_TILES_STRIDE2_H

#include <eq_requantize.h>
#include <eq_tile_products.h>
#include <eq_unroll.h>

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_stride2_multiply(int32_t *m, const void *v, const void *u,
                                                                          int32_t c) {
  EQ_TILE_OPERANDS;
  EQ_TILE_PRODUCTS(25);
}

/* B' d for five halfword pairs, to out[0], out[step], ... */
EQ_INLINE void eq_tiles_stride2_line(eq_tile_t *out, int32_t step, uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3,
                                     uint32_t d4) {
  out[0] = eq_tiles_subtract(d0, d2);
  out[step] = d2;
  out[2 * step] = eq_tiles_subtract(d4, d2);
  out[3 * step] = d1;
  out[4 * step] = d3;
}

/* V of one tile; `row` bytes from a row of its window to the next, c from a pixel to the next; `lines` has 50 words. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_stride2_input(eq_tile_t *v, const int8_t *x, int32_t row,
                                                                       int32_t c, eq_tile_t *lines) {
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; left -= 4) {
    const int8_t *p = x;
    EQ_NO_UNROLL
    for (eq_tile_t *line = lines; line != lines + 5; ++line) {
      const int8_t *q = p + 3 * row;
      const uint32_t d0 = eq_load_word(p);
      const uint32_t d1 = eq_load_word(p + row);
      const uint32_t d2 = eq_load_word(p + 2 * row);
      const uint32_t d3 = eq_load_word(q);
      const uint32_t d4 = eq_load_word(q + row);
      eq_tiles_stride2_line(line, 5, eq_even_bytes(d0), eq_even_bytes(d1), eq_even_bytes(d2), eq_even_bytes(d3),
                            eq_even_bytes(d4));
      eq_tiles_stride2_line(line + 25, 5, eq_odd_bytes(d0), eq_odd_bytes(d1), eq_odd_bytes(d2), eq_odd_bytes(d3),
                            eq_odd_bytes(d4));
      p += c;
    }
    EQ_NO_UNROLL
    for (const eq_tile_t *line = lines; line != lines + 50; line += 5) {
      eq_tiles_stride2_line(v, 4, line[0], line[1], line[2], line[3], line[4]);
      v += 20;
    }
    x += 4;
  }
}

EQ_INLINE int8_t eq_tiles_stride2_result(int32_t sum, const eq_tiles_scale_t *p) {
  return (int8_t)eq_saturate_s8(eq_requantize(sum, p->multiplier, p->shift, p->out_zero));
}

/* `row` and `pixel` bytes between results. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_stride2_results(int8_t *out, int32_t row, int32_t pixel,
                                                                         const int32_t *m, const eq_tiles_scale_t *p) {
  const int32_t middle = p->bias + m[48];
  int32_t left = middle + m[40] + m[64];
  int32_t right = middle + m[56] + m[72];
  int32_t below = left + m[80] + m[88] + m[104];
  int32_t beside = right + m[88] + m[96] + m[112];
  left += m[0] + m[8] + m[24];
  right += m[8] + m[16] + m[32];
  left += m[120] + m[128] + m[144];
  right += m[128] + m[136] + m[152];
  out[0] = eq_tiles_stride2_result(left, p);
  out[pixel] = eq_tiles_stride2_result(right, p);
  below += m[160] + m[168] + m[184];
  beside += m[168] + m[176] + m[192];
  out[row] = eq_tiles_stride2_result(below, p);
  out[row + pixel] = eq_tiles_stride2_result(beside, p);
}

#endif
