/*
 * Depthwise 2-D convolution (group = in_c = out_c), int8, requantization "highmul": kernels of up to 3 x 3, strides 1 and
 * 2, dilation 1, any padding. MVE only.
 *
 *   out[oy][ox][c] = clamp(requantize(bias[c] + sum_{ky,kx} w[ky][kx][c] * x[oy*stride_h - pad_top + ky][ox*stride_w - …]))
 *   positions outside x hold pad_value.
 *
 * The picture is read line by line into a ring of four lines (eq_ring.h), `block` channels at a time. Lines run along either
 * axis: the binding chooses, and gives distances in bytes. `kernel` is the taps across lines; along a line there are three,
 * with weights of zero behind those that the kernel has.
 *
 * Layout     out and x [..][channels], the second axis inside; weights [channels][10] as eq_ring.h states; biases
 *            [channels][2], bias and multiplier.
 * Ranges     a bias already contains -zero_point(x) * sum of all weights; no partial sum may leave int32;
 *            -128 <= clamp_min <= clamp_max <= 127. All sizes >= 1. 7 * out_step and 28 * columns fit uint16.
 * Aliasing   out may be x exactly where the binding says so: a line of results is written when the lines of its windows are
 *            in the ring, and touches no other channels than those of the block; it must not meet a position of a line
 *            that is still to be read. Otherwise out must not overlap x. Nothing may overlap scratch.
 * Rounding   eq_requantize.h.
 * Scratch    the ring: EQ_DEPTHWISE_RING_S8_SCRATCH bytes, 4-byte aligned.
 */
#ifndef EQ_DEPTHWISE_RING_S8_H
#define EQ_DEPTHWISE_RING_S8_H

#include "eq_common.h"
#include "eq_ring.h"

typedef struct {
  int32_t in_lines;
  int32_t in_places; /* of a line that are read */
  int32_t in_line;   /* bytes from line to line */
  int32_t in_step;   /* bytes from place to place */
  int32_t out_lines;
  int32_t out_places;
  int32_t out_line;
  int32_t out_step;
  int32_t channels;
  int32_t kernel; /* 1 … 3 */
  int32_t line_stride;
  int32_t place_stride;
  int32_t pad_lines;  /* before the first line */
  int32_t pad_places; /* before the first place */
  int32_t columns;    /* of the ring, at least 8 * place_stride * ceil(out_places / 8) + 2 and pad_places + in_places */
  int32_t block;      /* channels of the ring, a multiple of 8 */
  int32_t pad_value;
  int32_t shift;
  int32_t out_zero;
  int32_t clamp_min;
  int32_t clamp_max;
} eq_depthwise_ring_s8_t;

#define EQ_DEPTHWISE_RING_S8_SCRATCH(columns, block) (4 * (columns) * (block))

EQ_INLINE void eq_depthwise_ring_s8(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights,
                                    const int32_t *biases, const eq_depthwise_ring_s8_t *p) {
  const int32_t pitch = 4 * p->columns;
  int8_t *ring = (int8_t *)scratch;
  eq_ring_t frame;
  eq_ring_start(&frame, pitch, p->out_places, p->out_step, p->place_stride, p->shift, p->clamp_min, p->clamp_max);
  EQ_NO_UNROLL
  for (int32_t left = p->channels; left > 0; left -= p->block) {
    const int32_t n = left < p->block ? left : p->block;
    const int8_t *from = x;
    int8_t *to = out;
    int32_t next = 0; /* line to read */
    int32_t line = -p->pad_lines;
    eq_ring_fill(ring, p->pad_value, n * pitch);
    EQ_NO_UNROLL
    for (int32_t i = 0; i < p->out_lines; ++i) {
      EQ_NO_UNROLL
      for (; next < line + p->kernel; ++next) {
        int8_t *lane = ring + (next & 3) + 4 * p->pad_places;
        if (next < p->in_lines) {
          eq_ring_write(lane, from, p->in_step, p->in_places, n, pitch);
          from += p->in_line;
        } else {
          eq_ring_pad(lane, p->pad_value, p->in_places, n, pitch);
        }
      }
      eq_ring_line(to, ring, &frame, line, p->place_stride, weights, biases, n, p->out_step, p->out_zero, p->shift,
                   p->clamp_min, p->clamp_max);
      to += p->out_line;
      line += p->line_stride;
    }
    x += n;
    out += n;
    weights += EQ_RING_TAPS * n;
    biases += 2 * n;
  }
}

#endif
