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
 * This file: cores with the DSP extension. Columns are int16 less their zero point; per four places k the values k, k + 2 of
 * four columns, then those at k + 1, k + 3: what two SXTB16 make of four values of `a` serves eight SMLAD. Bound: 13
 * instructions for 16 products (LDR, 2 LDM, 2 SXTB16, 8 SMLAD), 2 for the loop of 32; a row of b as it lies takes 9
 * for 4, and 3 for the loop of 8.
 */
#ifndef EQ_PRODUCT_ROWS_H
#define EQ_PRODUCT_ROWS_H

#include <eq_dot.h>
#include <eq_product.h>

EQ_INLINE int32_t eq_product_by_rows(const eq_product_t *p) { return p->rows < 4; }

/* acc + one of the halfwords of `pair` * factor. */
EQ_INLINE int32_t eq_product_low(uint32_t pair, int32_t factor, int32_t acc) {
  int32_t sum;
  __asm__("smlabb %0, %1, %2, %3" : "=r"(sum) : "r"(pair), "r"(factor), "r"(acc) : "cc");
  return sum;
}

EQ_INLINE int32_t eq_product_high(uint32_t pair, int32_t factor, int32_t acc) {
  int32_t sum;
  __asm__("smlatb %0, %1, %2, %3" : "=r"(sum) : "r"(pair), "r"(factor), "r"(acc) : "cc");
  return sum;
}

/* What one value of `a` adds to four sums. */
EQ_INLINE void eq_product_place(int32_t acc[4], uint32_t word, int32_t factor) {
  const uint32_t even = eq_even_bytes(word);
  const uint32_t odd = eq_odd_bytes(word);
  acc[0] = eq_product_low(even, factor, acc[0]);
  acc[1] = eq_product_low(odd, factor, acc[1]);
  acc[2] = eq_product_high(even, factor, acc[2]);
  acc[3] = eq_product_high(odd, factor, acc[3]);
}

EQ_INLINE void eq_product_row(int8_t *out, const int8_t *a, const int8_t *b, const eq_product_t *p) {
  int32_t sum = 0;
  for (int32_t k = 0; k < p->depth; ++k) {
    sum += a[k] - p->a_zero;
  }
  /* sum (a - a_zero)(b - b_zero) = sum (a - a_zero)*b - b_zero * sum (a - a_zero); wraps as the sums do. */
  const int32_t start = -p->b_zero * sum;
  const int8_t *const end = a + p->depth;
  int32_t n = 0;
  EQ_NO_UNROLL
  for (; n + 4 <= p->columns; n += 4) {
    const int8_t *at = b + n;
    int32_t acc[4] = {start, start, start, start};
    const int8_t *from = a;
    EQ_NO_UNROLL
    for (; from + 1 < end; from += 2) {
      eq_product_place(acc, eq_load_word(at), from[0] - p->a_zero);
      eq_product_place(acc, eq_load_word(at + p->columns), from[1] - p->a_zero);
      at += 2 * p->columns;
    }
    if (from < end) {
      eq_product_place(acc, eq_load_word(at), *from - p->a_zero);
    }
    eq_product_store(out + n, acc, 4, p);
  }
  EQ_NO_UNROLL
  for (; n < p->columns; ++n) {
    int32_t acc[4] = {start, 0, 0, 0};
    for (int32_t k = 0; k < p->depth; ++k) {
      acc[0] = eq_multiply_add(acc[0], a[k] - p->a_zero, b[k * p->columns + n]);
    }
    eq_product_store(out + n, acc, 1, p);
  }
}

/* What four values of `a` add to four sums. */
EQ_INLINE void eq_product_word(int32_t acc[4], uint32_t word, const int16_t *columns) {
  const uint32_t even = eq_even_bytes(word);
  const uint32_t odd = eq_odd_bytes(word);
  for (int32_t c = 0; c < 4; ++c) {
    acc[c] =
        eq_mac_dual(odd, eq_load_word(columns + 8 + 2 * c), eq_mac_dual(even, eq_load_word(columns + 2 * c), acc[c]));
  }
}

#if defined(__ARM_FEATURE_UNALIGNED) && !defined(__clang__)
/* clang-format off */
/* LDM fills registers in the order of their numbers, so each has its name. */
#define EQ_PRODUCT_STEP                                                                                        \
  "ldr %[o], [%[a]], #4\n\t"                                                                                   \
  "ldmia %[b]!, {%[c0], %[c1], %[c2], %[c3]}\n\t"                                                              \
  "sxtb16 %[e], %[o]\n\t"                                                                                      \
  "sxtb16 %[o], %[o], ror #8\n\t"                                                                              \
  "smlad %[s0], %[c0], %[e], %[s0]\n\tsmlad %[s1], %[c1], %[e], %[s1]\n\t"                                     \
  "smlad %[s2], %[c2], %[e], %[s2]\n\tsmlad %[s3], %[c3], %[e], %[s3]\n\t"                                     \
  "ldmia %[b]!, {%[c0], %[c1], %[c2], %[c3]}\n\t"                                                              \
  "smlad %[s0], %[c0], %[o], %[s0]\n\tsmlad %[s1], %[c1], %[o], %[s1]\n\t"                                     \
  "smlad %[s2], %[c2], %[o], %[s2]\n\tsmlad %[s3], %[c3], %[o], %[s3]\n\t"
#define EQ_PRODUCT_LOOP(enter)                                                                                 \
  __asm__ volatile(enter "1:\n\t" EQ_PRODUCT_STEP "2:\n\t" EQ_PRODUCT_STEP "cmp %[b], %[end]\n\tbne 1b"        \
          : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [a] "+r"(from), [b] "+r"(at),         \
            [c0] "=&r"(c0), [c1] "=&r"(c1), [c2] "=&r"(c2), [c3] "=&r"(c3), [e] "=&r"(e), [o] "+r"(o)         \
          : [end] "r"(end)                                                                                    \
          : "cc", "memory")
/* clang-format on */

/* The sums over `groups` >= 1 groups of four places. */
EQ_INLINE void eq_product_groups(int32_t acc[4], const int8_t *a, const int16_t *columns, int32_t groups) {
  register const int16_t *end __asm__("lr") = columns + 16 * groups;
  register const int8_t *from __asm__("r6") = a;
  register const int16_t *at __asm__("r12") = columns;
  register int32_t s0 __asm__("r8") = acc[0];
  register int32_t s1 __asm__("r9") = acc[1];
  register int32_t s2 __asm__("r10") = acc[2];
  register int32_t s3 __asm__("r11") = acc[3];
  register int32_t c0 __asm__("r0");
  register int32_t c1 __asm__("r1");
  register int32_t c2 __asm__("r2");
  register int32_t c3 __asm__("r3");
  register int32_t e __asm__("r4");
  register int32_t o __asm__("r5") = groups;
  if (!__builtin_constant_p(groups)) {
    EQ_PRODUCT_LOOP("tst %[o], #1\n\tbne 2f\n\t");
  } else if ((groups & 1) != 0) {
    EQ_PRODUCT_LOOP("b 2f\n\t");
  } else {
    EQ_PRODUCT_LOOP("");
  }
  acc[0] = s0;
  acc[1] = s1;
  acc[2] = s2;
  acc[3] = s3;
}
#else
EQ_INLINE void eq_product_groups(int32_t acc[4], const int8_t *a, const int16_t *columns, int32_t groups) {
  EQ_NO_UNROLL
  for (; groups > 0; --groups) {
    eq_product_word(acc, eq_load_word(a), columns);
    a += 4;
    columns += 16;
  }
}
#endif

/* The columns in the order above, and what their sums begin with. */
EQ_INLINE void eq_product_gather(int16_t *columns, int32_t start[4], const int8_t *b, int32_t count,
                                 const eq_product_t *p) {
  EQ_NO_UNROLL
  for (int32_t c = 0; c < 4; ++c) {
    const int8_t *from = b + (c < count ? c : 0); /* a column that does not exist is the first one again */
    int16_t *to = columns + 2 * c;
    int32_t sum = 0;
    int32_t k = 0;
    EQ_NO_UNROLL
    for (; k + 4 <= p->depth; k += 4) {
      const int32_t v0 = from[0] - p->b_zero;
      const int32_t v1 = from[p->columns] - p->b_zero;
      const int32_t v2 = from[2 * p->columns] - p->b_zero;
      const int32_t v3 = from[3 * p->columns] - p->b_zero;
      sum += v0 + v1 + v2 + v3;
      to[0] = (int16_t)v0;
      to[1] = (int16_t)v2;
      to[8] = (int16_t)v1;
      to[9] = (int16_t)v3;
      from += 4 * p->columns;
      to += 16;
    }
    if (k < p->depth) {
      to[0] = to[1] = to[8] = to[9] = 0;
      for (int32_t i = 0; k + i < p->depth; ++i) {
        const int32_t value = *from - p->b_zero;
        sum += value;
        to[(i & 1) * 8 + (i >> 1)] = (int16_t)value;
        from += p->columns;
      }
    }
    start[c] = -p->a_zero * sum;
  }
}

EQ_INLINE void eq_product_columns(int8_t *out, const int8_t *a, const int8_t *b, void *scratch, int32_t count,
                                  const eq_product_t *p) {
  int16_t *columns = (int16_t *)scratch;
  const int32_t groups = p->depth >> 2;
  const int32_t rest = p->depth & 3;
  int32_t start[4];
  eq_product_gather(columns, start, b, count, p);
  EQ_NO_UNROLL
  for (int32_t m = 0; m < p->rows; ++m) {
    int32_t acc[4] = {start[0], start[1], start[2], start[3]};
    if (groups > 0) {
      eq_product_groups(acc, a, columns, groups);
    }
    if (rest > 0) {
      eq_product_word(acc, eq_load_tail(a + 4 * groups, rest), columns + 16 * groups);
    }
    eq_product_store(out, acc, count, p);
    out += p->columns;
    a += p->depth;
  }
}

#endif
