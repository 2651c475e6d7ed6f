/*
 * Four lines of a picture for a block of channels, so that a depthwise window is sixteen bytes in a row.
 *
 *   ring[channel][column][lane 0 … 3]     line l lies in lane l & 3; 4 * columns bytes a channel
 *
 * Sixteen bytes from a column on are four columns: two windows of 3 x 3 at neighbouring places. The weights of a channel
 * are a vector of the same form, with zeros where a lane or a column is no part of the window; one VMLADAV is a window.
 *
 *   eq_ring_lanes     where a vector of weights finds each of its bytes in the ten of a channel
 *   eq_ring_fill      the padding value, everywhere
 *   eq_ring_pad       the padding value, into a lane
 *   eq_ring_write     a line of the picture, into its lane
 *   eq_ring_start     what stays the same for all lines
 *   eq_ring_line      the results of a line, channel by channel
 *
 * The weights of a channel are ten bytes: tap [column 0 … 2][line 0 … 2], and 0. This exists for MVE only.
 */
#ifndef EQ_RING_H
#define EQ_RING_H

#include <arm_mve.h>

#include <eq_common.h>

#define EQ_RING_TAPS 10 /* bytes of a channel's weights */

/* What eq_ring_line reads while it runs; assembly names the offsets. */
typedef struct {
  uint8_t lanes[2][16];     /* 0, 16: eq_ring_lanes of this line */
  int8_t low[16];           /* 32 */
  int8_t high[16];          /* 48 */
  int32_t shift[4];         /* 64 */
  int32_t places;           /* 80: results of a line */
  const int8_t *end;        /* 84: behind the weights of the last channel */
  int32_t next_x;           /* 88: from the end of a line in the ring to the next channel */
  int32_t next_out;         /* 92: likewise in the output */
  uint8_t phases[4][2][16]; /* eq_ring_lanes of lines 0 … 3 */
} eq_ring_t;

/* The bytes of the window whose first column is column `left`, 0 or 1, of the vector and whose first line is `line`. */
EQ_INLINE uint8x16_t eq_ring_lanes(int32_t line, int32_t left) {
  const uint8x16_t place = vidupq_n_u8(0, 1);
  const uint8x16_t row = vandq_u8(vsubq_n_u8(place, (uint8_t)line), vdupq_n_u8(3));
  const uint8x16_t column = vsubq_n_u8(vshrq_n_u8(place, 2), (uint8_t)left); /* before the window: 255 */
  const uint8x16_t tap = vaddq_u8(vmulq_n_u8(vminq_u8(column, vdupq_n_u8(3)), 3), row);
  return vpselq_u8(vdupq_n_u8(EQ_RING_TAPS - 1), tap, vcmphiq_n_u8(row, 2) | vcmphiq_n_u8(column, 2));
}

/* A line: `count` >= 1 places, `step` bytes apart, of n >= 1 channels. `to` is the lane in the first column of the first
   channel, `pitch` the bytes from channel to channel. Eight channels at a time. */
EQ_INLINE void eq_ring_write(int8_t *to, const int8_t *x, int32_t step, int32_t count, int32_t n, int32_t pitch) {
  const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)pitch);
  EQ_NO_UNROLL
  for (; n >= 8; n -= 8) {
    int8_t *column = to;
    const int8_t *from = x;
    __asm__ volatile(
        "dls lr, %[count]\n"
        "1:\n\t"
        "vldrb.u16 q0, [%[from]]\n\t"
        "add %[from], %[from], %[step]\n\t"
        "vstrb.16 q0, [%[column], %q[offsets]]\n\t"
        "adds %[column], %[column], #4\n\t"
        "le lr, 1b"
        : [from] "+l"(from), [column] "+l"(column)
        : [step] "r"(step), [count] "r"(count), [offsets] "w"(offsets)
        : "q0", "lr", "cc", "memory");
    to += 8 * pitch;
    x += 8;
  }
  if (n > 0) {
    const mve_pred16_t exist = vctp16q((uint32_t)n);
    EQ_NO_UNROLL
    for (int32_t i = 0; i < count; ++i) {
      vstrbq_scatter_offset_p_s16(to, offsets, vldrbq_z_s16(x, exist), exist);
      to += 4;
      x += step;
    }
  }
}

/* `count` >= 1 bytes. */
EQ_INLINE void eq_ring_fill(int8_t *to, int32_t value, int32_t count) {
  const int8x16_t lanes = vdupq_n_s8((int8_t)value);
  __asm__ volatile(
      "dlstp.8 lr, %[count]\n"
      "1:\n\t"
      "vstrb.8 %q[lanes], [%[to]], #16\n\t"
      "letp lr, 1b"
      : [to] "+r"(to)
      : [lanes] "w"(lanes), [count] "r"(count)
      : "lr", "memory");
}

/* A lane in `count` columns of n channels. */
EQ_INLINE void eq_ring_pad(int8_t *to, int32_t value, int32_t count, int32_t n, int32_t pitch) {
  const uint8x16_t places = vshlq_n_u8(vidupq_n_u8(0, 1), 2);
  const int8x16_t lanes = vdupq_n_s8((int8_t)value);
  EQ_NO_UNROLL
  for (; n > 0; --n) {
    EQ_NO_UNROLL
    for (int32_t i = 0; i < count; i += 16) {
      vstrbq_scatter_offset_p_s8(to + 4 * i, places, lanes, vctp8q((uint32_t)(count - i)));
    }
    to += pitch;
  }
}

/* clang-format off */
/* Eight results: even ones in q2, odd ones in q3. Windows begin one column apart, or two: then a vector holds one window. */
#define EQ_RING_STEP1                 \
  "vldrb.8 q0, [r1], #32\n\t"         \
  "vmladav.s8 r0, q0, q4\n\t"         \
  "vmladav.s8 r2, q0, q5\n\t"         \
  "vldrb.8 q1, [r1, #-16]\n\t"        \
  "vmladav.s8 r4, q1, q4\n\t"         \
  "vmladav.s8 r6, q1, q5\n\t"         \
  "vmov q2[2], q2[0], r0, r4\n\t"     \
  "vmov q3[2], q3[0], r2, r6\n\t"     \
  "vldrb.8 q0, [r1, #-24]\n\t"        \
  "vmladav.s8 r0, q0, q4\n\t"         \
  "vmladav.s8 r2, q0, q5\n\t"         \
  "vldrb.8 q1, [r1, #-8]\n\t"         \
  "vmladav.s8 r4, q1, q4\n\t"         \
  "vmladav.s8 r6, q1, q5\n\t"         \
  "vmov q2[3], q2[1], r0, r4\n\t"     \
  "vmov q3[3], q3[1], r2, r6\n\t"

#define EQ_RING_STEP2                 \
  "vldrb.8 q0, [r1], #64\n\t"         \
  "vmladav.s8 r0, q0, q4\n\t"         \
  "vldrb.8 q1, [r1, #-32]\n\t"        \
  "vmladav.s8 r4, q1, q4\n\t"         \
  "vldrb.8 q0, [r1, #-56]\n\t"        \
  "vmladav.s8 r2, q0, q4\n\t"         \
  "vldrb.8 q1, [r1, #-24]\n\t"        \
  "vmladav.s8 r6, q1, q4\n\t"         \
  "vmov q2[2], q2[0], r0, r4\n\t"     \
  "vmov q3[2], q3[0], r2, r6\n\t"     \
  "vldrb.8 q0, [r1, #-48]\n\t"        \
  "vmladav.s8 r0, q0, q4\n\t"         \
  "vldrb.8 q1, [r1, #-16]\n\t"        \
  "vmladav.s8 r4, q1, q4\n\t"         \
  "vldrb.8 q0, [r1, #-40]\n\t"        \
  "vmladav.s8 r2, q0, q4\n\t"         \
  "vldrb.8 q1, [r1, #-8]\n\t"         \
  "vmladav.s8 r6, q1, q4\n\t"         \
  "vmov q2[3], q2[1], r0, r4\n\t"     \
  "vmov q3[3], q3[1], r2, r6\n\t"

#define EQ_RING_SHIFT                 \
  "vldrw.32 q0, [r11, #64]\n\t"       \
  "vshl.s32 q2, q2, q0\n\t"           \
  "vshl.s32 q3, q3, q0\n\t"

#define EQ_RING_CLAMP                 \
  "vldrw.32 q0, [r11, #32]\n\t"       \
  "vmax.s8 q2, q2, q0\n\t"            \
  "vldrw.32 q0, [r11, #48]\n\t"       \
  "vmin.s8 q2, q2, q0\n\t"

/* 30 instructions for eight windows with stride 1, 34 with stride 2; 14 more for each channel. */
#define EQ_RING_LINE(sums, shift, clamp)                                                                   \
  __asm__ volatile(                                                                                        \
      "2:\n\t"                                                                                             \
      "ldrd r5, r0, [r12], #8\n\t"                                                                         \
      "vdup.32 q6, r0\n\t"                                                                                 \
      "vldrw.32 q0, [r11]\n\t"                                                                             \
      "vldrb.8 q4, [r10, q0]\n\t"                                                                          \
      "vldrw.32 q0, [r11, #16]\n\t"                                                                        \
      "vldrb.8 q5, [r10, q0]\n\t"                                                                          \
      "add r10, r10, #10\n\t"                                                                              \
      "ldr lr, [r11, #80]\n"                                                                               \
      "1:\n\t" sums                                                                                        \
      "vadd.i32 q2, q2, r5\n\t"                                                                            \
      "vadd.i32 q3, q3, r5\n\t" shift                                                                      \
      "vrmulh.s32 q2, q2, q6\n\t"                                                                          \
      "vrmulh.s32 q3, q3, q6\n\t"                                                                          \
      "vqmovnb.s32 q2, q2\n\t"                                                                             \
      "vqmovnt.s32 q2, q3\n\t"                                                                             \
      "vqadd.s16 q2, q2, r8\n\t"                                                                           \
      "vqmovnb.s16 q2, q2\n\t" clamp                                                                       \
      "vctp.16 lr\n\t"                                                                                     \
      "vpst\n\t"                                                                                           \
      "vstrbt.16 q2, [r3, q7]\n\t"                                                                         \
      "add r3, r3, r9\n\t"                                                                                 \
      "subs lr, lr, #8\n\t"                                                                                \
      "bgt 1b\n\t"                                                                                         \
      "ldrd r0, r2, [r11, #88]\n\t"                                                                        \
      "add r1, r1, r0\n\t"                                                                                 \
      "add r3, r3, r2\n\t"                                                                                 \
      "ldr r0, [r11, #84]\n\t"                                                                             \
      "cmp r10, r0\n\t"                                                                                    \
      "bne 2b"                                                                                             \
      : "+r"(x), "+r"(to), "+r"(w), "+r"(scaling)                                                          \
      : "r"(zero), "r"(step), "r"(frame), "w"(offsets)                                                     \
      : "r0", "r2", "r4", "r5", "r6", "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "cc", "memory")

/* What is known at compile time to change nothing is left out. */
#define EQ_RING_FINISH(sums)                            \
  do {                                                  \
    if (EQ_KNOWN(shift, 0) && EQ_KNOWN(low, -128) && EQ_KNOWN(high, 127)) { \
      EQ_RING_LINE(sums, "", "");                       \
    } else if (EQ_KNOWN(low, -128) && EQ_KNOWN(high, 127)) { \
      EQ_RING_LINE(sums, EQ_RING_SHIFT, "");            \
    } else if (EQ_KNOWN(shift, 0)) { \
      EQ_RING_LINE(sums, "", EQ_RING_CLAMP);            \
    } else {                                            \
      EQ_RING_LINE(sums, EQ_RING_SHIFT, EQ_RING_CLAMP); \
    }                                                   \
  } while (0)
/* clang-format on */

EQ_INLINE void eq_ring_start(eq_ring_t *frame, int32_t pitch, int32_t places, int32_t out_step, int32_t stride,
                             int32_t shift, int32_t low, int32_t high) {
  const int32_t steps = (places + 7) >> 3;
  EQ_NO_UNROLL
  for (int32_t line = 0; line < 4; ++line) {
    vst1q_u8(frame->phases[line][0], eq_ring_lanes(line, 0));
    vst1q_u8(frame->phases[line][1], eq_ring_lanes(line, 1));
  }
  vst1q_s8(frame->low, vdupq_n_s8((int8_t)low));
  vst1q_s8(frame->high, vdupq_n_s8((int8_t)high));
  vst1q_s32(frame->shift, vdupq_n_s32(shift));
  frame->places = places;
  frame->next_x = pitch - 32 * stride * steps;
  frame->next_out = 1 - 8 * out_step * steps;
}

/*
 * The results of a line, out_step bytes apart, of n >= 1 channels; `line` is the first of the window. Of each channel the
 * first 32 * stride * ceil(places / 8) + 8 bytes of the ring are read: what is no part of a window meets a weight of zero.
 * `biases` holds bias and multiplier of each channel in turn. All registers are named, as gcc 12 finds no way to allocate
 * them beside a frame pointer; VMLADAV wants even ones.
 */
EQ_INLINE void eq_ring_line(int8_t *out, const int8_t *ring, eq_ring_t *given, int32_t line, int32_t stride,
                            const int8_t *weights, const int32_t *biases, int32_t n, int32_t out_step, int32_t out_zero,
                            int32_t shift, int32_t low, int32_t high) {
  vst1q_u8(given->lanes[0], vld1q_u8(given->phases[line & 3][0]));
  vst1q_u8(given->lanes[1], vld1q_u8(given->phases[line & 3][1]));
  given->end = weights + EQ_RING_TAPS * n;
  register const int8_t *x __asm__("r1") = ring;
  register int8_t *to __asm__("r3") = out;
  register const int8_t *w __asm__("r10") = weights;
  register const int32_t *scaling __asm__("r12") = biases;
  register const eq_ring_t *frame __asm__("r11") = given;
  register int32_t zero __asm__("r8") = out_zero;
  register int32_t step __asm__("r9") = 8 * out_step;
  register uint16x8_t offsets __asm__("q7") = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)out_step);
  if (stride == 1) {
    EQ_RING_FINISH(EQ_RING_STEP1);
  } else {
    EQ_RING_FINISH(EQ_RING_STEP2);
  }
}

EQ_STATIC_ASSERT(offsetof(eq_ring_t, phases) == 96, "the assembly names the offsets of its members");
EQ_STATIC_ASSERT(EQ_RING_TAPS == 10, "the assembly steps from channel to channel");

#endif
