/*
 * Three pixels against pairs of output channels: the core of convolution with the DSP extension.
 *
 * A *column* is the input window of one output pixel, `depth` products long, gathered in the order of the weights. It
 * is made of segments (a kernel row, or a tap), each of which takes eq_triple_segment(n) places.
 *   eq_triple_segment     places that a segment of n values takes: n rounded up to 4
 *   eq_triple_copy, _fill write n values into column `pixel` (0, 1 or 2) at place `at`; places rise
 *   eq_triple_run         eq_triple_copy for places that are multiples of 4
 *   eq_triple_pixels      n values of three pixels that are `apart` bytes apart to places 0 …
 *   eq_triple_multiply    all channels of one to three pixels
 *   eq_coupled_set, _bytes what all groups of pixels of a layer have in common, and the bytes of its weights
 * Scratch for three columns: EQ_TRIPLE_BYTES * depth bytes, 4-byte aligned.
 *
 * Columns are widened to int16 and interleaved: for each four places [x0, x2, x1, x3] of pixel 0, of pixel 1, of pixel 2
 * (24 bytes). Places that round a segment up to four have weight zero, so the columns may hold anything there, and so may
 * the columns of pixels that do not exist. Weights are those of eq_coupled.h where their ranges allow that (coupled = 1).
 * Others, for layers of any weights, are one stream, 4-byte aligned: for each pair of channels two biases, then per four
 * places four bytes of the first channel and four of the second, then two multipliers; an odd last channel has a partner
 * of zeros. 20 instructions for 24 products, 35 for six results, 3 for a loop of 16 steps.
 * The results of a triple are stored when all three columns are complete; pixel 2 before 1 before 0.
 * Stack: assembly takes EQ_TRIPLE_STACK bytes.
 * With EQ_COMPACT the loop has two steps.
 */
#ifndef EQ_TRIPLE_H
#define EQ_TRIPLE_H

#include <eq_common.h>
#include <eq_coupled.h>
#include <eq_dot.h>

#define EQ_TRIPLE_BYTES 6
#define EQ_TRIPLE_STACK 76

typedef int16_t __attribute__((may_alias)) eq_half_t;

EQ_INLINE int32_t eq_triple_segment(int32_t n) { return (n + 3) & ~3; }

EQ_INLINE void eq_triple_put(eq_half_t *column, int32_t at, int32_t value) {
  column[(at >> 2) * 12 + ((at & 1) << 1) + ((at >> 1) & 1)] = (int16_t)value;
}

/* Four places; whole groups may be overwritten: a later segment or fill writes its own places afterwards. */
EQ_INLINE void eq_triple_word(eq_pair_t *to, uint32_t word) {
  uint32_t even;
  uint32_t odd;
  /* One statement, so that the two stores stand side by side and become one. */
  __asm__("sxtb16 %0, %2\n\tsxtb16 %1, %2, ror #8" : "=&r"(even), "=r"(odd) : "r"(word));
  to[0] = even;
  to[1] = odd;
}

#if defined(__ARM_FEATURE_UNALIGNED)
/* Eight values at a time, at least eight. The compiler may know that `to` begins where the values end: early clobbers keep
   the two in registers of their own. */
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
      : [a] "=&r"(a), [b] "=&r"(b), [src] "+&r"(src), [to] "+&r"(to)
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

EQ_INLINE void eq_triple_pixels(void *columns, const int8_t *src, int32_t apart, int32_t n) {
  eq_pair_t *to = (eq_pair_t *)columns;
  const int8_t *const end = src + (n & ~3);
#if defined(__ARM_FEATURE_UNALIGNED)
  uint32_t a;
  uint32_t b;
  if (src != end) {
    __asm__ volatile(
        "1:\n\t"
        "ldr %[b], [%[src], %[apart], lsl #1]\n\t"
        "sxtb16 %[a], %[b]\n\t"
        "sxtb16 %[b], %[b], ror #8\n\t"
        "strd %[a], %[b], [%[to], #16]\n\t"
        "ldr %[b], [%[src], %[apart]]\n\t"
        "sxtb16 %[a], %[b]\n\t"
        "sxtb16 %[b], %[b], ror #8\n\t"
        "strd %[a], %[b], [%[to], #8]\n\t"
        "ldr %[b], [%[src]], #4\n\t"
        "sxtb16 %[a], %[b]\n\t"
        "sxtb16 %[b], %[b], ror #8\n\t"
        "strd %[a], %[b], [%[to]], #24\n\t"
        "cmp %[src], %[end]\n\t"
        "bne 1b"
        : [a] "=&r"(a), [b] "=&r"(b), [src] "+&r"(src), [to] "+&r"(to)
        : [end] "r"(end), [apart] "r"(apart)
        : "cc", "memory");
  }
#else
  EQ_NO_UNROLL
  for (; src != end; src += 4) {
    eq_triple_word(to, eq_load_word(src));
    eq_triple_word(to + 2, eq_load_word(src + apart));
    eq_triple_word(to + 4, eq_load_word(src + 2 * apart));
    to += 6;
  }
#endif
  if ((n & 3) != 0) {
    eq_triple_word(to, eq_load_tail(src, n & 3));
    eq_triple_word(to + 2, eq_load_tail(src + apart, n & 3));
    eq_triple_word(to + 4, eq_load_tail(src + 2 * apart, n & 3));
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
#if EQ_COMPACT
#define EQ_TRIPLE_STEPS EQ_TRIPLE_STEP EQ_TRIPLE_STEP
#define EQ_TRIPLE_TOGETHER "#1"
#else
#define EQ_TRIPLE_STEPS EQ_TRIPLE_4_STEPS EQ_TRIPLE_4_STEPS EQ_TRIPLE_4_STEPS EQ_TRIPLE_4_STEPS
#define EQ_TRIPLE_TOGETHER "#15"
#endif
#define EQ_TRIPLE_FINISH(sum, multiplier, address) \
  "smmlar " sum ", " sum ", " multiplier ", r12\n\t" \
  "ssat " sum ", #8, " sum "\n\t"                    \
  "strb " sum ", " address "\n\t"
/* clang-format on */

/* On the stack: a copy of eq_coupled_t, at 12 the results, 40 the caller's registers. A step has 80 bytes. */
EQ_NOINLINE __attribute__((unused)) static void eq_triple_block(const eq_coupled_t *p, int8_t *out) {
  register const eq_coupled_t *r0 __asm__("r0") = p;
  register int8_t *r1 __asm__("r1") = out;
  /* clang-format off */
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "ldm r0, {r3-r12}\n\t"
      "mov r6, r1\n\t"
      "push {r3-r12}\n\t"
      "mov r1, r8\n\t"
      "mov r2, r12\n\t"
      "and r11, " EQ_TRIPLE_TOGETHER "\n\t"
      "mov r4, #80\n\t"
      ".balign 4\n\t"
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
      EQ_TRIPLE_STEPS
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
      : "+r"(r0), "+r"(r1)
      : "m"(*p)
      : "r2", "r3", "r12", "cc", "memory");
  /* clang-format on */
}

/* `count` pixels, 1 to 3. */
EQ_INLINE void eq_triple_multiply(int8_t *out, int32_t count, const eq_coupled_t *set, int32_t coupled) {
  if (coupled) {
    eq_coupled_multiply(out, count, set);
  } else if (count == 3) {
    eq_triple_block(set, out);
  } else { /* results of pixels that do not exist go where those of pixel 0 follow */
    eq_coupled_t fewer = *set;
    fewer.third = 0;
    if (count == 1) {
      fewer.second = 0;
    }
    eq_triple_block(&fewer, out);
  }
}

#endif
