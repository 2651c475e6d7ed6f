/*
 * Rows of choices between bytes, one per place i < n:
 *
 *   eq_maximum_row  out[i] = flip ^ max(flip ^ a, flip ^ b), flip 0 or -1, a = a[i*a_step], b = b[i*b_step]
 *   eq_where_row    out[i] = condition[i] != 0 ? a[i*a_step] : b[i*b_step]
 *
 * with steps of 0 or 1. Aliasing: out may be exactly an operand with a step of 1; otherwise no overlap.
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: Armv8.1-M with integer MVE, sixteen at a time in 5 and 10 instructions with the loop, tails
 * predicated. Masks are vectors: gcc 12 fails on VPSEL.
 */
#ifndef EQ_CHOICE_H
#define EQ_CHOICE_H

#include <arm_mve.h>

#include <eq_common.h>

/* Up to sixteen values of a row from i on, or its only one. */
EQ_INLINE int8x16_t eq_choice_vector(const int8_t *x, int32_t i, int32_t step, mve_pred16_t exist) {
  return step != 0 ? vldrbq_z_s8(x + i, exist) : vdupq_n_s8(*x);
}

/* clang-format off */
#define EQ_MAXIMUM_ROW(operation)                                                             \
  __asm__ volatile(                                                                           \
      "wlstp.8 lr, %[n], 2f\n"                                                                \
      "1:\n\t"                                                                                \
      "vldrb.8 q0, [%[a]], #16\n\t"                                                           \
      "vldrb.8 q1, [%[b]], #16\n\t" operation " q0, q0, q1\n\t"                               \
      "vstrb.8 q0, [%[out]], #16\n\t"                                                         \
      "letp lr, 1b\n"                                                                         \
      "2:"                                                                                    \
      : [out] "+r"(out), [a] "+r"(a), [b] "+r"(b) : [n] "r"(n) : "q0", "q1", "lr", "memory")
/* clang-format on */

EQ_INLINE void eq_maximum_row(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t a_step, int32_t b_step,
                              int32_t flip) {
  if (a_step != 0 && b_step != 0 && flip == 0) {
    EQ_MAXIMUM_ROW("vmax.s8");
    return;
  }
  if (a_step != 0 && b_step != 0) {
    EQ_MAXIMUM_ROW("vmin.s8");
    return;
  }
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i += 16) {
    const mve_pred16_t exist = vctp8q((uint32_t)(n - i));
    const int8x16_t left = eq_choice_vector(a, i, a_step, exist);
    const int8x16_t right = eq_choice_vector(b, i, b_step, exist);
    vstrbq_p_s8(out + i, flip == 0 ? vmaxq_s8(left, right) : vminq_s8(left, right), exist);
  }
}

EQ_INLINE void eq_where_row(int8_t *out, const int8_t *condition, const int8_t *a, const int8_t *b, int32_t n,
                            int32_t a_step, int32_t b_step) {
  if (a_step != 0 && b_step != 0) {
    __asm__ volatile(
        "wlstp.8 lr, %[n], 2f\n"
        "1:\n\t"
        "vldrb.8 q2, [%[c]], #16\n\t"
        "vldrb.8 q0, [%[a]], #16\n\t"
        "vldrb.8 q1, [%[b]], #16\n\t"
        "vmin.u8 q2, q2, %q[one]\n\t"
        "vneg.s8 q2, q2\n\t"
        "vand q0, q0, q2\n\t"
        "vbic q1, q1, q2\n\t"
        "vorr q0, q0, q1\n\t"
        "vstrb.8 q0, [%[out]], #16\n\t"
        "letp lr, 1b\n"
        "2:"
        : [out] "+r"(out), [a] "+r"(a), [b] "+r"(b), [c] "+r"(condition)
        : [n] "r"(n), [one] "w"(vdupq_n_u8(1))
        : "q0", "q1", "q2", "lr", "memory");
    return;
  }
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i += 16) {
    const mve_pred16_t exist = vctp8q((uint32_t)(n - i));
    const uint8x16_t truth = vreinterpretq_u8_s8(vldrbq_z_s8(condition + i, exist));
    const int8x16_t mask = vnegq_s8(vreinterpretq_s8_u8(vminq_u8(truth, vdupq_n_u8(1))));
    const int8x16_t left = vandq_s8(eq_choice_vector(a, i, a_step, exist), mask);
    const int8x16_t right = vbicq_s8(eq_choice_vector(b, i, b_step, exist), mask);
    vstrbq_p_s8(out + i, vorrq_s8(left, right), exist);
  }
}

#endif
