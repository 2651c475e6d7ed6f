/*
 * Each channel against its own few weights: the core of the depthwise convolution.
 *   eq_taps_multiply_s16  out[c] for all channels of one pixel; taps[t] points to the `channels` input values under kernel
 *                         position t (or to a row of the padding value), t = 0 … depth - 1 in row-major order of the
 *                         kernel. x_bytes: 1 where they are int8, 2 where they are int16. depth <= EQ_SUM_BLOCK
 *
 * This file: weights [depth][channels], sixteen channels at a time, of which VMULLB and VMULLT take the even and the odd ones,
 * then up to four; nothing beyond the last is read or written. 18 instructions for 16 products.
 */
#ifndef EQ_TAPS_S16_H
#define EQ_TAPS_S16_H

#include <eq_lanes_s16.h>

/* Four channels from `c`, of which `left` exist: products to outputs. */
EQ_INLINE void eq_taps_finish_s16(void *out, int32_t c, int32x4_t sums, int32_t left, const eq_channels_s16_t *p) {
  const int32x4_t bias = vldrwq_z_s32(p->bias + c, vctp32q((uint32_t)left));
  sums = p->wide ? eq_shifted_sum_x4(bias, sums, p->shift) : vaddq_s32(bias, sums);
  eq_finish_four_s16(out, c, sums, left, p);
}

EQ_INLINE int32x4_t eq_taps_load_s16(const void *from, int32_t x_bytes, mve_pred16_t exist) {
  return x_bytes == 1 ? vldrbq_z_s32((const int8_t *)from, exist) : vldrhq_z_s32((const int16_t *)from, exist);
}

/* Eight channels from `c`: products of the even and of the odd ones to outputs. */
EQ_INLINE void eq_taps_finish_eight_s16(void *out, int32_t c, int32x4_t even, int32x4_t odd,
                                        const eq_channels_s16_t *p) {
  const int32x4x2_t bias = vld2q_s32(p->bias + c);
  const int32x4x2_t multiplier = vld2q_s32(p->multiplier + c);
  const int32_t shift = p->wide ? 0 : p->shift;
  even = p->wide ? eq_shifted_sum_x4(bias.val[0], even, p->shift) : vaddq_s32(bias.val[0], even);
  odd = p->wide ? eq_shifted_sum_x4(bias.val[1], odd, p->shift) : vaddq_s32(bias.val[1], odd);
  /* Saturating to int16 before the zero point of int8 is added is exact after the clamp: |zero| <= 128. */
  int16x8_t y = vqmovnbq_s32(vdupq_n_s16(0), eq_high_multiply_x4(even, multiplier.val[0], shift));
  y = vqmovntq_s32(y, eq_high_multiply_x4(odd, multiplier.val[1], shift));
  if (p->out_bytes == 1) {
    y = vqaddq_n_s16(y, (int16_t)p->out_zero);
  }
  if (!(EQ_KNOWN(p->clamp_min, -32768) && EQ_KNOWN(p->clamp_max, 32767))) {
    y = vminq_s16(vmaxq_s16(y, vdupq_n_s16((int16_t)p->clamp_min)), vdupq_n_s16((int16_t)p->clamp_max));
  }
  if (p->out_bytes == 1) {
    vstrbq_s16((int8_t *)out + c, y);
  } else {
    vst1q_s16((int16_t *)out + c, y);
  }
}

/* clang-format off */
#define EQ_TAPS_SIXTEEN_S16(load, second)                                                                   \
  __asm__ volatile(                                                                                         \
      "dls lr, %[n]\n"                                                                                      \
      "1:\n\t"                                                                                              \
      "ldr %[x], [%[tap]], #4\n\t"                                                                          \
      "vldrb.s16 %q[b], [%[w]]\n\t"                                                                         \
      "add %[x], %[x], %[at]\n\t"                                                                           \
      load " %q[a], [%[x]]\n\t"                                                                             \
      "vmullb.s16 %q[low], %q[a], %q[b]\n\t"                                                                \
      "vmullt.s16 %q[high], %q[a], %q[b]\n\t"                                                               \
      "vldrb.s16 %q[b], [%[w], #8]\n\t"                                                                     \
      "vadd.i32 %q[s0], %q[s0], %q[low]\n\t"                                                                \
      load " %q[a], [%[x], #" second "]\n\t"                                                                \
      "vadd.i32 %q[s1], %q[s1], %q[high]\n\t"                                                               \
      "vmullb.s16 %q[low], %q[a], %q[b]\n\t"                                                                \
      "add %[w], %[w], %[row]\n\t"                                                                          \
      "vmullt.s16 %q[high], %q[a], %q[b]\n\t"                                                               \
      "vadd.i32 %q[s2], %q[s2], %q[low]\n\t"                                                                \
      "vadd.i32 %q[s3], %q[s3], %q[high]\n\t"                                                               \
      "le lr, 1b"                                                                                           \
      : [s0] "+w"(s0), [s1] "+w"(s1), [s2] "+w"(s2), [s3] "+w"(s3), [a] "=&w"(a), [b] "=&w"(b),             \
        [low] "=&w"(low), [high] "=&w"(high), [x] "=&l"(x), [w] "+l"(w), [tap] "+r"(tap)                    \
      : [n] "r"(p->depth), [at] "r"(c * x_bytes), [row] "r"(p->channels)                                    \
      : "lr", "memory")
/* clang-format on */

EQ_INLINE void eq_taps_sixteen_s16(void *out, const void *const *taps, int32_t x_bytes, int32_t c,
                                   const eq_channels_s16_t *p) {
  const int8_t *w = p->weights + c;
  const void *const *tap = taps;
  const void *x;
  int16x8_t a;
  int16x8_t b;
  int32x4_t low;
  int32x4_t high;
  int32x4_t s0 = vdupq_n_s32(0);
  int32x4_t s1 = s0;
  int32x4_t s2 = s0;
  int32x4_t s3 = s0;
  if (x_bytes == 1) {
    EQ_TAPS_SIXTEEN_S16("vldrb.s16", "8");
  } else {
    EQ_TAPS_SIXTEEN_S16("vldrh.16", "16");
  }
  eq_taps_finish_eight_s16(out, c, s0, s1, p);
  eq_taps_finish_eight_s16(out, c + 8, s2, s3, p);
}

EQ_INLINE void eq_taps_multiply_s16(void *out, const void *const *taps, int32_t x_bytes, const eq_channels_s16_t *p) {
  int32_t c = 0;
  EQ_NO_UNROLL
  for (; c + 16 <= p->channels; c += 16) {
    eq_taps_sixteen_s16(out, taps, x_bytes, c, p);
  }
  EQ_NO_UNROLL
  for (; c < p->channels; c += 4) {
    const int32_t left = p->channels - c;
    const mve_pred16_t exist = vctp32q((uint32_t)left);
    const int8_t *w = p->weights + c;
    const void *const *tap = taps;
    int32x4_t sums = vdupq_n_s32(0);
    EQ_NO_UNROLL
    for (int32_t t = p->depth; t > 0; --t) {
      const int32x4_t x = eq_taps_load_s16(eq_element_at(*tap++, c, x_bytes), x_bytes, exist);
      sums = vaddq_s32(sums, vmulq_s32(x, vldrbq_z_s32(w, exist)));
      w += p->channels;
    }
    eq_taps_finish_s16(out, c, sums, left, p);
  }
}

#endif
