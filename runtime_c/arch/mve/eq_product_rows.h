/*
 * Products of computed int8 matrices, eq_product.h:
 *
 *   eq_product_by_rows  whether the rows of a product had better take b as it lies
 *   eq_product_row      one row of the result, with b as it lies
 *   eq_product_columns  `count`, 1 to 4, columns of all rows; b begins at the first of them, out is its first result. scratch
 *                       has 8 bytes for each row of b and 24 more, and is aligned to 4 bytes
 *
 * The same functions exist for every instruction set, bit for bit equal. Nothing beyond the matrices is read.
 *
 * This file: Armv8.1-M with integer MVE. A row with b as it lies runs along sixteen columns: 11 instructions and the loop for
 * 16 products. Otherwise four columns are copied one behind the other, and 16 values of a row meet them in 10 and the loop for
 * 64; that pays where depth fills a vector.
 */
#ifndef EQ_PRODUCT_ROWS_H
#define EQ_PRODUCT_ROWS_H

#include <arm_mve.h>

#include <eq_product.h>

#define EQ_PRODUCT_SHALLOW 12 /* up to here sums along columns take fewer instructions than those along depth */

EQ_INLINE int32_t eq_product_by_rows(const eq_product_t *p) { return p->rows < 4 || p->depth <= EQ_PRODUCT_SHALLOW; }

EQ_INLINE void eq_product_four(int8_t *out, int32x4_t acc, mve_pred16_t exist, const eq_product_t *p) {
  const eq_scaling_t *s = &p->scaling;
  const int32x4_t y = eq_requantize_x4(acc, vdupq_n_s32(s->multiplier), s->shift, s->zero);
  vstrbq_p_s32(out, vminq_s32(vmaxq_s32(y, vdupq_n_s32(s->lo)), vdupq_n_s32(s->hi)), exist);
}

/* Sixteen columns. */
EQ_INLINE void eq_product_16(int8_t *out, const int8_t *a, const int8_t *b, int32_t start, const eq_product_t *p) {
  int32x4_t s0 = vdupq_n_s32(start);
  int32x4_t s1 = s0;
  int32x4_t s2 = s0;
  int32x4_t s3 = s0;
  int32x4_t value;
  int32_t factor;
  __asm__ volatile(
      "dls lr, %[depth]\n"
      "1:\n\t"
      "ldrsb %[factor], [%[a]], #1\n\t"
      "vldrb.s32 %q[value], [%[b]]\n\t"
      "sub %[factor], %[factor], %[zero]\n\t"
      "vmla.s32 %q[s0], %q[value], %[factor]\n\t"
      "vldrb.s32 %q[value], [%[b], #4]\n\t"
      "vmla.s32 %q[s1], %q[value], %[factor]\n\t"
      "vldrb.s32 %q[value], [%[b], #8]\n\t"
      "vmla.s32 %q[s2], %q[value], %[factor]\n\t"
      "vldrb.s32 %q[value], [%[b], #12]\n\t"
      "vmla.s32 %q[s3], %q[value], %[factor]\n\t"
      "add %[b], %[b], %[columns]\n\t"
      "le lr, 1b"
      : [a] "+r"(a), [b] "+l"(b), [s0] "+w"(s0), [s1] "+w"(s1), [s2] "+w"(s2), [s3] "+w"(s3), [value] "=&w"(value),
        [factor] "=&r"(factor)
      : [depth] "r"(p->depth), [columns] "r"(p->columns), [zero] "r"(p->a_zero)
      : "lr", "memory");
  const mve_pred16_t all = 0xffff;
  eq_product_four(out, s0, all, p);
  eq_product_four(out + 4, s1, all, p);
  eq_product_four(out + 8, s2, all, p);
  eq_product_four(out + 12, s3, all, p);
}

EQ_INLINE void eq_product_row(int8_t *out, const int8_t *a, const int8_t *b, const eq_product_t *p) {
  int32_t sum = 0;
  for (int32_t k = 0; k < p->depth; k += 16) {
    sum = vaddvaq_s8(sum, vldrbq_z_s8(a + k, vctp8q((uint32_t)(p->depth - k))));
  }
  /* sum (a - a_zero)(b - b_zero) = sum (a - a_zero)*b - b_zero * sum (a - a_zero); wraps as the sums do. */
  const int32_t start = -p->b_zero * (sum - p->depth * p->a_zero);
  int32_t n = 0;
  EQ_NO_UNROLL
  for (; n + 16 <= p->columns; n += 16) {
    eq_product_16(out + n, a, b + n, start, p);
  }
  EQ_NO_UNROLL
  for (; n < p->columns; n += 4) {
    const mve_pred16_t exist = vctp32q((uint32_t)(p->columns - n));
    int32x4_t acc = vdupq_n_s32(start);
    EQ_NO_UNROLL
    for (int32_t k = 0; k < p->depth; ++k) {
      acc = vmlaq_n_s32(acc, vldrbq_z_s32(b + k * p->columns + n, exist), a[k] - p->a_zero);
    }
    eq_product_four(out + n, acc, exist, p);
  }
}

/* acc[c] = a.column c over n >= 1 places, and the sum of a. VADDVA and VMLADAVA need even registers; all are named, as
   gcc 12 finds no way beside a frame pointer. */
EQ_INLINE int32_t eq_product_dots(int32_t acc[4], const int8_t *a, const int8_t *columns, int32_t n) {
  register int32_t *to __asm__("r9") = acc;
  register const int8_t *from __asm__("r11") = a;
  register const int8_t *w0 __asm__("r0") = columns;
  register const int8_t *w1 __asm__("r1") = columns + n;
  register const int8_t *w2 __asm__("r2") = columns + 2 * n;
  register const int8_t *w3 __asm__("r3") = columns + 3 * n;
  register int32_t count __asm__("r5") = n;
  register int32_t sum __asm__("r6") = 0;
  __asm__ volatile(
      "movs r4, #0\n\tmov r8, r4\n\tmov r10, r4\n\tmov r12, r4\n\t"
      "dlstp.8 lr, %[n]\n"
      "1:\n\t"
      "vldrb.8 q0, [%[a]], #16\n\t"
      "vaddva.s8 %[sum], q0\n\t"
      "vldrb.8 q1, [%[w0]], #16\n\t"
      "vmladava.s8 r8, q0, q1\n\t"
      "vldrb.8 q2, [%[w1]], #16\n\t"
      "vmladava.s8 r10, q0, q2\n\t"
      "vldrb.8 q1, [%[w2]], #16\n\t"
      "vmladava.s8 r12, q0, q1\n\t"
      "vldrb.8 q2, [%[w3]], #16\n\t"
      "vmladava.s8 r4, q0, q2\n\t"
      "letp lr, 1b\n\t"
      "strd r8, r10, [%[to]]\n\t"
      "strd r12, r4, [%[to], #8]"
      : [sum] "+r"(sum), [a] "+r"(from), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3)
      : [n] "r"(count), [to] "r"(to)
      : "r4", "r8", "r10", "r12", "q0", "q1", "q2", "lr", "memory");
  return sum;
}

/* One column, whose elements are `stride` apart: the offsets of a gather of eight fit int16 up to a stride of 2^13. */
EQ_INLINE int32_t eq_product_gather(int8_t *to, const int8_t *from, int32_t depth, int32_t stride) {
  int32_t sum = 0;
  if (stride < 8192) {
    const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)stride);
    EQ_NO_UNROLL
    for (int32_t k = 0; k < depth; k += 8) {
      const mve_pred16_t exist = vctp16q((uint32_t)(depth - k));
      const int16x8_t value = vldrbq_gather_offset_z_s16(from + k * stride, offsets, exist);
      sum = vaddvaq_p_s16(sum, value, exist);
      vstrbq_p_s16(to + k, value, exist);
    }
    return sum;
  }
  for (int32_t k = 0; k < depth; ++k) {
    to[k] = from[k * stride];
    sum += to[k];
  }
  return sum;
}

EQ_INLINE void eq_product_columns(int8_t *out, const int8_t *a, const int8_t *b, void *scratch, int32_t count,
                                  const eq_product_t *p) {
  int8_t *columns = (int8_t *)scratch;
  const mve_pred16_t exist = vctp32q((uint32_t)count);
  int32_t start[4];
  EQ_NO_UNROLL
  for (int32_t c = 0; c < 4; ++c) { /* a column that does not exist is the first one again */
    const int32_t sum = eq_product_gather(columns + c * p->depth, b + (c < count ? c : 0), p->depth, p->columns);
    start[c] = p->a_zero * (p->depth * p->b_zero - sum);
  }
  const int32x4_t begin = vldrwq_s32(start);
  EQ_NO_UNROLL
  for (int32_t m = 0; m < p->rows; ++m) {
    int32_t acc[4];
    const int32_t sum = eq_product_dots(acc, a, columns, p->depth);
    eq_product_four(out, vaddq_n_s32(vaddq_s32(vldrwq_s32(acc), begin), -p->b_zero * sum), exist, p);
    out += p->columns;
    a += p->depth;
  }
}

#endif
