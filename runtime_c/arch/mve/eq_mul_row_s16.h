/*
 * A row of products of int16 values:
 *
 *   eq_mul_row_s16  out[i] = clamp(requantize(a[i] * b[i*b_step]), lo, hi)
 *
 * requantize as eq_requantize.h defines it, with its ranges and zero point 0; -32768 <= lo <= hi <= 32767; b_step is 1, or 0
 * where one value serves all.
 * Aliasing: out may be exactly a or exactly b; it must not overlap them otherwise.
 *
 * This file: Armv8.1-M with integer MVE: eight products at a time in a low-overhead loop that predicates its tail of pairs.
 */
#ifndef EQ_MUL_ROW_S16_H
#define EQ_MUL_ROW_S16_H

#include <arm_mve.h>

#include <eq_scaling.h>

/* clang-format off */
#define EQ_MUL_LOOP_S16(scale)                                                                             \
  __asm__ volatile(                                                                                        \
      "wlstp.16 lr, %[n], 2f\n"                                                                            \
      "1:\n\t"                                                                                             \
      "vldrh.u16 q0, [%[a]], #16\n\t"                                                                      \
      "vldrh.u16 q1, [%[b]], #16\n\t"                                                                      \
      "vmullb.s16 q2, q0, q1\n\t"                                                                          \
      "vmullt.s16 q0, q0, q1\n\t" scale                                                                    \
      "vrmulh.s32 q2, q2, %q[m]\n\t"                                                                       \
      "vrmulh.s32 q0, q0, %q[m]\n\t"                                                                       \
      "vqmovnb.s32 q2, q2\n\t"                                                                             \
      "vqmovnt.s32 q2, q0\n\t"                                                                             \
      "vmax.s16 q2, q2, %q[lo]\n\t"                                                                        \
      "vmin.s16 q2, q2, %q[hi]\n\t"                                                                        \
      "vstrh.16 q2, [%[out]], #16\n\t"                                                                     \
      "letp lr, 1b\n"                                                                                      \
      "2:"                                                                                                 \
      : [out] "+r"(out), [a] "+r"(a), [b] "+r"(b)                                                          \
      : [n] "r"(n), [m] "w"(multiplier), [shift] "r"(s.shift), [lo] "w"(lo), [hi] "w"(hi)                  \
      : "q0", "q1", "q2", "lr", "memory")
/* clang-format on */

/* n is even: of a 32-bit lane that is half predicated, half would be computed. */
EQ_INLINE void eq_mul_pairs_s16(int16_t *out, const int16_t *a, const int16_t *b, int32_t n, eq_scaling_t s) {
  const int32x4_t multiplier = vdupq_n_s32(s.multiplier);
  const int16x8_t lo = vdupq_n_s16((int16_t)s.lo);
  const int16x8_t hi = vdupq_n_s16((int16_t)s.hi);
  if (__builtin_constant_p(s.shift) && s.shift == 0) {
    EQ_MUL_LOOP_S16("");
  } else {
    EQ_MUL_LOOP_S16("vshl.s32 q2, %[shift]\n\tvshl.s32 q0, %[shift]\n\t");
  }
}

EQ_INLINE void eq_mul_row_s16(int16_t *out, const int16_t *a, const int16_t *b, int32_t b_step, int32_t n,
                              eq_scaling_t s) {
  int32_t done = 0;
  if (b_step == 1) {
    done = n & ~1;
    eq_mul_pairs_s16(out, a, b, done, s);
  }
  for (int32_t i = done; i < n; i++) {
    out[i] = (int16_t)eq_clamp(eq_requantize(a[i] * b[i * b_step], s.multiplier, s.shift, 0), s.lo, s.hi);
  }
}

#endif
