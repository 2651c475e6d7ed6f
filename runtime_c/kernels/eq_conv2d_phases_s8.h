/*
 * 2-D convolution 3x3, stride 2, int8, requantization "highmul", by phases and Winograd's F(2,2) in integers: the bits of
 * eq_conv2d_s8 with 25 products instead of 36 for 4 results, and 50 bytes of weights for 9.
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights are U as eq_tiles_stride2.h has it, for each pair of output
 *            channels 25 in_c words, 4-byte aligned; bias and multiplier for an even
 *            number of channels, zeros behind an odd one. The record's block is 4, the tiles of a block.
 * Ranges     bias already contains -zero_point(x) * sum of all weights. For each position of a tile 512 * sum |U| +
 *            |bias| < 2^29: no sum of four leaves int32. Requantization as in
 *            eq_requantize.h; -128 <= clamp_min <= clamp_max <= 127. in_c a multiple of 4; at least one result.
 * Aliasing   scratch must not overlap out or x. Tiles go row by row: four are read, then their results are stored,
 *            channel pair by channel pair; out may overlap x where no row is stored over one still to be read.
 * Rounding   eq_requantize.h.
 * Scratch    EQ_CONV2D_PHASES_S8_SCRATCH bytes, 16-byte aligned.
 */
#ifndef EQ_CONV2D_PHASES_S8_H
#define EQ_CONV2D_PHASES_S8_H

#include "eq_common.h"
#include "eq_conv2d_winograd_s8.h"
#include "eq_tile_convolution.h"

#define EQ_CONV2D_PHASES_S8_SCRATCH(in_c) (200 * (in_c) + 25 * (in_c) + 800 + 200 + 16)

EQ_INLINE void eq_conv2d_phases_s8(int8_t *out, const int8_t *x, void *scratch, const int16_t *weights,
                                   const int32_t *bias, const int32_t *multiplier, const eq_conv2d_winograd_s8_t *p) {
  const eq_tile_form_t form = {5, 2, 2};
  eq_tile_convolution(form, out, x, scratch, weights, bias, multiplier, p);
}

#endif
