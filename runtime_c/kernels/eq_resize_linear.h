/*
 * eq_resize_linear: bilinear interpolation of an image, by tables of rows and columns.
 *
 *     out = (sum over the four neighbours of (weight of its row)*(weight of its column)*x + 2^(2*bits-1)) >> (2*bits)
 *
 * with a floor shift; bits = 0 moves pixels. Weights are in units of 2^-bits.
 *
 * Layout  x: ... x in_width x channels, NHWC; out: out_height x out_width x channels; both of `bytes` bytes an element,
 *         int8 or int16. rows, columns: 3 int32 for each row or column of out: both neighbours, weight of the second.
 * Ranges  0 <= bits <= 16; 0 <= weight <= 2^bits; neighbours are inside x. wide = 0: int8 and bits <= 11, so that sums
 *         are below 2^30 in magnitude. wide = 1: sums of a row fit int32, |x|*2^16 <= 2^31, the others int64.
 * Aliasing  out may overlap x from below: channels of a pixel are written one after the other, when their four
 *           neighbours have been read.
 * Scratch none.
 */
#ifndef EQ_RESIZE_LINEAR_H
#define EQ_RESIZE_LINEAR_H

#include "eq_blend.h"
#include "eq_element.h"

typedef struct {
  int32_t out_height, out_width;
  int32_t in_width, channels, bytes;
  int32_t bits, wide;
} eq_resize_linear_t;

/* One pixel of any type, from the places of its four neighbours. */
EQ_INLINE void eq_resize_linear_pixel(void *out, int32_t place, const void *x, const int32_t from[4], int32_t across,
                                      int32_t down, const eq_resize_linear_t *p) {
  const int32_t one = 1 << p->bits;
  EQ_NO_UNROLL
  for (int32_t channel = 0; channel < p->channels; channel++) {
    const int32_t top =
        eq_load(x, from[0] + channel, p->bytes) * (one - across) + eq_load(x, from[1] + channel, p->bytes) * across;
    const int32_t bottom =
        eq_load(x, from[2] + channel, p->bytes) * (one - across) + eq_load(x, from[3] + channel, p->bytes) * across;
    const int64_t total = (int64_t)top * (one - down) + (int64_t)bottom * down;
    const int32_t y = (int32_t)((total + (((int64_t)1 << (2 * p->bits)) >> 1)) >> (2 * p->bits));
    eq_store(out, place + channel, y, p->bytes);
  }
}

EQ_INLINE void eq_resize_linear(void *out, const void *x, const int32_t *rows, const int32_t *columns,
                                const eq_resize_linear_t *p) {
  const int32_t one = 1 << p->bits;
  const int32_t line = p->in_width * p->channels;
  int32_t place = 0;
  EQ_NO_UNROLL
  for (int32_t row = 0; row < p->out_height; row++) {
    const int32_t above = rows[3 * row] * line;
    const int32_t below = rows[3 * row + 1] * line;
    const int32_t down = rows[3 * row + 2];
    EQ_NO_UNROLL
    for (int32_t column = 0; column < p->out_width; column++) {
      const int32_t left = columns[3 * column] * p->channels;
      const int32_t right = columns[3 * column + 1] * p->channels;
      const int32_t across = columns[3 * column + 2];
      const int32_t from[4] = {above + left, above + right, below + left, below + right};
      if (p->wide != 0) {
        eq_resize_linear_pixel(out, place, x, from, across, down, p);
      } else {
        const int8_t *image = (const int8_t *)x;
        const int8_t *const corners[4] = {image + from[0], image + from[1], image + from[2], image + from[3]};
        const int32_t weights[4] = {(one - down) * (one - across), (one - down) * across, down * (one - across),
                                    down * across};
        eq_blend_row((int8_t *)out + place, corners, weights, p->channels, p->bits);
      }
      place += p->channels;
    }
  }
}

#endif
