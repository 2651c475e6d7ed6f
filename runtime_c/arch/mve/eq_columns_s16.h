/*
 * Two pixels of int16 against many output channels: the core of convolution.
 *
 * A *column* is the input window of one output pixel as int16, gathered in the order of the weights. It is made of
 * segments (a kernel row, or a tap), each of which takes eq_segment_s16(n) places.
 *   eq_segment_s16           places that a segment of n values takes
 *   eq_column_copy_s16       n >= 1 values of x_bytes (1 or 2) as int16; the place behind them
 *   eq_columns_channels_s16  channels that are stored for n channels: an even number
 *   eq_columns_multiply_s16  all channels of both pixels; a lone pixel passes itself twice
 * Columns are aligned to 2 bytes.
 *
 * This file: weights [channels][depth] in plain order, an odd last channel with a partner of zeros. Sixteen channels of
 * two pixels are summed into a buffer of 128 bytes on the stack, two by two, and requantized from it four at a time. 9
 * instructions for 32 products, 17 for 64 where the depth is a constant multiple of 16.
 */
#ifndef EQ_COLUMNS_S16_H
#define EQ_COLUMNS_S16_H

#include <eq_lanes_s16.h>

#define EQ_PAIR_UNIT 1
#define EQ_BLOCK_S16 16

EQ_INLINE int32_t eq_segment_s16(int32_t n) { return n; }

EQ_INLINE int32_t eq_columns_channels_s16(int32_t n) { return (n + 1) & ~1; }

EQ_INLINE int16_t *eq_column_copy_s16(int16_t *column, const void *x, int32_t n, int32_t x_bytes) {
  int16_t *to = column;
  if (x_bytes == 2) {
    const int16_t *from = (const int16_t *)x;
    __asm__ volatile(
        "dlstp.16 lr, %[n]\n\t"
        "1:\n\t"
        "vldrh.u16 q0, [%[from]], #16\n\t"
        "vstrh.16 q0, [%[to]], #16\n\t"
        "letp lr, 1b"
        : [from] "+r"(from), [to] "+r"(to)
        : [n] "r"(n)
        : "q0", "lr", "memory");
  } else {
    const int8_t *from = (const int8_t *)x;
    __asm__ volatile(
        "dlstp.16 lr, %[n]\n\t"
        "1:\n\t"
        "vldrb.s16 q0, [%[from]], #8\n\t"
        "vstrh.16 q0, [%[to]], #16\n\t"
        "letp lr, 1b"
        : [from] "+l"(from), [to] "+r"(to)
        : [n] "r"(n)
        : "q0", "lr", "memory");
  }
  return column + n;
}

/* Three sizes in memory. clang takes a register for the address of each memory operand: one for all three there. */
#if defined(__clang__)
#define EQ_LOAD_SIZE_S16(number, offset) "ldr lr, [%[sizes], #" offset "]\n\t"
#define EQ_SIZES_S16(sizes) [sizes] "r"(sizes)
#else
#define EQ_LOAD_SIZE_S16(number, offset) "ldr lr, %[size" number "]\n\t"
#define EQ_SIZES_S16(sizes) [size0] "m"(sizes[0]), [size1] "m"(sizes[1]), [size2] "m"(sizes[2])
#endif

/* clang-format off */
#define EQ_PAIRS_STEP_S16                      \
  "vldrh.u16 q0, [%[x0]], #16\n\t"             \
  "vldrb.s16 q2, [%[w0]], #8\n\t"              \
  "vmladava.s16 %[s00], q0, q2\n\t"            \
  "vldrb.s16 q3, [%[w1]], #8\n\t"              \
  "vmladava.s16 %[s01], q0, q3\n\t"            \
  "vldrh.u16 q1, [%[x1]], #16\n\t"             \
  "vmladava.s16 %[s10], q1, q2\n\t"            \
  "vmladava.s16 %[s11], q1, q3\n\t"
#define EQ_PAIRS_LOOP_S16(loop)                                                                                    \
  __asm__ volatile(                                                                                                \
      "2:\n\t"                                                                                                     \
      "ldrd %[s00], %[s01], [%[bias]], #8\n\t" EQ_LOAD_SIZE_S16("0", "0")                                          \
      "mov %[s10], %[s00]\n\t"                                                                                     \
      "mov %[s11], %[s01]\n\t" loop EQ_LOAD_SIZE_S16("1", "4")                                                     \
      "strd %[s00], %[s01], [%[sums]], #8\n\t"                                                                     \
      "sub %[x0], %[x0], lr\n\t"                                                                                   \
      "sub %[x1], %[x1], lr\n\t" EQ_LOAD_SIZE_S16("2", "8")                                                        \
      "strd %[s10], %[s11], [%[sums], #56]\n\t"                                                                    \
      "add %[w0], %[w0], lr\n\t"                                                                                   \
      "add %[w1], %[w1], lr\n\t"                                                                                   \
      "subs %[pairs], %[pairs], #1\n\t"                                                                            \
      "bne 2b"                                                                                                     \
      : [s00] "=&r"(s00), [s01] "=&r"(s01), [s10] "=&r"(s10), [s11] "=&r"(s11), [x0] "+r"(x0), [x1] "+r"(x1),      \
        [w0] "+r"(w0), [w1] "+r"(w1), [bias] "+r"(bias), [sums] "+r"(sums), [pairs] "+r"(pairs)                    \
      : EQ_SIZES_S16(sizes)                                                                                        \
      : "q0", "q1", "q2", "q3", "lr", "cc", "memory")
/* clang-format on */

/*
 * sums[0…] of pixel 0 and sums[EQ_BLOCK_S16…] of pixel 1 for `count` channel pairs over n places of their weights, whose
 * rows are `row` bytes apart. DLSTP takes its count from LR, so sizes stay in memory; widening VLDRB wants its address in
 * r0-r7, VMLADAVA even registers for its sums. All are named, as gcc 12 finds no way beside a frame pointer.
 */
EQ_INLINE void eq_pairs_s16(int32_t *to, const int32_t *from, const int16_t *column0, const int16_t *column1,
                            const int8_t *weights, int32_t row, int32_t n, int32_t count) {
  const int32_t read = (n + 7) & ~7;                              /* what the post-increments add up to */
  const int32_t whole = __builtin_constant_p(n) && (n & 15) == 0; /* two steps without a tail */
  const int32_t sizes[3] = {whole ? n >> 4 : n, 2 * read, 2 * row - read};
  register const int16_t *x0 __asm__("r0") = column0;
  register const int16_t *x1 __asm__("r1") = column1;
  register const int8_t *w0 __asm__("r2") = weights;
  register const int8_t *w1 __asm__("r3") = weights + row;
  register const int32_t *bias __asm__("r5") = from;
  register int32_t *sums __asm__("r6") = to;
  register int32_t pairs __asm__("r9") = count;
  register int32_t s00 __asm__("r8");
  register int32_t s01 __asm__("r10");
  register int32_t s10 __asm__("r12");
  register int32_t s11 __asm__("r4");
  if (whole) {
    EQ_PAIRS_LOOP_S16("dls lr, lr\n\t1:\n\t" EQ_PAIRS_STEP_S16 EQ_PAIRS_STEP_S16 "le lr, 1b\n\t");
  } else {
    EQ_PAIRS_LOOP_S16("dlstp.16 lr, lr\n\t1:\n\t" EQ_PAIRS_STEP_S16 "letp lr, 1b\n\t");
  }
}

EQ_STATIC_ASSERT(EQ_BLOCK_S16 == 16, "offsets are 4 * EQ_BLOCK_S16 - 8 above, 4 * EQ_BLOCK_S16 in eq_lanes_s16.h");

/* The same sums in 64 bits, bias included, shifted: `pairs` channel pairs whose weights start at w. */
EQ_INLINE void eq_pairs_wide_s16(int32_t *to, const int32_t *bias, const int16_t *x0, const int16_t *x1,
                                 const int8_t *w, const eq_channels_s16_t *p, int32_t pairs) {
  const int32_t zeros[EQ_BLOCK_S16] = {0};
  if (p->depth <= EQ_SUM_BLOCK) {
    eq_pairs_s16(to, zeros, x0, x1, w, p->depth, p->depth, pairs);
    for (int32_t i = 0; i < 2 * pairs; i += 4) {
      const int32x4_t start = vldrwq_z_s32(bias + i, vctp32q((uint32_t)(2 * pairs - i)));
      vstrwq_s32(to + i, eq_shifted_sum_x4(start, vldrwq_s32(to + i), p->shift));
      vstrwq_s32(to + EQ_BLOCK_S16 + i, eq_shifted_sum_x4(start, vldrwq_s32(to + EQ_BLOCK_S16 + i), p->shift));
    }
    return;
  }
  int64_t sums[2 * EQ_BLOCK_S16];
  for (int32_t i = 0; i < EQ_BLOCK_S16; ++i) {
    sums[i] = sums[i + EQ_BLOCK_S16] = i < 2 * pairs ? bias[i] : 0;
    to[i] = to[i + EQ_BLOCK_S16] = 0;
  }
  EQ_NO_UNROLL
  for (int32_t at = 0; at < p->depth; at += EQ_SUM_BLOCK) {
    eq_pairs_s16(to, zeros, x0 + at, x1 + at, w + at, p->depth,
                 p->depth - at < EQ_SUM_BLOCK ? p->depth - at : EQ_SUM_BLOCK, pairs);
    for (int32_t i = 0; i < 2 * EQ_BLOCK_S16; ++i) {
      sums[i] += to[i];
    }
  }
  for (int32_t i = 0; i < 2 * EQ_BLOCK_S16; ++i) {
    to[i] = (int32_t)(sums[i] >> p->shift);
  }
}

EQ_INLINE void eq_columns_multiply_s16(void *out0, void *out1, const int16_t *x0, const int16_t *x1,
                                       const eq_channels_s16_t *p) {
  int32_t sums[2 * EQ_BLOCK_S16];
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += EQ_BLOCK_S16) {
    const int32_t n = p->channels - c < EQ_BLOCK_S16 ? p->channels - c : EQ_BLOCK_S16;
    const int8_t *w = p->weights + c * p->depth;
    if (p->wide) {
      eq_pairs_wide_s16(sums, p->bias + c, x0, x1, w, p, (n + 1) >> 1);
    } else {
      eq_pairs_s16(sums, p->bias + c, x0, x1, w, p->depth, p->depth, (n + 1) >> 1);
    }
    eq_finish_lanes_s16(out0, out1, c, sums, n, p);
  }
}

#endif
