/*
 * Convolution with three taps along one axis, stride 1, int8, requantization "highmul", by Winograd's F(4,3) in integers
 * modulo 2^32: the bits of eq_conv2d_s8 with 6 products instead of 12 for 4 results, and 4 bytes of weights for one.
 *
 *   out[l][i][o] = clamp(requantize(bias[o] + sum_{k,c} w[o][k][c] * x[l][i - pad + k][c]))
 *
 * A line is a row of the image, or a column; positions outside of it hold pad_value.
 *
 * Layout     out: out_line bytes between lines, out_pixel between results of a line; x: in_line, in_pixel; weights are U as
 *            eq_tiles_line.h has it, for each pair of output channels 6 in_c words, 4-byte aligned; bias, 6 times itself
 *            modulo 2^32, and multiplier for an even number of channels, zeros behind an odd one.
 * Ranges     bias already contains -zero_point(x) * sum of all weights. |bias + sum| < 2^28. Requantization as in
 *            eq_requantize.h; -128 <= clamp_min <= clamp_max <= 127. in_c a multiple of 4; at least one result.
 * Aliasing   scratch must not overlap out or x. Line by line, 16 results at a time are stored, channel pair by channel pair,
 *            when all that they need has been read; out may overlap x where no result is stored over an input still to be
 *            read. Bounds other than int8's are applied at the end, to out alone.
 * Rounding   eq_requantize.h.
 * Scratch    V of four tiles, M, a tile's pixels: EQ_CONV2D_WINOGRAD_LINE_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_CONV2D_WINOGRAD_LINE_S8_H
#define EQ_CONV2D_WINOGRAD_LINE_S8_H

#include <eq_tile_bytes.h>
#include <eq_tiles_line.h>

#include "eq_clamp_run.h"
#include "eq_common.h"

typedef struct {
  int32_t lines;
  int32_t in_length; /* pixels of a line */
  int32_t in_line;
  int32_t in_pixel;
  int32_t in_c;
  int32_t out_length;
  int32_t out_line;
  int32_t out_pixel;
  int32_t out_c;
  int32_t pad; /* before a line */
  int32_t pad_value;
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_conv2d_winograd_line_s8_t;

#define EQ_CONV2D_WINOGRAD_LINE_S8_SCRATCH(in_c) (48 * (in_c) + 192 + 6 * (in_c))

/* V of the tile whose first pixel is `at`, maybe in padding or behind the line. */
EQ_INLINE void eq_winograd_line_input(eq_tile_t *v, int8_t *copy, const int8_t *line, int32_t at,
                                      const eq_conv2d_winograd_line_s8_t *p) {
  if (at >= 0 && at + 6 <= p->in_length) {
    eq_tiles_line_input(v, line + at * p->in_pixel, p->in_pixel, p->in_c);
    return;
  }
  int8_t *to = copy;
  EQ_NO_UNROLL
  for (int32_t i = at; i < at + 6; ++i) {
    if (i >= 0 && i < p->in_length) {
      eq_tiles_copy(to, line + i * p->in_pixel, p->in_c);
    } else {
      eq_tiles_fill(to, p->pad_value, p->in_c);
    }
    to += p->in_c;
  }
  eq_tiles_line_input(v, copy, p->in_c, p->in_c);
}

/* `count` results of neighbouring tiles for one output channel, 1 to 16. */
EQ_INLINE void eq_winograd_line_results(int8_t *out, int32_t count, const int32_t *m, const eq_tiles_scale_t *scale,
                                        const eq_conv2d_winograd_line_s8_t *p) {
  const int32_t tiles = count >> 2;
  if (tiles > 0) {
    eq_tiles_line_results(out, p->out_pixel, m, tiles, scale);
  }
  if ((count & 3) != 0) {
    int8_t kept[4];
    eq_tiles_line_results(kept, 1, m + tiles, 1, scale);
    EQ_NO_UNROLL
    for (int32_t i = 0; i < (count & 3); ++i) {
      out[(4 * tiles + i) * p->out_pixel] = kept[i];
    }
  }
}

EQ_INLINE void eq_conv2d_winograd_line_s8(int8_t *out, const int8_t *x, void *scratch, const int16_t *weights,
                                          const int32_t *bias, const int32_t *multiplier,
                                          const eq_conv2d_winograd_line_s8_t *p) {
  eq_tile_t *v = (eq_tile_t *)scratch;
  int32_t *m = (int32_t *)(v + 12 * p->in_c);
  int8_t *copy = (int8_t *)(m + 48);
  EQ_NO_UNROLL
  for (int32_t l = 0; l < p->lines; ++l) {
    const int8_t *line = x + l * p->in_line;
    EQ_NO_UNROLL
    for (int32_t first = 0; first < p->out_length; first += 16) {
      const int32_t count = p->out_length - first < 16 ? p->out_length - first : 16;
      EQ_NO_UNROLL
      for (int32_t i = 0; i < count; i += 4) {
        eq_winograd_line_input(v + (i >> 2), copy, line, first + i - p->pad, p);
      }
      const int16_t *u = weights;
      int8_t *to = out + l * p->out_line + first * p->out_pixel;
      EQ_NO_UNROLL
      for (int32_t o = 0; o < p->out_c; ++o) {
        if ((o & 1) == 0) {
          eq_tiles_line_multiply(m, v, u, p->in_c);
          u += 12 * p->in_c;
        }
        const eq_tiles_scale_t scale = {multiplier[o], p->out_zero, bias[o], p->shift};
        eq_winograd_line_results(to + o, count, m + 4 * (o & 1), &scale, p);
      }
    }
  }
  eq_clamp_run(out, p->lines * p->out_length * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
