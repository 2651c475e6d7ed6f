/*
 * Between four rows of int8, what linear interpolation of an image makes of the channels of a pixel:
 *
 *   eq_blend_row  out[i] = (sum over j of weights[j]*x[j][i] + 2^(2*bits-1)) >> 2*bits for i < n, with a floor shift;
 *                 bits = 0 adds nothing
 *
 * The weights are 0 … 2^(2*bits), their sum is 2^(2*bits); 0 <= bits <= 11. No row overlaps out.
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: Armv8.1-M with integer MVE, tails predicated. Up to 4 bits sums fit int16: eight channels in 11 instructions and
 * the loop, otherwise four.
 */
#ifndef EQ_BLEND_H
#define EQ_BLEND_H

#include <arm_mve.h>

#include <eq_common.h>

EQ_INLINE void eq_blend_row(int8_t *out, const int8_t *const x[4], const int32_t weights[4], int32_t n, int32_t bits) {
  int32_t i = 0;
  if (bits <= 4) {
    EQ_NO_UNROLL
    for (; i < n; i += 8) {
      const mve_pred16_t exist = vctp16q((uint32_t)(n - i));
      int16x8_t sum = vmulq_n_s16(vldrbq_z_s16(x[0] + i, exist), (int16_t)weights[0]);
      sum = vmlaq_n_s16(sum, vldrbq_z_s16(x[1] + i, exist), (int16_t)weights[1]);
      sum = vmlaq_n_s16(sum, vldrbq_z_s16(x[2] + i, exist), (int16_t)weights[2]);
      sum = vmlaq_n_s16(sum, vldrbq_z_s16(x[3] + i, exist), (int16_t)weights[3]);
      vstrbq_p_s16(out + i, vrshlq_n_s16(sum, -2 * bits), exist);
    }
  }
  EQ_NO_UNROLL
  for (; i < n; i += 4) {
    const mve_pred16_t exist = vctp32q((uint32_t)(n - i));
    int32x4_t sum = vmulq_n_s32(vldrbq_z_s32(x[0] + i, exist), weights[0]);
    sum = vmlaq_n_s32(sum, vldrbq_z_s32(x[1] + i, exist), weights[1]);
    sum = vmlaq_n_s32(sum, vldrbq_z_s32(x[2] + i, exist), weights[2]);
    sum = vmlaq_n_s32(sum, vldrbq_z_s32(x[3] + i, exist), weights[3]);
    vstrbq_p_s32(out + i, vrshlq_n_s32(sum, -2 * bits), exist);
  }
}

#endif
