/*
 * Products of transformed windows and weights over c channels, for four tiles and two output channels: see eq_tiles.h.
 *   EQ_TILES_V, _V_CHANNEL, _TILE    halfwords of V from a position, a channel, a tile to the next
 *   EQ_TILES_U, _U_CHANNEL, _OUTPUT  those of U, and from an output to the next
 *   eq_tiles_multiply                m[16][2][4] = sums over channels of v * u
 *
 * This file: plain C.
 */
#ifndef EQ_TILES_MULTIPLY_H
#define EQ_TILES_MULTIPLY_H

#include <eq_common.h>

typedef const int16_t __attribute__((may_alias)) eq_tile_factor_t;

#define EQ_TILES_V(c) (4 * (c))
#define EQ_TILES_V_CHANNEL 4
#define EQ_TILES_TILE(c) 1
#define EQ_TILES_U(c) (2 * (c))
#define EQ_TILES_U_CHANNEL 2
#define EQ_TILES_OUTPUT(c) 1

EQ_INLINE void eq_tiles_multiply(int32_t *m, const void *v, const void *u, int32_t c) {
  eq_tile_factor_t *left = (eq_tile_factor_t *)v;
  eq_tile_factor_t *right = (eq_tile_factor_t *)u;
  for (int32_t position = 0; position < 16; ++position) {
    int32_t sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int32_t channel = 0; channel < c; ++channel) {
      for (int32_t i = 0; i < 8; ++i) {
        sum[i] += left[i & 3] * right[i >> 2];
      }
      left += 4;
      right += 2;
    }
    for (int32_t i = 0; i < 8; ++i) {
      *m++ = sum[i];
    }
  }
}

#endif
