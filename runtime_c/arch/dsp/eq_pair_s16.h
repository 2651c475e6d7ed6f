/*
 * Sums of products of two int16 columns and the int8 weights of two channels:
 *
 *   eq_pair_s16  acc[0] += x0.w0, acc[1] += x0.w1, acc[2] += x1.w0, acc[3] += x1.w1 over places at … at + n - 1
 *   EQ_PAIR_UNIT places come in multiples of this: at and n are, and a segment of a column is rounded up to it, with
 *                weights of zero (the column may hold anything there)
 *
 * `w` are the weights of a channel pair of `depth` places; no sum may leave int32. x0 and x1 are aligned to 4 bytes.
 *
 * This file: per four places the weights w[0], w[2], w[1], w[3] of the first channel, then of the second: two SXTB16 make
 * of each word the two pairs that SMLAD takes with the columns as they lie. 15 instructions for 16 products, 3 for the
 * loop of 64; the end of the loop is in memory, as 13 registers are all that a frame pointer leaves.
 */
#ifndef EQ_PAIR_S16_H
#define EQ_PAIR_S16_H

#include <eq_common.h>
#include <eq_dot.h>

#define EQ_PAIR_UNIT 4

#if defined(__clang__)
/* clang wants a register for the address of the loop's end, too. */
EQ_INLINE void eq_pair_s16(int32_t acc[4], const int16_t *x0, const int16_t *x1, const int8_t *w, int32_t depth,
                           int32_t at, int32_t n) {
  (void)depth;
  w += 2 * at;
  EQ_NO_UNROLL
  for (int32_t i = at; i < at + n; i += 4) {
    for (int32_t c = 0; c < 2; ++c) {
      const uint32_t word = eq_load_word(w);
      const uint32_t low = eq_even_bytes(word);
      const uint32_t high = eq_odd_bytes(word);
      acc[c] = eq_mac_dual(high, eq_load_word(x0 + i + 2), eq_mac_dual(low, eq_load_word(x0 + i), acc[c]));
      acc[c + 2] = eq_mac_dual(high, eq_load_word(x1 + i + 2), eq_mac_dual(low, eq_load_word(x1 + i), acc[c + 2]));
      w += 4;
    }
  }
}
#else
/* clang-format off */
#define EQ_PAIR_STEP                      \
  "ldrd %[a], %[b], [%[w]], #8\n\t"       \
  "sxtb16 %[c], %[a], ror #8\n\t"         \
  "sxtb16 %[a], %[a]\n\t"                 \
  "sxtb16 %[d], %[b], ror #8\n\t"         \
  "sxtb16 %[b], %[b]\n\t"                 \
  "ldrd %[e], %[f], [%[x0]], #8\n\t"      \
  "smlad %[s00], %[a], %[e], %[s00]\n\t"  \
  "smlad %[s01], %[b], %[e], %[s01]\n\t"  \
  "smlad %[s00], %[c], %[f], %[s00]\n\t"  \
  "smlad %[s01], %[d], %[f], %[s01]\n\t"  \
  "ldrd %[e], %[f], [%[x1]], #8\n\t"      \
  "smlad %[s10], %[a], %[e], %[s10]\n\t"  \
  "smlad %[s11], %[b], %[e], %[s11]\n\t"  \
  "smlad %[s10], %[c], %[f], %[s10]\n\t"  \
  "smlad %[s11], %[d], %[f], %[s11]\n\t"
#define EQ_PAIR_LOOP(enter)                                                                                   \
  __asm__ volatile(enter                                                                                      \
          "1:\n\t" EQ_PAIR_STEP "4:\n\t" EQ_PAIR_STEP "3:\n\t" EQ_PAIR_STEP "2:\n\t" EQ_PAIR_STEP               \
          "ldr %[e], %[end]\n\tcmp %[x0], %[e]\n\tbne 1b"                                                    \
          : [s00] "+r"(s00), [s01] "+r"(s01), [s10] "+r"(s10), [s11] "+r"(s11), [x0] "+r"(p0), [x1] "+r"(p1), \
            [w] "+r"(v), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "+r"(f)    \
          : [end] "m"(end)                                                                                    \
          : "cc", "memory")
/* clang-format on */

/* A number of steps that is no multiple of 4 enters the loop in its middle. */
EQ_INLINE void eq_pair_s16(int32_t acc[4], const int16_t *x0, const int16_t *x1, const int8_t *w, int32_t depth,
                           int32_t at, int32_t n) {
  (void)depth;
  const int32_t steps = n >> 2;
  const int16_t *const end = x0 + at + n;
  EQ_VARIABLE(const int16_t *, p0, "lr") = x0 + at;
  EQ_VARIABLE(const int16_t *, p1, "r12") = x1 + at;
  EQ_VARIABLE(const int8_t *, v, "r11") = w + 2 * at;
  EQ_VARIABLE(int32_t, s00, "r6") = acc[0];
  EQ_VARIABLE(int32_t, s01, "r8") = acc[1];
  EQ_VARIABLE(int32_t, s10, "r9") = acc[2];
  EQ_VARIABLE(int32_t, s11, "r10") = acc[3];
  EQ_VARIABLE(int32_t, a, "r0");
  EQ_VARIABLE(int32_t, b, "r1");
  EQ_VARIABLE(int32_t, c, "r2");
  EQ_VARIABLE(int32_t, d, "r3");
  EQ_VARIABLE(int32_t, e, "r4");
  EQ_VARIABLE(int32_t, f, "r5") = steps;
  if (!__builtin_constant_p(steps)) {
    EQ_PAIR_LOOP("ands %[f], %[f], #3\n\tbeq 1f\n\tcmp %[f], #2\n\tblo 2f\n\tbeq 3f\n\tb 4f\n\t");
  } else if ((steps & 3) == 1) {
    EQ_PAIR_LOOP("b 2f\n\t");
  } else if ((steps & 3) == 2) {
    EQ_PAIR_LOOP("b 3f\n\t");
  } else if ((steps & 3) == 3) {
    EQ_PAIR_LOOP("b 4f\n\t");
  } else {
    EQ_PAIR_LOOP("");
  }
  acc[0] = s00;
  acc[1] = s01;
  acc[2] = s10;
  acc[3] = s11;
}
#endif

#endif
