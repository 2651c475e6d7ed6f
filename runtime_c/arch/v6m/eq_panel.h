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
 * Ranges: no left shift of the accumulator; |acc * multiplier| < 2^47 - 2^40. The results of a call are stored when its
 * column is complete, channel by channel.
 *
 * This file: ARMv6-M, one pixel. Only loads of bytes without sign take an offset, so columns and weights are stored plus
 * 128, in 0 … 255:  sum w x = sum (w + 128)(x + 128) - 128 sum (x + 128) - 128 sum w. The last term is in the packed
 * bias, the middle one is the same for all channels of a pixel; sums are modulo 2^32, and only the result must fit int32.
 * eq_panel_row reads signed values, an instruction more for four products: only the weights are plus 128, its bias is not
 * packed, and the term is 128 sum x.
 * 13 instructions for four products, 4 for a loop of eight places, 80 for four results; a column 7 for four places.
 * Assembly takes EQ_PANEL_STACK bytes of stack.
 */
#ifndef EQ_PANEL_H
#define EQ_PANEL_H

#include <eq_common.h>

#define EQ_PANEL_PIXELS 1
/* Rounded up to words, for the sum. */
#define EQ_PANEL_SPARE 3
#define EQ_PANEL_STACK 44

typedef uint32_t __attribute__((may_alias)) eq_panel_word_t;

/* In the order in which the assembly knows it. */
typedef struct {
  const int8_t *weights_end;
  int32_t weights_entry; /* bytes of the weights of `entry` places */
  const void *column;    /* its first place, less `entry` */
  const void *column_end;
  int32_t zero;       /* out_zero * 2^16 + 2^15 */
  int32_t correction; /* of each sum */
  int8_t *out;
  int32_t entry; /* places modulo 8, subtracted from 8, times the 26 bytes of a place; 0 for 0 */
} eq_panel_t;

EQ_INLINE int32_t eq_panel_stream(int32_t channels, int32_t depth) { return ((channels + 3) >> 2) * (32 + 4 * depth); }

/* Values plus 128 are values with their highest bit inverted. */
EQ_INLINE void eq_panel_copy(void *columns, int32_t pixel, int32_t depth, int32_t at, const int8_t *src, int32_t n) {
  uint8_t *to = (uint8_t *)columns + at;
  (void)pixel;
  (void)depth;
  if ((((uintptr_t)to | (uintptr_t)src) & 3) == 0) {
    const eq_panel_word_t *from = (const eq_panel_word_t *)(const void *)src;
    eq_panel_word_t *words = (eq_panel_word_t *)(void *)to;
    const uint32_t high = 0x80808080u;
    EQ_NO_UNROLL
    for (; n >= 16; n -= 16) {
      words[0] = from[0] ^ high;
      words[1] = from[1] ^ high;
      words[2] = from[2] ^ high;
      words[3] = from[3] ^ high;
      words += 4;
      from += 4;
    }
    EQ_NO_UNROLL
    for (; n >= 4; n -= 4) {
      *words++ = *from++ ^ high;
    }
    to = (uint8_t *)words;
    src = (const int8_t *)from;
  }
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; ++i) {
    to[i] = (uint8_t)(src[i] + 128);
  }
}

EQ_INLINE void eq_panel_fill(void *columns, int32_t pixel, int32_t depth, int32_t at, int32_t value, int32_t n) {
  uint8_t *to = (uint8_t *)columns + at;
  (void)pixel;
  (void)depth;
  EQ_NO_UNROLL
  for (int32_t i = 0; i < n; ++i) {
    to[i] = (uint8_t)(value + 128);
  }
}

/* The sum of a column's values, the places up to a whole word zero. Two bytes of a word are added up in each half: 256
   words at a time fit. */
EQ_NOINLINE __attribute__((unused)) static uint32_t eq_panel_sum(const void *column, int32_t depth) {
  const eq_panel_word_t *words = (const eq_panel_word_t *)column;
  uint32_t sum = 0;
  EQ_NO_UNROLL
  for (int32_t left = (depth + 3) >> 2; left > 0; left -= 256) {
    const eq_panel_word_t *const end = words + (left < 256 ? left : 256);
    uint32_t all = 0;
    uint32_t odd = 0;
    EQ_NO_UNROLL
    do {
      const uint32_t word = *words++;
      all += word;
      odd += (word >> 8) & 0xff00ffu;
    } while (words != end);
    const uint32_t even = all - (odd << 8);
    sum += (odd & 0xffffu) + (odd >> 16) + (even & 0xffffu) + (even >> 16);
  }
  return sum;
}

/* clang-format off */
/* r0 column, r1 weights, r4-r7 sums. 26 bytes. */
#define EQ_PANEL_PRODUCT(sum, offset)     \
  "ldrb r3, [r1, #" #offset "]\n\t"       \
  "muls r3, r2, r3\n\t"                   \
  "adds " sum ", " sum ", r3\n\t"
#define EQ_PANEL_PRODUCTS(w0, w1, w2, w3)                      \
  EQ_PANEL_PRODUCT("r4", w0) EQ_PANEL_PRODUCT("r5", w1)         \
  EQ_PANEL_PRODUCT("r6", w2) EQ_PANEL_PRODUCT("r7", w3)
/* Of a column, plus 128: 26 bytes. */
#define EQ_PANEL_STEP(place, w0, w1, w2, w3)                    \
  "ldrb r2, [r0, #" #place "]\n\t"                              \
  EQ_PANEL_PRODUCTS(w0, w1, w2, w3)
/* Of a row as it is: 28 bytes. */
#define EQ_PANEL_SIGNED_STEP(place, w0, w1, w2, w3)             \
  "ldrb r2, [r0, #" #place "]\n\t"                              \
  "sxtb r2, r2\n\t"                                            \
  EQ_PANEL_PRODUCTS(w0, w1, w2, w3)
#define EQ_PANEL_8_STEPS(step)                                             \
  step(0, 0, 1, 2, 3) step(1, 4, 5, 6, 7) step(2, 8, 9, 10, 11)            \
  step(3, 12, 13, 14, 15) step(4, 16, 17, 18, 19) step(5, 20, 21, 22, 23)  \
  step(6, 24, 25, 26, 27) step(7, 28, 29, 30, 31)
/* Three multiplications, see eq_requantize.h; r9 zero. What does not fit is saturated at `away`, elsewhere. */
#define EQ_PANEL_FINISH(sum, low, high, away, back)              \
  "ldrh r2, [r1, #" #low "]\n\t"                                 \
  "uxth r3, " sum "\n\t"                                         \
  "muls r3, r2, r3\n\t"                                          \
  "lsrs r3, r3, #16\n\t"                                         \
  "asrs r0, " sum ", #16\n\t"                                    \
  "muls r0, r2, r0\n\t"                                          \
  "ldrh r2, [r1, #" #high "]\n\t"                                \
  "muls " sum ", r2, " sum "\n\t"                                \
  "adds " sum ", " sum ", r3\n\t"                                \
  "adds " sum ", " sum ", r0\n\t"                                \
  "add " sum ", r9\n\t"                                          \
  "asrs " sum ", " sum ", #16\n\t"                               \
  "sxtb r3, " sum "\n\t"                                         \
  "cmp r3, " sum "\n\t"                                          \
  "bne " #away "f\n\t"                                           \
  #back ":\n\t"
#define EQ_PANEL_SATURATE(sum, away, back)                       \
  #away ":\n\t"                                                  \
  "asrs " sum ", " sum ", #31\n\t"                               \
  "movs r3, #127\n\t"                                            \
  "eors " sum ", r3\n\t"                                         \
  "b " #back "b\n\t"
/* clang-format on */

/* Whole panels. r8 end of the column, r9 zero, r10 where it enters the loop, r11 correction, r12 column, lr out; on the
   stack the end of the weights and weights_entry; 8 the caller's registers. gcc hands inline assembly of Thumb-1 code to
   the assembler in the old syntax. */
/* clang-format off */
#define EQ_PANEL_TEXT(step) \
  ".syntax unified\n\t" \
  "push {r4-r7, lr}\n\t" \
  "mov r4, r8\n\t" \
  "mov r5, r9\n\t" \
  "mov r6, r10\n\t" \
  "mov r7, r11\n\t" \
  "push {r4-r7}\n\t" \
  "ldm r0!, {r2-r7}\n\t" \
  "push {r2, r3}\n\t" \
  "mov r12, r4\n\t" \
  "mov r8, r5\n\t" \
  "mov r9, r6\n\t" \
  "mov r11, r7\n\t" \
  "ldm r0!, {r2, r3}\n\t" \
  "mov lr, r2\n\t" \
  ".balign 4\n\t"  \
  "adr r2, 2f\n\t" \
  "adds r2, r2, r3\n\t" \
  "adds r2, #1\n\t" \
  "mov r10, r2\n\t" \
  "1:\n\t" \
  "ldm r1!, {r4-r7}\n\t" \
  "add r4, r11\n\t" \
  "add r5, r11\n\t" \
  "add r6, r11\n\t" \
  "add r7, r11\n\t" \
  "mov r0, r12\n\t" \
  "ldr r2, [sp, #4]\n\t" \
  "subs r1, r1, r2\n\t" \
  "bx r10\n\t" \
  ".p2align 2\n\t" \
  "2:\n\t" \
  EQ_PANEL_8_STEPS(step) \
  "adds r0, #8\n\t" \
  "adds r1, #32\n\t" \
  "cmp r0, r8\n\t" \
  "bne 2b\n\t" \
  EQ_PANEL_FINISH("r4", 0, 2, 10, 20) \
  EQ_PANEL_FINISH("r5", 4, 6, 11, 21) \
  EQ_PANEL_FINISH("r6", 8, 10, 12, 22) \
  EQ_PANEL_FINISH("r7", 12, 14, 13, 23) \
  "mov r2, lr\n\t" \
  "strb r4, [r2, #0]\n\t" \
  "strb r5, [r2, #1]\n\t" \
  "strb r6, [r2, #2]\n\t" \
  "strb r7, [r2, #3]\n\t" \
  "adds r2, #4\n\t" \
  "mov lr, r2\n\t" \
  "adds r1, #16\n\t" \
  "ldr r2, [sp, #0]\n\t" \
  "cmp r1, r2\n\t" \
  "beq 3f\n\t" \
  "b 1b\n\t" \
  EQ_PANEL_SATURATE("r4", 10, 20) \
  EQ_PANEL_SATURATE("r5", 11, 21) \
  EQ_PANEL_SATURATE("r6", 12, 22) \
  EQ_PANEL_SATURATE("r7", 13, 23) \
  "3:\n\t" \
  "add sp, #8\n\t" \
  "pop {r4-r7}\n\t" \
  "mov r8, r4\n\t" \
  "mov r9, r5\n\t" \
  "mov r10, r6\n\t" \
  "mov r11, r7\n\t" \
  "pop {r4-r7}\n\t" \
  "pop {r2}\n\t" \
  "mov lr, r2"
/* clang-format on */

EQ_NOINLINE __attribute__((unused)) static void eq_panel_block(const eq_panel_t *p, const int8_t *w) {
  register const eq_panel_t *r0 __asm__("r0") = p;
  register const int8_t *r1 __asm__("r1") = w;
  __asm__ volatile(EQ_PANEL_TEXT(EQ_PANEL_STEP) : "+l"(r0), "+l"(r1) : "m"(*p) : "r2", "r3", "r12", "cc", "memory");
}

EQ_NOINLINE __attribute__((unused)) static void eq_panel_signed_block(const eq_panel_t *p, const int8_t *w) {
  register const eq_panel_t *r0 __asm__("r0") = p;
  register const int8_t *r1 __asm__("r1") = w;
  __asm__ volatile(EQ_PANEL_TEXT(EQ_PANEL_SIGNED_STEP)
                   : "+l"(r0), "+l"(r1)
                   : "m"(*p)
                   : "r2", "r3", "r12", "cc", "memory");
}

#define EQ_PANEL_STEP_BYTES 26
#define EQ_PANEL_SIGNED_STEP_BYTES 28

EQ_INLINE void eq_panel_whole(const eq_panel_t *p, const int8_t *w, int32_t step) {
  if (step == EQ_PANEL_STEP_BYTES) {
    eq_panel_block(p, w);
  } else {
    eq_panel_signed_block(p, w);
  }
}

/* One column whose sum, as it is stored, is known; `step` says how that is. */
EQ_INLINE void eq_panel_run(int8_t *out, const void *column, uint32_t sum, const int8_t *weights, int32_t depth,
                            int32_t channels, int32_t out_zero, int32_t step) {
  const int32_t whole = channels & ~3;
  const int32_t entry = -depth & 7;
  const int8_t *const rest = weights + eq_panel_stream(whole, depth);
  eq_panel_t set = {rest,
                    4 * entry,
                    (const int8_t *)column - entry,
                    (const int8_t *)column + depth,
                    (int32_t)((uint32_t)out_zero << 16) + 0x8000,
                    (int32_t)(0u - (sum << 7)),
                    out,
                    step * entry};
  if (whole > 0) {
    eq_panel_whole(&set, weights, step);
  }
  if (channels > whole) {
    int8_t kept[4];
    set.out = kept;
    set.weights_end = rest + eq_panel_stream(4, depth);
    eq_panel_whole(&set, rest, step);
    EQ_NO_UNROLL
    for (int32_t c = whole; c < channels; ++c) {
      out[c] = kept[c - whole];
    }
  }
}

/* One pixel; the others of the family take as many as EQ_PANEL_PIXELS, `apart` bytes apart. */
EQ_INLINE void eq_panel_multiply(int8_t *out, int32_t apart, int32_t count, void *columns, const int8_t *weights,
                                 int32_t depth, int32_t channels, int32_t out_zero) {
  uint8_t *const column = (uint8_t *)columns;
  (void)apart;
  (void)count;
  for (int32_t place = depth; (place & 3) != 0; ++place) {
    column[place] = 0;
  }
  eq_panel_run(out, columns, eq_panel_sum(columns, depth), weights, depth, channels, out_zero, EQ_PANEL_STEP_BYTES);
}

/* The sum of a row, four values at a time where they lie so. */
EQ_NOINLINE __attribute__((unused)) static uint32_t eq_panel_row_sum(const int8_t *x, int32_t depth) {
  uint32_t sum = 0;
  if ((((uintptr_t)x | (uint32_t)depth) & 3) != 0) {
    EQ_NO_UNROLL
    for (int32_t i = 0; i < depth; ++i) {
      sum += (uint32_t)x[i];
    }
    return sum;
  }
  const eq_panel_word_t *words = (const eq_panel_word_t *)(const void *)x;
  EQ_NO_UNROLL
  for (int32_t left = depth >> 2; left > 0; left -= 128) {
    const eq_panel_word_t *const end = words + (left < 128 ? left : 128);
    uint32_t all = 0;
    uint32_t odd = 0;
    EQ_NO_UNROLL
    do {
      const uint32_t word = *words++ ^ 0x80808080u;
      all += word;
      odd += (word >> 8) & 0xff00ffu;
    } while (words != end);
    const uint32_t even = all - (odd << 8);
    sum += (odd & 0xffffu) + (odd >> 16) + (even & 0xffffu) + (even >> 16);
  }
  return sum - ((uint32_t)depth << 7);
}

EQ_INLINE void eq_panel_row(int8_t *out, const int8_t *x, const int8_t *weights, int32_t depth, int32_t channels,
                            int32_t out_zero) {
  eq_panel_run(out, x, eq_panel_row_sum(x, depth), weights, depth, channels, out_zero, EQ_PANEL_SIGNED_STEP_BYTES);
}

#endif
