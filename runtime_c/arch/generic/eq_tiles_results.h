/*
 * Requantized results of a quad of four tiles for one output channel from its sums of products: see eq_tiles.h.
 *   eq_tiles_results   out[row * y + pixel * x] for two rows of eight, saturated to int8; m is at an address of 16 bytes,
 *                      its positions are 32 bytes apart
 *
 * This file: plain C.
 */
#ifndef EQ_TILES_RESULTS_H
#define EQ_TILES_RESULTS_H

#include <eq_common.h>
#include <eq_requantize.h>
#include <eq_tile_scale.h>
#include <eq_unroll.h>

/* Two results of a column of tiles, one above the other, from four sums. */
EQ_INLINE void eq_tiles_column(int8_t *out, int32_t row, int32_t t0, int32_t t1, int32_t t2, int32_t t3,
                               const eq_tiles_scale_t *p) {
  const int32_t above = t0 + ((t1 + t2) >> 1);
  const int32_t below = ((t1 - t2) >> 1) - t3;
  out[0] = (int8_t)eq_saturate_s8(eq_requantize_narrow(above, p->multiplier, p->shift, p->out_zero, 1));
  out[row] = (int8_t)eq_saturate_s8(eq_requantize_narrow(below, p->multiplier, p->shift, p->out_zero, 1));
}

/* `row` and `pixel` bytes between results. */
EQ_INLINE void eq_tiles_results(int8_t *out, int32_t row, int32_t pixel, const int32_t *m, const eq_tiles_scale_t *p) {
  const eq_tiles_scale_t scale = *p;
  EQ_NO_UNROLL
  for (const int32_t *const end = m + 4; m != end; ++m) {
    int32_t left[4];
    int32_t right[4];
    EQ_UNROLL_4
    for (int32_t line = 0; line < 4; ++line) {
      const int32_t middle = m[32 * line + 8] + (line == 1 ? scale.bias : 0);
      const int32_t other = m[32 * line + 16];
      left[line] = m[32 * line] + ((middle + other) >> 1);
      right[line] = ((middle - other) >> 1) - m[32 * line + 24];
    }
    eq_tiles_column(out, row, left[0], left[1], left[2], left[3], &scale);
    eq_tiles_column(out + pixel, row, right[0], right[1], right[2], right[3], &scale);
    out += 2 * pixel;
  }
}

#endif
