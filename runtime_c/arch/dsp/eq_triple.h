/*
 * Three pixels against pairs of output channels: the core of convolution with the DSP extension.
 *
 * A *column* is the input window of one output pixel, `depth` products long, gathered in the order of the weights. It
 * is made of segments (a kernel row, or a tap), each of which takes eq_triple_segment(n) places.
 *   eq_triple_segment     places that a segment of n values takes: n rounded up to 4
 *   eq_triple_copy, _fill write n values into column `pixel` (0, 1 or 2) at place `at`; places rise
 *   eq_triple_run         eq_triple_copy for places that are multiples of 4
 *   eq_triple_bytes       a copy of plain bytes, for windows that are put together before they are widened
 *   eq_triple_multiply    all channels of one to three pixels
 * Scratch for three columns: EQ_TRIPLE_BYTES * depth bytes, 4-byte aligned.
 *
 * Columns are widened to int16 and interleaved: for each four places [x0, x2, x1, x3] of pixel 0, of pixel 1, of pixel 2
 * (24 bytes). Weights are one stream, 4-byte aligned: for each pair of channels two biases, then per four places four
 * bytes of the first channel and four of the second, then two multipliers; an odd last channel has a partner of zeros;
 * places that round a segment up to four have weight zero, so the columns may hold anything there, and so may the
 * columns of pixels that do not exist. 20 instructions for 24 products, 35 for six results, 3 for a loop of 16 steps.
 * The results of a triple are stored when all three columns are complete; pixel 2 before 1 before 0.
 * Stack: assembly takes EQ_TRIPLE_STACK bytes.
 */
#ifndef EQ_TRIPLE_H
#define EQ_TRIPLE_H

#include <eq_common.h>
#include <eq_dot.h>

#define EQ_TRIPLE_BYTES 6
#define EQ_TRIPLE_STACK 76

typedef int16_t __attribute__((may_alias)) eq_half_t;

/* In the order in which the assembly knows it. */
typedef struct {
  int32_t second,
      third; /* bytes from a result of pixel 0 to that of pixels 1 and 2; 0 for a pixel that does not exist */
  int32_t out_zero;
  int8_t *out;
  const int8_t *weights_end;
  const void *columns;
  const void *columns_end;
  int32_t special; /* left shift of the accumulators, and 256 where the last channel has no partner; mostly 0 */
  int32_t entry;   /* steps of four places, modulo 16, subtracted from 16; 0 for 0 */
  int32_t spare;
} eq_triple_t;

EQ_INLINE int32_t eq_triple_segment(int32_t n) { return (n + 3) & ~3; }

EQ_INLINE void eq_triple_put(eq_half_t *column, int32_t at, int32_t value) {
  column[(at >> 2) * 12 + ((at & 1) << 1) + ((at >> 1) & 1)] = (int16_t)value;
}

/* Four places; whole groups may be overwritten: a later segment or fill writes its own places afterwards. */
EQ_INLINE void eq_triple_word(eq_pair_t *to, uint32_t word) {
  to[0] = eq_even_bytes(word);
  to[1] = eq_odd_bytes(word);
}

#if defined(__ARM_FEATURE_UNALIGNED)
/* Eight values at a time, at least eight. */
EQ_INLINE eq_pair_t *eq_triple_widen(eq_pair_t *to, const int8_t *src, int32_t n) {
  const int8_t *const end = src + (n & ~7);
  uint32_t a;
  uint32_t b;
  __asm__ volatile(
      "1:\n\t"
      "ldr %[b], [%[src]], #4\n\t"
      "sxtb16 %[a], %[b]\n\t"
      "sxtb16 %[b], %[b], ror #8\n\t"
      "strd %[a], %[b], [%[to]], #24\n\t"
      "ldr %[b], [%[src]], #4\n\t"
      "sxtb16 %[a], %[b]\n\t"
      "sxtb16 %[b], %[b], ror #8\n\t"
      "strd %[a], %[b], [%[to]], #24\n\t"
      "cmp %[src], %[end]\n\t"
      "bne 1b"
      : [a] "=&r"(a), [b] "=&r"(b), [src] "+r"(src), [to] "+r"(to)
      : [end] "r"(end)
      : "cc", "memory");
  return to;
}
#else
EQ_INLINE eq_pair_t *eq_triple_widen(eq_pair_t *to, const int8_t *src, int32_t n) {
  for (const int8_t *const end = src + (n & ~7); src != end; src += 4) {
    eq_triple_word(to, eq_load_word(src));
    to += 6;
  }
  return to;
}
#endif

/* n values to place `at`, a multiple of 4. */
EQ_INLINE void eq_triple_run(void *columns, int32_t pixel, int32_t at, const int8_t *src, int32_t n) {
  eq_pair_t *to = (eq_pair_t *)columns + 2 * pixel + (at >> 2) * 6;
  if (__builtin_constant_p(n) && n < 16) {
    for (; n >= 4; n -= 4) {
      eq_triple_word(to, eq_load_word(src));
      src += 4;
      to += 6;
    }
  } else if (n >= 8) {
    to = eq_triple_widen(to, src, n);
    src += n & ~7;
    n &= 7;
  }
  if (n >= 4) {
    eq_triple_word(to, eq_load_word(src));
    src += 4;
    to += 6;
    n -= 4;
  }
  if (n > 0) {
    eq_triple_word(to, eq_load_tail(src, n));
  }
}

/* n bytes from any address to any other. */
EQ_INLINE void eq_triple_bytes(int8_t *to, const int8_t *src, int32_t n) {
  int32_t at = 0;
  if (__builtin_constant_p(n) && n < 16) {
    if ((n & 8) != 0) {
      *(eq_word_t *)(void *)to = eq_load_word(src);
      *(eq_word_t *)(void *)(to + 4) = eq_load_word(src + 4);
      at = 8;
    }
    if ((n & 4) != 0) {
      *(eq_word_t *)(void *)(to + at) = eq_load_word(src + at);
      at += 4;
    }
  } else {
    EQ_NO_UNROLL
    for (; at + 4 <= n; at += 4) {
      *(eq_word_t *)(void *)(to + at) = eq_load_word(src + at);
    }
  }
  for (; at < n; ++at) {
    to[at] = src[at];
  }
}

EQ_INLINE void eq_triple_copy(void *columns, int32_t pixel, int32_t at, const int8_t *src, int32_t n) {
  eq_half_t *column = (eq_half_t *)columns + 4 * pixel;
  for (; (at & 3) != 0 && n > 0; --n) {
    eq_triple_put(column, at++, *src++);
  }
  eq_triple_run(columns, pixel, at, src, n);
}

EQ_INLINE void eq_triple_fill(void *columns, int32_t pixel, int32_t at, int32_t value, int32_t n) {
  eq_half_t *column = (eq_half_t *)columns + 4 * pixel;
  for (; (at & 3) != 0 && n > 0; --n) {
    eq_triple_put(column, at++, value);
  }
  const uint32_t pair = (uint32_t)(uint16_t)value * 0x10001u;
  eq_pair_t *to = (eq_pair_t *)columns + 2 * pixel + (at >> 2) * 6;
  for (; n > 0; n -= 4) {
    to[0] = pair;
    to[1] = pair;
    to += 6;
  }
}

/* clang-format off */
/* r0 r3, r4 r5, r7 lr sums of pixels 0, 1, 2; r1 columns, r2 weights. */
#define EQ_TRIPLE_STEP                 \
  "ldrd r6, r8, [r2], #8\n\t"          \
  "sxtb16 r9, r6, ror #8\n\t"          \
  "sxtb16 r6, r6\n\t"                  \
  "sxtb16 r10, r8, ror #8\n\t"         \
  "sxtb16 r8, r8\n\t"                  \
  "ldrd r11, r12, [r1], #8\n\t"        \
  "smlad r0, r6, r11, r0\n\t"          \
  "smlad r3, r8, r11, r3\n\t"          \
  "smlad r0, r9, r12, r0\n\t"          \
  "smlad r3, r10, r12, r3\n\t"         \
  "ldrd r11, r12, [r1], #8\n\t"        \
  "smlad r4, r6, r11, r4\n\t"          \
  "smlad r5, r8, r11, r5\n\t"          \
  "smlad r4, r9, r12, r4\n\t"          \
  "smlad r5, r10, r12, r5\n\t"         \
  "ldrd r11, r12, [r1], #8\n\t"        \
  "smlad r7, r6, r11, r7\n\t"          \
  "smlad lr, r8, r11, lr\n\t"          \
  "smlad r7, r9, r12, r7\n\t"          \
  "smlad lr, r10, r12, lr\n\t"
#define EQ_TRIPLE_4_STEPS EQ_TRIPLE_STEP EQ_TRIPLE_STEP EQ_TRIPLE_STEP EQ_TRIPLE_STEP
#define EQ_TRIPLE_FINISH(sum, multiplier, address) \
  "smmlar " sum ", " sum ", " multiplier ", r12\n\t" \
  "ssat " sum ", #8, " sum "\n\t"                    \
  "strb " sum ", " address "\n\t"
/* clang-format on */

/* On the stack: a copy of eq_triple_t, 40 the caller's registers. A step has 80 bytes. */
EQ_NOINLINE __attribute__((unused)) static void eq_triple_block(const eq_triple_t *p, const void *x, const int8_t *w) {
  register const eq_triple_t *r0 __asm__("r0") = p;
  register const void *r1 __asm__("r1") = x;
  register const int8_t *r2 __asm__("r2") = w;
  /* clang-format off */
  __asm__ volatile(
      ".balign 4\n\t" /* adr counts from a multiple of 4, and -Os aligns functions to 2 */
      "push {r4-r11, lr}\n\t"
      "ldm r0, {r3-r12}\n\t"
      "push {r3-r12}\n\t"
      "mov r4, #80\n\t"
      "adr.w r3, 2f\n\t"
      "mla r3, r4, r11, r3\n\t"
      "add r3, #1\n\t"
      "str r3, [sp, #32]\n\t"
      "1:\n\t"
      "ldrd r0, r3, [r2], #8\n\t"
      "mov r4, r0\n\t"
      "mov r5, r3\n\t"
      "mov r7, r0\n\t"
      "mov lr, r3\n\t"
      "ldr pc, [sp, #32]\n\t"
      "2:\n\t"
      EQ_TRIPLE_4_STEPS EQ_TRIPLE_4_STEPS EQ_TRIPLE_4_STEPS EQ_TRIPLE_4_STEPS
      "ldrd r8, r6, [sp, #24]\n\t"
      "cmp r1, r8\n\t"
      "bne 2b\n\t"
      "cbnz r6, 5f\n\t"
      "3:\n\t"
      "ldrd r6, r8, [r2], #8\n\t"
      "ldrd r9, r10, [sp, #0]\n\t"
      "ldrd r12, r11, [sp, #8]\n\t"
      EQ_TRIPLE_FINISH("r7", "r6", "[r11, r10]")
      EQ_TRIPLE_FINISH("r4", "r6", "[r11, r9]")
      EQ_TRIPLE_FINISH("r0", "r6", "[r11], #1")
      EQ_TRIPLE_FINISH("lr", "r8", "[r11, r10]")
      EQ_TRIPLE_FINISH("r5", "r8", "[r11, r9]")
      EQ_TRIPLE_FINISH("r3", "r8", "[r11], #1")
      "ldrd r6, r1, [sp, #16]\n\t"
      "str r11, [sp, #12]\n\t"
      "cmp r2, r6\n\t"
      "bne 1b\n\t"
      "4:\n\t"
      "add sp, #40\n\t"
      "pop {r4-r11, lr}\n\t"
      "b 6f\n\t"
      /* A left shift; or the last channel, which is alone where r2 is 8 bytes from the end. */
      "5:\n\t"
      "uxtb r8, r6\n\t"
      "lsl r0, r0, r8\n\t"
      "lsl r3, r3, r8\n\t"
      "lsl r4, r4, r8\n\t"
      "lsl r5, r5, r8\n\t"
      "lsl r7, r7, r8\n\t"
      "lsl lr, lr, r8\n\t"
      "cmp r6, #256\n\t"
      "blo 3b\n\t"
      "ldr r8, [sp, #16]\n\t"
      "sub r8, r2\n\t"
      "cmp r8, #8\n\t"
      "bne 3b\n\t"
      "ldr r6, [r2]\n\t"
      "ldrd r9, r10, [sp, #0]\n\t"
      "ldrd r12, r11, [sp, #8]\n\t"
      EQ_TRIPLE_FINISH("r7", "r6", "[r11, r10]")
      EQ_TRIPLE_FINISH("r4", "r6", "[r11, r9]")
      EQ_TRIPLE_FINISH("r0", "r6", "[r11]")
      "b 4b\n\t"
      "6:"
      : "+r"(r0), "+r"(r1), "+r"(r2)
      : "m"(*p)
      : "r3", "r12", "cc", "memory");
  /* clang-format on */
}

/* Bytes of the stream for a pair of channels. */
EQ_INLINE int32_t eq_triple_pair_bytes(int32_t depth) { return 16 + 2 * depth; }

/* `count` pixels, 1 to 3, whose results are `apart` bytes apart. depth is a multiple of 4, at least 4. */
EQ_INLINE void eq_triple_multiply(int8_t *out, int32_t apart, int32_t count, const void *columns, const int8_t *weights,
                                  int32_t depth, int32_t channels, int32_t shift, int32_t out_zero) {
  const int32_t steps = depth >> 2;
  const eq_triple_t set = {count > 1 ? apart : 0,
                           count > 2 ? 2 * apart : 0,
                           out_zero,
                           out,
                           weights + ((channels + 1) >> 1) * eq_triple_pair_bytes(depth),
                           columns,
                           (const int8_t *)columns + 24 * steps,
                           shift + ((channels & 1) << 8),
                           -steps & 15,
                           0};
  eq_triple_block(&set, columns, weights);
}

#endif
