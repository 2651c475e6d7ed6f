/*
 * One vector against many rows of weights: the core of the fully connected layer.
 *   eq_rows_multiply  out[c] for all channels; x is read as it lies, `depth` bytes, any alignment
 *
 * This file: weights of four channels interleaved: per four places, four bytes of each channel in turn; the remaining
 * one to three channels follow as rows. Every row is padded with zeros to a multiple of four. The input is not widened
 * beforehand (no scratch): 21 instructions for 16 products, and 2 for the loop of 32. The loop reads the input by words
 * at any address; where the compiler may not (-mno-unaligned-access), plain C takes its place.
 */
#ifndef EQ_ROWS_H
#define EQ_ROWS_H

#include <eq_channels.h>
#include <eq_dot.h>
#include <eq_requantize.h>

#if defined(__ARM_FEATURE_UNALIGNED)
/* clang-format off */
#define EQ_HALF_1X4(first, second)                          \
  "ldrd %[a], %[b], [%[w]], #8\n\t"                         \
  "sxtb16 %[t], %[a], ror #8\n\t"                           \
  "sxtb16 %[a], %[a]\n\t"                                   \
  "smlad %[" first "], %[t], %[o], %[" first "]\n\t"        \
  "sxtb16 %[t], %[b], ror #8\n\t"                           \
  "smlad %[" first "], %[a], %[e], %[" first "]\n\t"        \
  "sxtb16 %[b], %[b]\n\t"                                   \
  "smlad %[" second "], %[t], %[o], %[" second "]\n\t"      \
  "smlad %[" second "], %[b], %[e], %[" second "]\n\t"
#define EQ_STEP_1X4                                         \
  "ldr %[e], [%[x]], #4\n\t"                                \
  "sxtb16 %[o], %[e], ror #8\n\t"                           \
  "sxtb16 %[e], %[e]\n\t" EQ_HALF_1X4("s0", "s1") EQ_HALF_1X4("s2", "s3")
#define EQ_LOOP_1X4(enter)                                                                        \
  __asm__ volatile(enter "1:\n\t" EQ_STEP_1X4 "2:\n\t" EQ_STEP_1X4 "cmp %[x], %[end]\n\tbne 1b"   \
          : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [x] "+r"(x), [w] "+r"(w), \
            [a] "=&r"(a), [b] "=&r"(b), [e] "=&r"(e), [o] "=&r"(o), [t] "+r"(t)                   \
          : [end] "r"(end)                                                                        \
          : "cc", "memory")
/* clang-format on */

/* Four sums over `groups` >= 1 groups of four places; returns the weights behind them. */
EQ_INLINE const int8_t *eq_rows_quad(int32_t acc[4], const int8_t *input, const int8_t *weights, int32_t groups) {
  EQ_VARIABLE(const int8_t *, end, "r12") = input + 4 * groups;
  EQ_VARIABLE(const int8_t *, x, "r11") = input;
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
    EQ_LOOP_1X4("tst %[t], #1\n\tbne 2f\n\t");
  } else if ((groups & 1) != 0) {
    EQ_LOOP_1X4("b 2f\n\t");
  } else {
    EQ_LOOP_1X4("");
  }
  acc[0] = s0;
  acc[1] = s1;
  acc[2] = s2;
  acc[3] = s3;
  return w;
}
#else
EQ_INLINE const int8_t *eq_rows_quad(int32_t acc[4], const int8_t *x, const int8_t *w, int32_t groups) {
  for (; groups > 0; --groups) {
    const uint32_t four = eq_load_word(x);
    for (int32_t r = 0; r < 4; ++r) {
      acc[r] = eq_mac_words(four, eq_load_word(w), acc[r]);
      w += 4;
    }
    x += 4;
  }
  return w;
}
#endif

EQ_INLINE int8_t eq_rows_finish(int32_t acc, int32_t multiplier, const eq_channels_t *p) {
  return (int8_t)eq_clamp(eq_requantize(acc, multiplier, p->shift, p->out_zero), p->clamp_min, p->clamp_max);
}

EQ_INLINE void eq_rows_multiply(int8_t *out, const int8_t *x, const eq_channels_t *p) {
  const int8_t *w = p->weights;
  const int32_t groups = p->depth >> 2;
  const int32_t rest = p->depth & 3;
  const int32_t quads = p->channels & ~3;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < quads; c += 4) {
    int32_t acc[4] = {p->bias[c], p->bias[c + 1], p->bias[c + 2], p->bias[c + 3]};
    if (groups > 0) {
      w = eq_rows_quad(acc, x, w, groups);
    }
    if (rest > 0) {
      const uint32_t tail = eq_load_tail(x + 4 * groups, rest);
      acc[0] = eq_mac_words(tail, eq_load_word(w), acc[0]);
      acc[1] = eq_mac_words(tail, eq_load_word(w + 4), acc[1]);
      acc[2] = eq_mac_words(tail, eq_load_word(w + 8), acc[2]);
      acc[3] = eq_mac_words(tail, eq_load_word(w + 12), acc[3]);
      w += 16;
    }
    out[c] = eq_rows_finish(acc[0], p->multiplier[c], p);
    out[c + 1] = eq_rows_finish(acc[1], p->multiplier[c + 1], p);
    out[c + 2] = eq_rows_finish(acc[2], p->multiplier[c + 2], p);
    out[c + 3] = eq_rows_finish(acc[3], p->multiplier[c + 3], p);
  }
  EQ_NO_UNROLL
  for (int32_t c = quads; c < p->channels; ++c) {
    out[c] = eq_rows_finish(eq_dot_s8(x, w, p->depth, p->bias[c]), p->multiplier[c], p);
    w += (p->depth + 3) & ~3;
  }
}

#endif
