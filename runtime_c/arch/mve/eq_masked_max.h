/*
 * The largest of the values of a row that count:
 *
 *   eq_masked_max  the largest x[i] of those i < n whose mask is not 0; -129 where there is none
 *
 * The same function exists for every instruction set.
 *
 * This file: Armv8.1-M with integer MVE, sixteen values in 8 instructions and the loop: what does not count is -128, and
 * whether anything does is asked of the masks.
 */
#ifndef EQ_MASKED_MAX_H
#define EQ_MASKED_MAX_H

#include <arm_mve.h>

#include <eq_common.h>

EQ_INLINE int32_t eq_masked_max(const int8_t *x, const int8_t *mask, int32_t n) {
  const int8x16_t lowest = vdupq_n_s8(-128);
  const uint8x16_t one = vdupq_n_u8(1);
  int8x16_t best = lowest;
  uint32_t any = 0;
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i += 16) {
    const mve_pred16_t exist = vctp8q((uint32_t)(n - i));
    const uint8x16_t truth = vminq_u8(vreinterpretq_u8_s8(vldrbq_z_s8(mask + i, exist)), one);
    const int8x16_t counts = vnegq_s8(vreinterpretq_s8_u8(truth));
    any = vaddvaq_u8(any, truth);
    best = vmaxq_s8(best, vorrq_s8(vandq_s8(vldrbq_z_s8(x + i, exist), counts), vbicq_s8(lowest, counts)));
  }
  return any != 0 ? vmaxvq_s8(-128, best) : -129;
}

#endif
