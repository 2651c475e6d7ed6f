/*
 * Three pixels in two words against panels of four output channels: a convolution of sums of 21 bits.
 *
 * A *column* is the input windows of three output pixels, value by value: x0 + 2^21 x1 and x2 + 2^10 x1, modulo 2^32. Two
 * products with a weight are then three, and their sums P0 + 2^21 P1 and P2 + 2^10 P1 hold three sums of 21 bits: the
 * first gives P0 and the lower 11 bits of P1, and without those the second gives P2 and the upper ones. That is exact as
 * long as -2^20 <= P < 2^20 at the end. Places come in segments, after each of which the sums are taken apart and added up:
 * `first` places, the bias among their sums, then `segment` ones as often as it takes to be `depth`.
 *   EQ_TRIO_PIXELS     three
 *   EQ_TRIO_SPARE      bytes beside the 8 that each place takes
 *   eq_trio_begin      before the first values of a column
 *   eq_trio_pack       n >= 1 values of each of three pixels, at any addresses, to places `at` ...; places rise
 *   eq_trio_multiply   all channels of the first `count` pixels; results saturate to int8
 *   eq_trio_stream     bytes of the weights of so many channels
 *
 * Layout    weights are one stream, 4-byte aligned: for each four channels two words b + 2^21 b and b + 2^10 b of each bias
 *           b, those of channel 0 last, for each place four weights, then four multipliers; int32 little-endian; zeros for
 *           channels that fill the last panel up.
 * Ranges    sums of a segment from -2^20 to 2^20 - 1, of all of them in int32; segment a multiple of 8; depth at most first
 *           + 7 * segment; no left shift of the accumulator; |acc * multiplier| < 2^47 - 2^40. The results of a call are
 *           stored when its column is complete.
 *
 * This file: ARMv6-M. Only loads of bytes without sign take an offset, so weights are stored plus 128, and 128 times the
 * sum of a column's words, which lies in front of them, is subtracted. A place takes 25 instructions for twelve products, 5
 * for a loop of eight, and 12 for the column; twelve results 290, a further segment 170. Assembly takes EQ_TRIO_STACK bytes of stack.
 */
#ifndef EQ_TRIO_H
#define EQ_TRIO_H

#include <eq_common.h>

#define EQ_TRIO_PIXELS 3
/* The sums of both words. */
#define EQ_TRIO_SPARE 8
#define EQ_TRIO_STACK 96
#define EQ_TRIO_SEGMENTS 8

typedef uint32_t __attribute__((may_alias)) eq_trio_word_t;

/* In the order in which the assembly knows it. */
typedef struct {
  int8_t *out;
  int32_t apart;  /* bytes between the results of neighbouring pixels */
  uint32_t first; /* what both words of every sum begin with, beside the bias */
  uint32_t second;
  int32_t zero; /* out_zero * 2^16 + 2^15 */
  const void *column;
  const void *column_end;
  const int8_t *weights_end;
  int32_t back;  /* bytes of the weights of the steps that the first round of the loop leaves out */
  int32_t entry; /* bytes of those steps */
  int32_t *sums; /* those of twelve results, and room for two addresses; for several segments, like what follows */
  const void *first_end;
  int32_t segment;            /* bytes of a column that further ones take */
  const eq_trio_word_t *next; /* what both words begin with in further ones */
  const void *end;            /* of the column, while column_end is that of a segment */
} eq_trio_t;

/* Three pixels; addresses are behind the last value. */
typedef struct {
  const int8_t *a;
  const int8_t *b;
  const int8_t *c;
  int32_t index; /* of the first value, negative */
  void *to;
  void *sums;
} eq_trio_pixels_t;

EQ_INLINE int32_t eq_trio_stream(int32_t channels, int32_t depth) { return ((channels + 3) >> 2) * (48 + 4 * depth); }

EQ_INLINE void eq_trio_begin(void *columns) {
  ((eq_trio_word_t *)columns)[0] = 0;
  ((eq_trio_word_t *)columns)[1] = 0;
}

/* r0, r6, r7 values of the pixels; r12, lr sums. gcc hands inline assembly of Thumb-1 code to the assembler in the old
   syntax. */
EQ_NOINLINE __attribute__((unused)) static void eq_trio_places(const eq_trio_pixels_t *p) {
  register const eq_trio_pixels_t *r0 __asm__("r0") = p;
  /* clang-format off */
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r7, lr}\n\t"
      "ldm r0!, {r1-r6}\n\t"
      "push {r6}\n\t"
      "ldr r7, [r6]\n\t"
      "mov r12, r7\n\t"
      "ldr r7, [r6, #4]\n\t"
      "mov lr, r7\n\t"
      "1:\n\t"
      "ldrsb r0, [r1, r4]\n\t"
      "ldrsb r6, [r2, r4]\n\t"
      "ldrsb r7, [r3, r4]\n\t"
      "lsls r6, r6, #10\n\t"
      "adds r7, r7, r6\n\t"
      "lsls r6, r6, #11\n\t"
      "adds r0, r0, r6\n\t"
      "add r12, r0\n\t"
      "add lr, r7\n\t"
      "stm r5!, {r0, r7}\n\t"
      "adds r4, #1\n\t"
      "bne 1b\n\t"
      "pop {r6}\n\t"
      "mov r7, r12\n\t"
      "str r7, [r6]\n\t"
      "mov r7, lr\n\t"
      "str r7, [r6, #4]\n\t"
      "pop {r4-r7}\n\t"
      "pop {r3}\n\t"
      "mov lr, r3"
      : "+l"(r0)
      : "m"(*p)
      : "r1", "r2", "r3", "r12", "cc", "memory");
  /* clang-format on */
}

EQ_INLINE void eq_trio_pack(void *columns, int32_t at, const int8_t *a, const int8_t *b, const int8_t *c, int32_t n) {
  const eq_trio_pixels_t set = {a + n, b + n, c + n, -n, (eq_trio_word_t *)columns + 2 + 2 * at, columns};
  eq_trio_places(&set);
}

/* clang-format off */
/* r0 column, r1 weights, r2 and r3 the two words of a place; sums in r6 to r12 and lr. 50 bytes. */
#define EQ_TRIO_PRODUCTS(weight, first, second)  \
  "ldrb r4, [r1, #" #weight "]\n\t"              \
  "mov r5, r4\n\t"                               \
  "muls r4, r2, r4\n\t"                          \
  "muls r5, r3, r5\n\t"                          \
  "add " first ", r4\n\t"                         \
  "add " second ", r5\n\t"
#define EQ_TRIO_STEP(w0, w1, w2, w3)             \
  "ldm r0!, {r2, r3}\n\t"                        \
  EQ_TRIO_PRODUCTS(w0, "r6", "r7")               \
  EQ_TRIO_PRODUCTS(w1, "r8", "r9")               \
  EQ_TRIO_PRODUCTS(w2, "r10", "r11")             \
  EQ_TRIO_PRODUCTS(w3, "r12", "lr")
/* Of r6 and r7: pixel 0 into r4, pixel 1 into r6, pixel 2 into r5; the halves of the multiplier into r7 and r0. */
#define EQ_TRIO_SPLIT                            \
  "lsls r4, r6, #11\n\t"                         \
  "asrs r4, r4, #11\n\t"                         \
  "subs r6, r6, r4\n\t"                          \
  "asrs r5, r6, #11\n\t"                         \
  "subs r7, r7, r5\n\t"                          \
  "lsls r5, r7, #11\n\t"                         \
  "asrs r5, r5, #11\n\t"                         \
  "subs r7, r7, r5\n\t"                          \
  "asrs r6, r6, #21\n\t"                         \
  "asrs r7, r7, #10\n\t"                         \
  "adds r6, r6, r7\n\t"
#define EQ_TRIO_MULTIPLIER(low, high)            \
  "ldrh r7, [r1, #" #low "]\n\t"                 \
  "ldrh r0, [r1, #" #high "]\n\t"
/* Three multiplications, see eq_requantize.h. What does not fit is saturated at `away`, elsewhere. */
#define EQ_TRIO_SCALE(sum, zero, away, back)     \
  "uxth r2, " sum "\n\t"                         \
  "muls r2, r7, r2\n\t"                          \
  "lsrs r2, r2, #16\n\t"                         \
  "asrs r3, " sum ", #16\n\t"                    \
  "muls r3, r7, r3\n\t"                          \
  "muls " sum ", r0, " sum "\n\t"                \
  "adds " sum ", " sum ", r2\n\t"                \
  "adds " sum ", " sum ", r3\n\t"                \
  zero                                           \
  "asrs " sum ", " sum ", #16\n\t"               \
  "sxtb r2, " sum "\n\t"                         \
  "cmp r2, " sum "\n\t"                          \
  "bne " #away "f\n\t"                           \
  #back ":\n\t"
#define EQ_TRIO_STORE(offset)                    \
  "ldr r2, [sp, #0]\n\t"                         \
  "ldr r3, [sp, #4]\n\t"                         \
  "strb r4, [r2, #" #offset "]\n\t"              \
  "adds r2, r2, r3\n\t"                          \
  "strb r6, [r2, #" #offset "]\n\t"              \
  "adds r2, r2, r3\n\t"                          \
  "strb r5, [r2, #" #offset "]\n\t"
#define EQ_TRIO_SATURATE(sum, away, back)        \
  #away ":\n\t"                                  \
  "asrs " sum ", " sum ", #31\n\t"               \
  "movs r2, #127\n\t"                            \
  "eors " sum ", r2\n\t"                         \
  "b " #back "b\n\t"
/* The sums of earlier segments, from byte `at`. */
#define EQ_TRIO_ADD(at0, at1, at2)               \
  "ldr r2, [sp, #40]\n\t"                        \
  "ldr r3, [r2, #" #at0 "]\n\t"                  \
  "adds r4, r4, r3\n\t"                          \
  "ldr r3, [r2, #" #at1 "]\n\t"                  \
  "adds r6, r6, r3\n\t"                          \
  "ldr r3, [r2, #" #at2 "]\n\t"                  \
  "adds r5, r5, r3\n\t"
#define EQ_TRIO_KEEP_ONE(sum, at)                \
  "ldr r3, [r2, #" #at "]\n\t"                   \
  "adds r3, r3, " sum "\n\t"                     \
  "str r3, [r2, #" #at "]\n\t"
#define EQ_TRIO_KEEP(at0, at1, at2)              \
  EQ_TRIO_SPLIT                                  \
  EQ_TRIO_KEEP_ONE("r4", at0)                    \
  EQ_TRIO_KEEP_ONE("r6", at1)                    \
  EQ_TRIO_KEEP_ONE("r5", at2)
#define EQ_TRIO_FIRST_SEGMENT                    \
  "ldr r2, [sp, #44]\n\t"                        \
  "str r2, [sp, #24]\n\t"                        \
  "ldr r2, [sp, #40]\n\t"                        \
  "ldr r3, [sp, #52]\n\t"                        \
  "str r3, [r2, #52]\n\t"                        \
  "movs r4, #0\n\t"                              \
  "movs r5, #0\n\t"                              \
  "movs r6, #0\n\t"                              \
  "movs r7, #0\n\t"                              \
  "stm r2!, {r4-r7}\n\t"                         \
  "stm r2!, {r4-r7}\n\t"                         \
  "stm r2!, {r4-r7}\n\t"
#define EQ_TRIO_NEXT_SEGMENT                     \
  "ldr r2, [sp, #56]\n\t"                        \
  "cmp r0, r2\n\t"                               \
  "bne 7f\n\t"                                   \
  "b 6f\n\t"                                     \
  "7:\n\t"                                       \
  "ldr r2, [sp, #40]\n\t"                        \
  "str r0, [r2, #48]\n\t"                        \
  EQ_TRIO_KEEP(0, 4, 8)                          \
  "mov r6, r8\n\t"                               \
  "mov r7, r9\n\t"                               \
  EQ_TRIO_KEEP(12, 16, 20)                       \
  "mov r6, r10\n\t"                              \
  "mov r7, r11\n\t"                              \
  EQ_TRIO_KEEP(24, 28, 32)                       \
  "mov r6, r12\n\t"                              \
  "mov r7, lr\n\t"                               \
  EQ_TRIO_KEEP(36, 40, 44)                       \
  "ldr r0, [r2, #48]\n\t"                        \
  "ldr r3, [r2, #52]\n\t"                        \
  "ldm r3!, {r6, r7}\n\t"                        \
  "str r3, [r2, #52]\n\t"                        \
  "mov r8, r6\n\t"                               \
  "mov r9, r7\n\t"                               \
  "mov r10, r6\n\t"                              \
  "mov r11, r7\n\t"                              \
  "mov r12, r6\n\t"                              \
  "mov lr, r7\n\t"                               \
  "ldr r2, [sp, #48]\n\t"                        \
  "adds r2, r2, r0\n\t"                          \
  "str r2, [sp, #24]\n\t"                        \
  "b 2b\n\t"                                     \
  "6:\n\t"

/* r0 eq_trio_t, r1 weights. On the stack the caller's registers, what `before` pushed, a copy of ten members, whose entry
   is an address. */
#define EQ_TRIO_TEXT(before, begin, next, add0, add1, add2, add3, bytes) \
  ".syntax unified\n\t" \
  "push {r4-r7, lr}\n\t" \
  "mov r4, r8\n\t" \
  "mov r5, r9\n\t" \
  "mov r6, r10\n\t" \
  "mov r7, r11\n\t" \
  "push {r4-r7}\n\t" \
  before \
  "adds r0, #16\n\t" \
  "ldm r0!, {r2-r7}\n\t" \
  ".balign 4\n\t" \
  "adr r2, 2f\n\t" \
  "adds r7, r7, r2\n\t" \
  "adds r7, #1\n\t" \
  "subs r0, #24\n\t" \
  "ldr r2, [r0]\n\t" \
  "push {r2-r7}\n\t" \
  "subs r0, #16\n\t" \
  "ldm r0!, {r2-r5}\n\t" \
  "push {r2-r5}\n\t" \
  "1:\n\t" \
  begin \
  "ldr r2, [sp, #8]\n\t" \
  "ldr r3, [sp, #12]\n\t" \
  "ldm r1!, {r4-r7}\n\t" \
  "adds r4, r4, r2\n\t" \
  "adds r5, r5, r3\n\t" \
  "adds r6, r6, r2\n\t" \
  "adds r7, r7, r3\n\t" \
  "mov r8, r4\n\t" \
  "mov r9, r5\n\t" \
  "mov r10, r6\n\t" \
  "mov r11, r7\n\t" \
  "ldm r1!, {r4-r7}\n\t" \
  "adds r4, r4, r2\n\t" \
  "adds r5, r5, r3\n\t" \
  "adds r6, r6, r2\n\t" \
  "adds r7, r7, r3\n\t" \
  "mov r12, r4\n\t" \
  "mov lr, r5\n\t" \
  "ldr r0, [sp, #20]\n\t" \
  "ldr r2, [sp, #32]\n\t" \
  "subs r1, r1, r2\n\t" \
  "ldr r2, [sp, #36]\n\t" \
  "bx r2\n\t" \
  ".balign 4\n\t" \
  "2:\n\t" \
  EQ_TRIO_STEP(0, 1, 2, 3) EQ_TRIO_STEP(4, 5, 6, 7) \
  EQ_TRIO_STEP(8, 9, 10, 11) EQ_TRIO_STEP(12, 13, 14, 15) \
  EQ_TRIO_STEP(16, 17, 18, 19) EQ_TRIO_STEP(20, 21, 22, 23) \
  EQ_TRIO_STEP(24, 25, 26, 27) EQ_TRIO_STEP(28, 29, 30, 31) \
  "adds r1, #32\n\t" \
  "ldr r2, [sp, #24]\n\t" \
  "cmp r0, r2\n\t" \
  "beq 3f\n\t" \
  "b 2b\n\t" \
  "3:\n\t" \
  next \
  EQ_TRIO_SPLIT \
  add0 \
  EQ_TRIO_MULTIPLIER(0, 2) \
  EQ_TRIO_SCALE("r4", "ldr r3, [sp, #16]\n\t" "adds r4, r4, r3\n\t", 10, 30) \
  EQ_TRIO_SCALE("r6", "ldr r3, [sp, #16]\n\t" "adds r6, r6, r3\n\t", 11, 31) \
  EQ_TRIO_SCALE("r5", "ldr r3, [sp, #16]\n\t" "adds r5, r5, r3\n\t", 12, 32) \
  EQ_TRIO_STORE(0) \
  "mov r6, r8\n\t" \
  "mov r7, r9\n\t" \
  "ldr r2, [sp, #16]\n\t" \
  "mov r8, r2\n\t" \
  EQ_TRIO_SPLIT \
  add1 \
  EQ_TRIO_MULTIPLIER(4, 6) \
  EQ_TRIO_SCALE("r4", "add r4, r8\n\t", 13, 33) \
  EQ_TRIO_SCALE("r6", "add r6, r8\n\t", 14, 34) \
  EQ_TRIO_SCALE("r5", "add r5, r8\n\t", 15, 35) \
  EQ_TRIO_STORE(1) \
  "b 4f\n\t" \
  EQ_TRIO_SATURATE("r4", 10, 30) \
  EQ_TRIO_SATURATE("r6", 11, 31) \
  EQ_TRIO_SATURATE("r5", 12, 32) \
  EQ_TRIO_SATURATE("r4", 13, 33) \
  EQ_TRIO_SATURATE("r6", 14, 34) \
  EQ_TRIO_SATURATE("r5", 15, 35) \
  "4:\n\t" \
  "mov r6, r10\n\t" \
  "mov r7, r11\n\t" \
  EQ_TRIO_SPLIT \
  add2 \
  EQ_TRIO_MULTIPLIER(8, 10) \
  EQ_TRIO_SCALE("r4", "add r4, r8\n\t", 10, 30) \
  EQ_TRIO_SCALE("r6", "add r6, r8\n\t", 11, 31) \
  EQ_TRIO_SCALE("r5", "add r5, r8\n\t", 12, 32) \
  EQ_TRIO_STORE(2) \
  "mov r6, r12\n\t" \
  "mov r7, lr\n\t" \
  EQ_TRIO_SPLIT \
  add3 \
  EQ_TRIO_MULTIPLIER(12, 14) \
  EQ_TRIO_SCALE("r4", "add r4, r8\n\t", 13, 33) \
  EQ_TRIO_SCALE("r6", "add r6, r8\n\t", 14, 34) \
  EQ_TRIO_SCALE("r5", "add r5, r8\n\t", 15, 35) \
  "ldr r2, [sp, #0]\n\t" \
  "ldr r3, [sp, #4]\n\t" \
  "strb r4, [r2, #3]\n\t" \
  "adds r4, r2, #4\n\t" \
  "str r4, [sp, #0]\n\t" \
  "adds r2, r2, r3\n\t" \
  "strb r6, [r2, #3]\n\t" \
  "adds r2, r2, r3\n\t" \
  "strb r5, [r2, #3]\n\t" \
  "adds r1, #16\n\t" \
  "ldr r2, [sp, #28]\n\t" \
  "cmp r1, r2\n\t" \
  "beq 5f\n\t" \
  "b 1b\n\t" \
  EQ_TRIO_SATURATE("r4", 10, 30) \
  EQ_TRIO_SATURATE("r6", 11, 31) \
  EQ_TRIO_SATURATE("r5", 12, 32) \
  EQ_TRIO_SATURATE("r4", 13, 33) \
  EQ_TRIO_SATURATE("r6", 14, 34) \
  EQ_TRIO_SATURATE("r5", 15, 35) \
  "5:\n\t" \
  "add sp, #" #bytes "\n\t" \
  "pop {r4-r7}\n\t" \
  "mov r8, r4\n\t" \
  "mov r9, r5\n\t" \
  "mov r10, r6\n\t" \
  "mov r11, r7\n\t" \
  "pop {r4-r7}\n\t" \
  "pop {r2}\n\t" \
  "mov lr, r2"
/* clang-format on */

/* Whole panels. */
EQ_NOINLINE __attribute__((unused)) static void eq_trio_panels(const eq_trio_t *p, const int8_t *w) {
  register const eq_trio_t *r0 __asm__("r0") = p;
  register const int8_t *r1 __asm__("r1") = w;
  __asm__ volatile(EQ_TRIO_TEXT("", "", "", "", "", "", "", 40)
                   : "+l"(r0), "+l"(r1)
                   : "m"(*p)
                   : "r2", "r3", "r12", "cc", "memory");
}

/* The same of several segments. */
EQ_NOINLINE EQ_FOR(segment) static void eq_trio_long_panels(const eq_trio_t *p, const int8_t *w) {
  register const eq_trio_t *r0 __asm__("r0") = p;
  register const int8_t *r1 __asm__("r1") = w;
  /* clang-format off */
  __asm__ volatile(
      EQ_TRIO_TEXT("adds r0, #40\n\t" "ldm r0!, {r2-r6}\n\t" "push {r2-r6}\n\t" "subs r0, #60\n\t",
                   EQ_TRIO_FIRST_SEGMENT,
                   EQ_TRIO_NEXT_SEGMENT,
                   EQ_TRIO_ADD(0, 4, 8),
                   EQ_TRIO_ADD(12, 16, 20),
                   EQ_TRIO_ADD(24, 28, 32),
                   EQ_TRIO_ADD(36, 40, 44),
                   60)
      : "+l"(r0), "+l"(r1)
      : "m"(*p)
      : "r2", "r3", "r12", "cc", "memory");
  /* clang-format on */
}

EQ_INLINE void eq_trio_run(const eq_trio_t *p, const int8_t *w, int32_t first, int32_t depth) {
  if (first == depth) {
    eq_trio_panels(p, w);
  } else {
    eq_trio_long_panels(p, w);
  }
}

/* What both words of sums begin with, -128 times the sum of the words, by segment. */
EQ_NOINLINE __attribute__((unused)) static void eq_trio_starts(eq_trio_word_t *to, const eq_trio_word_t *words,
                                                               int32_t depth, int32_t first, int32_t segment) {
  int32_t n = first;
  EQ_NO_UNROLL
  for (int32_t left = depth; left > 0; left -= n) {
    uint32_t a = 0;
    uint32_t b = 0;
    n = left == depth ? first : segment;
    EQ_NO_UNROLL
    for (int32_t i = n; i > 0; --i) {
      a += words[0];
      b += words[1];
      words += 2;
    }
    *to++ = 0u - (a << 7);
    *to++ = 0u - (b << 7);
  }
}

#define EQ_TRIO_STEP_BYTES 50

EQ_INLINE void eq_trio_multiply(int8_t *out, int32_t apart, int32_t count, void *columns, const int8_t *weights,
                                int32_t depth, int32_t first, int32_t segment, int32_t channels, int32_t out_zero) {
  const int32_t whole = count == EQ_TRIO_PIXELS ? channels & ~3 : 0;
  const int32_t entry = -first & 7;
  const eq_trio_word_t *const words = (const eq_trio_word_t *)columns;
  const int8_t *rest = weights + eq_trio_stream(whole, depth);
  eq_trio_word_t starts[2 * EQ_TRIO_SEGMENTS];
  int32_t sums[14];
  eq_trio_t set;
  set.out = out;
  set.apart = apart;
  set.first = 0u - (words[0] << 7);
  set.second = 0u - (words[1] << 7);
  set.zero = (int32_t)((uint32_t)out_zero << 16) + 0x8000;
  set.column = words + 2;
  set.column_end = words + 2 + 2 * depth;
  set.weights_end = rest;
  set.back = 4 * entry;
  set.entry = EQ_TRIO_STEP_BYTES * entry;
  if (first != depth) {
    eq_trio_starts(starts, words + 2, depth, first, segment);
    set.first = starts[0];
    set.second = starts[1];
    set.sums = sums;
    set.first_end = words + 2 + 2 * first;
    set.segment = 8 * segment;
    set.next = starts + 2;
    set.end = words + 2 + 2 * depth;
  }
  if (whole > 0) {
    eq_trio_run(&set, weights, first, depth);
  }
  EQ_NO_UNROLL
  for (int32_t c = whole; c < channels; c += 4) {
    const int32_t n = channels - c < 4 ? channels - c : 4;
    int8_t kept[12];
    set.out = kept;
    set.apart = 4;
    set.weights_end = rest + eq_trio_stream(4, depth);
    eq_trio_run(&set, rest, first, depth);
    rest = set.weights_end;
    EQ_NO_UNROLL
    for (int32_t k = 0; k < n; ++k) {
      EQ_NO_UNROLL
      for (int32_t i = 0; i < count; ++i) {
        out[i * apart + c + k] = kept[4 * i + k];
      }
    }
  }
}

#endif
