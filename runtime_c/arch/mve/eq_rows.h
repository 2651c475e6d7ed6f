/*
 * One vector against many rows of weights: the core of the fully connected layer.
 *   eq_rows_multiply  out[c] for all channels; x is read as it lies, `depth` bytes, any alignment
 *
 * This file: weights [channels][depth] in plain order, four rows at a time, one vector requantization for the four.
 */
#ifndef EQ_ROWS_H
#define EQ_ROWS_H

#include <eq_channels.h>
#include <eq_dot.h>
#include <eq_requantize.h>

EQ_INLINE void eq_rows_multiply(int8_t *out, const int8_t *x, const eq_channels_t *p) {
  const int8_t *w = p->weights;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += 4) {
    const int32_t left = p->channels - c;
    const mve_pred16_t lanes = vctp32q((uint32_t)left);
    const int32x4_t bias = vldrwq_z_s32(p->bias + c, lanes);
    int32_t acc[4] = {0, 0, 0, 0};
    /* Rows that do not exist are the first of the four again; their sums are never stored. */
    const int8_t *const rows[4] = {w, left > 1 ? w + p->depth : w, left > 2 ? w + 2 * p->depth : w,
                                   left > 3 ? w + 3 * p->depth : w};
    eq_dot_1x4(acc, x, rows, p->depth);
    int32x4_t y = vsetq_lane_s32(acc[0], vdupq_n_s32(acc[3]), 0);
    y = vsetq_lane_s32(acc[2], vsetq_lane_s32(acc[1], y, 1), 2);
    y = eq_requantize_x4(vaddq_s32(y, bias), vldrwq_z_s32(p->multiplier + c, lanes), p->shift, p->out_zero);
    y = vminq_s32(vmaxq_s32(y, vdupq_n_s32(p->clamp_min)), vdupq_n_s32(p->clamp_max));
    vstrbq_p_s32(out + c, y, lanes);
    w += 4 * p->depth;
  }
}

#endif
