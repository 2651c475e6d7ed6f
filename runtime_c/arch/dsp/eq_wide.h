/*
 * Two pixels against four output channels whose weights are stored as int16: for layers of few weights, a first layer.
 *   eq_wide_multiply   all channels of one or two pixels
 *   eq_wide_set        what all such pairs of pixels of a layer have in common
 *   eq_wide_columns    the form of the columns, for eq_small_rows.h
 *
 * A column is the window of one pixel, widened to int16, two columns interleaved: for each two places those of pixel 0,
 * those of pixel 1 (8 bytes); places of four in the order 0 2 1 3. Nothing is widened beside that, at twice the flash.
 *
 * Layout    weights: one stream, 4-byte aligned. For each four channels four biases (int32), per two places the weights of
 *           the four channels (int16), four multipliers.
 * Ranges    channels and depth multiples of 4; no left shift of the accumulator; no partial sum may leave int32.
 * Order     results of both pixels are stored when both columns are complete, those of pixel 1 first.
 * Cost      11 instructions for the 16 products of two places, 38 for four channels, 3 for the loop of 7 steps.
 * Stack     assembly takes EQ_WIDE_STACK bytes.
 */
#ifndef EQ_WIDE_H
#define EQ_WIDE_H

#include <eq_common.h>

#define EQ_WIDE_BYTES 4
#define EQ_WIDE_STACK 72

/* In the order in which the assembly knows it. */
typedef struct {
  int32_t out_zero;
  int32_t spare[2];
  const int8_t *weights_end;
  const void *columns;
  const void *columns_end;
  int32_t entry; /* steps of two places modulo 7, subtracted from 7; 0 for 0 */
  const int8_t *weights;
} eq_wide_t;

/* clang-format off */
/* Sums: r0 r3 r4 r5 of pixel 0, r6 r7 r8 r9 of pixel 1; r1 columns, r2 weights. A step has 44 bytes. */
#define EQ_WIDE_STEP                   \
  "ldrd r10, r11, [r1], #8\n\t"        \
  "ldrd r12, lr, [r2], #8\n\t"         \
  "smlad r0, r12, r10, r0\n\t"         \
  "smlad r6, r12, r11, r6\n\t"         \
  "smlad r3, lr, r10, r3\n\t"          \
  "smlad r7, lr, r11, r7\n\t"          \
  "ldrd r12, lr, [r2], #8\n\t"         \
  "smlad r4, r12, r10, r4\n\t"         \
  "smlad r8, r12, r11, r8\n\t"         \
  "smlad r5, lr, r10, r5\n\t"          \
  "smlad r9, lr, r11, r9\n\t"
/* A window of 3x3 with three channels takes 14 steps. */
#define EQ_WIDE_7_STEPS \
  EQ_WIDE_STEP EQ_WIDE_STEP EQ_WIDE_STEP EQ_WIDE_STEP EQ_WIDE_STEP EQ_WIDE_STEP EQ_WIDE_STEP
/* r12 zero point, r1 where the results of pixel 0 go, r10 how far behind it those of pixel 1 lie. */
#define EQ_WIDE_FINISH(pixel0, pixel1, multiplier)           \
  "smmlar " pixel1 ", " pixel1 ", " multiplier ", r12\n\t"   \
  "ssat " pixel1 ", #8, " pixel1 "\n\t"                      \
  "strb " pixel1 ", [r1, r10]\n\t"                           \
  "smmlar " pixel0 ", " pixel0 ", " multiplier ", r12\n\t"   \
  "ssat " pixel0 ", #8, " pixel0 "\n\t"                      \
  "strb " pixel0 ", [r1], #1\n\t"

/* On the stack: a copy of eq_wide_t, at 4 the results and the distance, 32 the caller's registers, spare. */
EQ_NOINLINE __attribute__((unused)) static void eq_wide_block(const eq_wide_t *p, int8_t *out, int32_t apart) {
  register const eq_wide_t *r0 __asm__("r0") = p;
  register int8_t *r1 __asm__("r1") = out;
  register int32_t r2 __asm__("r2") = apart;
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "ldm r0, {r3-r10}\n\t"
      "mov r4, r1\n\t"
      "mov r5, r2\n\t"
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
      "mov r6, r0\n\t"
      "mov r7, r3\n\t"
      "mov r8, r4\n\t"
      "mov r9, r5\n\t"
      "ldr pc, [sp, #24]\n\t"
      "2:\n\t"
      EQ_WIDE_7_STEPS
      "ldr r12, [sp, #20]\n\t"
      "cmp r1, r12\n\t"
      "bne 2b\n\t"
      "ldr r12, [sp, #0]\n\t"
      "ldrd r1, r10, [sp, #4]\n\t"
      "ldrd r11, lr, [r2], #8\n\t"
      EQ_WIDE_FINISH("r0", "r6", "r11")
      EQ_WIDE_FINISH("r3", "r7", "lr")
      "ldrd r11, lr, [r2], #8\n\t"
      EQ_WIDE_FINISH("r4", "r8", "r11")
      EQ_WIDE_FINISH("r5", "r9", "lr")
      "str r1, [sp, #4]\n\t"
      "ldrd r12, r1, [sp, #12]\n\t"
      "cmp r2, r12\n\t"
      "bne 1b\n\t"
      "add sp, #32\n\t"
      "pop {r4-r11, lr}"
      : "+r"(r0), "+r"(r1), "+r"(r2)
      : "m"(*p)
      : "r3", "r12", "cc", "memory");
}
/* clang-format on */

EQ_INLINE eq_wide_t eq_wide_set(const void *columns, const int8_t *weights, int32_t depth, int32_t channels,
                                int32_t out_zero) {
  const eq_wide_t set = {out_zero,
                         {0, 0},
                         weights + (channels >> 2) * (32 + 8 * depth),
                         columns,
                         (const int8_t *)columns + EQ_WIDE_BYTES * depth,
                         (7 - (depth >> 1) % 7) % 7,
                         weights};
  return set;
}

/* `count` pixels, 1 or 2, whose results are `apart` bytes apart. */
EQ_INLINE void eq_wide_multiply(int8_t *out, int32_t apart, int32_t count, const eq_wide_t *set) {
  eq_wide_block(set, out, count > 1 ? apart : 0);
}

#endif
