/*
 * Winograd's F(4x4,3x3) in integers: a tile is a window of 6x6 input pixels and its 4x4 results.
 *
 * With  B' = [4 0 -5 0 1 0; 0 -4 -4 1 1 0; 0 4 -4 -1 1 0; 0 -2 -1 2 1 0; 0 2 -1 -2 1 0; 0 4 0 -5 0 1]  and
 * G = [6 0 0; -1 -1 -1; -1 1 -1; 1 2 4; 1 -2 4; 0 0 6]  (Lavin and Gray 2016, rows scaled to integers) a result comes out
 * 9 * 2^k times itself, k = 6, 5, 4, 4 in the first row, 5, 4, 3, 3 in the second, 4, 3, 2, 2 in the others. All sums are
 * those of int32 and wrap around; multiplied by the inverse of 9 modulo 2^32, a result is 2^k times itself, exactly.
 *
 *   eq_tiles_4x4_input      V of one of four tiles from its window
 *   eq_tiles_4x4_multiply   M: see eq_tile_products.h, 36 positions
 *   eq_tiles_4x4_results    requantized results of a tile for one output channel, saturated to int8, from its part of M
 *
 * Layout   as eq_tile_products.h has it.
 * Ranges   |V| <= 12800 and |U| <= 6272 fit halfwords. A result, bias included, needs fewer than 26 bits.
 */
#ifndef EQ_TILES_4X4_H
#define EQ_TILES_4X4_H

#include <eq_requantize.h>
#include <eq_tile_products.h>
#include <eq_unroll.h>

EQ_TILE_PRODUCTS(eq_tiles_4x4_multiply, 36)

/* B' d for a column of six halfword pairs, to out[0], out[step], ... */
EQ_INLINE void eq_tiles_4x4_line(eq_tile_t *out, int32_t step, uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3,
                                 uint32_t d4, uint32_t d5) {
  uint32_t even = eq_tiles_add(d2, d2);
  even = eq_tiles_subtract(d4, eq_tiles_add(even, even));
  uint32_t odd = eq_tiles_add(d1, d1);
  odd = eq_tiles_subtract(d3, eq_tiles_add(odd, odd));
  out[step] = eq_tiles_add(even, odd);
  out[2 * step] = eq_tiles_subtract(even, odd);
  uint32_t outer = eq_tiles_add(d0, d0);
  outer = eq_tiles_subtract(eq_tiles_add(outer, outer), d2);
  out[0] = eq_tiles_add(outer, even);
  const uint32_t near = eq_tiles_subtract(d4, d2);
  uint32_t far = eq_tiles_subtract(d3, d1);
  far = eq_tiles_add(far, far);
  out[3 * step] = eq_tiles_add(near, far);
  out[4 * step] = eq_tiles_subtract(near, far);
  far = eq_tiles_add(far, far);
  out[5 * step] = eq_tiles_subtract(eq_tiles_subtract(d5, d3), far);
}

/* V of one tile; `row` bytes from a row of its window to the next, c from a pixel to the next; `lines` has 72 words. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_4x4_input(eq_tile_t *v, const int8_t *x, int32_t row,
                                                                   int32_t c, eq_tile_t *lines) {
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; left -= 4) {
    const int8_t *p = x;
    EQ_NO_UNROLL
    for (eq_tile_t *line = lines; line != lines + 6; ++line) {
      const int8_t *q = p + 3 * row;
      const uint32_t d0 = eq_load_word(p);
      const uint32_t d1 = eq_load_word(p + row);
      const uint32_t d2 = eq_load_word(p + 2 * row);
      const uint32_t d3 = eq_load_word(q);
      const uint32_t d4 = eq_load_word(q + row);
      const uint32_t d5 = eq_load_word(q + 2 * row);
      eq_tiles_4x4_line(line, 6, eq_even_bytes(d0), eq_even_bytes(d1), eq_even_bytes(d2), eq_even_bytes(d3),
                        eq_even_bytes(d4), eq_even_bytes(d5));
      eq_tiles_4x4_line(line + 36, 6, eq_odd_bytes(d0), eq_odd_bytes(d1), eq_odd_bytes(d2), eq_odd_bytes(d3),
                        eq_odd_bytes(d4), eq_odd_bytes(d5));
      p += c;
    }
    EQ_NO_UNROLL
    for (const eq_tile_t *line = lines; line != lines + 72; line += 6) {
      eq_tiles_4x4_line(v, 4, line[0], line[1], line[2], line[3], line[4], line[5]);
      v += 24;
    }
    x += 4;
  }
}

typedef struct {
  int32_t y[4];
} eq_tiles_4x4_t;

/* A' m for six sums, modulo 2^32. */
EQ_INLINE eq_tiles_4x4_t eq_tiles_4x4_sums(uint32_t m0, uint32_t m1, uint32_t m2, uint32_t m3, uint32_t m4,
                                           uint32_t m5) {
  const uint32_t near = m1 + m2;
  const uint32_t across = m1 - m2;
  const uint32_t far = m3 + m4;
  const uint32_t between = m3 - m4;
  const eq_tiles_4x4_t found = {{(int32_t)(m0 + far + (near << 2)), (int32_t)(between + (across << 1)),
                                 (int32_t)(near + far), (int32_t)(m5 + across + (between << 1))}};
  return found;
}

EQ_INLINE int8_t eq_tiles_4x4_result(int32_t sum, int32_t k, const eq_tiles_scale_t *p) {
  const int32_t exact = (int32_t)((uint32_t)sum * 0x38E38E39u) >> k;
  return (int8_t)eq_saturate_s8(eq_requantize(exact, p->multiplier, p->shift, p->out_zero));
}

EQ_INLINE void eq_tiles_4x4_row(int8_t *out, int32_t pixel, const uint32_t *t, int32_t k, const eq_tiles_scale_t *p) {
  const eq_tiles_4x4_t found = eq_tiles_4x4_sums(t[0], t[1], t[2], t[3], t[4], t[5]);
  out[0] = eq_tiles_4x4_result(found.y[0], k, p);
  out[pixel] = eq_tiles_4x4_result(found.y[1], k - 1, p);
  out[2 * pixel] = eq_tiles_4x4_result(found.y[2], k - 2, p);
  out[3 * pixel] = eq_tiles_4x4_result(found.y[3], k - 2, p);
}

/* `row` and `pixel` bytes between results. The scale's bias is 36 times that of the results, modulo 2^32. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_4x4_results(int8_t *out, int32_t row, int32_t pixel,
                                                                     const int32_t *m, const eq_tiles_scale_t *p) {
  const eq_tiles_scale_t scale = *p;
  uint32_t lines[24];
  uint32_t *line = lines;
  EQ_NO_UNROLL
  for (int32_t x = 0; x < 6; ++x) {
    const uint32_t bias = x == 1 ? (uint32_t)scale.bias : 0;
    const eq_tiles_4x4_t found = eq_tiles_4x4_sums((uint32_t)m[0], (uint32_t)m[48] + bias, (uint32_t)m[96],
                                                   (uint32_t)m[144], (uint32_t)m[192], (uint32_t)m[240]);
    line[0] = (uint32_t)found.y[0];
    line[6] = (uint32_t)found.y[1];
    line[12] = (uint32_t)found.y[2];
    line[18] = (uint32_t)found.y[3];
    ++line;
    m += 8;
  }
  eq_tiles_4x4_row(out, pixel, lines, 6, &scale);
  eq_tiles_4x4_row(out + row, pixel, lines + 6, 5, &scale);
  eq_tiles_4x4_row(out + 2 * row, pixel, lines + 12, 4, &scale);
  eq_tiles_4x4_row(out + 3 * row, pixel, lines + 18, 4, &scale);
}

#endif
