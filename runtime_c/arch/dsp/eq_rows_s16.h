/*
 * One int16 vector against many rows of weights: the core of the fully connected layer.
 *   eq_rows_multiply_s16  out[c] for all channels; x is read as it lies, `depth` values, aligned to 2 bytes
 *   eq_four_sums_s16      acc[r] = start[r] + x.w[r], from 0 without `start`, over n >= 4 values, a multiple of four, with the
 *                         first four rows of a block in this order; eq_four_rows_bytes_s16(n) is what they take; x is
 *                         aligned to 4 bytes
 *
 * This file: weights of four channels interleaved, per four places w[0], w[2], w[1], w[3] of each channel in turn; the
 * remaining one to three channels follow as rows, in the same order. Every row is padded with zeros to a multiple of four.
 * eq_rows_multiply_s16 takes 20 instructions for 16 products and 2 for the loop of 32, and reads the input by words at any
 * address; where the compiler may not (-mno-unaligned-access), plain C takes its place. eq_four_sums_s16 takes 18, one LDM for
 * the weights and one for the input, and 3 for the loop of 64, whose end is in memory: a frame pointer leaves 13 registers.
 */
#ifndef EQ_ROWS_S16_H
#define EQ_ROWS_S16_H

#include <eq_channels_s16.h>
#include <eq_dot.h>

/* acc + four products: two pairs of int16 and the word of their weights. */
EQ_INLINE int32_t eq_mac_four_s16(uint32_t low, uint32_t high, uint32_t weights, int32_t acc) {
  return eq_mac_dual(eq_odd_bytes(weights), high, eq_mac_dual(eq_even_bytes(weights), low, acc));
}

#if defined(__ARM_FEATURE_UNALIGNED)
/* clang-format off */
#define EQ_HALF_ROWS_S16(first, second)                     \
  "ldrd %[a], %[b], [%[w]], #8\n\t"                         \
  "sxtb16 %[t], %[a]\n\t"                                   \
  "smlad %[" first "], %[t], %[e], %[" first "]\n\t"        \
  "sxtb16 %[t], %[b]\n\t"                                   \
  "smlad %[" second "], %[t], %[e], %[" second "]\n\t"      \
  "sxtb16 %[a], %[a], ror #8\n\t"                           \
  "smlad %[" first "], %[a], %[o], %[" first "]\n\t"        \
  "sxtb16 %[b], %[b], ror #8\n\t"                           \
  "smlad %[" second "], %[b], %[o], %[" second "]\n\t"
#define EQ_STEP_ROWS_S16                                    \
  "ldr %[e], [%[x]], #4\n\t"                                \
  "ldr %[o], [%[x]], #4\n\t" EQ_HALF_ROWS_S16("s0", "s1") EQ_HALF_ROWS_S16("s2", "s3")
#define EQ_LOOP_ROWS_S16(enter)                                                                   \
  __asm__ volatile(enter "1:\n\t" EQ_STEP_ROWS_S16 "2:\n\t" EQ_STEP_ROWS_S16 "cmp %[x], %[end]\n\tbne 1b" \
          : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [x] "+r"(x), [w] "+r"(w), \
            [a] "=&r"(a), [b] "=&r"(b), [e] "=&r"(e), [o] "=&r"(o), [t] "+r"(t)                   \
          : [end] "r"(end)                                                                        \
          : "cc", "memory")
/* clang-format on */

/* Four sums over `groups` >= 1 groups of four places. */
EQ_INLINE void eq_quad_s16(int32_t acc[4], const int16_t *input, const int8_t *weights, int32_t groups) {
  EQ_VARIABLE(const int16_t *, end, "r12") = input + 4 * groups;
  EQ_VARIABLE(const int16_t *, x, "r11") = input;
  EQ_VARIABLE(const int8_t *, w, "r5") = weights;
  EQ_VARIABLE(int32_t, s0, "r6") = acc[0];
  EQ_VARIABLE(int32_t, s1, "r8") = acc[1];
  EQ_VARIABLE(int32_t, s2, "r9") = acc[2];
  EQ_VARIABLE(int32_t, s3, "r10") = acc[3];
  EQ_VARIABLE(int32_t, a, "r0");
  EQ_VARIABLE(int32_t, b, "r1");
  EQ_VARIABLE(int32_t, e, "r2");
  EQ_VARIABLE(int32_t, o, "r3");
  EQ_VARIABLE(int32_t, t, "r4") = groups;
  if (!__builtin_constant_p(groups)) {
    EQ_LOOP_ROWS_S16("tst %[t], #1\n\tbne 2f\n\t");
  } else if ((groups & 1) != 0) {
    EQ_LOOP_ROWS_S16("b 2f\n\t");
  } else {
    EQ_LOOP_ROWS_S16("");
  }
  acc[0] = s0;
  acc[1] = s1;
  acc[2] = s2;
  acc[3] = s3;
}
#else
EQ_INLINE void eq_quad_s16(int32_t acc[4], const int16_t *x, const int8_t *w, int32_t groups) {
  for (; groups > 0; --groups) {
    const uint32_t low = eq_load_word(x);
    const uint32_t high = eq_load_word(x + 2);
    for (int32_t r = 0; r < 4; ++r) {
      acc[r] = eq_mac_four_s16(low, high, eq_load_word(w), acc[r]);
      w += 4;
    }
    x += 4;
  }
}
#endif

/* `rows` (1 or 4) sums over places at … at + n - 1 of interleaved rows; n may end inside a group at the end of x. */
EQ_INLINE void eq_some_rows_s16(int32_t acc[4], const int16_t *x, const int8_t *w, int32_t rows, int32_t at,
                                int32_t n) {
  const int32_t groups = n >> 2;
  x += at;
  w += rows * at;
  if (rows == 4 && groups > 0) {
    eq_quad_s16(acc, x, w, groups);
  } else {
    for (int32_t i = 0; i < groups; ++i) {
      acc[0] = eq_mac_four_s16(eq_load_word(x + 4 * i), eq_load_word(x + 4 * i + 2), eq_load_word(w + 4 * i), acc[0]);
    }
  }
  if ((n & 3) != 0) { /* the last one to three values; their weights are in the places 0, 2 and 1 of the word */
    x += 4 * groups;
    w += 4 * groups * rows;
    for (int32_t r = 0; r < rows; ++r) {
      acc[r] += x[0] * w[4 * r];
      acc[r] += (n & 3) > 1 ? x[1] * w[4 * r + 2] : 0;
      acc[r] += (n & 3) > 2 ? x[2] * w[4 * r + 1] : 0;
    }
  }
}

EQ_INLINE int32_t eq_four_rows_bytes_s16(int32_t n) { return 4 * ((n + 3) & ~3); }

#if defined(__clang__)
/* clang wants a register for the address of the loop's end, too. */
EQ_INLINE void eq_four_sums_s16(int32_t acc[4], const int32_t *start, const int16_t *x, const int8_t *w, int32_t n) {
  for (int32_t r = 0; r < 4; ++r) {
    acc[r] = start == NULL ? 0 : start[r];
  }
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; i += 4) {
    const uint32_t low = eq_load_word(x + i);
    const uint32_t high = eq_load_word(x + i + 2);
    for (int32_t r = 0; r < 4; ++r) {
      acc[r] = eq_mac_four_s16(low, high, eq_load_word(w), acc[r]);
      w += 4;
    }
  }
}
#else
/* clang-format off */
#define EQ_ROW_SUM_S16(word, sum)                        \
  "sxtb16 %[t], %[" word "]\n\t"                         \
  "sxtb16 %[" word "], %[" word "], ror #8\n\t"          \
  "smlad %[" sum "], %[t], %[e], %[" sum "]\n\t"         \
  "smlad %[" sum "], %[" word "], %[o], %[" sum "]\n\t"
/* LDM fills registers in the order of their numbers, so each has its name. */
#define EQ_STEP_SUMS_S16                                 \
  "ldmia %[w]!, {%[a], %[b], %[c], %[d]}\n\t"            \
  "ldmia %[x]!, {%[e], %[o]}\n\t"                        \
  EQ_ROW_SUM_S16("a", "s0") EQ_ROW_SUM_S16("b", "s1") EQ_ROW_SUM_S16("c", "s2") EQ_ROW_SUM_S16("d", "s3")
#define EQ_SUMS_S16(body, ...)                                                                            \
  __asm__ volatile(body                                                                                   \
          : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [x] "+r"(from), [w] "+r"(v),       \
            [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [o] "=&r"(o), [t] "+r"(t) \
          : __VA_ARGS__                                                                                   \
          : "cc", "memory")
#define EQ_LOOP_SUMS_S16(enter)                                                                            \
  EQ_SUMS_S16(enter "1:\n\t" EQ_STEP_SUMS_S16 "4:\n\t" EQ_STEP_SUMS_S16 "3:\n\t" EQ_STEP_SUMS_S16          \
          "2:\n\t" EQ_STEP_SUMS_S16 "ldr %[t], %[end]\n\tcmp %[x], %[t]\n\tbne 1b", [end] "m"(end))
/* clang-format on */

/* A number of steps that is no multiple of 4 enters the loop in its middle. */
EQ_INLINE void eq_four_sums_s16(int32_t acc[4], const int32_t *start, const int16_t *x, const int8_t *w, int32_t n) {
  const int32_t steps = n >> 2;
  const int16_t *const end = x + n;
  register const int16_t *from __asm__("r12") = x;
  register const int8_t *v __asm__("lr") = w;
  register int32_t s0 __asm__("r8") = start == NULL ? 0 : start[0];
  register int32_t s1 __asm__("r9") = start == NULL ? 0 : start[1];
  register int32_t s2 __asm__("r10") = start == NULL ? 0 : start[2];
  register int32_t s3 __asm__("r11") = start == NULL ? 0 : start[3];
  register int32_t a __asm__("r0");
  register int32_t b __asm__("r1");
  register int32_t c __asm__("r2");
  register int32_t d __asm__("r3");
  register int32_t e __asm__("r4");
  register int32_t o __asm__("r5");
  register int32_t t __asm__("r6") = steps;
  if (!__builtin_constant_p(steps)) {
    EQ_LOOP_SUMS_S16("ands %[t], %[t], #3\n\tbeq 1f\n\tcmp %[t], #2\n\tblo 2f\n\tbeq 3f\n\tb 4f\n\t");
  } else if (steps == 1) {
    EQ_SUMS_S16(EQ_STEP_SUMS_S16, );
  } else if (steps == 2) {
    EQ_SUMS_S16(EQ_STEP_SUMS_S16 EQ_STEP_SUMS_S16, );
  } else if (steps == 3) {
    EQ_SUMS_S16(EQ_STEP_SUMS_S16 EQ_STEP_SUMS_S16 EQ_STEP_SUMS_S16, );
  } else if ((steps & 3) == 1) {
    EQ_LOOP_SUMS_S16("b 2f\n\t");
  } else if ((steps & 3) == 2) {
    EQ_LOOP_SUMS_S16("b 3f\n\t");
  } else if ((steps & 3) == 3) {
    EQ_LOOP_SUMS_S16("b 4f\n\t");
  } else {
    EQ_LOOP_SUMS_S16("");
  }
  acc[0] = s0;
  acc[1] = s1;
  acc[2] = s2;
  acc[3] = s3;
}
#endif

/* All sums of `rows` channels, bias included in acc; wide ones shifted. */
EQ_INLINE void eq_sum_rows_s16(int32_t acc[4], const int16_t *x, const int8_t *w, int32_t rows,
                               const eq_channels_s16_t *p) {
  if (!p->wide) {
    eq_some_rows_s16(acc, x, w, rows, 0, p->depth);
    return;
  }
  int64_t sums[4] = {0, 0, 0, 0};
  EQ_NO_UNROLL
  for (int32_t at = 0; at < p->depth; at += EQ_SUM_BLOCK) {
    int32_t block[4] = {0, 0, 0, 0};
    eq_some_rows_s16(block, x, w, rows, at, p->depth - at < EQ_SUM_BLOCK ? p->depth - at : EQ_SUM_BLOCK);
    for (int32_t r = 0; r < rows; ++r) {
      sums[r] += block[r];
    }
  }
  for (int32_t r = 0; r < rows; ++r) {
    acc[r] = (int32_t)((acc[r] + sums[r]) >> p->shift);
  }
}

EQ_INLINE void eq_rows_multiply_s16(void *out, const int16_t *x, const eq_channels_s16_t *p) {
  const int32_t stored = (p->depth + 3) & ~3;
  const int32_t quads = p->channels & ~3;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < quads; c += 4) {
    int32_t acc[4] = {p->bias[c], p->bias[c + 1], p->bias[c + 2], p->bias[c + 3]};
    eq_sum_rows_s16(acc, x, p->weights + c * stored, 4, p);
    eq_finish_s16(out, c, acc[0], p->multiplier[c], p);
    eq_finish_s16(out, c + 1, acc[1], p->multiplier[c + 1], p);
    eq_finish_s16(out, c + 2, acc[2], p->multiplier[c + 2], p);
    eq_finish_s16(out, c + 3, acc[3], p->multiplier[c + 3], p);
  }
  EQ_NO_UNROLL
  for (int32_t c = quads; c < p->channels; ++c) {
    int32_t acc[4] = {p->bias[c], 0, 0, 0};
    eq_sum_rows_s16(acc, x, p->weights + c * stored, 1, p);
    eq_finish_s16(out, c, acc[0], p->multiplier[c], p);
  }
}

#endif
