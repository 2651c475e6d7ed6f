/*
 * One int16 vector against many rows of weights: the core of the fully connected layer.
 *   eq_rows_multiply_s16  out[c] for all channels; x is read as it lies, `depth` values, aligned to 2 bytes
 *   eq_four_sums_s16      acc[r] = start[r] + x.w[r], from 0 without `start`, over n >= 4 values, a multiple of four, with the
 *                         first four rows of a block in this order; eq_four_rows_bytes_s16(n) is what they take; x is
 *                         aligned to 4 bytes
 *
 * This file: weights [channels][depth] in plain order, four rows at a time, one vector requantization for the four.
 */
#ifndef EQ_ROWS_S16_H
#define EQ_ROWS_S16_H

#include <eq_lanes_s16.h>

/*
 * acc[r] = start[r] + x.w[r] over n >= 1 places; without `start` from 0. Widening VLDRB wants its address in r0-r7, VMLADAVA
 * even registers for its sums; all are named, as gcc 12 finds no way beside a frame pointer. The sums go to memory, where
 * vectors take them from.
 */
/* clang-format off */
#define EQ_FOUR_ROWS_S16(begin)                                                             \
  __asm__ volatile(begin                                                                    \
          "dlstp.16 lr, %[n]\n\t"                                                           \
          "1:\n\t"                                                                          \
          "vldrh.u16 q0, [%[x]], #16\n\t"                                                   \
          "vldrb.s16 q1, [%[w0]], #8\n\t"                                                   \
          "vmladava.s16 r8, q0, q1\n\t"                                                     \
          "vldrb.s16 q2, [%[w1]], #8\n\t"                                                   \
          "vmladava.s16 r10, q0, q2\n\t"                                                    \
          "vldrb.s16 q1, [%[w2]], #8\n\t"                                                   \
          "vmladava.s16 r12, q0, q1\n\t"                                                    \
          "vldrb.s16 q2, [%[w3]], #8\n\t"                                                   \
          "vmladava.s16 r4, q0, q2\n\t"                                                     \
          "letp lr, 1b\n\t"                                                                 \
          "strd r8, r10, [%[sums]]\n\t"                                                     \
          "strd r12, r4, [%[sums], #8]"                                                     \
          : [x] "+r"(from), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3)       \
          : [n] "r"(count), [sums] "r"(sums), [start] "r"(first)                            \
          : "r4", "r8", "r10", "r12", "q0", "q1", "q2", "lr", "memory")
/* clang-format on */

EQ_INLINE void eq_four_rows_s16(int32_t acc[4], const int32_t *start, const int16_t *x, const int8_t *const w[4],
                                int32_t n) {
  register int32_t *sums __asm__("r9") = acc;
  register const int32_t *first __asm__("r11") = start == NULL ? acc : start;
  register const int16_t *from __asm__("r6") = x;
  register const int8_t *w0 __asm__("r0") = w[0];
  register const int8_t *w1 __asm__("r1") = w[1];
  register const int8_t *w2 __asm__("r2") = w[2];
  register const int8_t *w3 __asm__("r3") = w[3];
  register int32_t count __asm__("r5") = n;
  if (start == NULL) {
    EQ_FOUR_ROWS_S16("movs r4, #0\n\tmov r8, r4\n\tmov r10, r4\n\tmov r12, r4\n\t");
  } else {
    EQ_FOUR_ROWS_S16("ldrd r8, r10, [%[start]]\n\tldrd r12, r4, [%[start], #8]\n\t");
  }
}

/* The four sums, bias included, in 64 bits and shifted. */
EQ_INLINE void eq_four_rows_wide_s16(int32_t acc[4], const int16_t *x, const int8_t *const w[4],
                                     const eq_channels_s16_t *p) {
  int64_t sums[4] = {acc[0], acc[1], acc[2], acc[3]};
  EQ_NO_UNROLL
  for (int32_t at = 0; at < p->depth; at += EQ_SUM_BLOCK) {
    int32_t block[4];
    const int8_t *const from[4] = {w[0] + at, w[1] + at, w[2] + at, w[3] + at};
    eq_four_rows_s16(block, NULL, x + at, from, p->depth - at < EQ_SUM_BLOCK ? p->depth - at : EQ_SUM_BLOCK);
    for (int32_t r = 0; r < 4; ++r) {
      sums[r] += block[r];
    }
  }
  for (int32_t r = 0; r < 4; ++r) {
    acc[r] = (int32_t)(sums[r] >> p->shift);
  }
}

EQ_INLINE int32_t eq_four_rows_bytes_s16(int32_t n) { return 4 * n; }

EQ_INLINE void eq_four_sums_s16(int32_t acc[4], const int32_t *start, const int16_t *x, const int8_t *w, int32_t n) {
  const int8_t *const rows[4] = {w, w + n, w + 2 * n, w + 3 * n};
  eq_four_rows_s16(acc, start, x, rows, n);
}

EQ_INLINE void eq_rows_multiply_s16(void *out, const int16_t *x, const eq_channels_s16_t *p) {
  const int8_t *w = p->weights;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += 4) {
    const int32_t left = p->channels - c;
    int32_t acc[4];
    vstrwq_s32(acc, vldrwq_z_s32(p->bias + c, vctp32q((uint32_t)left)));
    /* Rows that do not exist are the first of the four again; their sums are never stored. */
    const int8_t *const rows[4] = {w, left > 1 ? w + p->depth : w, left > 2 ? w + 2 * p->depth : w,
                                   left > 3 ? w + 3 * p->depth : w};
    if (p->wide) {
      eq_four_rows_wide_s16(acc, x, rows, p);
    } else {
      eq_four_rows_s16(acc, acc, x, rows, p->depth);
    }
    eq_finish_four_s16(out, c, vldrwq_s32(acc), left, p);
    w += 4 * p->depth;
  }
}

#endif
