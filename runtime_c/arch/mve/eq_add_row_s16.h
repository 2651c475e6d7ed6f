/*
 * A row of sums or differences of int16 values of two scales:
 *
 *   eq_add_row_s16  out[i] = clamp((a[i]*ma + b[i*b_step]*mb + 2^(shift-1)) >> shift, lo, hi), in 64 bits
 *
 * Ranges: as eq_sum_s16.h says; b_step is 1, or 0 where one value serves all.
 * Aliasing: out may be exactly a or exactly b; it must not overlap them otherwise.
 *
 * This file: Armv8.1-M with integer MVE. Sums of 64 bits are made of two halves in int32 lanes.
 */
#ifndef EQ_ADD_ROW_S16_H
#define EQ_ADD_ROW_S16_H

#include <arm_mve.h>

#include <eq_sum_s16.h>

/*
 * With m = 2^16*h + l, -2^15 < l <= 2^15 and |h| <= 2^15, the sum is 2^16*H + L, H = a*ha + b*hb, L = a*la + b*lb. All fits
 * int32: |a*l|, |a*h| <= 2^30, and where two products reach 2^31 they are -2^31, or h = 2^15 makes L >> 16 point the other
 * way. Where shift > 16, (sum + 2^(shift-1)) >> shift is H + (L >> 16), shifted by shift - 16 with rounding (VRSHL).
 */
EQ_INLINE int32_t eq_high_half_s16(int32_t m) { return (int32_t)(((int64_t)m + 0x7fff) >> 16); }

EQ_INLINE int32_t eq_low_half_s16(int32_t m) { return (int32_t)((uint32_t)m - ((uint32_t)eq_high_half_s16(m) << 16)); }

EQ_INLINE void eq_add_row_s16(int16_t *out, const int16_t *a, const int16_t *b, int32_t b_step, int32_t n,
                              eq_sum_s16_t s) {
  if (b_step == 0 || s.shift == 16) {
    for (int32_t i = 0; i < n; i++) {
      out[i] = eq_sum_s16(a[i], b[i * b_step], &s);
    }
    return;
  }
  const int32_t la = eq_low_half_s16(s.ma);
  const int32_t lb = eq_low_half_s16(s.mb);
  const int32x4_t high_a = vdupq_n_s32(eq_high_half_s16(s.ma));
  const int32_t high_b = eq_high_half_s16(s.mb);
  const int32x4_t lo = vdupq_n_s32(s.lo);
  const int32x4_t hi = vdupq_n_s32(s.hi);
  int32x4_t left;
  int32x4_t right;
  int32x4_t low;
  __asm__ volatile(
      "wlstp.32 lr, %[n], 2f\n"
      "1:\n\t"
      "vldrh.s32 %q[left], [%[a]], #8\n\t"
      "vldrh.s32 %q[right], [%[b]], #8\n\t"
      "vmul.i32 %q[low], %q[left], %[la]\n\t"
      "vmla.s32 %q[low], %q[right], %[lb]\n\t"
      "vmul.i32 %q[left], %q[left], %q[ha]\n\t"
      "vmla.s32 %q[left], %q[right], %[hb]\n\t"
      "vshr.s32 %q[low], %q[low], #16\n\t"
      "vadd.i32 %q[left], %q[left], %q[low]\n\t"
      "vrshl.s32 %q[left], %q[left], %q[down]\n\t"
      "vmax.s32 %q[left], %q[left], %q[lo]\n\t"
      "vmin.s32 %q[left], %q[left], %q[hi]\n\t"
      "vstrh.32 %q[left], [%[out]], #8\n\t"
      "letp lr, 1b\n"
      "2:"
      : [out] "+l"(out), [a] "+l"(a), [b] "+l"(b), [left] "=&w"(left), [right] "=&w"(right), [low] "=&w"(low)
      : [n] "r"(n), [la] "r"(la), [lb] "r"(lb), [hb] "r"(high_b), [down] "w"(vdupq_n_s32(16 - s.shift)),
        [ha] "w"(high_a), [lo] "w"(lo), [hi] "w"(hi)
      : "lr", "memory");
}

#endif
