/*
 * Two pixels by eight channels: sums of products in all eight even registers at a time.
 *
 *   eq_tile_frame_t   what the assembly reads and moves on, on the caller's stack
 *   eq_tile_start     fills in what stays the same for all pixels; for eq_tile_pair eq_tile_start_pairs, too
 *   eq_tile_pair      all channels of two pixels whose inputs are `depth` bytes in a row each
 *   eq_tile_list      the same where the inputs of both lie in groups of 1 to 6 chunks, each anywhere
 *
 * Weights are one stream. For each eight channels: the biases of the even ones, their products' weights, the biases and
 * weights of the odd ones, the multipliers of the even and of the odd ones. Weights come in chunks of sixteen places, filled
 * up with zeros, for eq_tile_pair the last chunk first; of a chunk sixteen bytes for each of the four channels. 14
 * instructions for 128 products, where a group is named 3 more. This exists for MVE only.
 */
#ifndef EQ_TILE_H
#define EQ_TILE_H

#include <arm_mve.h>

#include <eq_common.h>

#define EQ_TILE_CHANNELS 8

/* Offsets count from `zero`, which the assembly is given. */
typedef struct {
  const int8_t *first[2];    /* -12: the first groups of both pixels, where they lie in groups */
  const int8_t *const *list; /* -4: the others */
  int32_t zero;              /* 0 */
  int8_t *out0;              /* 4 */
  int8_t *out1;              /* 8: stored before out0; a lone pixel gives itself twice */
  int8_t *end;               /* 12: of out0 */
  const int8_t *x[4];        /* 16: the last chunks of both pixels, 24: the pixels, for eq_tile_pair with a loop */
  int32_t count;             /* 32: chunks before the last */
  int32_t exist;             /* 36: predicate of the last chunk */
  int32_t shift[4];          /* 40 */
  int8_t low[16];            /* 56 */
  int8_t high[16];           /* 72 */
} eq_tile_frame_t;

EQ_STATIC_ASSERT(offsetof(eq_tile_frame_t, zero) == 12 && offsetof(eq_tile_frame_t, high) == 84 &&
                     sizeof(const int8_t *) == 4,
                 "the assembly names the offsets");

EQ_INLINE void eq_tile_start(eq_tile_frame_t *frame, int32_t shift, int32_t zero, int32_t low, int32_t high) {
  frame->zero = zero;
  vst1q_s32(frame->shift, vdupq_n_s32(shift));
  vst1q_s8(frame->low, vdupq_n_s8((int8_t)low));
  vst1q_s8(frame->high, vdupq_n_s8((int8_t)high));
}

EQ_INLINE void eq_tile_start_pairs(eq_tile_frame_t *frame, int32_t depth) {
  frame->count = (depth - 1) >> 4;
  frame->exist = vctp8q((uint32_t)(((depth - 1) & 15) + 1));
}

/* clang-format off */
/* The values of both pixels are in q0 and q1. `a` is "" for the first products of a sum, then "a". */
#define EQ_TILE_PRODUCTS(a)              \
  "vldrb.8 q2, [r5], #16\n\t"            \
  "vmladav" a ".s8 r0, q0, q2\n\t"       \
  "vldrb.8 q3, [r5], #16\n\t"            \
  "vmladav" a ".s8 r8, q1, q2\n\t"       \
  "vmladav" a ".s8 r2, q0, q3\n\t"       \
  "vldrb.8 q2, [r5], #16\n\t"            \
  "vmladav" a ".s8 r10, q1, q3\n\t"      \
  "vmladav" a ".s8 r4, q0, q2\n\t"       \
  "vldrb.8 q3, [r5], #16\n\t"            \
  "vmladav" a ".s8 r12, q1, q2\n\t"      \
  "vmladav" a ".s8 r6, q0, q3\n\t"       \
  "vmladav" a ".s8 lr, q1, q3\n\t"

#define EQ_TILE_CHUNK(offset)            \
  "vldrb.8 q0, [r1, #" offset "]\n\t"    \
  "vldrb.8 q1, [r3, #" offset "]\n\t"    \
  EQ_TILE_PRODUCTS("a")

/* The last chunk, with which each sum begins: whole, or not, so that nothing behind the pixels is read. */
#define EQ_TILE_WHOLE(offset)            \
  "vldrb.8 q0, [r1, #" offset "]\n\t"    \
  "vldrb.8 q1, [r3, #" offset "]\n\t"    \
  EQ_TILE_PRODUCTS("")

#define EQ_TILE_PART(offset)             \
  "vpstt\n\t"                            \
  "vldrbt.8 q0, [r1, #" offset "]\n\t"   \
  "vldrbt.8 q1, [r3, #" offset "]\n\t"   \
  EQ_TILE_PRODUCTS("")

/* Up to eight chunks, with the pixels in r1 and r3. */
#define EQ_TILE_CHUNKS1(LAST) LAST("0")
#define EQ_TILE_CHUNKS2(LAST) LAST("16") EQ_TILE_CHUNK("0")
#define EQ_TILE_CHUNKS3(LAST) LAST("32") EQ_TILE_CHUNK("0") EQ_TILE_CHUNK("16")
#define EQ_TILE_CHUNKS4(LAST) LAST("48") EQ_TILE_CHUNK("0") EQ_TILE_CHUNK("16") EQ_TILE_CHUNK("32")
#define EQ_TILE_CHUNKS6(LAST) \
  LAST("80") EQ_TILE_CHUNK("0") EQ_TILE_CHUNK("16") EQ_TILE_CHUNK("32") EQ_TILE_CHUNK("48") EQ_TILE_CHUNK("64")
#define EQ_TILE_CHUNKS8(LAST)                                                                                        \
  LAST("112") EQ_TILE_CHUNK("0") EQ_TILE_CHUNK("16") EQ_TILE_CHUNK("32") EQ_TILE_CHUNK("48") EQ_TILE_CHUNK("64")     \
  EQ_TILE_CHUNK("80") EQ_TILE_CHUNK("96")

/* Any number of chunks. */
#define EQ_TILE_LOOP(LAST)               \
  "ldrd r1, r3, [r9, #16]\n\t"           \
  LAST("0")                              \
  "ldr r11, [r9, #32]\n\t"               \
  "cmp r11, #0\n\t"                      \
  "beq 3f\n\t"                           \
  "ldrd r1, r3, [r9, #24]\n"             \
  "2:\n\t"                               \
  "vldrb.8 q0, [r1], #16\n\t"            \
  "vldrb.8 q1, [r3], #16\n\t"            \
  EQ_TILE_PRODUCTS("a")                  \
  "subs r11, r11, #1\n\t"                \
  "bne 2b\n"                             \
  "3:\n\t"

/* Four channels: biases in q`b`, which becomes the sums of pixel 0, and the sums of pixel 1 in q`c`. */
#define EQ_TILE_QUAD(sums, b, c)                 \
  "vldrw.32 q" b ", [r5], #16\n\t"               \
  sums                                           \
  "vmov q0[2], q0[0], r0, r4\n\t"                \
  "vmov q" c "[2], q" c "[0], r8, r12\n\t"       \
  "vmov q0[3], q0[1], r2, r6\n\t"                \
  "vmov q" c "[3], q" c "[1], r10, lr\n\t"       \
  "vadd.i32 q" c ", q" c ", q" b "\n\t"          \
  "vadd.i32 q" b ", q0, q" b "\n\t"

/* Groups of chunks of both pixels, each a pair of pointers; behind the last stands NULL. */
#define EQ_TILE_LIST_QUAD(chunks, b, c)          \
  "ldm r5, {r0, r2, r4, r6}\n\t"                 \
  "ldm r5!, {r8, r10, r12, lr}\n\t"              \
  "ldmdb r9, {r1, r3, r11}\n"                    \
  "2:\n\t"                                       \
  chunks                                         \
  "ldrd r1, r3, [r11], #8\n\t"                   \
  "cmp r1, #0\n\t"                               \
  "bne 2b\n\t"                                   \
  "vmov q" b "[2], q" b "[0], r0, r4\n\t"        \
  "vmov q" c "[2], q" c "[0], r8, r12\n\t"       \
  "vmov q" b "[3], q" b "[1], r2, r6\n\t"        \
  "vmov q" c "[3], q" c "[1], r10, lr\n\t"

#define EQ_TILE_GROUP1 EQ_TILE_CHUNK("0")
#define EQ_TILE_GROUP2 EQ_TILE_GROUP1 EQ_TILE_CHUNK("16")
#define EQ_TILE_GROUP3 EQ_TILE_GROUP2 EQ_TILE_CHUNK("32")
#define EQ_TILE_GROUP4 EQ_TILE_GROUP3 EQ_TILE_CHUNK("48")
#define EQ_TILE_GROUP5 EQ_TILE_GROUP4 EQ_TILE_CHUNK("64")
#define EQ_TILE_GROUP6 EQ_TILE_GROUP5 EQ_TILE_CHUNK("80")

#define EQ_TILE_SHIFT                    \
  "vldrw.32 q0, [r9, #40]\n\t"           \
  "vshl.s32 q4, q4, q0\n\t"              \
  "vshl.s32 q5, q5, q0\n\t"              \
  "vshl.s32 q6, q6, q0\n\t"              \
  "vshl.s32 q7, q7, q0\n\t"

#define EQ_TILE_CLAMP                    \
  "vldrw.32 q0, [r9, #56]\n\t"           \
  "vmax.s8 q4, q4, q0\n\t"               \
  "vmax.s8 q5, q5, q0\n\t"               \
  "vldrw.32 q0, [r9, #72]\n\t"           \
  "vmin.s8 q4, q4, q0\n\t"               \
  "vmin.s8 q5, q5, q0\n\t"

/* Requantize and store eight channels of both pixels. Saturating to int16 first is exact: see eq_requantize.h. */
#define EQ_TILE_FINISH(shift, clamp)     \
  "vldrw.32 q2, [r5], #16\n\t"           \
  "vldrw.32 q3, [r5], #16\n\t" shift     \
  "vrmulh.s32 q4, q4, q2\n\t"            \
  "vrmulh.s32 q5, q5, q2\n\t"            \
  "vrmulh.s32 q6, q6, q3\n\t"            \
  "vrmulh.s32 q7, q7, q3\n\t"            \
  "vqmovnb.s32 q4, q4\n\t"               \
  "vqmovnb.s32 q5, q5\n\t"               \
  "vqmovnt.s32 q4, q6\n\t"               \
  "vqmovnt.s32 q5, q7\n\t"               \
  "ldm r9, {r0, r2, r4, r6}\n\t"         \
  "vqadd.s16 q4, q4, r0\n\t"             \
  "vqadd.s16 q5, q5, r0\n\t"             \
  "vqmovnb.s16 q4, q4\n\t"               \
  "vqmovnb.s16 q5, q5\n\t" clamp         \
  "vstrb.16 q5, [r4], #8\n\t"            \
  "vstrb.16 q4, [r2], #8\n\t"            \
  "strd r2, r4, [r9, #4]\n\t"

#define EQ_TILE_BLOCKS(start, QUAD, sums, shift, clamp)                                                           \
  __asm__ volatile(                                                                                               \
      start "1:\n\t"                                                                                              \
      QUAD(sums, "4", "5")                                                                                        \
      QUAD(sums, "6", "7")                                                                                        \
      EQ_TILE_FINISH(shift, clamp)                                                                                \
      "cmp r2, r6\n\t"                                                                                            \
      "bne 1b"                                                                                                    \
      : "+r"(x0), "+r"(x1), "+r"(w)                                                                               \
      : "r"(frame)                                                                                                \
      : "r0", "r2", "r4", "r6", "r8", "r10", "r11", "r12", "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7",  \
        "cc", "memory")

#define EQ_TILE_EXIST                    \
  "ldr r0, [r9, #36]\n\t"                \
  "vmsr p0, r0\n"

/* What is known at compile time to change nothing is left out. */
#define EQ_TILE_BY_SCALING(start, QUAD, sums)                          \
  do {                                                          \
    if (EQ_KNOWN(shift, 0) && EQ_KNOWN(low, -128) && EQ_KNOWN(high, 127)) { \
      EQ_TILE_BLOCKS(start, QUAD, sums, "", "");                       \
    } else if (EQ_KNOWN(shift, 0)) { \
      EQ_TILE_BLOCKS(start, QUAD, sums, "", EQ_TILE_CLAMP);            \
    } else {                                                    \
      EQ_TILE_BLOCKS(start, QUAD, sums, EQ_TILE_SHIFT, EQ_TILE_CLAMP); \
    }                                                           \
  } while (0)

#define EQ_TILE_BY_LAST(sums)                                   \
  do {                                                          \
    if (EQ_KNOWN(depth & 15, 0)) { \
      EQ_TILE_BY_SCALING("", EQ_TILE_QUAD, sums(EQ_TILE_WHOLE));    \
    } else {                                                    \
      EQ_TILE_BY_SCALING(EQ_TILE_EXIST, EQ_TILE_QUAD, sums(EQ_TILE_PART));     \
    }                                                           \
  } while (0)
/* clang-format on */

/*
 * `blocks` times eight channels of the pixels at column0 and column1; a lone pixel is given twice. Depths of some numbers of
 * chunks that are known at compile time are unrolled. All registers are named, as gcc 12 finds no way to allocate them
 * beside a frame pointer; VMLADAV wants even ones.
 */
EQ_INLINE void eq_tile_pair(int8_t *out0, int8_t *out1, const int8_t *column0, const int8_t *column1, int32_t depth,
                            const int8_t *weights, int32_t blocks, int32_t shift, int32_t low, int32_t high,
                            eq_tile_frame_t *given) {
  given->out0 = out0;
  given->out1 = out1;
  given->end = out0 + EQ_TILE_CHANNELS * blocks;
  register const int8_t *x0 __asm__("r1") = column0;
  register const int8_t *x1 __asm__("r3") = column1;
  register const int8_t *w __asm__("r5") = weights;
  register int32_t *frame __asm__("r9") = &given->zero;
  switch (__builtin_constant_p(depth) ? (depth + 15) >> 4 : 0) {
    case 1:
      EQ_TILE_BY_LAST(EQ_TILE_CHUNKS1);
      break;
    case 2:
      EQ_TILE_BY_LAST(EQ_TILE_CHUNKS2);
      break;
    case 3:
      EQ_TILE_BY_LAST(EQ_TILE_CHUNKS3);
      break;
    case 4:
      EQ_TILE_BY_LAST(EQ_TILE_CHUNKS4);
      break;
    case 6:
      EQ_TILE_BY_LAST(EQ_TILE_CHUNKS6);
      break;
    case 8:
      EQ_TILE_BY_LAST(EQ_TILE_CHUNKS8);
      break;
    default:
      given->x[0] = column0 + ((depth - 1) & ~15);
      given->x[1] = column1 + ((depth - 1) & ~15);
      given->x[2] = column0;
      given->x[3] = column1;
      EQ_TILE_BY_LAST(EQ_TILE_LOOP);
      break;
  }
}

/*
 * The same with the inputs of both pixels in groups of `group`, 1 to 6, chunks. `list` has a pointer for each pixel to each
 * group in turn, then NULL and any word.
 */
EQ_INLINE void eq_tile_list(int8_t *out0, int8_t *out1, const int8_t *const *list, int32_t group, const int8_t *weights,
                            int32_t blocks, int32_t shift, int32_t low, int32_t high, eq_tile_frame_t *given) {
  given->out0 = out0;
  given->out1 = out1;
  given->end = out0 + EQ_TILE_CHANNELS * blocks;
  given->first[0] = list[0];
  given->first[1] = list[1];
  given->list = list + 2;
  register const int8_t *x0 __asm__("r1") = list[0];
  register const int8_t *x1 __asm__("r3") = list[1];
  register const int8_t *w __asm__("r5") = weights;
  register int32_t *frame __asm__("r9") = &given->zero;
  switch (group) {
    case 1:
      EQ_TILE_BY_SCALING("", EQ_TILE_LIST_QUAD, EQ_TILE_GROUP1);
      break;
    case 2:
      EQ_TILE_BY_SCALING("", EQ_TILE_LIST_QUAD, EQ_TILE_GROUP2);
      break;
    case 3:
      EQ_TILE_BY_SCALING("", EQ_TILE_LIST_QUAD, EQ_TILE_GROUP3);
      break;
    case 4:
      EQ_TILE_BY_SCALING("", EQ_TILE_LIST_QUAD, EQ_TILE_GROUP4);
      break;
    case 5:
      EQ_TILE_BY_SCALING("", EQ_TILE_LIST_QUAD, EQ_TILE_GROUP5);
      break;
    default:
      EQ_TILE_BY_SCALING("", EQ_TILE_LIST_QUAD, EQ_TILE_GROUP6);
      break;
  }
}

#endif
