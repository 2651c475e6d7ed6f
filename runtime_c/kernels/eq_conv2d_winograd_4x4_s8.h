/*
 * 2-D convolution 3x3, stride 1, int8, requantization "highmul", by Winograd's F(4x4,3x3) in integers modulo 2^32: the
 * bits of eq_conv2d_s8 with 36 products instead of 144 for 16 results, and 8 bytes of weights for one.
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights are U as eq_tiles_4x4.h has it, for each pair of output
 *            channels 36 in_c words, 4-byte aligned; bias, 36 times itself modulo 2^32, and multiplier for an even
 *            number of channels, zeros behind an odd one. The record's block is 4, the tiles of a block.
 * Ranges     bias already contains -zero_point(x) * sum of all weights. |bias + sum| < 2^25. Requantization as in
 *            eq_requantize.h; -128 <= clamp_min <= clamp_max <= 127. in_c a multiple of 4; at least one result.
 * Aliasing   scratch must not overlap out or x. Tiles go row by row: four are read, then their results are stored,
 *            channel pair by channel pair; out may overlap x where no row is stored over one still to be read.
 * Rounding   eq_requantize.h.
 * Scratch    EQ_CONV2D_WINOGRAD_4X4_S8_SCRATCH bytes, 16-byte aligned.
 */
#ifndef EQ_CONV2D_WINOGRAD_4X4_S8_H
#define EQ_CONV2D_WINOGRAD_4X4_S8_H

#include "eq_common.h"
#include "eq_conv2d_winograd_s8.h"
#include "eq_tile_convolution.h"

#define EQ_CONV2D_WINOGRAD_4X4_S8_SCRATCH(in_c) (288 * (in_c) + 36 * (in_c) + 1152 + 288 + 16)

EQ_INLINE void eq_conv2d_winograd_4x4_s8(int8_t *out, const int8_t *x, void *scratch, const int16_t *weights,
                                         const int32_t *bias, const int32_t *multiplier,
                                         const eq_conv2d_winograd_s8_t *p) {
  const eq_tile_form_t form = {6, 4, 1};
  eq_tile_convolution(form, out, x, scratch, weights, bias, multiplier, p);
}

#endif
