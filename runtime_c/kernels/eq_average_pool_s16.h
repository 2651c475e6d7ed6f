/*
 * eq_average_pool_s16: average of int16 over windows of the image, mode "highmul".
 *
 *     out = clamp(requantize(sum), clamp_min, clamp_max)
 *
 * over the n positions of the window that lie inside the image; 1/n is part of the multiplier. requantize is
 * eq_requantize.h's, with the multiplier of n, shift and zero point 0.
 *
 * Layout  x: in_height x in_width x channels; out: out_height x out_width x channels; both int16, channels innermost.
 *         Output (y, x) covers kernel_height x kernel_width positions from (y*stride_y - pad_top, x*stride_x -
 *         pad_left). multipliers: NULL where every window has the same n, then `multiplier` serves all; else indexed by n.
 * Ranges  every window holds 1 <= n <= 2^15 positions, hence |sum| <= 2^30; times 2^shift it fits int32;
 *         -32768 <= clamp_min <= clamp_max <= 32767.
 * Aliasing  out may overlap x from below: channels of a pixel are written one after the other, when their window has
 *           been read.
 * Scratch none.
 */
#ifndef EQ_AVERAGE_POOL_S16_H
#define EQ_AVERAGE_POOL_S16_H

#include "eq_pool_s16.h"
#include "eq_window.h"

typedef struct {
  int32_t in_height, in_width, channels;
  int32_t out_height, out_width;
  int32_t kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
  int32_t multiplier, shift;
  int32_t clamp_min, clamp_max;
} eq_average_pool_s16_t;

EQ_INLINE void eq_average_pool_s16(int16_t *out, const int16_t *x, const int32_t *multipliers,
                                   const eq_average_pool_s16_t *p) {
  const int32_t row = p->in_width * p->channels;
  eq_scaling_t scaling = {p->multiplier, p->shift, 0, 0, p->clamp_min, p->clamp_max};
  for (int32_t y = 0; y < p->out_height; y++) {
    const eq_range_t v = eq_clip_window(y * p->stride_y - p->pad_top, p->kernel_height, p->in_height);
    for (int32_t i = 0; i < p->out_width; i++) {
      const eq_range_t h = eq_clip_window(i * p->stride_x - p->pad_left, p->kernel_width, p->in_width);
      if (multipliers != NULL) {
        scaling.multiplier = multipliers[v.length * h.length];
      }
      eq_average_window_s16(out, x + (v.first * row + h.first * p->channels), v.length, h.length, row, p->channels,
                            p->channels, 0, scaling);
      out += p->channels;
    }
  }
}

#endif
