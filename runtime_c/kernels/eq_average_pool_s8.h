/*
 * eq_average_pool_s8: average over windows of the image, mode "highmul".
 *
 *     out = clamp(requantize(sum - n*in_zero), clamp_min, clamp_max)
 *
 * over the n positions of the window that lie inside the image; 1/n is part of the multiplier. requantize is
 * eq_requantize.h's, with the multiplier of n, shift and out_zero.
 *
 * Layout  x: in_height x in_width x channels; out: out_height x out_width x channels; both int8, channels innermost.
 *         Output (y, x) covers kernel_height x kernel_width positions from (y*stride_y - pad_top, x*stride_x -
 *         pad_left). multipliers: NULL where every window has the same n, then `multiplier` serves all; else indexed by n.
 * Ranges  every window holds 1 <= n <= 2^15 positions, hence |sum - n*in_zero| < 2^23; times 2^shift it fits int32;
 *         `narrow` as eq_requantize.h says, for all n; -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may overlap x from below: channels of a pixel are written one after the other, when their window has
 *           been read.
 * Scratch none.
 */
#ifndef EQ_AVERAGE_POOL_S8_H
#define EQ_AVERAGE_POOL_S8_H

#include "eq_common.h"
#include "eq_pool.h"
#include "eq_window.h"

typedef struct {
  int32_t in_height, in_width, channels;
  int32_t out_height, out_width;
  int32_t kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
  int32_t in_zero;
  int32_t multiplier, shift, out_zero, narrow;
  int32_t clamp_min, clamp_max;
} eq_average_pool_s8_t;

EQ_INLINE void eq_average_pool_s8(int8_t *out, const int8_t *x, const int32_t *multipliers,
                                  const eq_average_pool_s8_t *p) {
  const int32_t row_bytes = p->in_width * p->channels;
  eq_scaling_t scaling = {p->multiplier, p->shift, p->out_zero, p->narrow, p->clamp_min, p->clamp_max};
  for (int32_t y = 0; y < p->out_height; y++) {
    const eq_range_t v = eq_clip_window(y * p->stride_y - p->pad_top, p->kernel_height, p->in_height);
    for (int32_t i = 0; i < p->out_width; i++) {
      const eq_range_t h = eq_clip_window(i * p->stride_x - p->pad_left, p->kernel_width, p->in_width);
      const int32_t n = v.length * h.length;
      if (multipliers != NULL) {
        scaling.multiplier = multipliers[n];
      }
      eq_average_window(out, x + (v.first * row_bytes + h.first * p->channels), v.length, h.length, row_bytes,
                        p->channels, p->channels, -n * p->in_zero, scaling);
      out += p->channels;
    }
  }
}

#endif
