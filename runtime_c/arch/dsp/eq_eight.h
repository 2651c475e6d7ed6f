/*
 * Pixels of eight values, which stay in registers, against output channels whose weights are stored as int16.
 *   eq_eight_row   all channels of pixels one after the other
 *
 * Layout    weights: per channel 24 bytes, 4-byte aligned: bias (int32), the weights of places 0 2 1 3 4 6 5 7 (int16),
 *           multiplier (int32).
 * Ranges    channels a multiple of 4; no left shift of the accumulator; results saturate to int8; no partial sum may leave
 *           int32.
 * Order     a pixel is read before its first result is stored.
 * Cost      8 instructions for the 8 products of a result, 2 for four of them, 14 for a pixel.
 * Stack     assembly takes EQ_EIGHT_STACK bytes.
 */
#ifndef EQ_EIGHT_H
#define EQ_EIGHT_H

#include <eq_common.h>

#define EQ_EIGHT_STACK 60

/* In the order in which the assembly knows it. */
typedef struct {
  int32_t out_zero;
  const int8_t *weights;
  const int8_t *weights_end;
  const int8_t *x;
  int32_t step; /* bytes from a pixel to the next one */
  const int8_t *x_end;
} eq_eight_t;

/* clang-format off */
/* r0 x; r4 to r7 places 0 2, 1 3, 4 6, 5 7. */
#if defined(__ARM_FEATURE_UNALIGNED)
#define EQ_EIGHT_LOAD                 \
  "ldr r5, [r0]\n\t"                  \
  "ldr r7, [r0, #4]\n\t"              \
  "sxtb16 r4, r5\n\t"                 \
  "sxtb16 r5, r5, ror #8\n\t"         \
  "sxtb16 r6, r7\n\t"                 \
  "sxtb16 r7, r7, ror #8\n\t"
#else
#define EQ_EIGHT_PAIR(pair, first, second)           \
  "ldrsb " pair ", [r0, #" first "]\n\t"             \
  "ldrsb r3, [r0, #" second "]\n\t"                  \
  "pkhbt " pair ", " pair ", r3, lsl #16\n\t"
#define EQ_EIGHT_LOAD                                \
  EQ_EIGHT_PAIR("r4", "0", "2") EQ_EIGHT_PAIR("r5", "1", "3") \
  EQ_EIGHT_PAIR("r6", "4", "6") EQ_EIGHT_PAIR("r7", "5", "7")
#endif
#define EQ_EIGHT_CHANNEL                             \
  "ldm r2!, {r3, r8-r12}\n\t"                        \
  "smlad r3, r8, r4, r3\n\t"                         \
  "smlad r3, r9, r5, r3\n\t"                         \
  "smlad r3, r10, r6, r3\n\t"                        \
  "smlad r3, r11, r7, r3\n\t"                        \
  "smmlar r3, r3, r12, lr\n\t"                       \
  "ssat r3, #8, r3\n\t"                              \
  "strb r3, [r1], #1\n\t"

/* On the stack: weights and their end, x, the distance to the next pixel, its end; then the caller's registers. */
EQ_NOINLINE __attribute__((unused)) static void eq_eight_pixels(const eq_eight_t *p, int8_t *out) {
  register const eq_eight_t *r0 __asm__("r0") = p;
  register int8_t *r1 __asm__("r1") = out;
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "ldm r0, {r2-r7}\n\t"
      "mov lr, r2\n\t"
      "mov r0, r5\n\t"
      "push {r3-r8}\n\t"
      "1:\n\t"
      EQ_EIGHT_LOAD
      "ldr r3, [sp, #12]\n\t"
      "add r0, r3\n\t"
      "str r0, [sp, #8]\n\t"
      "ldrd r2, r0, [sp, #0]\n\t"
      "2:\n\t"
      EQ_EIGHT_CHANNEL EQ_EIGHT_CHANNEL EQ_EIGHT_CHANNEL EQ_EIGHT_CHANNEL
      "cmp r2, r0\n\t"
      "bne 2b\n\t"
      "ldr r0, [sp, #8]\n\t"
      "ldr r3, [sp, #16]\n\t"
      "cmp r0, r3\n\t"
      "bne 1b\n\t"
      "add sp, #24\n\t"
      "pop {r4-r11, lr}"
      : "+r"(r0), "+r"(r1)
      : "m"(*p)
      : "r2", "r3", "r12", "cc", "memory");
}
/* clang-format on */

/* `count` pixels, at least one, `step` bytes apart. */
EQ_INLINE void eq_eight_row(int8_t *out, const int8_t *x, int32_t step, int32_t count, const int8_t *weights,
                            int32_t channels, int32_t out_zero) {
  const eq_eight_t set = {out_zero, weights, weights + 24 * channels, x, step, x + count * step};
  eq_eight_pixels(&set, out);
}

#endif
