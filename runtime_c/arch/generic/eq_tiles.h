/*
 * Winograd's F(2x2,3x3) in integers: products of transformed windows and weights, for a quad of four tiles.
 *
 * A tile is a window of 4x4 input pixels and its 2x2 results; a quad is four tiles in a row, 4x10 pixels, 2x8 results.
 * With  B = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1]  and  G = [1 0 0; 1 1 1; 1 -1 1; 0 0 1]  the sixteen products of
 * V = B d B' and U = G g G', added up over channels, give results exactly: positions 1 and 2 of an axis are counted
 * twice, which sums and differences of the two halve without a rest (Lavin and Gray 2016, scaled to integers).
 *
 *   eq_tiles_input     V of a quad from its pixels
 *   eq_tiles_weights   U of a pair of output channels from its weights, 18 * c bytes
 *   eq_tiles_multiply  M: the sums of products of a quad and a pair
 *   eq_tiles_results   requantized results of a quad for one output channel, saturated to int8, from its part of M
 *
 * Layout   V: int16, 16 positions of four tiles by c channels, U: int16, 16 of two outputs by c, in the order that
 *          eq_tiles_multiply.h has; M: int32 [16][2 outputs][4 tiles].
 *          Weights: for each four channels [3][3][2 outputs][4 channels], int8.
 * Ranges   c a multiple of 4, at least 4. |V| <= 512 and |U| <= 1143 fit halfwords; sums must fit int32; on ARMv6-M
 *          |acc * 2^shift * multiplier| < 2^47 - 2^40.
 *
 * This file: cores without the DSP extension. eq_tiles_multiply.h has the products, eq_tiles_results.h the results.
 */
#ifndef EQ_TILES_H
#define EQ_TILES_H

#include <eq_common.h>
#include <eq_tiles_multiply.h>
#include <eq_tiles_results.h>
#include <eq_unroll.h>

typedef int16_t __attribute__((may_alias)) eq_tile_half_t;

EQ_INLINE int32_t eq_tiles_combine(int32_t a, int32_t b, int32_t minus) { return minus != 0 ? a - b : a + b; }

/* One row of positions: rows `a` and `b` of the window, added or subtracted, then the columns. */
EQ_INLINE void eq_tiles_row(eq_tile_half_t *v, const int8_t *a, const int8_t *b, int32_t c, int32_t minus) {
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; --left) {
    const int8_t *p = a++;
    const int8_t *q = b++;
    eq_tile_half_t *to = v;
    int32_t first = eq_tiles_combine(*p, *q, minus);
    p += c;
    q += c;
    int32_t second = eq_tiles_combine(*p, *q, minus);
    EQ_UNROLL_4
    for (int32_t tile = 0; tile < 4; ++tile) {
      p += c;
      q += c;
      const int32_t third = eq_tiles_combine(*p, *q, minus);
      p += c;
      q += c;
      const int32_t fourth = eq_tiles_combine(*p, *q, minus);
      to[0] = (eq_tile_half_t)(first - third);
      to[EQ_TILES_V(c)] = (eq_tile_half_t)(second + third);
      to[2 * EQ_TILES_V(c)] = (eq_tile_half_t)(third - second);
      to[3 * EQ_TILES_V(c)] = (eq_tile_half_t)(second - fourth);
      to += EQ_TILES_TILE(c);
      first = third;
      second = fourth;
    }
    v += EQ_TILES_V_CHANNEL;
  }
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_sums(eq_tile_half_t *v, const int8_t *a, const int8_t *b,
                                                              int32_t c) {
  eq_tiles_row(v, a, b, c, 0);
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_differences(eq_tile_half_t *v, const int8_t *a,
                                                                     const int8_t *b, int32_t c) {
  eq_tiles_row(v, a, b, c, 1);
}

/* `row` bytes from a row of the window to the next, c from a pixel to the next. */
EQ_INLINE void eq_tiles_input(void *out, const int8_t *x, int32_t row, int32_t c) {
  eq_tile_half_t *v = (eq_tile_half_t *)out;
  eq_tiles_differences(v, x, x + 2 * row, c);
  eq_tiles_sums(v + 4 * EQ_TILES_V(c), x + row, x + 2 * row, c);
  eq_tiles_differences(v + 8 * EQ_TILES_V(c), x + 2 * row, x + row, c);
  eq_tiles_differences(v + 12 * EQ_TILES_V(c), x + row, x + 3 * row, c);
}

/* Four positions of one row from three weights. */
EQ_INLINE void eq_tiles_columns(eq_tile_half_t *u, int32_t c, int32_t left, int32_t middle, int32_t right) {
  const int32_t sum = left + right;
  (void)c; /* where strides are constants */
  u[0] = (eq_tile_half_t)left;
  u[EQ_TILES_U(c)] = (eq_tile_half_t)(sum + middle);
  u[2 * EQ_TILES_U(c)] = (eq_tile_half_t)(sum - middle);
  u[3 * EQ_TILES_U(c)] = (eq_tile_half_t)right;
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_kernel(eq_tile_half_t *u, const int8_t *w, int32_t c) {
  int32_t sum[3];
  int32_t difference[3];
  eq_tiles_columns(u, c, w[0], w[8], w[16]);
  eq_tiles_columns(u + 12 * EQ_TILES_U(c), c, w[48], w[56], w[64]);
  EQ_UNROLL_3
  for (int32_t x = 0; x < 3; ++x) {
    const int32_t outer = w[8 * x] + w[8 * x + 48];
    const int32_t middle = w[8 * x + 24];
    sum[x] = outer + middle;
    difference[x] = outer - middle;
  }
  eq_tiles_columns(u + 4 * EQ_TILES_U(c), c, sum[0], sum[1], sum[2]);
  eq_tiles_columns(u + 8 * EQ_TILES_U(c), c, difference[0], difference[1], difference[2]);
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_weights(void *out, const int8_t *weights, int32_t c) {
  eq_tile_half_t *u = (eq_tile_half_t *)out;
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; left -= 4) {
    EQ_NO_UNROLL
    for (int32_t channel = 0; channel < 4; ++channel) {
      eq_tiles_kernel(u, weights, c);
      eq_tiles_kernel(u + EQ_TILES_OUTPUT(c), weights + 4, c);
      u += EQ_TILES_U_CHANNEL;
      ++weights;
    }
    weights += 68;
  }
}

#endif
