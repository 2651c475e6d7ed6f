/*
 * int32 lanes to int8 or int16 outputs, four at a time: what the multiply-accumulate headers of this folder share.
 *   eq_finish_lanes_s16  sums of channels c … c + n - 1 of two pixels (wide ones already shifted) to outputs, n <= 16
 *   eq_finish_four_s16   four lanes of one pixel, of which `left` exist
 * Their manual is eq_channels_s16.h.
 */
#ifndef EQ_LANES_S16_H
#define EQ_LANES_S16_H

#include <arm_mve.h>

#include <eq_channels_s16.h>

/* eq_shifted_sum of four lanes: VHADD halves without overflow. */
EQ_INLINE int32x4_t eq_shifted_sum_x4(int32x4_t a, int32x4_t b, int32_t shift) {
  return vshlq_r_s32(vhaddq_s32(a, b), 1 - shift);
}

/* Sums of pixel 1 lie 64 bytes behind those of pixel 0; q2 is pixel 1. */
/* clang-format off */
#define EQ_FINISH_LANES_S16(scale, range, store)                                                         \
  __asm__ volatile(                                                                                      \
      "dlstp.32 lr, %[n]\n\t"                                                                            \
      "1:\n\t"                                                                                           \
      "vldrw.32 q1, [%[m]], #16\n\t"                                                                     \
      "vldrw.32 q2, [%[acc], #64]\n\t"                                                                   \
      "vldrw.32 q0, [%[acc]], #16\n\t" scale                                                             \
      "vrmulh.s32 q2, q2, q1\n\t"                                                                        \
      "vrmulh.s32 q0, q0, q1\n\t" range store                                                            \
      "letp lr, 1b"                                                                                      \
      : [acc] "+r"(acc), [m] "+r"(multiplier), [out0] "+l"(to0), [out1] "+l"(to1)                        \
      : [n] "r"(n), [shift] "r"(shift), [zero] "r"(p->out_zero), [low] "w"(low), [high] "w"(high)        \
      : "q0", "q1", "q2", "lr", "memory")
#define EQ_SHIFT_LANES_S16 "vshl.s32 q2, %[shift]\n\tvshl.s32 q0, %[shift]\n\t"
#define EQ_ADD_ZERO_S16 "vadd.i32 q2, q2, %[zero]\n\tvadd.i32 q0, q0, %[zero]\n\t"
#define EQ_CLAMP_LANES_S16                                                                               \
  "vmax.s32 q2, q2, %q[low]\n\tvmax.s32 q0, q0, %q[low]\n\t"                                             \
  "vmin.s32 q2, q2, %q[high]\n\tvmin.s32 q0, q0, %q[high]\n\t"
#define EQ_SATURATE_LANES_S16 "vqmovnb.s32 q2, q2\n\tvqmovnb.s32 q0, q0\n\t"
#define EQ_STORE_BYTES_S16 "vstrb.32 q2, [%[out1]], #4\n\tvstrb.32 q0, [%[out0]], #4\n\t"
#define EQ_STORE_HALVES_S16 "vstrh.32 q2, [%[out1]], #8\n\tvstrh.32 q0, [%[out0]], #8\n\t"
#define EQ_FINISH_RANGE_S16(range, store)                                                                \
  if (__builtin_constant_p(shift) && shift == 0) {                                                       \
    EQ_FINISH_LANES_S16("", range, store);                                                               \
  } else {                                                                                               \
    EQ_FINISH_LANES_S16(EQ_SHIFT_LANES_S16, range, store);                                               \
  }
/* clang-format on */

EQ_INLINE void eq_finish_lanes_s16(void *out0, void *out1, int32_t c, const int32_t *acc, int32_t n,
                                   const eq_channels_s16_t *p) {
  const int32x4_t low = vdupq_n_s32(p->clamp_min);
  const int32x4_t high = vdupq_n_s32(p->clamp_max);
  const int32_t *multiplier = p->multiplier + c;
  const int32_t shift = p->wide ? 0 : p->shift;
  int8_t *to0 = (int8_t *)out0 + c * p->out_bytes;
  int8_t *to1 = (int8_t *)out1 + c * p->out_bytes;
  if (p->out_bytes == 1) {
    EQ_FINISH_RANGE_S16(EQ_ADD_ZERO_S16 EQ_CLAMP_LANES_S16, EQ_STORE_BYTES_S16)
  } else if (p->clamp_min == -32768 && p->clamp_max == 32767) {
    EQ_FINISH_RANGE_S16(EQ_SATURATE_LANES_S16, EQ_STORE_HALVES_S16)
  } else {
    EQ_FINISH_RANGE_S16(EQ_CLAMP_LANES_S16, EQ_STORE_HALVES_S16)
  }
}

EQ_INLINE void eq_finish_four_s16(void *out, int32_t c, int32x4_t sums, int32_t left, const eq_channels_s16_t *p) {
  const mve_pred16_t exist = vctp32q((uint32_t)left);
  const int32x4_t multiplier = vldrwq_z_s32(p->multiplier + c, exist);
  int32x4_t y = eq_requantize_x4(sums, multiplier, p->wide ? 0 : p->shift, p->out_zero);
  y = vminq_s32(vmaxq_s32(y, vdupq_n_s32(p->clamp_min)), vdupq_n_s32(p->clamp_max));
  if (p->out_bytes == 2) {
    vstrhq_p_s32((int16_t *)out + c, y, exist);
  } else {
    vstrbq_p_s32((int8_t *)out + c, y, exist);
  }
}

#endif
