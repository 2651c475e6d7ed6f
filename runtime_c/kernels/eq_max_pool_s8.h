/*
 * eq_max_pool_s8: maximum over windows of the image; input and output share one scale and zero point.
 *
 *     out = clamp(max of the window's positions inside the image, clamp_min, clamp_max)
 *
 * Padding never wins: positions outside the image do not take part.
 *
 * Layout  x: in_height x in_width x channels; out: out_height x out_width x channels; both int8, channels innermost.
 *         Output (y, x) covers kernel_height x kernel_width positions from (y*stride_y - pad_top, x*stride_x -
 *         pad_left).
 * Ranges  every window holds at least one position; -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may overlap x from below: channels of a pixel are written one after the other, when their window has
 *           been read.
 * Scratch none.
 */
#ifndef EQ_MAX_POOL_S8_H
#define EQ_MAX_POOL_S8_H

#include "eq_common.h"
#include "eq_pool.h"
#include "eq_window.h"

typedef struct {
  int32_t in_height, in_width, channels;
  int32_t out_height, out_width;
  int32_t kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
  int32_t clamp_min, clamp_max;
} eq_max_pool_s8_t;

EQ_INLINE void eq_max_pool_s8(int8_t *out, const int8_t *x, const eq_max_pool_s8_t *p) {
  const int32_t row_bytes = p->in_width * p->channels;
  for (int32_t y = 0; y < p->out_height; y++) {
    const eq_range_t v = eq_clip_window(y * p->stride_y - p->pad_top, p->kernel_height, p->in_height);
    for (int32_t i = 0; i < p->out_width; i++) {
      const eq_range_t h = eq_clip_window(i * p->stride_x - p->pad_left, p->kernel_width, p->in_width);
      eq_max_window(out, x + (v.first * row_bytes + h.first * p->channels), v.length, h.length, row_bytes, p->channels,
                    p->channels, p->clamp_min, p->clamp_max);
      out += p->channels;
    }
  }
}

#endif
