/*
 * One vector against blocks of four rows of weights, pairs of which share halfwords: the core of a fully connected layer.
 *   eq_quads_multiply   out[c] for all channels; x is read as it lies, `depth` bytes, any alignment
 *
 * Halfwords hold w0 + 256*w1 as eq_coupled.h says it; the input is widened on its way, without scratch.
 *
 * Layout    weights: one stream, 4-byte aligned. For each four channels: bias0, bias0 + 256*bias1, bias2,
 *           bias2 + 256*bias3 (int32); for each four places, the last ones zeros, places 0, 2 of channels 0 1, of 2 3, then
 *           places 1, 3 of both; four multipliers. For each of one to three channels more: bias, multiplier, its weights
 *           (int8), rounded up to 4.
 * Ranges    those of eq_coupled.h.
 * Cost      16 instructions for 16 products, 2 for the loop of 128, 32 for four channels.
 * Stack     assembly takes EQ_QUADS_STACK bytes.
 * Under -mno-unaligned-access plain C takes the place of the assembly.
 */
#ifndef EQ_QUADS_H
#define EQ_QUADS_H

#include <eq_common.h>
#include <eq_dot.h>
#include <eq_requantize.h>

#define EQ_QUADS_STACK 76

/* In the order in which the assembly knows it. */
typedef struct {
  const int8_t *x;
  const int8_t *x_end; /* behind the last whole group of four places */
  const int8_t *weights;
  const int8_t *weights_end;
  int8_t *out;
  int32_t out_zero;
  int32_t shift;
  uint32_t tail; /* the places behind x_end, 0 elsewhere */
  int32_t rest;  /* how many those are */
  int32_t entry; /* bytes of the steps of the loop that the first pass leaves out */
} eq_quads_t;

#if defined(__ARM_FEATURE_UNALIGNED)
/* clang-format off */
/* r2 r3 r4 r12 sums of channels 0 to 3; r0 input, r1 weights, r5 four values. 64 bytes with its load. */
#define EQ_QUADS_PRODUCTS              \
  "ldm r1!, {r6-r9}\n\t"               \
  "sxtb16 r10, r5, ror #8\n\t"         \
  "sxtb16 r5, r5\n\t"                  \
  "smlad r3, r6, r5, r3\n\t"           \
  "smlad r12, r7, r5, r12\n\t"         \
  "sxtb16 r6, r6\n\t"                  \
  "sxtb16 r7, r7\n\t"                  \
  "smlad r2, r6, r5, r2\n\t"           \
  "smlad r4, r7, r5, r4\n\t"           \
  "smlad r3, r8, r10, r3\n\t"          \
  "smlad r12, r9, r10, r12\n\t"        \
  "sxtb16 r8, r8\n\t"                  \
  "sxtb16 r9, r9\n\t"                  \
  "smlad r2, r8, r10, r2\n\t"          \
  "smlad r4, r9, r10, r4\n\t"
#define EQ_QUADS_STEP "ldr r5, [r0], #4\n\t" EQ_QUADS_PRODUCTS
#define EQ_QUADS_4_STEPS EQ_QUADS_STEP EQ_QUADS_STEP EQ_QUADS_STEP EQ_QUADS_STEP
#define EQ_QUADS_FINISH(sum, multiplier)             \
  "smmlar " sum ", " sum ", " multiplier ", r5\n\t"  \
  "ssat " sum ", #8, " sum "\n\t"                    \
  "strb " sum ", [r10], #1\n\t"

/* On the stack: a copy of eq_quads_t, 40 the caller's registers. */
EQ_NOINLINE __attribute__((unused)) static void eq_quads_block(const eq_quads_t *p) {
  register const eq_quads_t *r0 __asm__("r0") = p;
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "ldm r0, {r1-r10}\n\t"
      "push {r1-r10}\n\t"
      ".balign 4\n\t"
      "adr.w lr, 2f\n\t"
      "add lr, r10\n\t"
      "add lr, #1\n\t"
      "mov r0, r1\n\t"
      "mov r11, r2\n\t"
      "mov r1, r3\n\t"
      "1:\n\t"
      "ldm r1!, {r2, r3, r4, r12}\n\t"
      "bx lr\n\t"
      "2:\n\t"
      EQ_QUADS_4_STEPS EQ_QUADS_4_STEPS
      "cmp r0, r11\n\t"
      "bne 2b\n\t"
      "ldrd r5, r0, [sp, #28]\n\t"
      "cbz r0, 3f\n\t"
      EQ_QUADS_PRODUCTS
      "3:\n\t"
      "sub r3, r3, r2\n\t"
      "asr r3, r3, #8\n\t"
      "sub r12, r12, r4\n\t"
      "asr r12, r12, #8\n\t"
      "ldr r0, [sp, #24]\n\t"
      "cbz r0, 4f\n\t"
      "lsl r2, r2, r0\n\t"
      "lsl r3, r3, r0\n\t"
      "lsl r4, r4, r0\n\t"
      "lsl r12, r12, r0\n\t"
      "4:\n\t"
      "ldm r1!, {r6-r9}\n\t"
      "ldrd r10, r5, [sp, #16]\n\t"
      EQ_QUADS_FINISH("r2", "r6")
      EQ_QUADS_FINISH("r3", "r7")
      EQ_QUADS_FINISH("r4", "r8")
      EQ_QUADS_FINISH("r12", "r9")
      "ldr r5, [sp, #12]\n\t"
      "ldr r0, [sp, #0]\n\t"
      "str r10, [sp, #16]\n\t"
      "cmp r1, r5\n\t"
      "bne 1b\n\t"
      "add sp, #40\n\t"
      "pop {r4-r11, lr}"
      : "+r"(r0)
      : "m"(*p)
      : "r1", "r2", "r3", "r12", "cc", "memory");
}
/* clang-format on */
#else
/* Four places of four channels. */
EQ_INLINE void eq_quads_step(int32_t acc[4], uint32_t x, const eq_pair_t *w) {
  const uint32_t even = eq_even_bytes(x);
  const uint32_t odd = eq_odd_bytes(x);
  for (int32_t pair = 0; pair < 2; ++pair) {
    acc[2 * pair] = eq_mac_dual(eq_even_bytes(w[pair]), even, acc[2 * pair]);
    acc[2 * pair] = eq_mac_dual(eq_even_bytes(w[pair + 2]), odd, acc[2 * pair]);
    acc[2 * pair + 1] = eq_mac_dual(w[pair], even, acc[2 * pair + 1]);
    acc[2 * pair + 1] = eq_mac_dual(w[pair + 2], odd, acc[2 * pair + 1]);
  }
}

EQ_NOINLINE __attribute__((unused)) static void eq_quads_block(const eq_quads_t *p) {
  const eq_pair_t *w = (const eq_pair_t *)(const void *)p->weights;
  int8_t *out = p->out;
  while (w != (const eq_pair_t *)(const void *)p->weights_end) {
    int32_t acc[4] = {(int32_t)w[0], (int32_t)w[1], (int32_t)w[2], (int32_t)w[3]};
    w += 4;
    EQ_NO_UNROLL
    for (const int8_t *x = p->x; x != p->x_end; x += 4) {
      eq_quads_step(acc, eq_load_word(x), w);
      w += 4;
    }
    if (p->rest > 0) {
      eq_quads_step(acc, p->tail, w);
      w += 4;
    }
    for (int32_t c = 0; c < 4; ++c) {
      const int32_t sum = (c & 1) ? (int32_t)((uint32_t)acc[c] - (uint32_t)acc[c - 1]) >> 8 : acc[c];
      *out++ = (int8_t)eq_clamp(eq_requantize(sum, (int32_t)w[c], p->shift, p->out_zero), -128, 127);
    }
    w += 4;
  }
}
#endif

/* Saturates to int8. depth and channels >= 1. */
EQ_INLINE void eq_quads_multiply(int8_t *out, const int8_t *x, const int8_t *weights, int32_t depth, int32_t channels,
                                 int32_t shift, int32_t out_zero) {
  const int32_t steps = depth >> 2;
  const int32_t rest = depth & 3;
  const int8_t *w = weights + (channels >> 2) * (16 * ((depth + 3) >> 2) + 32);
  if (channels >= 4) {
    const eq_quads_t set = {x,       x + 4 * steps,
                            weights, w,
                            out,     out_zero,
                            shift,   rest > 0 ? eq_load_tail(x + 4 * steps, rest) : 0u,
                            rest,    64 * (steps > 0 ? -steps & 7 : 8)};
    eq_quads_block(&set);
  }
  EQ_NO_UNROLL
  for (int32_t c = channels & ~3; c < channels; ++c) {
    const eq_pair_t *const words = (const eq_pair_t *)(const void *)w;
    const int32_t sum = eq_dot_s8(x, w + 8, depth, (int32_t)words[0]);
    out[c] = (int8_t)eq_clamp(eq_requantize(sum, (int32_t)words[1], shift, out_zero), -128, 127);
    w += 8 + ((depth + 3) & ~3);
  }
}

#endif
