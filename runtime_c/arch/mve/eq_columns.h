/*
 * Two pixels against many output channels: the core of convolution.
 *
 * A *column* is the input window of one output pixel, `depth` products long, gathered in the order of the weights. It
 * is made of segments (a kernel row, or a tap), each of which takes eq_column_segment(n) places.
 *   EQ_COLUMNS_DIRECT     1: a column is plain bytes, so input that is already in order serves without a copy
 *   EQ_COLUMN_BYTES       bytes of a place
 *   eq_column_segment     places a segment of n values takes
 *   eq_columns_channels   channels that are stored for n channels: an even number here
 *   eq_column_copy, _fill write n values into column `pixel` (0 or 1) at place `at`
 *   eq_column_at          the column as eq_columns_multiply takes it
 *   EQ_COLUMNS_BLOCK      channels that are summed before they are stored; input in place is read again for the next ones
 *   eq_columns_multiply   all channels of both pixels. Stores pixel 1 before pixel 0: a lone pixel passes itself twice
 * Scratch for two columns: 2 * EQ_COLUMN_BYTES * depth bytes, 4-byte aligned.
 *
 * This file: bytes, weights [channels][depth] in plain order, an odd last channel with a partner of zeros. Sixteen
 * channels of two pixels are summed into a buffer of 128 bytes on the stack, two by two, and requantized from it four at a
 * time. 9 instructions for 64 products.
 */
#ifndef EQ_COLUMNS_H
#define EQ_COLUMNS_H

#include <eq_channels.h>
#include <eq_dot.h>
#include <eq_requantize.h>

#define EQ_COLUMNS_DIRECT 1
#define EQ_COLUMN_BYTES 1
#define EQ_COLUMNS_BLOCK 16

EQ_INLINE int32_t eq_columns_channels(int32_t n) { return (n + 1) & ~1; }

EQ_INLINE int32_t eq_column_segment(int32_t n) { return n; }

EQ_INLINE void eq_column_copy(void *columns, int32_t pixel, int32_t depth, int32_t at, const int8_t *src, int32_t n) {
  int8_t *to = (int8_t *)columns + pixel * depth + at;
  if (n <= 0) {
    return;
  }
  __asm__ volatile(
      "dlstp.8 lr, %[n]\n\t"
      "1:\n\t"
      "vldrb.8 q0, [%[src]], #16\n\t"
      "vstrb.8 q0, [%[to]], #16\n\t"
      "letp lr, 1b"
      : [src] "+r"(src), [to] "+r"(to)
      : [n] "r"(n)
      : "q0", "lr", "memory");
}

EQ_INLINE void eq_column_fill(void *columns, int32_t pixel, int32_t depth, int32_t at, int32_t value, int32_t n) {
  int8_t *to = (int8_t *)columns + pixel * depth + at;
  if (n <= 0) {
    return;
  }
  __asm__ volatile(
      "vdup.8 q0, %[value]\n\t"
      "dlstp.8 lr, %[n]\n\t"
      "1:\n\t"
      "vstrb.8 q0, [%[to]], #16\n\t"
      "letp lr, 1b"
      : [to] "+r"(to)
      : [n] "r"(n), [value] "r"(value)
      : "q0", "lr", "memory");
}

EQ_INLINE const int8_t *eq_column_at(const void *columns, int32_t pixel, int32_t depth) {
  return (const int8_t *)columns + pixel * depth;
}

/* clang-format off */
#define EQ_FINISH_LANES(scale)                                                                           \
  __asm__ volatile(                                                                                      \
      "dlstp.32 lr, %[n]\n\t"                                                                            \
      "1:\n\t"                                                                                           \
      "vldrw.32 q0, [%[acc]], #16\n\t"                                                                   \
      "vldrw.32 q1, [%[m]], #16\n\t" scale                                                               \
      "vrmulh.s32 q0, q0, q1\n\t"                                                                        \
      "vadd.i32 q0, q0, %[zero]\n\t"                                                                     \
      "vmax.s32 q0, q0, %q[low]\n\t"                                                                     \
      "vmin.s32 q0, q0, %q[high]\n\t"                                                                    \
      "vstrb.32 q0, [%[out]], #4\n\t"                                                                    \
      "letp lr, 1b"                                                                                      \
      : [acc] "+r"(acc), [m] "+r"(multiplier), [out] "+l"(out)                                           \
      : [n] "r"(n), [shift] "r"(p->shift), [zero] "r"(p->out_zero), [low] "w"(low), [high] "w"(high)     \
      : "q0", "q1", "lr", "memory")
/* clang-format on */

/* Requantize n sums, 1 <= n <= 16, and store them: 4 lanes a step. */
EQ_INLINE void eq_finish_lanes(int8_t *out, const int32_t *acc, const int32_t *multiplier, int32_t n,
                               const eq_channels_t *p) {
  const int32x4_t low = vdupq_n_s32(p->clamp_min);
  const int32x4_t high = vdupq_n_s32(p->clamp_max);
  if (__builtin_constant_p(p->shift) && p->shift == 0) {
    EQ_FINISH_LANES("");
  } else {
    EQ_FINISH_LANES("vshl.s32 q0, %[shift]\n\t");
  }
}

/* Three sizes in memory. clang takes a register for the address of each memory operand: one for all three there. */
#if defined(__clang__)
#define EQ_LOAD_SIZE(number, offset) "ldr lr, [%[sizes], #" offset "]\n\t"
#define EQ_SIZES(sizes) [sizes] "r"(sizes)
#else
#define EQ_LOAD_SIZE(number, offset) "ldr lr, %[size" number "]\n\t"
#define EQ_SIZES(sizes) [size0] "m"(sizes[0]), [size1] "m"(sizes[1]), [size2] "m"(sizes[2])
#endif

/*
 * sums[0…] of pixel 0 and sums[EQ_COLUMNS_BLOCK…] of pixel 1 for `pairs` channel pairs. DLSTP takes its count from LR, so
 * depth and steps stay in memory and 11 registers are enough (clang: 12, which leaves one for a frame pointer). Returns
 * the weights behind the pairs.
 */
EQ_INLINE const int8_t *eq_columns_pairs(int32_t *to, const int32_t *from, const int8_t *column0, const int8_t *column1,
                                         const int8_t *weights, int32_t depth, int32_t count) {
  const int32_t read = (depth + 15) & ~15; /* what the post-increments add up to */
  const int32_t sizes[3] = {depth, read, 2 * depth - read};
  /* All named, as gcc 12 finds no way beside a frame pointer; VMLADAVA wants even registers for its sums. */
  register const int8_t *x0 __asm__("r0") = column0;
  register const int8_t *x1 __asm__("r1") = column1;
  register const int8_t *w0 __asm__("r2") = weights;
  register const int8_t *w1 __asm__("r3") = weights + depth;
  register const int32_t *bias __asm__("r5") = from;
  register int32_t *sums __asm__("r6") = to;
  register int32_t pairs __asm__("r9") = count;
  register int32_t s00 __asm__("r8");
  register int32_t s01 __asm__("r10");
  register int32_t s10 __asm__("r12");
  register int32_t s11 __asm__("r4");
  __asm__ volatile(
      "2:\n\t"
      "ldrd %[s00], %[s01], [%[bias]], #8\n\t"
      EQ_LOAD_SIZE("0", "0")
      "mov %[s10], %[s00]\n\t"
      "mov %[s11], %[s01]\n\t"
      "dlstp.8 lr, lr\n\t"
      "1:\n\t"
      "vldrb.8 q0, [%[x0]], #16\n\t"
      "vldrb.8 q2, [%[w0]], #16\n\t"
      "vmladava.s8 %[s00], q0, q2\n\t"
      "vldrb.8 q3, [%[w1]], #16\n\t"
      "vmladava.s8 %[s01], q0, q3\n\t"
      "vldrb.8 q1, [%[x1]], #16\n\t"
      "vmladava.s8 %[s10], q1, q2\n\t"
      "vmladava.s8 %[s11], q1, q3\n\t"
      "letp lr, 1b\n\t"
      EQ_LOAD_SIZE("1", "4")
      "strd %[s00], %[s01], [%[sums]], #8\n\t"
      "sub %[x0], %[x0], lr\n\t"
      "sub %[x1], %[x1], lr\n\t"
      EQ_LOAD_SIZE("2", "8")
      "strd %[s10], %[s11], [%[sums], #56]\n\t"
      "add %[w0], %[w0], lr\n\t"
      "add %[w1], %[w1], lr\n\t"
      "subs %[pairs], %[pairs], #1\n\t"
      "bne 2b"
      : [s00] "=&r"(s00), [s01] "=&r"(s01), [s10] "=&r"(s10), [s11] "=&r"(s11), [x0] "+r"(x0), [x1] "+r"(x1),
        [w0] "+r"(w0), [w1] "+r"(w1), [bias] "+r"(bias), [sums] "+r"(sums), [pairs] "+r"(pairs)
      : EQ_SIZES(sizes)
      : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
  return w0;
}

EQ_STATIC_ASSERT(EQ_COLUMNS_BLOCK == 16, "the store offset 56 above is 4 * EQ_COLUMNS_BLOCK - 8");

EQ_INLINE void eq_columns_multiply(int8_t *out0, int8_t *out1, const int8_t *x0, const int8_t *x1,
                                   const eq_channels_t *p) {
  int32_t sums[2 * EQ_COLUMNS_BLOCK];
  const int8_t *w = p->weights;
  EQ_NO_UNROLL
  for (int32_t c = 0; c < p->channels; c += EQ_COLUMNS_BLOCK) {
    const int32_t n = p->channels - c < EQ_COLUMNS_BLOCK ? p->channels - c : EQ_COLUMNS_BLOCK;
    w = eq_columns_pairs(sums, p->bias + c, x0, x1, w, p->depth, (n + 1) >> 1);
    eq_finish_lanes(out1 + c, sums + EQ_COLUMNS_BLOCK, p->multiplier + c, n, p);
    eq_finish_lanes(out0 + c, sums, p->multiplier + c, n, p);
  }
}

#endif
