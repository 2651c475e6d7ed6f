/*
 * 2-D convolution 3x3, stride 1, int8, requantization "highmul", by Winograd's F(2x2,3x3) in integers with weights that
 * were transformed at compile time: eq_conv2d_winograd_s8 with 32 bytes of weights for 9, less scratch and less work.
 *
 * Layout     as eq_conv2d_winograd_s8; weights are U as eq_tiles.h has it, for each pair of output channels 16 in_c words,
 *            4-byte aligned.
 * Ranges     as there; block is 1.
 * Aliasing   as there.
 * Rounding   eq_requantize.h.
 * Scratch    EQ_CONV2D_WINOGRAD_WIDE_S8_SCRATCH bytes, 16-byte aligned.
 */
#ifndef EQ_CONV2D_WINOGRAD_WIDE_S8_H
#define EQ_CONV2D_WINOGRAD_WIDE_S8_H

#include "eq_conv2d_winograd_s8.h"

/* V of a quad, a window, M, and the results of a quad at the border. */
#define EQ_CONV2D_WINOGRAD_WIDE_S8_SCRATCH(in_c) (128 * (in_c) + 40 * (in_c) + 512 + 16)

EQ_INLINE void eq_conv2d_winograd_wide_s8(int8_t *out, const int8_t *x, void *scratch, const int16_t *weights,
                                          const int32_t *bias, const int32_t *multiplier,
                                          const eq_conv2d_winograd_s8_t *p) {
  int8_t *v = (int8_t *)scratch;
  int8_t *window = v + 128 * p->in_c;
  int8_t *sums = window + 40 * p->in_c;
  const int32_t across = (p->out_w + 7) >> 3;
  const int32_t quads = ((p->out_h + 1) >> 1) * across;
  EQ_NO_UNROLL
  for (int32_t quad = 0; quad < quads; ++quad) {
    eq_winograd_inputs(v, window, x, quad, quad + 1, across, p);
    const int16_t *u = weights;
    EQ_NO_UNROLL
    for (int32_t c = 0; c < p->out_c; c += 2) {
      eq_winograd_outputs(out, v, u, sums, bias, multiplier, c, quad, quad + 1, across, p);
      u += 32 * p->in_c;
    }
  }
  eq_clamp_run(out, p->out_h * p->out_w * p->out_c, p->clamp_min, p->clamp_max);
}

#endif
