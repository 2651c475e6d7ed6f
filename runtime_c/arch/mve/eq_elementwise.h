/*
 * Rows of elementwise arithmetic on int8. The same functions exist for every instruction set, bit for bit equal:
 *
 *   eq_add_row         out[i] = clamp((a[i]*ma + b[i]*mb + offset) >> shift, lo, hi)
 *   eq_scale_row       out[i] = clamp((a[i]*ma + offset) >> shift, lo, hi)
 *   eq_mul_row         out[i] = clamp(requantize((a[i] - a_zero) * (b[i] - b_zero)), lo, hi)
 *   eq_requantize_row  out[i] = clamp(requantize(x[i]*factor + addend), lo, hi)
 *   eq_lookup_row      out[i] = table[(uint8_t)x[i]]
 *
 * Ranges: -128 <= lo <= hi <= 127; 0 <= shift < 32; the final sum fits int32 (partial sums may wrap, the caller need
 * not care about their order); requantize as eq_requantize.h defines it, with its ranges and its `narrow`.
 * Aliasing: values are read and written in order, so out may be a or b (or x), or overlap them from below. No alignment is
 * required.
 *
 * This file: Armv8.1-M with integer MVE. Four int32 lanes per step (16 for the table, eight for a product of
 * two rows) in a low-overhead loop that
 * predicates its own tail. The loops are assembly because gcc 12 makes neither such loops nor post-incremented widening
 * loads; widening VLDRB and narrowing VSTRB take their address from r0-r7 only (constraint "l"). At most seven operands are
 * core registers: with more, and a frame pointer, gcc 12 gives up.
 */
#ifndef EQ_ELEMENTWISE_H
#define EQ_ELEMENTWISE_H

#include <arm_mve.h>

#include <eq_common.h>
#include <eq_scaling.h>

EQ_INLINE void eq_add_row(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t ma, int32_t mb,
                          int32_t offset, int32_t shift, int32_t lo, int32_t hi) {
  int32x4_t sum;
  int32x4_t other;
  __asm__ volatile(
      "wlstp.32 lr, %[n], 2f\n"
      "1:\n\t"
      "vldrb.s32 %q[sum], [%[a]], #4\n\t"
      "vldrb.s32 %q[other], [%[b]], #4\n\t"
      "vmlas.s32 %q[sum], %q[ma], %[offset]\n\t"
      "vmla.s32 %q[sum], %q[other], %[mb]\n\t"
      "vshl.s32 %q[sum], %[down]\n\t"
      "vmax.s32 %q[sum], %q[sum], %q[lo]\n\t"
      "vmin.s32 %q[sum], %q[sum], %q[hi]\n\t"
      "vstrb.32 %q[sum], [%[out]], #4\n\t"
      "letp lr, 1b\n"
      "2:"
      : [out] "+l"(out), [a] "+l"(a), [b] "+l"(b), [sum] "=&w"(sum), [other] "=&w"(other)
      : [n] "r"(n), [ma] "w"(vdupq_n_s32(ma)), [mb] "r"(mb), [offset] "r"(offset), [down] "r"(-shift),
        [lo] "w"(vdupq_n_s32(lo)), [hi] "w"(vdupq_n_s32(hi))
      : "lr", "memory");
}

EQ_INLINE void eq_scale_row(int8_t *out, const int8_t *a, int32_t n, int32_t ma, int32_t offset, int32_t shift,
                            int32_t lo, int32_t hi) {
  int32x4_t sum;
  __asm__ volatile(
      "wlstp.32 lr, %[n], 2f\n"
      "1:\n\t"
      "vldrb.s32 %q[sum], [%[a]], #4\n\t"
      "vmlas.s32 %q[sum], %q[ma], %[offset]\n\t"
      "vshl.s32 %q[sum], %[down]\n\t"
      "vmax.s32 %q[sum], %q[sum], %q[lo]\n\t"
      "vmin.s32 %q[sum], %q[sum], %q[hi]\n\t"
      "vstrb.32 %q[sum], [%[out]], #4\n\t"
      "letp lr, 1b\n"
      "2:"
      : [out] "+l"(out), [a] "+l"(a), [sum] "=&w"(sum)
      : [n] "r"(n), [ma] "w"(vdupq_n_s32(ma)), [offset] "r"(offset), [down] "r"(-shift), [lo] "w"(vdupq_n_s32(lo)),
        [hi] "w"(vdupq_n_s32(hi))
      : "lr", "memory");
}

/* Four at a time. */
EQ_INLINE void eq_mul_rest(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t a_zero, int32_t b_zero,
                           eq_scaling_t scaling) {
  int32x4_t product;
  int32x4_t other;
  __asm__ volatile(
      "wlstp.32 lr, %[n], 2f\n"
      "1:\n\t"
      "vldrb.s32 %q[product], [%[a]], #4\n\t"
      "vldrb.s32 %q[other], [%[b]], #4\n\t"
      "vsub.i32 %q[product], %q[product], %[a_zero]\n\t"
      "vsub.i32 %q[other], %q[other], %[b_zero]\n\t"
      "vmul.i32 %q[product], %q[product], %q[other]\n\t"
      "vshl.s32 %q[product], %q[product], %q[shift]\n\t"
      "vrmulh.s32 %q[product], %q[product], %q[multiplier]\n\t"
      "vadd.i32 %q[product], %q[product], %q[zero]\n\t"
      "vmax.s32 %q[product], %q[product], %q[lo]\n\t"
      "vmin.s32 %q[product], %q[product], %q[hi]\n\t"
      "vstrb.32 %q[product], [%[out]], #4\n\t"
      "letp lr, 1b\n"
      "2:"
      : [out] "+l"(out), [a] "+l"(a), [b] "+l"(b), [product] "=&w"(product), [other] "=&w"(other)
      : [n] "r"(n), [a_zero] "r"(a_zero), [b_zero] "r"(b_zero), [shift] "w"(vdupq_n_s32(scaling.shift)),
        [zero] "w"(vdupq_n_s32(scaling.zero)), [multiplier] "w"(vdupq_n_s32(scaling.multiplier)),
        [lo] "w"(vdupq_n_s32(scaling.lo)), [hi] "w"(vdupq_n_s32(scaling.hi))
      : "lr", "memory");
}

/* Eight values at a time: products of int16 lanes, even and odd, requantized in int32. Saturating to int16 before the zero
   point is added is exact after the clamp to int8: |zero| <= 128. No tail: predicates of int16 lanes cut int32 in halves. */
/* clang-format off */
#define EQ_MUL_ROW(shifts)                                                                          \
  __asm__ volatile(                                                                                 \
      "wls lr, %[blocks], 2f\n"                                                                     \
      "1:\n\t"                                                                                      \
      "vldrb.s16 q0, [%[a]], #8\n\t"                                                                \
      "vldrb.s16 q1, [%[b]], #8\n\t"                                                                \
      "vsub.i16 q0, q0, %[a_zero]\n\t"                                                              \
      "vsub.i16 q1, q1, %[b_zero]\n\t"                                                              \
      "vmullb.s16 q2, q0, q1\n\t"                                                                   \
      "vmullt.s16 q0, q0, q1\n\t" shifts                                                            \
      "vrmulh.s32 q2, q2, %q[multiplier]\n\t"                                                       \
      "vrmulh.s32 q0, q0, %q[multiplier]\n\t"                                                       \
      "vqmovnb.s32 q1, q2\n\t"                                                                      \
      "vqmovnt.s32 q1, q0\n\t"                                                                      \
      "vqadd.s16 q1, q1, %q[zero]\n\t"                                                               \
      "vmax.s16 q1, q1, %q[lo]\n\t"                                                                 \
      "vmin.s16 q1, q1, %q[hi]\n\t"                                                                 \
      "vstrb.16 q1, [%[out]], #8\n\t"                                                               \
      "le lr, 1b\n"                                                                                 \
      "2:"                                                                                          \
      : [out] "+l"(out), [a] "+l"(a), [b] "+l"(b)                                                   \
      : [blocks] "r"(n >> 3), [a_zero] "r"(a_zero), [b_zero] "r"(b_zero), [shift] "r"(scaling.shift),          \
        [zero] "w"(vdupq_n_s16((int16_t)scaling.zero)), [multiplier] "w"(vdupq_n_s32(scaling.multiplier)),                \
        [lo] "w"(vdupq_n_s16((int16_t)scaling.lo)), [hi] "w"(vdupq_n_s16((int16_t)scaling.hi))      \
      : "q0", "q1", "q2", "lr", "memory")
/* clang-format on */

EQ_INLINE void eq_mul_row(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t a_zero, int32_t b_zero,
                          eq_scaling_t scaling) {
  if (__builtin_constant_p(scaling.shift) && scaling.shift == 0) {
    EQ_MUL_ROW("");
  } else {
    EQ_MUL_ROW("vshl.s32 q2, %[shift]\n\tvshl.s32 q0, %[shift]\n\t");
  }
  eq_mul_rest(out, a, b, n & 7, a_zero, b_zero, scaling);
}

EQ_INLINE void eq_requantize_row(int8_t *out, const int8_t *x, int32_t n, int32_t factor, int32_t addend,
                                 eq_scaling_t scaling) {
  /* The left shift of the accumulator goes into factor and addend: (x*f + a) << s = x*(f << s) + (a << s). */
  factor = eq_shift_left(factor, scaling.shift);
  addend = eq_shift_left(addend, scaling.shift);
  int32x4_t acc;
  __asm__ volatile(
      "wlstp.32 lr, %[n], 2f\n"
      "1:\n\t"
      "vldrb.s32 %q[acc], [%[x]], #4\n\t"
      "vmlas.s32 %q[acc], %q[factor], %[addend]\n\t"
      "vrmulh.s32 %q[acc], %q[acc], %q[multiplier]\n\t"
      "vadd.i32 %q[acc], %q[acc], %[zero]\n\t"
      "vmax.s32 %q[acc], %q[acc], %q[lo]\n\t"
      "vmin.s32 %q[acc], %q[acc], %q[hi]\n\t"
      "vstrb.32 %q[acc], [%[out]], #4\n\t"
      "letp lr, 1b\n"
      "2:"
      : [out] "+l"(out), [x] "+l"(x), [acc] "=&w"(acc)
      : [n] "r"(n), [factor] "w"(vdupq_n_s32(factor)), [addend] "r"(addend), [zero] "r"(scaling.zero),
        [multiplier] "w"(vdupq_n_s32(scaling.multiplier)), [lo] "w"(vdupq_n_s32(scaling.lo)),
        [hi] "w"(vdupq_n_s32(scaling.hi))
      : "lr", "memory");
}

EQ_INLINE void eq_lookup_row(int8_t *out, const int8_t *x, const int8_t *table, int32_t n) {
  uint8x16_t index;
  int8x16_t value;
  __asm__ volatile(
      "wlstp.8 lr, %[n], 2f\n"
      "1:\n\t"
      "vldrb.u8 %q[index], [%[x]], #16\n\t"
      "vldrb.u8 %q[value], [%[table], %q[index]]\n\t"
      "vstrb.8 %q[value], [%[out]], #16\n\t"
      "letp lr, 1b\n"
      "2:"
      : [out] "+r"(out), [x] "+r"(x), [index] "=&w"(index), [value] "=&w"(value)
      : [n] "r"(n), [table] "r"(table)
      : "lr", "memory");
}

#endif
