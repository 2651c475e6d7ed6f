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
 * Layout    weights are one stream, 4-byte aligned: for each four channels four words b + 2^21 b and four b + 2^10 b of their
 *           biases b, for each place four weights, then four multipliers; int32 little-endian; zeros for channels that
 *           fill the last panel up.
 * Ranges    sums of a segment from -2^20 to 2^20 - 1, of all of them in int32; segment a multiple of 8; no left shift of the
 *           accumulator. The results of a call are stored when its column is complete.
 *
 * This file: ARMv7-M without the DSP extension. A place takes 13 instructions for twelve products, 2 for a loop of eight,
 * and 6 for the column; twelve results 104, a further segment 115. Assembly takes EQ_TRIO_STACK bytes of stack.
 */
#ifndef EQ_TRIO_H
#define EQ_TRIO_H

#include <eq_common.h>

#define EQ_TRIO_PIXELS 3
#define EQ_TRIO_SPARE 0
#define EQ_TRIO_STACK 76

typedef uint32_t __attribute__((may_alias)) eq_trio_word_t;

/* In the order in which the assembly knows it. */
typedef struct {
  const void *column;
  int32_t entry; /* steps that the first round of the loop leaves out */
  int32_t out_zero;
  int8_t *out;
  int32_t apart; /* bytes between the results of neighbouring pixels */
  const int8_t *weights_end;
  const void *column_end;
  const void *first_end; /* of the first segment; what follows is for several ones */
  int32_t segment;       /* bytes of a column that further ones take */
  int32_t *sums;         /* those of twelve results */
} eq_trio_t;

EQ_INLINE int32_t eq_trio_stream(int32_t channels, int32_t depth) { return ((channels + 3) >> 2) * (48 + 4 * depth); }

EQ_INLINE void eq_trio_begin(void *columns) { (void)columns; }

/* clang-format off */
#define EQ_TRIO_PLACE                          \
  "ldrsb %[first], [%[a]], #1\n\t"             \
  "ldrsb %[second], [%[b]], #1\n\t"            \
  "ldrsb %[third], [%[c]], #1\n\t"             \
  "add %[first], %[first], %[second], lsl #21\n\t" \
  "add %[third], %[third], %[second], lsl #10\n\t" \
  "strd %[first], %[third], [%[to]], #8\n\t"
/* clang-format on */

EQ_INLINE void eq_trio_pack(void *columns, int32_t at, const int8_t *a, const int8_t *b, const int8_t *c, int32_t n) {
  eq_trio_word_t *to = (eq_trio_word_t *)columns + 2 * at;
  uint32_t first;
  uint32_t second;
  uint32_t third;
  EQ_NO_UNROLL
  for (; n >= 4; n -= 4) {
    __asm__ volatile(EQ_TRIO_PLACE EQ_TRIO_PLACE EQ_TRIO_PLACE EQ_TRIO_PLACE
                     : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [to] "+r"(to), [first] "=&r"(first),
                       [second] "=&r"(second), [third] "=&r"(third)
                     :
                     : "memory");
  }
  EQ_NO_UNROLL
  for (; n > 0; --n) {
    __asm__ volatile(EQ_TRIO_PLACE
                     : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [to] "+r"(to), [first] "=&r"(first),
                       [second] "=&r"(second), [third] "=&r"(third)
                     :
                     : "memory");
  }
}

/* clang-format off */
/* r0-r3 the first words of the sums, r4-r7 the second ones; r8 column, r9 its end, r10 weights, r11 and r12 the two words
   of a place. 52 bytes. */
#define EQ_TRIO_PRODUCTS(first, second)  \
  "ldrsb lr, [r10], #1\n\t"              \
  "mla " first ", lr, r11, " first "\n\t" \
  "mla " second ", lr, r12, " second "\n\t"
#define EQ_TRIO_STEP              \
  "ldrd r11, r12, [r8], #8\n\t"   \
  EQ_TRIO_PRODUCTS("r0", "r4")    \
  EQ_TRIO_PRODUCTS("r1", "r5")    \
  EQ_TRIO_PRODUCTS("r2", "r6")    \
  EQ_TRIO_PRODUCTS("r3", "r7")
#define EQ_TRIO_4_STEPS EQ_TRIO_STEP EQ_TRIO_STEP EQ_TRIO_STEP EQ_TRIO_STEP
/* Pixel 0 into r11, pixel 1 into `first`, pixel 2 into r12. */
#define EQ_TRIO_SPLIT(first, second)                   \
  "sbfx r11, " first ", #0, #21\n\t"                   \
  "sub " first ", " first ", r11\n\t"                  \
  "sub " second ", " second ", " first ", asr #11\n\t" \
  "sbfx r12, " second ", #0, #21\n\t"                  \
  "sub " second ", " second ", r12\n\t"                \
  "asr " first ", " first ", #21\n\t"                  \
  "add " first ", " first ", " second ", asr #10\n\t"
#define EQ_TRIO_SCALE(sum, spare)                 \
  "smull " spare ", " sum ", " sum ", lr\n\t"     \
  "add " sum ", " sum ", " spare ", lsr #31\n\t"  \
  "add " sum ", r9\n\t"                           \
  "ssat " sum ", #8, " sum "\n\t"
/* r8 result, r9 zero point; `apart` becomes the distance to the next pixel's, if it is not. */
#define EQ_TRIO_FINISH(first, second, spare, apart, load, add) \
  EQ_TRIO_SPLIT(first, second)                     \
  add                                              \
  "ldr lr, [r10], #4\n\t"                          \
  EQ_TRIO_SCALE("r11", spare)                      \
  EQ_TRIO_SCALE(first, spare)                      \
  EQ_TRIO_SCALE("r12", spare)                      \
  load                                             \
  "strb " first ", [r8, " apart "]\n\t"            \
  "strb r12, [r8, " apart ", lsl #1]\n\t"          \
  "strb r11, [r8], #1\n\t"
/* clang-format on */

/* clang-format off */
#define EQ_TRIO_PLUS(sum, spare, at)             \
  "ldr " spare ", [lr, #" #at "]\n\t"            \
  "add " sum ", " spare "\n\t"
/* The sums of earlier segments, from byte `at`. */
#define EQ_TRIO_ADD(first, spare, at0, at1, at2) \
  "ldr lr, [sp, #36]\n\t"                        \
  EQ_TRIO_PLUS("r11", spare, at0)                \
  EQ_TRIO_PLUS(first, spare, at1)                \
  EQ_TRIO_PLUS("r12", spare, at2)
#define EQ_TRIO_KEEP_ONE(sum, spare)             \
  "ldr " spare ", [lr]\n\t"                      \
  "add " spare ", " sum "\n\t"                   \
  "str " spare ", [lr], #4\n\t"
#define EQ_TRIO_KEEP(first, second)              \
  EQ_TRIO_SPLIT(first, second)                   \
  EQ_TRIO_KEEP_ONE("r11", second)                \
  EQ_TRIO_KEEP_ONE(first, second)                \
  EQ_TRIO_KEEP_ONE("r12", second)                \
  "mov " first ", #0\n\t"                        \
  "mov " second ", #0\n\t"
#define EQ_TRIO_FIRST_SEGMENT                    \
  "ldr r9, [sp, #28]\n\t"                        \
  "ldr r8, [sp, #36]\n\t"                        \
  "mov r0, #0\n\t"                               \
  "mov r1, #0\n\t"                               \
  "mov r2, #0\n\t"                               \
  "mov r3, #0\n\t"                               \
  "stm r8!, {r0-r3}\n\t"                         \
  "stm r8!, {r0-r3}\n\t"                         \
  "stm r8!, {r0-r3}\n\t"
#define EQ_TRIO_NEXT_SEGMENT                     \
  "ldr r11, [sp, #24]\n\t"                       \
  "cmp r8, r11\n\t"                              \
  "beq 3f\n\t"                                   \
  "ldr lr, [sp, #36]\n\t"                        \
  EQ_TRIO_KEEP("r0", "r4")                       \
  EQ_TRIO_KEEP("r1", "r5")                       \
  EQ_TRIO_KEEP("r2", "r6")                       \
  EQ_TRIO_KEEP("r3", "r7")                       \
  "ldr r11, [sp, #32]\n\t"                       \
  "add r9, r8, r11\n\t"                          \
  "b 2b\n\t"                                     \
  "3:\n\t"

/* r0 eq_trio_t, r1 weights. On the stack: a copy of its first seven members, whose entry is an address, after what
   `before` pushed. */
#define EQ_TRIO_TEXT(before, begin, next, add0, add1, add2, add3, bytes) \
  "push {r4-r11, lr}\n\t"                        \
  "mov r10, r1\n\t"                              \
  before                                         \
  "ldm r0, {r1-r7}\n\t"                          \
  "mov r8, #52\n\t"                              \
  ".balign 4\n\t"                                \
  "adr.w r9, 2f\n\t"                             \
  "mla r2, r8, r2, r9\n\t"                       \
  "add r2, #1\n\t"                               \
  "push {r1-r7}\n\t"                             \
  "mov r9, r7\n\t"                               \
  "1:\n\t"                                       \
  begin                                          \
  "ldm r10!, {r0-r7}\n\t"                        \
  "ldr r8, [sp]\n\t"                             \
  "ldr pc, [sp, #4]\n\t"                         \
  ".balign 4\n\t"                                \
  "2:\n\t"                                       \
  EQ_TRIO_4_STEPS EQ_TRIO_4_STEPS                \
  "cmp r8, r9\n\t"                               \
  "bne 2b\n\t"                                   \
  next                                           \
  "ldrd r9, r8, [sp, #8]\n\t"                    \
  EQ_TRIO_FINISH("r0", "r4", "r4", "r4", "ldr r4, [sp, #16]\n\t", add0) \
  EQ_TRIO_FINISH("r1", "r5", "r0", "r4", "", add1) \
  EQ_TRIO_FINISH("r2", "r6", "r0", "r4", "", add2) \
  EQ_TRIO_FINISH("r3", "r7", "r0", "r4", "", add3) \
  "str r8, [sp, #12]\n\t"                        \
  "ldrd r11, r9, [sp, #20]\n\t"                  \
  "cmp r10, r11\n\t"                             \
  "bne 1b\n\t"                                   \
  "add sp, #" #bytes "\n\t"                      \
  "pop {r4-r11, lr}"
/* clang-format on */

/* Whole panels. */
EQ_NOINLINE __attribute__((unused)) static void eq_trio_panels(const eq_trio_t *p, const int8_t *w) {
  register const eq_trio_t *r0 __asm__("r0") = p;
  register const int8_t *r1 __asm__("r1") = w;
  __asm__ volatile(EQ_TRIO_TEXT("", "", "", "", "", "", "", 28)
                   : "+r"(r0), "+r"(r1)
                   : "m"(*p)
                   : "r2", "r3", "r12", "cc", "memory");
}

/* The same of several segments. */
EQ_NOINLINE EQ_FOR(segment) static void eq_trio_long_panels(const eq_trio_t *p, const int8_t *w) {
  register const eq_trio_t *r0 __asm__("r0") = p;
  register const int8_t *r1 __asm__("r1") = w;
  /* clang-format off */
  __asm__ volatile(
      EQ_TRIO_TEXT("add r0, #28\n\t" "ldm r0, {r1-r3}\n\t" "push {r1-r3}\n\t" "sub r0, #28\n\t",
                   EQ_TRIO_FIRST_SEGMENT,
                   EQ_TRIO_NEXT_SEGMENT,
                   EQ_TRIO_ADD("r0", "r4", 0, 4, 8),
                   EQ_TRIO_ADD("r1", "r0", 12, 16, 20),
                   EQ_TRIO_ADD("r2", "r0", 24, 28, 32),
                   EQ_TRIO_ADD("r3", "r0", 36, 40, 44),
                   40)
      : "+r"(r0), "+r"(r1)
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

EQ_INLINE void eq_trio_multiply(int8_t *out, int32_t apart, int32_t count, void *columns, const int8_t *weights,
                                int32_t depth, int32_t first, int32_t segment, int32_t channels, int32_t out_zero) {
  const int32_t whole = count == EQ_TRIO_PIXELS ? channels & ~3 : 0;
  const int8_t *rest = weights + eq_trio_stream(whole, depth);
  eq_trio_word_t *const words = (eq_trio_word_t *)columns;
  int32_t sums[12];
  eq_trio_t set;
  set.column = words;
  set.entry = -first & 7;
  set.out_zero = out_zero;
  set.out = out;
  set.apart = apart;
  set.weights_end = rest;
  set.column_end = words + 2 * depth;
  if (first != depth) {
    set.first_end = words + 2 * first;
    set.segment = 8 * segment;
    set.sums = sums;
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
