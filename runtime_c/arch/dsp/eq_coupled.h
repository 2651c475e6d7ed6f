/*
 * One, two or three pixels against pairs of output channels whose weights lie in the same halfwords.
 *   eq_coupled_multiply   all channels of one to three pixels; the columns are those of eq_triple.h
 *   eq_coupled_set        what all such groups of pixels of a layer have in common
 *
 * A halfword holds w0 + 256*w1, both of int8, for a channel of an even number and its neighbour. SMLAD with the halfword
 * as it is gives t = sum x*w0 + 256 * sum x*w1, SMLAD with its low byte (SXTB16) the first sum alone; the second one is
 * (t - first) >> 8, exact modulo 2^24. So half of all weights are never widened.
 *
 * Layout    weights: one stream, 4-byte aligned. For each pair of channels: bias0, bias0 + 256*bias1 (int32); for each
 *           four places halfwords of places 0, 2, 1, 3; two multipliers. An odd last channel has a partner of zeros.
 * Ranges    every w0 + 256*w1 in int16; the sums of channels of odd numbers, bias included, in 24 bits.
 * Cost      18 instructions for the 24 products of four places of three pixels, 13 for 16 of two, 8 for 8 of one; for a
 *           pair of channels 41, 27, 15 more; 3 for the loop of 16 steps with three pixels, of 8 with one or two.
 * Stack     assembly takes EQ_COUPLED_STACK bytes.
 *
 * With EQ_COMPACT one function of two steps takes one to three pixels, always with the products of three.
 */
#ifndef EQ_COUPLED_H
#define EQ_COUPLED_H

#include <eq_common.h>

#define EQ_COUPLED_STACK 76

/* In the order in which the assembly knows it. */
typedef struct {
  int32_t second; /* bytes from a result of the first pixel to that of the second */
  int32_t third;
  int32_t out_zero;
  int32_t spare;
  const int8_t *weights_end;
  const void *columns;
  const void *columns_end;
  int32_t special; /* left shift of the accumulators, and 256 where the last channel has no partner; mostly 0 */
  int32_t entry;   /* steps of four places, negated */
  const int8_t *weights;
} eq_coupled_t;

/* clang-format off */
/* Sums of a pair: r0 r3, r4 r5, r7 lr for pixels 0, 1, 2; r1 columns, r2 weights. A step has four places. */
#define EQ_COUPLED_WEIGHTS             \
  "ldrd r6, r8, [r2], #8\n\t"          \
  "sxtb16 r9, r6\n\t"                 \
  "sxtb16 r10, r8\n\t"
#define EQ_COUPLED_PIXEL(first, second, x)               \
  "ldrd r11, r12, " x "\n\t"                             \
  "smlad " second ", r6, r11, " second "\n\t"            \
  "smlad " first ", r9, r11, " first "\n\t"              \
  "smlad " second ", r8, r12, " second "\n\t"            \
  "smlad " first ", r10, r12, " first "\n\t"
#define EQ_COUPLED_STEP_1 EQ_COUPLED_WEIGHTS EQ_COUPLED_PIXEL("r0", "r3", "[r1], #24")
#define EQ_COUPLED_STEP_2 \
  EQ_COUPLED_WEIGHTS EQ_COUPLED_PIXEL("r4", "r5", "[r1, #8]") EQ_COUPLED_PIXEL("r0", "r3", "[r1], #24")
#define EQ_COUPLED_STEP_3 \
  EQ_COUPLED_WEIGHTS EQ_COUPLED_PIXEL("r0", "r3", "[r1], #8") EQ_COUPLED_PIXEL("r4", "r5", "[r1], #8") \
  EQ_COUPLED_PIXEL("r7", "lr", "[r1], #8")
#define EQ_COUPLED_4(step) step step step step

#define EQ_COUPLED_START_1 ""
#define EQ_COUPLED_START_2 "mov r4, r0\n\tmov r5, r3\n\t"
#define EQ_COUPLED_START_3 EQ_COUPLED_START_2 "mov r7, r0\n\tmov lr, r3\n\t"

#define EQ_COUPLED_PART(first, second) \
  "sub " second ", " second ", " first "\n\tasr " second ", " second ", #8\n\t"
#define EQ_COUPLED_PART_1 EQ_COUPLED_PART("r0", "r3")
#define EQ_COUPLED_PART_2 EQ_COUPLED_PART_1 EQ_COUPLED_PART("r4", "r5")
#define EQ_COUPLED_PART_3 EQ_COUPLED_PART_2 EQ_COUPLED_PART("r7", "lr")

#define EQ_COUPLED_SHIFT(first, second) \
  "lsl " first ", " first ", r8\n\tlsl " second ", " second ", r8\n\t"
#define EQ_COUPLED_SHIFT_1 EQ_COUPLED_SHIFT("r0", "r3")
#define EQ_COUPLED_SHIFT_2 EQ_COUPLED_SHIFT_1 EQ_COUPLED_SHIFT("r4", "r5")
#define EQ_COUPLED_SHIFT_3 EQ_COUPLED_SHIFT_2 EQ_COUPLED_SHIFT("r7", "lr")

/* r12 zero point, r11 where the results go, r9 and r10 how far behind it those of pixels 1 and 2 lie. */
#define EQ_COUPLED_FINISH(sum, multiplier, address)   \
  "smmlar " sum ", " sum ", " multiplier ", r12\n\t"  \
  "ssat " sum ", #8, " sum "\n\t"                     \
  "strb " sum ", " address "\n\t"
#define EQ_COUPLED_STORE_1(pixel0, pixel1, pixel2, m, next) EQ_COUPLED_FINISH(pixel0, m, "[r11]" next)
#define EQ_COUPLED_STORE_2(pixel0, pixel1, pixel2, m, next) \
  EQ_COUPLED_FINISH(pixel1, m, "[r11, r9]") EQ_COUPLED_FINISH(pixel0, m, "[r11]" next)
#define EQ_COUPLED_STORE_3(pixel0, pixel1, pixel2, m, next) \
  EQ_COUPLED_FINISH(pixel2, m, "[r11, r10]") EQ_COUPLED_STORE_2(pixel0, pixel1, pixel2, m, next)
#define EQ_COUPLED_PLACES_1 ""
#define EQ_COUPLED_PLACES_2 "ldr r9, [sp, #0]\n\t"
#define EQ_COUPLED_PLACES_3 "ldrd r9, r10, [sp, #0]\n\t"

/* On the stack: a copy of eq_coupled_t, at 12 the results, 40 the caller's registers. */
#define EQ_COUPLED_TEXT(pixels, bytes, together, limit, steps) \
  "push {r4-r11, lr}\n\t"                                          \
  "ldm r0, {r3-r12}\n\t"                                           \
  limit \
  "mov r6, r1\n\t" \
  "push {r3-r12}\n\t" \
  "mov r1, r8\n\t" \
  "mov r2, r12\n\t" \
  "and r11, " together "\n\t" \
  "mov r4, " bytes "\n\t"                                          \
  ".balign 4\n\t"                                                  \
  "adr.w r3, 2f\n\t"                                               \
  "mla r3, r4, r11, r3\n\t"                                        \
  "add r3, #1\n\t"                                                 \
  "str r3, [sp, #32]\n\t"                                          \
  "1:\n\t"                                                         \
  "ldrd r0, r3, [r2], #8\n\t"                                      \
  EQ_COUPLED_START_##pixels                                        \
  "ldr pc, [sp, #32]\n\t"                                          \
  "2:\n\t"                                                         \
  steps                                                            \
  "ldrd r8, r6, [sp, #24]\n\t"                                     \
  "cmp r1, r8\n\t"                                                 \
  "bne 2b\n\t"                                                     \
  EQ_COUPLED_PART_##pixels                                         \
  "cbnz r6, 5f\n\t"                                                \
  "3:\n\t"                                                         \
  "ldrd r6, r8, [r2], #8\n\t"                                      \
  EQ_COUPLED_PLACES_##pixels                                       \
  "ldrd r12, r11, [sp, #8]\n\t"                                    \
  EQ_COUPLED_STORE_##pixels("r0", "r4", "r7", "r6", ", #1")        \
  EQ_COUPLED_STORE_##pixels("r3", "r5", "lr", "r8", ", #1")        \
  "ldrd r6, r1, [sp, #16]\n\t"                                     \
  "str r11, [sp, #12]\n\t"                                         \
  "cmp r2, r6\n\t"                                                 \
  "bne 1b\n\t"                                                     \
  "4:\n\t"                                                         \
  "add sp, #40\n\t"                                                \
  "pop {r4-r11, lr}\n\t"                                           \
  "b 6f\n\t"                                                       \
  /* A left shift; or the last channel, which is alone where r2 is 8 bytes from the end. */ \
  "5:\n\t"                                                         \
  "uxtb r8, r6\n\t"                                                \
  EQ_COUPLED_SHIFT_##pixels                                        \
  "cmp r6, #256\n\t"                                               \
  "blo 3b\n\t"                                                     \
  "ldr r8, [sp, #16]\n\t"                                          \
  "sub r8, r2\n\t"                                                 \
  "cmp r8, #8\n\t"                                                 \
  "bne 3b\n\t"                                                     \
  "ldr r6, [r2]\n\t"                                               \
  EQ_COUPLED_PLACES_##pixels                                       \
  "ldrd r12, r11, [sp, #8]\n\t"                                    \
  EQ_COUPLED_STORE_##pixels("r0", "r4", "r7", "r6", "")            \
  "b 4b\n\t"                                                       \
  "6:"

#define EQ_COUPLED_ASM(pixels, bytes, together, steps) \
  register const eq_coupled_t *r0 __asm__("r0") = p; \
  register int8_t *r1 __asm__("r1") = out; \
  __asm__ volatile(EQ_COUPLED_TEXT(pixels, bytes, together, "", steps) \
                   : "+r"(r0), "+r"(r1) : "m"(*p) : "r2", "r3", "r12", "cc", "memory")

/* Of r2 pixels: results of those that do not exist go where those of pixel 0 follow. */
#define EQ_COUPLED_LIMIT \
  "cmp r2, #2\n\t"        \
  "it lt\n\t"             \
  "movlt r3, #0\n\t"      \
  "it le\n\t"             \
  "movle r4, #0\n\t"

#if EQ_COMPACT
EQ_NOINLINE __attribute__((unused)) static void eq_coupled_few(const eq_coupled_t *p, int8_t *out, int32_t count) {
  register const eq_coupled_t *r0 __asm__("r0") = p;
  register int8_t *r1 __asm__("r1") = out;
  register int32_t r2 __asm__("r2") = count;
  __asm__ volatile(EQ_COUPLED_TEXT(3, "#72", "#1", EQ_COUPLED_LIMIT, EQ_COUPLED_STEP_3 EQ_COUPLED_STEP_3)
                   : "+r"(r0), "+r"(r1), "+r"(r2) : "m"(*p) : "r3", "r12", "cc", "memory");
}
#else
EQ_NOINLINE __attribute__((unused)) static void eq_coupled_1(const eq_coupled_t *p, int8_t *out) {
  EQ_COUPLED_ASM(1, "#32", "#7", EQ_COUPLED_4(EQ_COUPLED_STEP_1) EQ_COUPLED_4(EQ_COUPLED_STEP_1));
}

EQ_NOINLINE __attribute__((unused)) static void eq_coupled_2(const eq_coupled_t *p, int8_t *out) {
  EQ_COUPLED_ASM(2, "#52", "#7", EQ_COUPLED_4(EQ_COUPLED_STEP_2) EQ_COUPLED_4(EQ_COUPLED_STEP_2));
}

EQ_NOINLINE __attribute__((unused)) static void eq_coupled_3(const eq_coupled_t *p, int8_t *out) {
  EQ_COUPLED_ASM(3, "#72", "#15", EQ_COUPLED_4(EQ_COUPLED_4(EQ_COUPLED_STEP_3)));
}
#endif
/* clang-format on */

/* Bytes of the stream of so many channels. */
EQ_INLINE int32_t eq_coupled_bytes(int32_t channels, int32_t depth) { return ((channels + 1) >> 1) * (16 + 2 * depth); }

/* Results of neighbouring pixels are `apart` bytes apart; depth is a multiple of 4, at least 4. */
EQ_INLINE eq_coupled_t eq_coupled_set(int32_t apart, const void *columns, const int8_t *weights, int32_t depth,
                                      int32_t channels, int32_t shift, int32_t out_zero) {
  const eq_coupled_t set = {apart,
                            2 * apart,
                            out_zero,
                            0,
                            weights + eq_coupled_bytes(channels, depth),
                            columns,
                            (const int8_t *)columns + 6 * depth,
                            shift + ((channels & 1) << 8),
                            -(depth >> 2),
                            weights};
  return set;
}

/* `count` pixels, 1 to 3. */
EQ_INLINE void eq_coupled_multiply(int8_t *out, int32_t count, const eq_coupled_t *set) {
#if EQ_COMPACT
  eq_coupled_few(set, out, count);
#else
  if (count == 3) {
    eq_coupled_3(set, out);
  } else if (count == 2) {
    eq_coupled_2(set, out);
  } else {
    eq_coupled_1(set, out);
  }
#endif
}

#endif
