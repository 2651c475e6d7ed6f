/*
 * Few pixels against panels of four output channels: the core of convolution without the DSP extension.
 *
 * A *column* is the input window of one output pixel, `depth` values long, gathered in the order of the weights.
 *   EQ_PANEL_PIXELS     columns that are multiplied together
 *   EQ_PANEL_SPARE      bytes behind each column
 *   eq_panel_copy       n values, at any address, into column `pixel` at place `at`; places rise
 *   eq_panel_fill       the same value n times
 *   eq_panel_multiply   all channels of one to EQ_PANEL_PIXELS pixels; results saturate to int8
 *   eq_panel_row        all channels of one vector that lies anywhere, not copied
 *   eq_panel_stream     bytes of the weights of so many channels
 *
 * Weights are one stream, 4-byte aligned: for each four channels four biases, then for each place four weights, then four
 * multipliers; int32 little-endian; zeros for channels that fill the last panel up.
 * Ranges: no left shift of the accumulator. The results of a call are stored when its columns are complete, channel by
 * channel, a later pixel before an earlier one.
 *
 * This file: ARMv7-M without the DSP extension, two pixels: their eight sums, two values and a weight, and what addresses
 * them take all fourteen registers. 14 instructions for eight products, 3 for a loop of 16 places, 57 for eight results;
 * a lone pixel: 9 for four products, 2 for the loop. Assembly takes EQ_PANEL_STACK bytes of stack.
 */
#ifndef EQ_PANEL_H
#define EQ_PANEL_H

#include <eq_common.h>

#define EQ_PANEL_PIXELS 2
/* Columns begin at 4-byte addresses. */
#define EQ_PANEL_SPARE 3
#define EQ_PANEL_STACK 68

typedef uint32_t __attribute__((may_alias)) eq_panel_word_t;

/* In the order in which the assembly knows it. */
typedef struct {
  const int8_t *x; /* the first place of pixel 0 */
  int32_t entry;   /* steps that the first round of the loop leaves out */
  const int8_t *x_end;
  int32_t out_zero;
  int8_t *out;
  int32_t apart;  /* bytes from a result of pixel 0 to that of pixel 1 */
  int32_t column; /* bytes from a value of pixel 0 to that of pixel 1 */
  const int8_t *weights_end;
} eq_panel_t;

EQ_INLINE int32_t eq_panel_stream(int32_t channels, int32_t depth) { return ((channels + 3) >> 2) * (32 + 4 * depth); }

EQ_INLINE int8_t *eq_panel_column(void *columns, int32_t pixel, int32_t depth) {
  return (int8_t *)columns + pixel * ((depth + 3) & ~3);
}

EQ_INLINE void eq_panel_copy(void *columns, int32_t pixel, int32_t depth, int32_t at, const int8_t *src, int32_t n) {
  int8_t *to = eq_panel_column(columns, pixel, depth) + at;
#if defined(__ARM_FEATURE_UNALIGNED)
  EQ_NO_UNROLL
  for (; n >= 16; n -= 16) {
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
    __asm__ volatile(
        "ldr %[a], [%[src]], #4\n\t"
        "ldr %[b], [%[src]], #4\n\t"
        "ldr %[c], [%[src]], #4\n\t"
        "ldr %[d], [%[src]], #4\n\t"
        "str %[a], [%[to]], #4\n\t"
        "str %[b], [%[to]], #4\n\t"
        "str %[c], [%[to]], #4\n\t"
        "str %[d], [%[to]], #4"
        : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [src] "+r"(src), [to] "+r"(to)
        :
        : "memory");
  }
  EQ_NO_UNROLL
  for (; n >= 4; n -= 4) {
    uint32_t a;
    __asm__ volatile("ldr %[a], [%[src]], #4\n\tstr %[a], [%[to]], #4"
                     : [a] "=&r"(a), [src] "+r"(src), [to] "+r"(to)
                     :
                     : "memory");
  }
#endif
  EQ_NO_UNROLL
  for (; n > 0; --n) {
    *to++ = *src++;
  }
}

EQ_INLINE void eq_panel_fill(void *columns, int32_t pixel, int32_t depth, int32_t at, int32_t value, int32_t n) {
  int8_t *to = eq_panel_column(columns, pixel, depth) + at;
  for (; n > 0 && ((uintptr_t)to & 3) != 0; --n) {
    *to++ = (int8_t)value;
  }
  const uint32_t word = (uint32_t)(uint8_t)value * 0x01010101u;
  EQ_NO_UNROLL
  for (; n >= 4; n -= 4) {
    *(eq_panel_word_t *)(void *)to = word;
    to += 4;
  }
  EQ_NO_UNROLL
  for (; n > 0; --n) {
    *to++ = (int8_t)value;
  }
}

/* clang-format off */
/* r0-r3 the sums of pixel 0, r4-r7 those of pixel 1; r8 column, r9 distance to the other, r10 weights. 56 bytes. */
#define EQ_PANEL_PRODUCTS(first, second) \
  "ldrsb lr, [r10], #1\n\t"              \
  "mla " first ", lr, r11, " first "\n\t" \
  "mla " second ", lr, r12, " second "\n\t"
#define EQ_PANEL_STEP             \
  "ldrsb r12, [r8, r9]\n\t"       \
  "ldrsb r11, [r8], #1\n\t"       \
  EQ_PANEL_PRODUCTS("r0", "r4")   \
  EQ_PANEL_PRODUCTS("r1", "r5")   \
  EQ_PANEL_PRODUCTS("r2", "r6")   \
  EQ_PANEL_PRODUCTS("r3", "r7")
/* The biases become eight sums. */
#define EQ_PANEL_FIRST(first, second)   \
  "ldrsb lr, [r10], #1\n\t"             \
  "mla " second ", lr, r12, " first "\n\t" \
  "mla " first ", lr, r11, " first "\n\t"
#define EQ_PANEL_FIRST_STEP       \
  "ldrsb r12, [r8, r9]\n\t"       \
  "ldrsb r11, [r8], #1\n\t"       \
  EQ_PANEL_FIRST("r0", "r4")      \
  EQ_PANEL_FIRST("r1", "r5")      \
  EQ_PANEL_FIRST("r2", "r6")      \
  EQ_PANEL_FIRST("r3", "r7")
#define EQ_PANEL_4_STEPS EQ_PANEL_STEP EQ_PANEL_STEP EQ_PANEL_STEP EQ_PANEL_STEP
/* r8 result, r9 distance to that of pixel 1, r12 zero point. */
#define EQ_PANEL_SCALE(sum)              \
  "smull r11, " sum ", " sum ", lr\n\t"   \
  "add " sum ", " sum ", r11, lsr #31\n\t" \
  "add " sum ", r12\n\t"                 \
  "ssat " sum ", #8, " sum "\n\t"
#define EQ_PANEL_FINISH(first, second)   \
  "ldr lr, [r10], #4\n\t"                \
  EQ_PANEL_SCALE(first)                  \
  EQ_PANEL_SCALE(second)                 \
  "strb " second ", [r8, r9]\n\t"        \
  "strb " first ", [r8], #1\n\t"
/* clang-format on */

/* Whole panels of two pixels. On the stack: a copy of eq_panel_t; 32 the caller's registers. */
EQ_NOINLINE __attribute__((unused)) static void eq_panel_two(const eq_panel_t *p, const int8_t *w) {
  register const eq_panel_t *r0 __asm__("r0") = p;
  register const int8_t *r1 __asm__("r1") = w;
  /* clang-format off */
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "mov r10, r1\n\t"
      "ldm r0, {r1-r8}\n\t"
      "push {r1-r8}\n\t"
      "mov r9, r7\n\t"
      "mov r4, #56\n\t"
      ".balign 4\n\t"
      "adr.w r3, 2f\n\t"
      "mla r3, r4, r2, r3\n\t"
      "add r3, #1\n\t"
      "str r3, [sp, #4]\n\t"
      "1:\n\t"
      "ldm r10!, {r0-r3}\n\t"
      "ldr r8, [sp]\n\t"
      EQ_PANEL_FIRST_STEP
      "ldr pc, [sp, #4]\n\t"
      "2:\n\t"
      EQ_PANEL_4_STEPS EQ_PANEL_4_STEPS EQ_PANEL_4_STEPS EQ_PANEL_4_STEPS
      "ldr r11, [sp, #8]\n\t"
      "cmp r8, r11\n\t"
      "bne 2b\n\t"
      "ldrd r12, r8, [sp, #12]\n\t"
      "ldr r9, [sp, #20]\n\t"
      EQ_PANEL_FINISH("r0", "r4")
      EQ_PANEL_FINISH("r1", "r5")
      EQ_PANEL_FINISH("r2", "r6")
      EQ_PANEL_FINISH("r3", "r7")
      "str r8, [sp, #16]\n\t"
      "ldrd r9, r11, [sp, #24]\n\t"
      "cmp r10, r11\n\t"
      "bne 1b\n\t"
      "add sp, #32\n\t"
      "pop {r4-r11, lr}"
      : "+r"(r0), "+r"(r1)
      : "m"(*p)
      : "r2", "r3", "r12", "cc", "memory");
  /* clang-format on */
}

/* clang-format off */
/* r4-r7 sums, r8 column, r10 weights. 36 bytes. */
#define EQ_PANEL_LONE(sum)       \
  "ldrsb lr, [r10], #1\n\t"      \
  "mla " sum ", lr, r11, " sum "\n\t"
#define EQ_PANEL_LONE_STEP       \
  "ldrsb r11, [r8], #1\n\t"      \
  EQ_PANEL_LONE("r4") EQ_PANEL_LONE("r5") EQ_PANEL_LONE("r6") EQ_PANEL_LONE("r7")
#define EQ_PANEL_LONE_FINISH(sum) \
  "ldr lr, [r10], #4\n\t"         \
  EQ_PANEL_SCALE(sum)             \
  "strb " sum ", [r2], #1\n\t"
/* clang-format on */

/* Whole panels of one pixel. */
EQ_NOINLINE __attribute__((unused)) static void eq_panel_one(const eq_panel_t *p, const int8_t *w) {
  register const eq_panel_t *r0 __asm__("r0") = p;
  register const int8_t *r1 __asm__("r1") = w;
  /* clang-format off */
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "mov r10, r1\n\t"
      "ldr r1, [r0, #28]\n\t"
      "ldr r2, [r0, #16]\n\t"
      "ldm r0, {r0, r3, r9, r12}\n\t"
      "mov r4, #36\n\t"
      ".balign 4\n\t"
      "adr.w r5, 2f\n\t"
      "mla r3, r4, r3, r5\n\t"
      "add r3, #1\n\t"
      "1:\n\t"
      "ldm r10!, {r4-r7}\n\t"
      "mov r8, r0\n\t"
      "bx r3\n\t"
      "2:\n\t"
      EQ_PANEL_LONE_STEP EQ_PANEL_LONE_STEP EQ_PANEL_LONE_STEP EQ_PANEL_LONE_STEP
      EQ_PANEL_LONE_STEP EQ_PANEL_LONE_STEP EQ_PANEL_LONE_STEP EQ_PANEL_LONE_STEP
      "cmp r8, r9\n\t"
      "bne 2b\n\t"
      EQ_PANEL_LONE_FINISH("r4") EQ_PANEL_LONE_FINISH("r5") EQ_PANEL_LONE_FINISH("r6") EQ_PANEL_LONE_FINISH("r7")
      "cmp r10, r1\n\t"
      "bne 1b\n\t"
      "pop {r4-r11, lr}"
      : "+r"(r0), "+r"(r1)
      : "m"(*p)
      : "r2", "r3", "r12", "cc", "memory");
  /* clang-format on */
}

/* `count` pixels, one or two, whose results are `apart` bytes apart, from columns at x and x + column. */
EQ_INLINE void eq_panel_run(int8_t *out, int32_t apart, int32_t count, const int8_t *x, int32_t column,
                            const int8_t *weights, int32_t depth, int32_t channels, int32_t out_zero) {
  const int32_t whole = channels & ~3;
  const int8_t *const rest = weights + eq_panel_stream(whole, depth);
  /* Two pixels take their first step before the loop, which may have none then. */
  const int32_t entry = count == 1 ? -depth & 7 : depth == 1 ? 16 : (1 - depth) & 15;
  eq_panel_t set = {x, entry, x + depth, out_zero, out, apart, column, rest};
  if (whole > 0) {
    if (count > 1) {
      eq_panel_two(&set, weights);
    } else {
      eq_panel_one(&set, weights);
    }
  }
  if (channels > whole) {
    int8_t kept[8];
    set.out = kept;
    set.apart = 4;
    set.weights_end = rest + eq_panel_stream(4, depth);
    if (count > 1) {
      eq_panel_two(&set, rest);
    } else {
      eq_panel_one(&set, rest);
    }
    EQ_NO_UNROLL
    for (int32_t c = 0; c < channels - whole; ++c) {
      if (count > 1) {
        out[apart + whole + c] = kept[4 + c];
      }
      out[whole + c] = kept[c];
    }
  }
}

EQ_INLINE void eq_panel_multiply(int8_t *out, int32_t apart, int32_t count, void *columns, const int8_t *weights,
                                 int32_t depth, int32_t channels, int32_t out_zero) {
  eq_panel_run(out, apart, count, (const int8_t *)columns, (depth + 3) & ~3, weights, depth, channels, out_zero);
}

EQ_INLINE void eq_panel_row(int8_t *out, const int8_t *x, const int8_t *weights, int32_t depth, int32_t channels,
                            int32_t out_zero) {
  eq_panel_run(out, 0, 1, x, 0, weights, depth, channels, out_zero);
}

#endif
