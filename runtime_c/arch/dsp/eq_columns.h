/*
 * Two pixels against many output channels: the core of convolution.
 *
 * A *column* is the input window of one output pixel, `depth` products long, gathered in the order of the weights. It
 * is made of segments (a kernel row, or a tap), each of which takes eq_column_segment(n) places.
 *   EQ_COLUMNS_DIRECT     1: a column is plain bytes, so input that is already in order serves without a copy
 *   EQ_COLUMN_BYTES       bytes of a place
 *   eq_column_segment     places a segment of n values takes: here n rounded up to 4
 *   eq_columns_channels   channels that are stored for n channels: an even number here
 *   eq_column_copy, _fill write n values into column `pixel` (0 or 1) at place `at`
 *   eq_column_at          the column as eq_columns_multiply takes it
 *   eq_columns_multiply   all channels of both pixels. Stores pixel 1 before pixel 0: a lone pixel passes itself twice
 * Scratch for two columns: 2 * EQ_COLUMN_BYTES * depth bytes, 4-byte aligned.
 *
 * This file: activations are widened to int16 once per pixel pair and interleaved: for each four places
 * [x0, x2, x1, x3] of pixel 0, then of pixel 1 (16 bytes). Weights: per channel pair, per four places, four bytes of the
 * first channel, four of the second; an odd last channel has a partner of zeros; places that round a segment up to four
 * have weight zero, so the columns may hold anything there. 15 instructions for 16 products, and 2 for the loop of 32.
 */
#ifndef EQ_COLUMNS_H
#define EQ_COLUMNS_H

#include <eq_channels.h>
#include <eq_dot.h>
#include <eq_requantize.h>

#define EQ_COLUMNS_DIRECT 0
#define EQ_COLUMN_BYTES 2

typedef uint32_t __attribute__((may_alias)) eq_pair_t;
typedef int16_t __attribute__((may_alias)) eq_half_t;

EQ_INLINE int32_t eq_columns_channels(int32_t n) { return (n + 1) & ~1; }

EQ_INLINE int32_t eq_column_segment(int32_t n) { return (n + 3) & ~3; }

/* Place `at` of a column: groups of four are 8 halfwords apart, inside a group the order is 0, 2, 1, 3. */
EQ_INLINE void eq_column_put(eq_half_t *column, int32_t at, int32_t value) {
  column[((at >> 2) << 3) + ((at & 1) << 1) + ((at >> 1) & 1)] = (int16_t)value;
}

EQ_INLINE void eq_column_copy(void *columns, int32_t pixel, int32_t depth, int32_t at, const int8_t *src, int32_t n) {
  (void)depth;
  eq_half_t *column = (eq_half_t *)columns + 4 * pixel;
  for (; (at & 3) != 0 && n > 0; --n) {
    eq_column_put(column, at++, *src++);
  }
  eq_pair_t *to = (eq_pair_t *)(void *)(column + 2 * at);
  EQ_NO_UNROLL
  for (; n >= 8; n -= 8) {
    const uint32_t a = eq_load_word(src);
    const uint32_t b = eq_load_word(src + 4);
    to[0] = eq_even_bytes(a);
    to[1] = eq_odd_bytes(a);
    to[4] = eq_even_bytes(b);
    to[5] = eq_odd_bytes(b);
    src += 8;
    to += 8;
  }
  if (n >= 4) {
    const uint32_t a = eq_load_word(src);
    to[0] = eq_even_bytes(a);
    to[1] = eq_odd_bytes(a);
    src += 4;
    to += 4;
    n -= 4;
  }
  if (n > 0) {
    const uint32_t a = eq_load_tail(src, n);
    /* Whole groups may be overwritten: a later segment or fill writes its own places afterwards, in rising order. */
    to[0] = eq_even_bytes(a);
    to[1] = eq_odd_bytes(a);
  }
}

EQ_INLINE void eq_column_fill(void *columns, int32_t pixel, int32_t depth, int32_t at, int32_t value, int32_t n) {
  (void)depth;
  eq_half_t *column = (eq_half_t *)columns + 4 * pixel;
  EQ_NO_UNROLL
  for (const int32_t end = at + n; at < end; ++at) {
    eq_column_put(column, at, value);
  }
}

EQ_INLINE const int8_t *eq_column_at(const void *columns, int32_t pixel, int32_t depth) {
  (void)pixel;
  (void)depth;
  return (const int8_t *)columns;
}

/* clang-format off */
#define EQ_STEP_2X2                       \
  "ldrd %[a], %[b], [%[w]], #8\n\t"       \
  "sxtb16 %[c], %[a], ror #8\n\t"         \
  "sxtb16 %[a], %[a]\n\t"                 \
  "sxtb16 %[d], %[b], ror #8\n\t"         \
  "sxtb16 %[b], %[b]\n\t"                 \
  "ldrd %[e], %[f], [%[x]], #8\n\t"       \
  "smlad %[s00], %[a], %[e], %[s00]\n\t"  \
  "smlad %[s01], %[b], %[e], %[s01]\n\t"  \
  "smlad %[s00], %[c], %[f], %[s00]\n\t"  \
  "smlad %[s01], %[d], %[f], %[s01]\n\t"  \
  "ldrd %[e], %[f], [%[x]], #8\n\t"       \
  "smlad %[s10], %[a], %[e], %[s10]\n\t"  \
  "smlad %[s11], %[b], %[e], %[s11]\n\t"  \
  "smlad %[s10], %[c], %[f], %[s10]\n\t"  \
  "smlad %[s11], %[d], %[f], %[s11]\n\t"
/* clang-format on */

/* clang-format off */
#define EQ_LOOP_2X2(enter)                                                                                      \
  __asm__ volatile(enter "1:\n\t" EQ_STEP_2X2 "2:\n\t" EQ_STEP_2X2 "cmp %[x], %[end]\n\tbne 1b"                 \
          : [s00] "+r"(s00), [s01] "+r"(s01), [s10] "+r"(s10), [s11] "+r"(s11), [x] "+r"(x), [w] "+r"(w), \
            [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "+r"(f)                   \
          : [end] "r"(end)                                                                                      \
          : "cc", "memory")
/* clang-format on */

/* Returns the weights behind the pair. `groups` = depth / 4 >= 1; an odd number enters the loop in its middle. */
EQ_INLINE const int8_t *eq_columns_pair(int32_t acc[4], const int8_t *columns, const int8_t *weights, int32_t groups) {
  EQ_VARIABLE(const int8_t *, end, "r12") = columns + 16 * groups;
  EQ_VARIABLE(const int8_t *, x, "lr") = columns;
  EQ_VARIABLE(const int8_t *, w, "r11") = weights;
  EQ_VARIABLE(int32_t, s00, "r6") = acc[0];
  EQ_VARIABLE(int32_t, s01, "r8") = acc[1];
  EQ_VARIABLE(int32_t, s10, "r9") = acc[2];
  EQ_VARIABLE(int32_t, s11, "r10") = acc[3];
  EQ_VARIABLE(int32_t, a, "r0");
  EQ_VARIABLE(int32_t, b, "r1");
  EQ_VARIABLE(int32_t, c, "r2");
  EQ_VARIABLE(int32_t, d, "r3");
  EQ_VARIABLE(int32_t, e, "r4");
  EQ_VARIABLE(int32_t, f, "r5") = groups;
  if (!__builtin_constant_p(groups)) {
    EQ_LOOP_2X2("tst %[f], #1\n\tbne 2f\n\t");
  } else if ((groups & 1) != 0) {
    EQ_LOOP_2X2("b 2f\n\t");
  } else {
    EQ_LOOP_2X2("");
  }
  acc[0] = s00;
  acc[1] = s01;
  acc[2] = s10;
  acc[3] = s11;
  return w;
}

EQ_INLINE int8_t eq_finish(int32_t acc, int32_t multiplier, const eq_channels_t *p) {
  return (int8_t)eq_clamp(eq_requantize(acc, multiplier, p->shift, p->out_zero), p->clamp_min, p->clamp_max);
}

EQ_INLINE void eq_columns_multiply(int8_t *out0, int8_t *out1, const int8_t *x0, const int8_t *x1,
                                   const eq_channels_t *p) {
  (void)x1;
  const int8_t *w = p->weights;
  const int32_t *bias = p->bias;
  const int32_t *multiplier = p->multiplier;
  const int32_t *const end = bias + ((p->channels + 1) & ~1);
  EQ_NO_UNROLL
  for (int32_t c = p->channels; bias != end; c -= 2) {
    int32_t acc[4] = {bias[0], bias[1], bias[0], bias[1]};
    const int32_t m0 = multiplier[0];
    const int32_t m1 = multiplier[1];
    bias += 2;
    multiplier += 2;
    w = eq_columns_pair(acc, x0, w, p->depth >> 2);
    out1[0] = eq_finish(acc[2], m0, p);
    if (c != 1) {
      out1[1] = eq_finish(acc[3], m1, p);
      out0[1] = eq_finish(acc[1], m1, p);
    }
    out0[0] = eq_finish(acc[0], m0, p);
    out0 += 2;
    out1 += 2;
  }
}

#endif
