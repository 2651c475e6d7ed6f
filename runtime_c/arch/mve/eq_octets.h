/*
 * One vector against blocks of eight rows of weights: the core of a fully connected layer.
 *   eq_octets_multiply   out[c] for `channels`, a multiple of eight; x is read as it lies, `depth` bytes, any alignment
 *
 * Layout    weights: one stream, 4-byte aligned. For each eight channels: the biases of the even ones and of the odd ones;
 *           for each sixteen places, the last ones filled up with zeros, sixteen bytes of each channel, the even ones first;
 *           the multipliers of the even ones and of the odd ones.
 * Cost      17 instructions for 128 products, 2 for the loop of 256, 20 for eight channels. Loads and products alternate, since
 *           they use different units of the core; VLDM would count as one instruction for several vectors, and is not used.
 * This exists for MVE only.
 */
#ifndef EQ_OCTETS_H
#define EQ_OCTETS_H

#include <arm_mve.h>

#include <eq_common.h>

#define EQ_OCTETS_CHANNELS 8

/* What the assembly reads, on the caller's stack. */
typedef struct {
  const int8_t *x; /* 0 */
  int32_t steps;   /* 4: twice the turns of the loop, and 1 where the first one begins in its middle */
  int8_t *end;     /* 8: of the results */
  int32_t exist;   /* 12: predicate of the last places */
  int32_t shift;   /* 16 */
  int32_t zero;    /* 20 */
  int32_t low;     /* 24 */
  int32_t high;    /* 28 */
} eq_octets_frame_t;

EQ_STATIC_ASSERT(offsetof(eq_octets_frame_t, high) == 28 && sizeof(const int8_t *) == 4,
                 "the assembly names the offsets");

/* clang-format off */
/* r0 r2 r4 r6 sums of the even channels, r8 r10 r12 lr of the odd ones; r1 input, r5 weights, q0 sixteen values. */
#define EQ_OCTETS_PRODUCTS             \
  "vldrb.8 q1, [r5], #16\n\t"          \
  "vldrb.8 q2, [r5], #16\n\t"          \
  "vmladava.s8 r0, q0, q1\n\t"         \
  "vldrb.8 q1, [r5], #16\n\t"          \
  "vmladava.s8 r2, q0, q2\n\t"         \
  "vldrb.8 q2, [r5], #16\n\t"          \
  "vmladava.s8 r4, q0, q1\n\t"         \
  "vldrb.8 q1, [r5], #16\n\t"          \
  "vmladava.s8 r6, q0, q2\n\t"         \
  "vldrb.8 q2, [r5], #16\n\t"          \
  "vmladava.s8 r8, q0, q1\n\t"         \
  "vldrb.8 q1, [r5], #16\n\t"          \
  "vmladava.s8 r10, q0, q2\n\t"        \
  "vldrb.8 q2, [r5], #16\n\t"          \
  "vmladava.s8 r12, q0, q1\n\t"        \
  "vmladava.s8 lr, q0, q2\n\t"

#define EQ_OCTETS_STEP                 \
  "vldrb.8 q0, [r1], #16\n\t"          \
  EQ_OCTETS_PRODUCTS

/* Places that do not fill a vector, before which there may be none. */
#define EQ_OCTETS_SKIP "beq 4f\n\t"
#define EQ_OCTETS_PART                 \
  "4:\n\t"                             \
  "vpst\n\t"                           \
  "vldrbt.8 q0, [r1]\n\t"              \
  EQ_OCTETS_PRODUCTS

#define EQ_OCTETS_SHIFT                \
  "vshl.s32 q1, q1, q7\n\t"            \
  "vshl.s32 q2, q2, q7\n\t"

#define EQ_OCTETS_CLAMP                \
  "vmax.s8 q1, q1, q5\n\t"             \
  "vmin.s8 q1, q1, q6\n\t"

/* Saturating to int16 first is exact: see eq_requantize.h. */
#define EQ_OCTETS_BLOCKS(skip, part, shift, clamp)                                                               \
  __asm__ volatile(                                                                                              \
      "ldrd r0, r2, [r9, #12]\n\t"                                                                               \
      "ldrd r4, r6, [r9, #20]\n\t"                                                                               \
      "ldr r8, [r9, #28]\n\t"                                                                                    \
      "vmsr p0, r0\n\t"                                                                                          \
      "vdup.32 q7, r2\n\t"                                                                                       \
      "vdup.16 q4, r4\n\t"                                                                                       \
      "vdup.8 q5, r6\n\t"                                                                                        \
      "vdup.8 q6, r8\n"                                                                                          \
      "1:\n\t"                                                                                                   \
      "ldm r5!, {r0, r2, r4, r6, r8, r10, r12, lr}\n\t"                                                          \
      "ldrd r1, r11, [r9]\n\t"                                                                                   \
      "lsrs r11, r11, #1\n\t" skip                                                                               \
      "bcs 3f\n"                                                                                                 \
      "2:\n\t"                                                                                                   \
      EQ_OCTETS_STEP                                                                                             \
      "3:\n\t"                                                                                                   \
      EQ_OCTETS_STEP                                                                                             \
      "subs r11, r11, #1\n\t"                                                                                    \
      "bne 2b\n\t" part                                                                                          \
      "vmov q1[2], q1[0], r0, r4\n\t"                                                                            \
      "vldrw.32 q3, [r5], #16\n\t"                                                                               \
      "vmov q1[3], q1[1], r2, r6\n\t"                                                                            \
      "vmov q2[2], q2[0], r8, r12\n\t"                                                                           \
      "vldrw.32 q0, [r5], #16\n\t"                                                                               \
      "vmov q2[3], q2[1], r10, lr\n\t" shift                                                                     \
      "vrmulh.s32 q1, q1, q3\n\t"                                                                                \
      "vrmulh.s32 q2, q2, q0\n\t"                                                                                \
      "ldr r0, [r9, #8]\n\t"                                                                                     \
      "vqmovnb.s32 q1, q1\n\t"                                                                                   \
      "vqmovnt.s32 q1, q2\n\t"                                                                                   \
      "vqadd.s16 q1, q1, q4\n\t"                                                                                 \
      "vqmovnb.s16 q1, q1\n\t" clamp                                                                             \
      "vstrb.16 q1, [r3], #8\n\t"                                                                                \
      "cmp r3, r0\n\t"                                                                                           \
      "bne 1b"                                                                                                   \
      : "+r"(in), "+r"(to), "+r"(w)                                                                              \
      : "r"(frame)                                                                                               \
      : "r0", "r2", "r4", "r6", "r8", "r10", "r11", "r12", "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", \
        "cc", "memory")

/* What is known at compile time to change nothing is left out. */
#define EQ_OCTETS_BY_SCALING(skip, part)                          \
  do {                                                            \
    if (EQ_KNOWN(shift, 0) && EQ_KNOWN(low, -128) && EQ_KNOWN(high, 127)) { \
      EQ_OCTETS_BLOCKS(skip, part, "", "");                       \
    } else if (EQ_KNOWN(shift, 0)) { \
      EQ_OCTETS_BLOCKS(skip, part, "", EQ_OCTETS_CLAMP);          \
    } else {                                                      \
      EQ_OCTETS_BLOCKS(skip, part, EQ_OCTETS_SHIFT, EQ_OCTETS_CLAMP); \
    }                                                             \
  } while (0)
/* clang-format on */

EQ_INLINE int32_t eq_octets_steps(int32_t vectors) { return vectors + 2 * (vectors & 1); }

/* depth >= 1, channels >= 8. All registers are named: gcc 12 finds no way to allocate them beside a frame pointer. */
EQ_INLINE void eq_octets_multiply(int8_t *out, const int8_t *x, const int8_t *weights, int32_t depth, int32_t channels,
                                  int32_t shift, int32_t zero, int32_t low, int32_t high) {
  eq_octets_frame_t given;
  given.x = x;
  given.end = out + channels;
  given.exist = vctp8q((uint32_t)(((depth - 1) & 15) + 1));
  given.shift = shift;
  given.zero = zero;
  given.low = low;
  given.high = high;
  register const int8_t *in __asm__("r1") = x;
  register int8_t *to __asm__("r3") = out;
  register const int8_t *w __asm__("r5") = weights;
  register eq_octets_frame_t *frame __asm__("r9") = &given;
  if (EQ_KNOWN(depth & 15, 0)) {
    given.steps = eq_octets_steps(depth >> 4);
    EQ_OCTETS_BY_SCALING("", "");
  } else {
    given.steps = eq_octets_steps((depth - 1) >> 4);
    EQ_OCTETS_BY_SCALING(EQ_OCTETS_SKIP, EQ_OCTETS_PART);
  }
}

#endif
