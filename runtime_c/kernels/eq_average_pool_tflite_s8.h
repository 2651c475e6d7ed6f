/*
 * eq_average_pool_tflite_s8: average over windows of the image, mode "tflite".
 *
 *     out = clamp(sum / n rounded to nearest, halves away from zero, clamp_min, clamp_max)
 *
 * over the n positions of the window that lie inside the image; the raw int8 values are averaged, so input and output
 * share one scale and zero point. This is what LiteRT's reference integer kernel does.
 *
 * Layout  as eq_average_pool_s8.
 * Ranges  every window holds 1 <= n <= 2^15 positions, hence |sum| <= 2^22; -128 <= clamp_min <= clamp_max <= 127.
 * Aliasing  out may overlap x from below: channels of a pixel are written one after the other, when their window has
 *           been read.
 * Scratch none.
 */
#ifndef EQ_AVERAGE_POOL_TFLITE_S8_H
#define EQ_AVERAGE_POOL_TFLITE_S8_H

#include "eq_common.h"
#include "eq_requantize.h"
#include "eq_window.h"

typedef struct {
  int32_t in_height, in_width, channels;
  int32_t out_height, out_width;
  int32_t kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left;
  int32_t clamp_min, clamp_max;
} eq_average_pool_tflite_s8_t;

EQ_INLINE void eq_average_pool_tflite_s8(int8_t *out, const int8_t *x, const eq_average_pool_tflite_s8_t *p) {
  for (int32_t y = 0; y < p->out_height; y++) {
    const eq_range_t v = eq_clip_window(y * p->stride_y - p->pad_top, p->kernel_height, p->in_height);
    for (int32_t i = 0; i < p->out_width; i++) {
      const eq_range_t h = eq_clip_window(i * p->stride_x - p->pad_left, p->kernel_width, p->in_width);
      const int32_t n = v.length * h.length;
      for (int32_t c = 0; c < p->channels; c++) {
        int32_t sum = 0;
        for (int32_t r = 0; r < v.length; r++) {
          const int8_t *at = x + (((v.first + r) * p->in_width + h.first) * p->channels + c);
          for (int32_t k = 0; k < h.length; k++) {
            sum += at[k * p->channels];
          }
        }
        const int32_t half = sum > 0 ? n / 2 : -(n / 2);
        *out++ = (int8_t)eq_clamp((sum + half) / n, p->clamp_min, p->clamp_max);
      }
    }
  }
}

#endif
