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
 * This file: cores with the DSP extension. Shift and saturation are one SSAT where the shift is a compile-time
 * constant; blocks of values share pointer updates and the loop's compare and branch.
 */
#ifndef EQ_ELEMENTWISE_H
#define EQ_ELEMENTWISE_H

#include <eq_common.h>
#include <eq_scaling.h>
#include <eq_unroll.h>

/* As assembly, because gcc would assemble neighbouring bytes into words with BFI, which costs more than the stores. */
EQ_INLINE void eq_store_byte(int8_t *out, int32_t value) { __asm__("strb %1, %0" : "=m"(*out) : "r"(value)); }

/* clamp(value >> shift): SSAT shifts by 1 to 31 for free. */
EQ_INLINE int32_t eq_shift_clamp(int32_t value, int32_t shift, int32_t lo, int32_t hi) {
#if defined(__OPTIMIZE__)
  if (__builtin_constant_p(shift) && shift > 0 && __builtin_constant_p(lo) && __builtin_constant_p(hi)) {
    int32_t result;
    __asm__("ssat %0, #8, %1, asr %2" : "=r"(result) : "r"(value), "i"(shift) : "cc");
    if (lo > -128) {
      result = result < lo ? lo : result;
    }
    return hi < 127 && result > hi ? hi : result;
  }
#endif
  return eq_clamp(value >> shift, lo, hi);
}

EQ_INLINE int32_t eq_add_one(int32_t a, int32_t b, int32_t ma, int32_t mb, int32_t offset, int32_t shift, int32_t lo,
                             int32_t hi) {
  const int32_t half = eq_in_register(eq_multiply_add(offset, a, ma)); /* keeps two MLA from becoming MUL, MLA, ADD */
  return eq_shift_clamp(eq_multiply_add(half, b, mb), shift, lo, hi);
}

/* clang-format off */
#define EQ_ADD_ONE                               \
  "ldrsb %[v], [%[a]], #1\n\t"                   \
  "ldrsb %[w], [%[b]], #1\n\t"                   \
  "mla %[v], %[v], %[ma], %[offset]\n\t"         \
  "mla %[v], %[w], %[mb], %[v]\n\t"              \
  "ssat %[v], #8, %[v], asr %[shift]\n\t"        \
  "strb %[v], [%[out]], #1\n\t"
/* Eight values at a time, for a shift known to the compiler and no bounds but int8's: pointers move with each access. */
#define EQ_ADD_EIGHTS                                                                              \
  __asm__ volatile("1:\n\t"                                                                        \
                   EQ_ADD_ONE EQ_ADD_ONE EQ_ADD_ONE EQ_ADD_ONE                                     \
                   EQ_ADD_ONE EQ_ADD_ONE EQ_ADD_ONE EQ_ADD_ONE                                     \
                   "cmp %[a], %[end]\n\tbne 1b"                                                    \
                   : [v] "=&r"(v), [w] "=&r"(w), [a] "+&r"(a), [b] "+&r"(b), [out] "+&r"(out)      \
                   : [end] "r"(a + (n & ~7)), [ma] "r"(ma), [mb] "r"(mb), [offset] "r"(offset), [shift] "i"(shift) \
                   : "cc", "memory")
/* clang-format on */

EQ_INLINE void eq_add_row(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t ma, int32_t mb,
                          int32_t offset, int32_t shift, int32_t lo, int32_t hi) {
  offset = eq_in_register(offset);
#if defined(__OPTIMIZE__)
  if (__builtin_constant_p(shift) && shift > 0 && EQ_KNOWN(lo, -128) && EQ_KNOWN(hi, 127) && n >= 8) {
    int32_t v;
    int32_t w;
    EQ_ADD_EIGHTS;
    n &= 7;
  }
#endif
  for (; n >= 8; n -= 8) {
    EQ_UNROLL_8
    for (int32_t i = 0; i < 8; i++) {
      eq_store_byte(out + i, eq_add_one(a[i], b[i], ma, mb, offset, shift, lo, hi));
    }
    a += 8;
    b += 8;
    out += 8;
  }
  for (; n > 0; n--) {
    *out++ = (int8_t)eq_add_one(*a++, *b++, ma, mb, offset, shift, lo, hi);
  }
}

EQ_INLINE void eq_scale_row(int8_t *out, const int8_t *a, int32_t n, int32_t ma, int32_t offset, int32_t shift,
                            int32_t lo, int32_t hi) {
  offset = eq_in_register(offset);
  for (; n >= 8; n -= 8) {
    EQ_UNROLL_8
    for (int32_t i = 0; i < 8; i++) {
      eq_store_byte(out + i, eq_shift_clamp(eq_multiply_add(offset, a[i], ma), shift, lo, hi));
    }
    a += 8;
    out += 8;
  }
  for (; n > 0; n--) {
    *out++ = (int8_t)eq_shift_clamp(eq_multiply_add(offset, *a++, ma), shift, lo, hi);
  }
}

EQ_INLINE void eq_mul_row(int8_t *out, const int8_t *a, const int8_t *b, int32_t n, int32_t a_zero, int32_t b_zero,
                          eq_scaling_t scaling) {
  for (; n >= 4; n -= 4) {
    EQ_UNROLL_4
    for (int32_t i = 0; i < 4; i++) {
      eq_store_byte(out + i, eq_scaled((a[i] - a_zero) * (b[i] - b_zero), &scaling));
    }
    a += 4;
    b += 4;
    out += 4;
  }
  for (; n > 0; n--) {
    *out++ = (int8_t)eq_scaled((*a++ - a_zero) * (*b++ - b_zero), &scaling);
  }
}

EQ_INLINE void eq_requantize_row(int8_t *out, const int8_t *x, int32_t n, int32_t factor, int32_t addend,
                                 eq_scaling_t scaling) {
  /* The left shift of the accumulator goes into factor and addend: (x*f + a) << s = x*(f << s) + (a << s). */
  factor = eq_in_register(eq_shift_left(factor, scaling.shift));
  addend = eq_in_register(eq_shift_left(addend, scaling.shift));
  scaling = eq_fold_shift(scaling);
  for (; n >= 4; n -= 4) {
    EQ_UNROLL_4
    for (int32_t i = 0; i < 4; i++) {
      eq_store_byte(out + i, eq_scaled(eq_multiply_add(addend, x[i], factor), &scaling));
    }
    x += 4;
    out += 4;
  }
  for (; n > 0; n--) {
    *out++ = (int8_t)eq_scaled(eq_multiply_add(addend, *x++, factor), &scaling);
  }
}

EQ_INLINE void eq_lookup_row(int8_t *out, const int8_t *x, const int8_t *table, int32_t n) {
  for (; n >= 8; n -= 8) {
    EQ_UNROLL_8
    for (int32_t i = 0; i < 8; i++) {
      eq_store_byte(out + i, table[(uint8_t)x[i]]);
    }
    x += 8;
    out += 8;
  }
  for (; n > 0; n--) {
    *out++ = table[(uint8_t)*x++];
  }
}

#endif
