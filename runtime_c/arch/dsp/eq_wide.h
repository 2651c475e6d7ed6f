/*
 * Two pixels against four output channels whose weights are of int16: stored so where they are few, else widened once.
 *   eq_wide_multiply   all channels of one or two pixels
 *   eq_wide_widen      the stream of weights that eq_wide_multiply reads, of one of int8
 *   eq_wide_pixels     n values of two pixels that are `apart` bytes apart into columns
 *   eq_wide_set        what all such pairs of pixels of a layer have in common
 *   eq_wide_columns    the form of the columns, for eq_small_rows.h
 *
 * A column is the window of one pixel, widened to int16, two columns interleaved: for each two places those of pixel 0,
 * those of pixel 1 (8 bytes); places of four in the order 0 2 1 3. Nothing is widened beside that, at twice the flash.
 *
 * Layout    weights: one stream, 4-byte aligned. For each four channels four biases (int32), per two places the weights of
 *           the four channels (int16), four multipliers. Those to be widened have per four places four bytes of each
 *           channel.
 * Ranges    channels and depth multiples of 4; no left shift of the accumulator; no partial sum may leave int32.
 * Order     results of both pixels are stored when both columns are complete, those of pixel 1 first.
 * Cost      11 instructions for the 16 products of two places, 33 for four channels, 3 for the loop of 16 steps.
 *           To widen 16 weights takes 13 instructions, four channels 7 more; four values of two pixels 9.
 * Stack     assembly takes EQ_WIDE_STACK bytes.
 */
#ifndef EQ_WIDE_H
#define EQ_WIDE_H

#include <eq_common.h>
#include <eq_dot.h>

#define EQ_WIDE_BYTES 4
#define EQ_WIDE_STACK 72

/* In the order in which the assembly knows it. */
typedef struct {
  int32_t spare[2];
  int32_t out_zero;
  const int8_t *weights_end;
  const void *columns;
  const void *columns_end;
  int32_t entry; /* steps of two places but the first, negated, modulo 16 */
  const int8_t *weights;
} eq_wide_t;

/* clang-format off */
/* Sums: r0 r3 r4 r5 of pixel 0, r6 r7 r8 r9 of pixel 1; r1 columns, r2 weights. A step has 44 bytes. The first one finds
   the biases where the sums of pixel 0 are; those of pixel 1 begin with them. */
#define EQ_WIDE_PRODUCTS(first0, first1, second0, second1, start0, start1) \
  "ldrd r12, lr, [r2], #8\n\t"                                            \
  "smlad " first1 ", r12, r11, " start0 "\n\t"                            \
  "smlad " first0 ", r12, r10, " first0 "\n\t"                            \
  "smlad " second1 ", lr, r11, " start1 "\n\t"                            \
  "smlad " second0 ", lr, r10, " second0 "\n\t"
#define EQ_WIDE_FIRST                                      \
  "ldrd r10, r11, [r1], #8\n\t"                           \
  EQ_WIDE_PRODUCTS("r0", "r6", "r3", "r7", "r0", "r3")     \
  EQ_WIDE_PRODUCTS("r4", "r8", "r5", "r9", "r4", "r5")
#define EQ_WIDE_STEP                                       \
  "ldrd r10, r11, [r1], #8\n\t"                           \
  EQ_WIDE_PRODUCTS("r0", "r6", "r3", "r7", "r6", "r7")     \
  EQ_WIDE_PRODUCTS("r4", "r8", "r5", "r9", "r8", "r9")
#define EQ_WIDE_4_STEPS EQ_WIDE_STEP EQ_WIDE_STEP EQ_WIDE_STEP EQ_WIDE_STEP
/* r12 zero point, r1 where the results of pixel 0 go, r10 how far behind it those of pixel 1 lie. */
#define EQ_WIDE_FINISH(pixel0, pixel1, multiplier)           \
  "smmlar " pixel1 ", " pixel1 ", " multiplier ", r12\n\t"   \
  "ssat " pixel1 ", #8, " pixel1 "\n\t"                      \
  "strb " pixel1 ", [r1, r10]\n\t"                           \
  "smmlar " pixel0 ", " pixel0 ", " multiplier ", r12\n\t"   \
  "ssat " pixel0 ", #8, " pixel0 "\n\t"                      \
  "strb " pixel0 ", [r1], #1\n\t"

/* On the stack: a copy of eq_wide_t that begins with the results and the distance, 32 the caller's registers, spare. */
EQ_NOINLINE __attribute__((unused)) static void eq_wide_block(const eq_wide_t *p, int8_t *out, int32_t apart) {
  register const eq_wide_t *r0 __asm__("r0") = p;
  register int8_t *r1 __asm__("r1") = out;
  register int32_t r2 __asm__("r2") = apart;
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "ldm r0, {r3-r10}\n\t"
      "mov r3, r1\n\t"
      "mov r4, r2\n\t"
      "mov r11, #44\n\t"
      ".balign 4\n\t"
      "adr.w r12, 2f\n\t"
      "mla r9, r9, r11, r12\n\t"
      "add r9, #1\n\t"
      "push {r3-r10}\n\t"
      "mov r1, r7\n\t"
      "mov r2, r10\n\t"
      "1:\n\t"
      "ldm r2!, {r0, r3, r4, r5}\n\t"
      EQ_WIDE_FIRST
      "ldr pc, [sp, #24]\n\t"
      "2:\n\t"
      EQ_WIDE_4_STEPS EQ_WIDE_4_STEPS EQ_WIDE_4_STEPS EQ_WIDE_4_STEPS
      "ldr r12, [sp, #20]\n\t"
      "cmp r1, r12\n\t"
      "bne 2b\n\t"
      "ldm sp, {r1, r10, r12}\n\t"
      "ldrd r11, lr, [r2], #8\n\t"
      EQ_WIDE_FINISH("r0", "r6", "r11")
      EQ_WIDE_FINISH("r3", "r7", "lr")
      "ldrd r11, lr, [r2], #8\n\t"
      EQ_WIDE_FINISH("r4", "r8", "r11")
      EQ_WIDE_FINISH("r5", "r9", "lr")
      "str r1, [sp, #0]\n\t"
      "ldrd r12, r1, [sp, #12]\n\t"
      "cmp r2, r12\n\t"
      "bne 1b\n\t"
      "add sp, #32\n\t"
      "pop {r4-r11, lr}"
      : "+r"(r0), "+r"(r1), "+r"(r2)
      : "m"(*p)
      : "r3", "r12", "cc", "memory");
}

EQ_NOINLINE __attribute__((unused)) static void eq_wide_blocks(void *to, const int8_t *weights, int32_t bytes,
                                                               const int8_t *end) {
  register void *r0 __asm__("r0") = to;
  register const int8_t *r1 __asm__("r1") = weights;
  register int32_t r2 __asm__("r2") = bytes;
  register const int8_t *r3 __asm__("r3") = end;
  __asm__ volatile(
      "push {r4-r11}\n\t"
      "1:\n\t"
      "ldm r1!, {r4-r7}\n\t"
      "stm r0!, {r4-r7}\n\t"
      "add r12, r1, r2\n\t"
      "2:\n\t"
      "ldm r1!, {r4-r7}\n\t"
      "sxtb16 r8, r4\n\t"
      "sxtb16 r9, r5\n\t"
      "sxtb16 r10, r6\n\t"
      "sxtb16 r11, r7\n\t"
      "stm r0!, {r8-r11}\n\t"
      "sxtb16 r4, r4, ror #8\n\t"
      "sxtb16 r5, r5, ror #8\n\t"
      "sxtb16 r6, r6, ror #8\n\t"
      "sxtb16 r7, r7, ror #8\n\t"
      "stm r0!, {r4-r7}\n\t"
      "cmp r1, r12\n\t"
      "bne 2b\n\t"
      "ldm r1!, {r4-r7}\n\t"
      "stm r0!, {r4-r7}\n\t"
      "cmp r1, r3\n\t"
      "bne 1b\n\t"
      "pop {r4-r11}"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r12", "cc", "memory");
}
/* clang-format on */

/* `to`, 4-byte aligned, has 32 + 8*depth bytes for four channels, the weights 32 + 4*depth. */
EQ_INLINE void eq_wide_widen(void *to, const int8_t *weights, int32_t depth, int32_t channels) {
  eq_wide_blocks(to, weights, 4 * depth, weights + (channels >> 2) * (32 + 4 * depth));
}

/* Four values of two pixels, and where the next ones go. */
EQ_INLINE eq_pair_t *eq_wide_words(eq_pair_t *to, uint32_t first, uint32_t second) {
  uint32_t a;
  uint32_t b;
  __asm__ volatile(
      "sxtb16 %[a], %[first]\n\t"
      "sxtb16 %[b], %[second]\n\t"
      "strd %[a], %[b], [%[to]], #8\n\t"
      "sxtb16 %[a], %[first], ror #8\n\t"
      "sxtb16 %[b], %[second], ror #8\n\t"
      "strd %[a], %[b], [%[to]], #8"
      : [a] "=&r"(a), [b] "=&r"(b), [to] "+&r"(to)
      : [first] "r"(first), [second] "r"(second)
      : "memory");
  return to;
}

/* Eight values of two pixels at a time, for n of at least eight. */
EQ_INLINE eq_pair_t *eq_wide_run(eq_pair_t *to, const int8_t *src, int32_t apart, int32_t n) {
  const int8_t *const end = src + (n & ~7);
#if defined(__ARM_FEATURE_UNALIGNED)
  uint32_t a;
  uint32_t b;
  uint32_t c;
  uint32_t d;
#define EQ_WIDE_FOUR                 \
  "ldr %[c], [%[src], %[apart]]\n\t" \
  "ldr %[d], [%[src]], #4\n\t"       \
  "sxtb16 %[a], %[d]\n\t"            \
  "sxtb16 %[b], %[c]\n\t"            \
  "strd %[a], %[b], [%[to]], #8\n\t" \
  "sxtb16 %[a], %[d], ror #8\n\t"    \
  "sxtb16 %[b], %[c], ror #8\n\t"    \
  "strd %[a], %[b], [%[to]], #8\n\t"
  __asm__ volatile("1:\n\t" EQ_WIDE_FOUR EQ_WIDE_FOUR
                   "cmp %[src], %[end]\n\t"
                   "bne 1b"
                   : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [src] "+&r"(src), [to] "+&r"(to)
                   : [end] "r"(end), [apart] "r"(apart)
                   : "cc", "memory");
#else
  EQ_NO_UNROLL
  for (; src != end; src += 4) {
    to = eq_wide_words(to, eq_load_word(src), eq_load_word(src + apart));
  }
#endif
  return to;
}

EQ_INLINE void eq_wide_pixels(void *columns, const int8_t *src, int32_t apart, int32_t n) {
  eq_pair_t *to = (eq_pair_t *)columns;
  if (n >= 8) {
    to = eq_wide_run(to, src, apart, n);
    src += n & ~7;
  }
  if ((n & 4) != 0) {
    to = eq_wide_words(to, eq_load_word(src), eq_load_word(src + apart));
    src += 4;
  }
  if ((n & 3) != 0) {
    eq_wide_words(to, eq_load_tail(src, n & 3), eq_load_tail(src + apart, n & 3));
  }
}

/* Bytes of the stream of so many channels, a multiple of 4. */
#define EQ_WIDE_STREAM(channels, depth) (((channels) >> 2) * (32 + 8 * (depth)))

EQ_INLINE eq_wide_t eq_wide_set(const void *columns, const int8_t *weights, int32_t depth, int32_t channels,
                                int32_t out_zero) {
  const eq_wide_t set = {{0, 0},
                         out_zero,
                         weights + EQ_WIDE_STREAM(channels, depth),
                         columns,
                         (const int8_t *)columns + EQ_WIDE_BYTES * depth,
                         (1 - (depth >> 1)) & 15,
                         weights};
  return set;
}

/* `count` pixels, 1 or 2, whose results are `apart` bytes apart. */
EQ_INLINE void eq_wide_multiply(int8_t *out, int32_t apart, int32_t count, const eq_wide_t *set) {
  eq_wide_block(set, out, count > 1 ? apart : 0);
}

#endif
