/*
 * Elements of a row that is normalized, `n` neighbours from place `at` on:
 *
 *   eq_norm_run  N = factor*x - less;   h = (N*inverse + 2^(down-1)) >> down
 *                out = clamp((h*scale[c] + offset[c]) >> shift, lo, hi), c grows by `step`, 0 or 1, from element to element
 *
 * offset[c] is offsets[2c] * 2^32 + offsets[2c + 1], the latter unsigned. N and h fit int32, |h*scale + offset| < 2^63;
 * 0 <= inverse < 2^31; 2 <= down < 62; 1 <= shift <= 62. x and out are int8 or int16 (`bytes`); out may be exactly x.
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: Armv8.1-M with integer MVE, 22 instructions for four elements, tails predicated; elements whose products do not
 * fit one by one.
 */
#ifndef EQ_NORM_RUN_H
#define EQ_NORM_RUN_H

#include <arm_mve.h>

#include <eq_element.h>
#include <eq_norm.h>

EQ_INLINE void eq_norm_slowly(void *out, const void *x, int32_t at, int32_t n, const int32_t *scale,
                              const int32_t *offsets, const eq_norm_t *p) {
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i++) {
    const int32_t c = p->step * i;
    const int64_t distance = p->factor * eq_load(x, at + i, p->bytes) - p->less;
    const int32_t h = (int32_t)((distance * p->inverse + ((int64_t)1 << (p->down - 1))) >> p->down);
    const uint64_t offset = ((uint64_t)(uint32_t)offsets[2 * c] << 32) | (uint32_t)offsets[2 * c + 1];
    const int64_t y = ((int64_t)offset + (int64_t)h * scale[c]) >> p->shift;
    eq_store(out, at + i, y < p->lo ? p->lo : y > p->hi ? p->hi : (int32_t)y, p->bytes);
  }
}

EQ_INLINE void eq_norm_run(void *out, const void *x, int32_t at, int32_t n, const int32_t *scale,
                           const int32_t *offsets, const eq_norm_t *p) {
  const int32_t raised = eq_norm_raised(p);
  if (raised < 0 || p->shift < 32) {
    eq_norm_slowly(out, x, at, n, scale, offsets, p);
    return;
  }
  const int8_t *from = (const int8_t *)x + at * p->bytes;
  int8_t *to = (int8_t *)out + at * p->bytes;
  const uint32x4_t pairs = vmulq_n_u32(vidupq_n_u32(0, 8), (uint32_t)p->step);
  const int32x4_t less = vdupq_n_s32(p->less);
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i += 4) {
    const mve_pred16_t exist = vctp32q((uint32_t)(n - i));
    int32x4_t h = p->bytes == 1 ? vldrbq_z_s32(from, exist) : vldrhq_z_s32((const int16_t *)(const void *)from, exist);
    h = vshlq_r_s32(vsubq_s32(vmulq_n_s32(h, p->factor), less), raised);
    h = vrshlq_n_s32(vmulhq_s32(h, vdupq_n_s32(p->inverse)), 32 - p->down - raised);
    const int32x4_t m = p->step != 0 ? vldrwq_z_s32(scale, exist) : vdupq_n_s32(*scale);
    const int32x4_t high = vldrwq_gather_offset_z_s32(offsets, pairs, exist);
    const uint32x4_t low = vldrwq_gather_offset_z_u32((const uint32_t *)(const void *)(offsets + 1), pairs, exist);
    /* The carry of the lower words is the upper bit of half their sum. */
    const uint32x4_t half = vhaddq_u32(vreinterpretq_u32_s32(vmulq_s32(h, m)), low);
    int32x4_t y = vaddq_s32(vaddq_s32(vmulhq_s32(h, m), high), vreinterpretq_s32_u32(vshrq_n_u32(half, 31)));
    y = vshlq_r_s32(y, 32 - p->shift);
    y = vminq_s32(vmaxq_s32(y, vdupq_n_s32(p->lo)), vdupq_n_s32(p->hi));
    if (p->bytes == 1) {
      vstrbq_p_s32(to, y, exist);
    } else {
      vstrhq_p_s32((int16_t *)(void *)to, y, exist);
    }
    from += 4 * p->bytes;
    to += 4 * p->bytes;
    scale += 4 * p->step;
    offsets += 8 * p->step;
  }
}

#endif
