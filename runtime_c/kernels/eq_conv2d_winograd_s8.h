/*
 * 2-D convolution 3x3, stride 1, int8, requantization "highmul", by Winograd's F(2x2,3x3) in integers: the bits of
 * eq_conv2d_s8 with 4 products instead of 9 for a result.
 *
 *   out[oy][ox][o] = clamp(requantize(bias[o] + sum_{ky,kx,c} w[o][ky][kx][c] * x[oy - pad_top + ky][ox - pad_left + kx][c]))
 *   positions outside x hold pad_value.
 *
 * Layout     out [out_h][out_w][out_c], x [in_h][in_w][in_c]; weights as eq_tiles.h has them, for each pair of output
 *            channels; bias, four times itself, and multiplier for an even number of channels, zeros behind an odd one.
 * Ranges     bias already contains -zero_point(x) * sum of all weights. |bias + sum| < 2^29, and for each position of a
 *            tile 512 * sum |U| + 4 |bias| < 2^31: no sum leaves int32. Requantization as in eq_requantize.h;
 *            -128 <= clamp_min <= clamp_max <= 127. in_c a multiple of 4; at least one result.
 * Aliasing   scratch must not overlap out or x. Quads go row by row: `block` of them are read, then their results are
 *            stored, channel pair by channel pair; out may overlap x where no row is stored over one still to be read.
 * Rounding   eq_requantize.h.
 * Scratch    EQ_CONV2D_WINOGRAD_S8_SCRATCH bytes, 16-byte aligned. Weights are transformed once for `block` quads (eq_tiles.h)
 *            in the order of rows: more are faster and take more scratch.
 */
#ifndef EQ_CONV2D_WINOGRAD_S8_H
#define EQ_CONV2D_WINOGRAD_S8_H

#include <eq_tiles.h>

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_tile_walk.h"

typedef struct {
  int32_t in_h;
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t pad_top;
  int32_t pad_left;
  int32_t pad_value;
  int32_t block;
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_winograd_s8_t;

/* V of each quad, U, a window, M, and the results of a quad at the border. */
#define EQ_CONV2D_WINOGRAD_S8_SCRATCH(in_c, block) (128 * (in_c) * (block) + 64 * (in_c) + 40 * (in_c) + 512 + 16)

/* Results of a quad for one channel, those inside alone; `kept` has 16 bytes. */
EQ_INLINE void eq_winograd_store(int8_t *out, int32_t rows, int32_t columns, int8_t *kept, const int32_t *m,
                                 const eq_tiles_scale_t *scale, const eq_conv2d_winograd_s8_t *p) {
  if (rows >= 2 && columns >= 8) {
    eq_tiles_results(out, p->out_w * p->out_c, p->out_c, m, scale);
    return;
  }
  eq_tiles_results(kept, 8, 1, m, scale);
  eq_tile_store(out, p->out_w * p->out_c, p->out_c, kept, 8, rows < 2 ? rows : 2, columns < 8 ? columns : 8);
}

/* Where a quad's results begin: quads go row by row, `across` of them in a row. */
EQ_INLINE int32_t eq_winograd_row(int32_t quad, int32_t across) { return quad / across * 2; }
EQ_INLINE int32_t eq_winograd_column(int32_t quad, int32_t across) { return quad % across * 8; }

/* V of quads `first` to before `end`; `copy` has 40 in_c bytes. */
EQ_INLINE void eq_winograd_inputs(int8_t *v, int8_t *copy, const int8_t *x, int32_t first, int32_t end, int32_t across,
                                  const eq_conv2d_winograd_s8_t *p) {
  EQ_NO_UNROLL
  for (int32_t quad = first; quad < end; ++quad) {
    const int32_t y0 = eq_winograd_row(quad, across) - p->pad_top;
    const int32_t x0 = eq_winograd_column(quad, across) - p->pad_left;
    const eq_tile_window_t window = eq_tile_window(copy, x, y0, x0, 4, 10, p->in_h, p->in_w, p->in_c, p->pad_value);
    eq_tiles_input(v, window.pixels, window.row, p->in_c);
    v += 128 * p->in_c;
  }
}

/* Results of output channels c and c + 1 for quads `first` to before `end` from V and U; `sums` has 512 + 16 bytes. */
EQ_INLINE void eq_winograd_outputs(int8_t *out, const int8_t *v, const void *u, int8_t *sums, const int32_t *bias,
                                   const int32_t *multiplier, int32_t c, int32_t first, int32_t end, int32_t across,
                                   const eq_conv2d_winograd_s8_t *p) {
  const int32_t outputs = c + 1 < p->out_c ? 2 : 1;
  EQ_NO_UNROLL
  for (int32_t quad = first; quad < end; ++quad) {
    const int32_t y = eq_winograd_row(quad, across);
    const int32_t left = eq_winograd_column(quad, across);
    int32_t *m = (int32_t *)(void *)sums;
    eq_tiles_multiply(m, v, u, p->in_c);
    EQ_NO_UNROLL
    for (int32_t o = c; o < c + outputs; ++o) {
      const eq_tiles_scale_t scale = {multiplier[o], p->out_zero, bias[o], p->shift};
      eq_winograd_store(out + (y * p->out_w + left) * p->out_c + o, p->out_h - y, p->out_w - left, sums + 512,
                        m + 4 * (o - c), &scale, p);
    }
    v += 128 * p->in_c;
  }
}

EQ_INLINE void eq_conv2d_winograd_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                     const int32_t *bias, const int32_t *multiplier, const eq_conv2d_winograd_s8_t *p) {
  int8_t *v = (int8_t *)scratch;
  int8_t *u = v + 128 * p->in_c * p->block;
  int8_t *window = u + 64 * p->in_c;
  int8_t *sums = window + 40 * p->in_c;
  const int32_t across = (p->out_w + 7) >> 3;
  const int32_t quads = ((p->out_h + 1) >> 1) * across;
  EQ_NO_UNROLL
  for (int32_t first = 0; first < quads; first += p->block) {
    const int32_t end = first + p->block < quads ? first + p->block : quads;
    eq_winograd_inputs(v, window, x, first, end, across, p);
    const int8_t *w = weights;
    EQ_NO_UNROLL
    for (int32_t c = 0; c < p->out_c; c += 2) {
      eq_tiles_weights(u, w, p->in_c);
      w += 18 * p->in_c;
      eq_winograd_outputs(out, v, u, sums, bias, multiplier, c, first, end, across, p);
    }
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
