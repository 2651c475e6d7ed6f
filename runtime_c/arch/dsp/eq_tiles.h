/*
 * Winograd's F(2x2,3x3) in integers: products of transformed windows and weights, for a quad of four tiles.
 *
 * A tile is a window of 4x4 input pixels and its 2x2 results; a quad is four tiles in a row, 4x10 pixels, 2x8 results.
 * With  B = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1]  and  G = [1 0 0; 1 1 1; 1 -1 1; 0 0 1]  the sixteen products of
 * V = B d B' and U = G g G', added up over channels, give results exactly: positions 1 and 2 of an axis are counted
 * twice, which sums and differences of the two halve without a rest (Lavin and Gray 2016, scaled to integers).
 *
 *   eq_tiles_fill, _copy  bytes of a window
 *   eq_tiles_input     V of a quad from its pixels
 *   eq_tiles_weights   U of a pair of output channels from its weights, 18 * c bytes
 *   eq_tiles_multiply  M: the sums of products of a quad and a pair
 *   eq_tiles_results   requantized results of a quad for one output channel, saturated to int8, from its part of M
 *
 * Layout   V: [c/4][16 positions][2][4 tiles] words of two channels, U: [c/4][16][2][2 outputs] words, M: int32
 *          [16][2 outputs][4 tiles]. Of four channels the first words hold the first and third, the second the others.
 *          Weights: for each four channels [3][3][2 outputs][4 channels], int8.
 * Ranges   c a multiple of 4, at least 4. |V| <= 512 and |U| <= 1143 fit halfwords; sums must fit int32.
 * Cost     per position 11 instructions for 16 products, 18 for the position, 3 for a loop of 8 steps.
 * Stack    assembly takes EQ_TILES_STACK bytes.
 */
#ifndef EQ_TILES_H
#define EQ_TILES_H

#include <eq_common.h>
#include <eq_dot.h>
#include <eq_requantize.h>
#include <eq_unroll.h>

#define EQ_TILES_STACK 56

typedef uint32_t __attribute__((may_alias)) eq_tile_t;

/* `n` bytes, a multiple of 4, at 4-byte addresses. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_fill(void *out, int32_t value, int32_t n) {
  eq_tile_t *to = (eq_tile_t *)out;
  const uint32_t word = (uint32_t)(uint8_t)value * 0x01010101u;
  EQ_NO_UNROLL
  for (; n > 0; n -= 4) {
    *to++ = word;
  }
}

/* `n` bytes, a multiple of 4, from any address to a 4-byte address. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_copy(void *out, const int8_t *x, int32_t n) {
  eq_tile_t *to = (eq_tile_t *)out;
  EQ_NO_UNROLL
  for (; n >= 16; n -= 16) {
    const uint32_t a = eq_load_word(x);
    const uint32_t b = eq_load_word(x + 4);
    const uint32_t c = eq_load_word(x + 8);
    const uint32_t d = eq_load_word(x + 12);
    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
    x += 16;
    to += 4;
  }
  EQ_NO_UNROLL
  for (; n > 0; n -= 4) {
    *to++ = eq_load_word(x);
    x += 4;
  }
}

EQ_INLINE uint32_t eq_tiles_add(uint32_t a, uint32_t b) {
  uint32_t sum;
  __asm__("sadd16 %0, %1, %2" : "=r"(sum) : "r"(a), "r"(b) : "cc");
  return sum;
}

EQ_INLINE uint32_t eq_tiles_subtract(uint32_t a, uint32_t b) {
  uint32_t difference;
  __asm__("ssub16 %0, %1, %2" : "=r"(difference) : "r"(a), "r"(b) : "cc");
  return difference;
}

EQ_INLINE uint32_t eq_tiles_combine(uint32_t a, uint32_t b, int32_t minus) {
  return minus != 0 ? eq_tiles_subtract(a, b) : eq_tiles_add(a, b);
}

/* One row of positions: rows `a` and `b` of the window, added or subtracted, then the columns. */
EQ_INLINE void eq_tiles_row(eq_tile_t *v, const int8_t *a, const int8_t *b, int32_t c, int32_t minus) {
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; left -= 4) {
    const int8_t *p = a;
    const int8_t *q = b;
    uint32_t even[4];
    uint32_t odd[4];
    for (int32_t column = 0; column < 2; ++column) {
      const uint32_t x = eq_load_word(p);
      const uint32_t y = eq_load_word(q);
      even[column] = eq_tiles_combine(eq_even_bytes(x), eq_even_bytes(y), minus);
      odd[column] = eq_tiles_combine(eq_odd_bytes(x), eq_odd_bytes(y), minus);
      p += c;
      q += c;
    }
    eq_tile_t *to = v;
    EQ_UNROLL_4
    for (int32_t tile = 0; tile < 4; ++tile) {
      for (int32_t column = 2; column < 4; ++column) {
        const uint32_t x = eq_load_word(p);
        const uint32_t y = eq_load_word(q);
        even[column] = eq_tiles_combine(eq_even_bytes(x), eq_even_bytes(y), minus);
        odd[column] = eq_tiles_combine(eq_odd_bytes(x), eq_odd_bytes(y), minus);
        p += c;
        q += c;
      }
      to[0] = eq_tiles_subtract(even[0], even[2]);
      to[4] = eq_tiles_subtract(odd[0], odd[2]);
      to[8] = eq_tiles_add(even[1], even[2]);
      to[12] = eq_tiles_add(odd[1], odd[2]);
      to[16] = eq_tiles_subtract(even[2], even[1]);
      to[20] = eq_tiles_subtract(odd[2], odd[1]);
      to[24] = eq_tiles_subtract(even[1], even[3]);
      to[28] = eq_tiles_subtract(odd[1], odd[3]);
      ++to;
      even[0] = even[2];
      odd[0] = odd[2];
      even[1] = even[3];
      odd[1] = odd[3];
    }
    v += 128;
    a += 4;
    b += 4;
  }
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_sums(eq_tile_t *v, const int8_t *a, const int8_t *b,
                                                              int32_t c) {
  eq_tiles_row(v, a, b, c, 0);
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_differences(eq_tile_t *v, const int8_t *a, const int8_t *b,
                                                                     int32_t c) {
  eq_tiles_row(v, a, b, c, 1);
}

/* `row` bytes from a row of the window to the next, c from a pixel to the next. */
EQ_INLINE void eq_tiles_input(void *out, const int8_t *x, int32_t row, int32_t c) {
  eq_tile_t *v = (eq_tile_t *)out;
  eq_tiles_differences(v, x, x + 2 * row, c);
  eq_tiles_sums(v + 32, x + row, x + 2 * row, c);
  eq_tiles_differences(v + 64, x + 2 * row, x + row, c);
  eq_tiles_differences(v + 96, x + row, x + 3 * row, c);
}

/* Four positions of one row from three weights. */
EQ_INLINE void eq_tiles_columns(eq_tile_t *u, uint32_t left, uint32_t middle, uint32_t right) {
  const uint32_t sum = eq_tiles_add(left, right);
  u[0] = left;
  u[4] = eq_tiles_add(sum, middle);
  u[8] = eq_tiles_subtract(sum, middle);
  u[12] = right;
}

EQ_INLINE uint32_t eq_tiles_pair(uint32_t word, int32_t odd) {
  return odd != 0 ? eq_odd_bytes(word) : eq_even_bytes(word);
}

EQ_INLINE void eq_tiles_kernel(eq_tile_t *u, const int8_t *weights, int32_t odd) {
  uint32_t sum[3];
  uint32_t difference[3];
  uint32_t first[3];
  uint32_t last[3];
  EQ_UNROLL_3
  for (int32_t x = 0; x < 3; ++x) {
    first[x] = eq_tiles_pair(eq_load_word(weights + 8 * x), odd);
    last[x] = eq_tiles_pair(eq_load_word(weights + 8 * x + 48), odd);
  }
  eq_tiles_columns(u, first[0], first[1], first[2]);
  eq_tiles_columns(u + 48, last[0], last[1], last[2]);
  EQ_UNROLL_3
  for (int32_t x = 0; x < 3; ++x) {
    const uint32_t middle = eq_tiles_pair(eq_load_word(weights + 8 * x + 24), odd);
    const uint32_t outer = eq_tiles_add(first[x], last[x]);
    sum[x] = eq_tiles_add(outer, middle);
    difference[x] = eq_tiles_subtract(outer, middle);
  }
  eq_tiles_columns(u + 16, sum[0], sum[1], sum[2]);
  eq_tiles_columns(u + 32, difference[0], difference[1], difference[2]);
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_weights(void *out, const int8_t *weights, int32_t c) {
  eq_tile_t *u = (eq_tile_t *)out;
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; left -= 4) {
    EQ_NO_UNROLL
    for (int32_t output = 0; output < 2; ++output) {
      eq_tiles_kernel(u + output, weights + 4 * output, 0);
      eq_tiles_kernel(u + output + 2, weights + 4 * output, 1);
    }
    u += 64;
    weights += 72;
  }
}

/* clang-format off */
/* Two channels of four tiles and two outputs: r0 to r3 the first output's sums, r4 to r7 the second's; r12 V, lr U. */
#define EQ_TILES_STEP(product, sum, next_u, next_v) \
  "ldrd r8, r9, [lr], #" next_u "\n\t"           \
  "ldrd r10, r11, [r12], #8\n\t"                 \
  product " r0, r10, r8" sum("r0") "\n\t"        \
  product " r4, r10, r9" sum("r4") "\n\t"        \
  product " r1, r11, r8" sum("r1") "\n\t"        \
  product " r5, r11, r9" sum("r5") "\n\t"        \
  "ldrd r10, r11, [r12], #" next_v "\n\t"        \
  product " r2, r10, r8" sum("r2") "\n\t"        \
  product " r6, r10, r9" sum("r6") "\n\t"        \
  product " r3, r11, r8" sum("r3") "\n\t"        \
  product " r7, r11, r9" sum("r7") "\n\t"
#define EQ_TILES_ALONE(sum) ""
#define EQ_TILES_ADDED(sum) ", " sum
#define EQ_TILES_FIRST EQ_TILES_STEP("smuad", EQ_TILES_ALONE, "8", "8")
#define EQ_TILES_EVEN EQ_TILES_STEP("smlad", EQ_TILES_ADDED, "8", "8")
#define EQ_TILES_ODD EQ_TILES_STEP("smlad", EQ_TILES_ADDED, "248", "488")
#define EQ_TILES_4_STEPS EQ_TILES_EVEN EQ_TILES_ODD EQ_TILES_EVEN EQ_TILES_ODD
/* clang-format on */

/*
 * On the stack: where a position enters the loop behind its first two steps, how far U goes back to the next position,
 * the end of this one in V, M and its end; then registers.
 */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_multiply(int32_t *m, const void *v, const void *u, int32_t c) {
  register int32_t *r0 __asm__("r0") = m;
  register const void *r1 __asm__("r1") = v;
  register const void *r2 __asm__("r2") = u;
  register int32_t r3 __asm__("r3") = c;
  /* clang-format off */
  __asm__ volatile(
      ".balign 4\n\t" /* adr counts from a multiple of 4, and -Os aligns functions to 2 */
      "push {r4-r11, lr}\n\t"
      "sub sp, #20\n\t"
      "mov r12, r1\n\t"
      "mov lr, r2\n\t"
      "lsr r4, r3, #1\n\t"          /* c / 2 steps; 1 to 8 of 44 bytes are left out of the first round of 8 */
      "rsb r4, r4, #1\n\t"
      "and r4, r4, #7\n\t"
      "add r4, r4, #1\n\t"
      "mov r5, #44\n\t"
      "adr.w r6, 2f\n\t"
      "mla r4, r4, r5, r6\n\t"
      "add r4, r4, #1\n\t"
      "lsl r5, r3, #6\n\t"
      "sub r5, r5, #16\n\t"
      "strd r4, r5, [sp, #0]\n\t"
      "add r6, r12, r3, lsl #7\n\t"
      "str r6, [sp, #8]\n\t"
      "add r4, r0, #512\n\t"
      "strd r0, r4, [sp, #12]\n\t"
      "1:\n\t"
      EQ_TILES_FIRST EQ_TILES_ODD
      "ldr r8, [sp, #0]\n\t"
      "bx r8\n\t"
      "2:\n\t"
      EQ_TILES_4_STEPS EQ_TILES_4_STEPS
      "ldr r8, [sp, #8]\n\t"
      "cmp r12, r8\n\t"
      "bne 2b\n\t"
      "ldr r9, [sp, #4]\n\t"
      "add r8, r12, #32\n\t"
      "str r8, [sp, #8]\n\t"
      "sub lr, lr, r9\n\t"
      "sub r12, r12, r9, lsl #1\n\t"
      "ldrd r8, r9, [sp, #12]\n\t"
      "stm r8!, {r0-r7}\n\t"
      "str r8, [sp, #12]\n\t"
      "cmp r8, r9\n\t"
      "bne 1b\n\t"
      "add sp, #20\n\t"
      "pop {r4-r11, lr}\n\t"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r12", "cc", "memory");
  /* clang-format on */
}

typedef struct {
  int32_t multiplier;
  int32_t out_zero;
  int32_t bias; /* four times that of the results */
  int32_t shift;
} eq_tiles_scale_t;

/* clang-format off */
/* Left and right sum of the four positions of a row of M, at byte `at`: two columns of a tile. */
#define EQ_TILES_ROW(at, left, right, bias)              \
  "ldr " right ", [r3, #" at "+32]\n\t"                 \
  bias                                                   \
  "ldr r12, [r3, #" at "+64]\n\t"                       \
  "add " left ", " right ", r12\n\t"                    \
  "sub " right ", " right ", r12\n\t"                   \
  "ldr r12, [r3, #" at "]\n\t"                          \
  "add " left ", r12, " left ", asr #1\n\t"             \
  "ldr r12, [r3, #" at "+96]\n\t"                       \
  "rsb " right ", r12, " right ", asr #1\n\t"
#define EQ_TILES_STORE(sum, where) \
  "smmlar " sum ", " sum ", r4, r5\n\t" \
  "ssat " sum ", #8, " sum "\n\t" \
  "strb " sum ", " where "\n\t"
#define EQ_TILES_SHIFT     \
  "ldr r12, [sp, #4]\n\t" \
  "lsl r6, r6, r12\n\t"   \
  "lsl r7, r7, r12\n\t"   \
  "lsl r8, r8, r12\n\t"   \
  "lsl r9, r9, r12\n\t"
/*
 * r4 multiplier, r5 zero point, bias and shift on the stack. Rows of M are r6 and r7, r8 and r9, r10 and r11; the third
 * row goes into the upper results and the lower ones, then the fourth takes its registers. A column of four tiles ends
 * where M is aligned again.
 */
#define EQ_TILES_RESULTS(name, shift)                                                                   \
  EQ_NOINLINE __attribute__((unused)) static void name(int8_t *out, int32_t row, int32_t pixel,         \
                                                       const int32_t *m, const eq_tiles_scale_t *p) {   \
    register int8_t *r0 __asm__("r0") = out;                                                            \
    register int32_t r1 __asm__("r1") = row;                                                            \
    register int32_t r2 __asm__("r2") = pixel;                                                          \
    register const int32_t *r3 __asm__("r3") = m;                                                       \
    register const eq_tiles_scale_t *r12 __asm__("r12") = p;                                            \
    __asm__ volatile(                                                                                   \
        "push {r4-r11, lr}\n\t"                                                                         \
        "sub sp, #8\n\t"                                                                                \
        "ldm r12, {r4-r7}\n\t"                                                                          \
        "strd r6, r7, [sp]\n\t"                                                                         \
        "1:\n\t"                                                                                        \
        EQ_TILES_ROW("0", "r6", "r7", "")                                                               \
        EQ_TILES_ROW("128", "r8", "r9", "ldr r12, [sp]\n\t" "add r9, r9, r12\n\t")                      \
        EQ_TILES_ROW("256", "r10", "r11", "")                                                           \
        "add lr, r8, r10\n\t"                                                                           \
        "sub r8, r8, r10\n\t"                                                                           \
        "add r6, r6, lr, asr #1\n\t"                                                                    \
        "add lr, r9, r11\n\t"                                                                           \
        "sub r9, r9, r11\n\t"                                                                           \
        "add r7, r7, lr, asr #1\n\t"                                                                    \
        EQ_TILES_ROW("384", "r10", "r11", "")                                                           \
        "rsb r8, r10, r8, asr #1\n\t"                                                                   \
        "rsb r9, r11, r9, asr #1\n\t"                                                                   \
        shift                                                                                           \
        EQ_TILES_STORE("r6", "[r0]")                                                                    \
        EQ_TILES_STORE("r8", "[r0, r1]")                                                                \
        "add r0, r0, r2\n\t"                                                                            \
        EQ_TILES_STORE("r7", "[r0]")                                                                    \
        EQ_TILES_STORE("r9", "[r0, r1]")                                                                \
        "add r0, r0, r2\n\t"                                                                            \
        "add r3, r3, #4\n\t"                                                                            \
        "lsls r12, r3, #28\n\t"                                                                         \
        "bne 1b\n\t"                                                                                    \
        "add sp, #8\n\t"                                                                                \
        "pop {r4-r11, lr}\n\t"                                                                          \
        : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12)                                             \
        :                                                                                               \
        : "cc", "memory");                                                                              \
  }
EQ_TILES_RESULTS(eq_tiles_unshifted, "")
EQ_TILES_RESULTS(eq_tiles_shifted, EQ_TILES_SHIFT)
/* clang-format on */

/* `row` and `pixel` bytes between results; M at an address of 16 bytes. */
EQ_INLINE void eq_tiles_results(int8_t *out, int32_t row, int32_t pixel, const int32_t *m, const eq_tiles_scale_t *p) {
  if (p->shift == 0) {
    eq_tiles_unshifted(out, row, pixel, m, p);
  } else {
    eq_tiles_shifted(out, row, pixel, m, p);
  }
}

#endif
