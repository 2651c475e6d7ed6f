/*
 * The convolutions whose tiles have windows of their own: four tiles at a time, row by row, then all pairs of output
 * channels. A form says which; it is a constant.
 */
#ifndef EQ_TILE_CONVOLUTION_H
#define EQ_TILE_CONVOLUTION_H

#include <eq_tiles_4x4.h>
#include <eq_tiles_stride2.h>

#include "eq_clamp_run.h"
#include "eq_common.h"
#include "eq_conv2d_winograd_s8.h"
#include "eq_tile_walk.h"

typedef struct {
  int32_t window;  /* rows and columns of it: as many positions as pixels */
  int32_t results; /* rows and columns of them; 4: eq_tiles_4x4.h, 2: eq_tiles_stride2.h */
  int32_t stride;  /* of the convolution */
} eq_tile_form_t;

EQ_INLINE void eq_tile_input(eq_tile_form_t form, eq_tile_t *v, eq_tile_window_t window, int32_t c, eq_tile_t *lines) {
  if (form.results == 4) {
    eq_tiles_4x4_input(v, window.pixels, window.row, c, lines);
  } else {
    eq_tiles_stride2_input(v, window.pixels, window.row, c, lines);
  }
}

EQ_INLINE void eq_tile_multiply(eq_tile_form_t form, int32_t *m, const void *v, const void *u, int32_t c) {
  if (form.results == 4) {
    eq_tiles_4x4_multiply(m, v, u, c);
  } else {
    eq_tiles_stride2_multiply(m, v, u, c);
  }
}

EQ_INLINE void eq_tile_results(eq_tile_form_t form, int8_t *out, int32_t row, int32_t pixel, const int32_t *m,
                               const eq_tiles_scale_t *scale) {
  if (form.results == 4) {
    eq_tiles_4x4_results(out, row, pixel, m, scale);
  } else {
    eq_tiles_stride2_results(out, row, pixel, m, scale);
  }
}

/* Results of a tile, `rows` and `columns` of which there are below and right of its first one. */
EQ_INLINE void eq_tile_finish(eq_tile_form_t form, int8_t *out, int32_t rows, int32_t columns, int8_t *kept,
                              const int32_t *m, const eq_tiles_scale_t *scale, const eq_conv2d_winograd_s8_t *p) {
  const int32_t row = p->out_w * p->out_c;
  if (rows >= form.results && columns >= form.results) {
    eq_tile_results(form, out, row, p->out_c, m, scale);
    return;
  }
  eq_tile_results(form, kept, form.results, 1, m, scale);
  eq_tile_store(out, row, p->out_c, kept, form.results, rows < form.results ? rows : form.results,
                columns < form.results ? columns : form.results);
}

EQ_INLINE void eq_tile_convolution(eq_tile_form_t form, int8_t *out, const int8_t *x, void *scratch,
                                   const int16_t *weights, const int32_t *bias, const int32_t *multiplier,
                                   const eq_conv2d_winograd_s8_t *p) {
  const int32_t pixels = form.window * form.window;
  eq_tile_t *v = (eq_tile_t *)scratch;
  int32_t *m = (int32_t *)(v + 2 * pixels * p->in_c);
  eq_tile_t *lines = (eq_tile_t *)(void *)(m + 8 * pixels);
  int8_t *copy = (int8_t *)(lines + 2 * pixels);
  int8_t *kept = copy + pixels * p->in_c;
  const int32_t across = (p->out_w + form.results - 1) / form.results;
  const int32_t tiles = (p->out_h + form.results - 1) / form.results * across;
  EQ_NO_UNROLL
  for (int32_t first = 0; first < tiles; first += 4) {
    const int32_t many = first + 4 < tiles ? 4 : tiles - first;
    EQ_NO_UNROLL
    for (int32_t tile = 0; tile < many; ++tile) {
      const int32_t y0 = (first + tile) / across * form.results * form.stride - p->pad_top;
      const int32_t x0 = (first + tile) % across * form.results * form.stride - p->pad_left;
      const eq_tile_window_t window =
          eq_tile_window(copy, x, y0, x0, form.window, form.window, p->in_h, p->in_w, p->in_c, p->pad_value);
      eq_tile_input(form, v + tile, window, p->in_c, lines);
    }
    const int16_t *u = weights;
    EQ_NO_UNROLL
    for (int32_t pair = 0; pair < p->out_c; pair += 2) {
      eq_tile_multiply(form, m, v, u, p->in_c);
      u += 2 * pixels * p->in_c;
      const int32_t outputs = pair + 1 < p->out_c ? 2 : 1;
      EQ_NO_UNROLL
      for (int32_t tile = 0; tile < many; ++tile) {
        const int32_t y = (first + tile) / across * form.results;
        const int32_t left = (first + tile) % across * form.results;
        int8_t *to = out + (y * p->out_w + left) * p->out_c + pair;
        EQ_NO_UNROLL
        for (int32_t o = 0; o < outputs; ++o) {
          const eq_tiles_scale_t scale = {multiplier[pair + o], p->out_zero, bias[pair + o], p->shift};
          eq_tile_finish(form, to + o, p->out_h - y, p->out_w - left, kept, m + 4 * o + tile, &scale, p);
        }
      }
    }
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
