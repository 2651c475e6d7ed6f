/*
 * Winograd's F(2x2,3x3) in integers: products of transformed windows and weights, for a quad of four tiles.
 *
 * A tile is a window of 4x4 input pixels and its 2x2 results; a quad is four tiles in a row, 4x10 pixels, 2x8 results.
 * With  B = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1]  and  G = [1 0 0; 1 1 1; 1 -1 1; 0 0 1]  the sixteen products of
 * V = B d B' and U = G g G', added up over channels, give results exactly: positions 1 and 2 of an axis are counted
 * twice, which sums and differences of the two halve without a rest (Lavin and Gray 2016, scaled to integers).
 *
 *   eq_tiles_input     V of a quad from its pixels
 *   eq_tiles_weights   U of a pair of output channels from its weights, 18 * c bytes
 *   eq_tiles_multiply  M: the sums of products of a quad and a pair
 *   eq_tiles_results   requantized results of a quad for one output channel, saturated to int8, from its part of M
 *
 * Layout   as eq_tile_products.h has it, with 16 positions. Weights: for each four channels [3][3][2 outputs][4 channels],
 *          int8.
 * Ranges   as there. |V| <= 512 and |U| <= 1143 fit halfwords; sums must fit int32.
 * Stack    assembly takes EQ_TILES_STACK bytes.
 */
#ifndef EQ_TILES_H
#define EQ_TILES_H

#include <eq_requantize.h>
#include <eq_tile_products.h>
#include <eq_tiles_row.h>
#include <eq_unroll.h>

#define EQ_TILES_STACK 56

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
    EQ_UNROLL_2_OF_4 /* what the next tile reads again is in its place after two */
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
      to[64] = eq_tiles_subtract(odd[0], odd[2]);
      to[4] = eq_tiles_add(even[1], even[2]);
      to[68] = eq_tiles_add(odd[1], odd[2]);
      to[8] = eq_tiles_subtract(even[2], even[1]);
      to[72] = eq_tiles_subtract(odd[2], odd[1]);
      to[12] = eq_tiles_subtract(even[1], even[3]);
      to[76] = eq_tiles_subtract(odd[1], odd[3]);
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

#if EQ_COMPACT
/* Both by one function: y with its bits turned over is -y - 1, so that differences are sums of x and that, short of 1, which
   cancels out where positions subtract two of them; where they add two, 2 is missing. `flip` has all bits set, or none. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_lines(eq_tile_t *v, const int8_t *a, const int8_t *b,
                                                               int32_t c, uint32_t flip) {
  const uint32_t missing = flip & 0x00020002u;
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; left -= 4) {
    const int8_t *p = a;
    const int8_t *q = b;
    eq_tile_t *to = v;
    uint32_t even[4] = {0, 0, 0, 0};
    uint32_t odd[4] = {0, 0, 0, 0};
    EQ_NO_UNROLL
    for (int32_t tile = -1; tile < 4; ++tile) { /* the first round has the first two columns alone */
      even[0] = even[2];
      odd[0] = odd[2];
      even[1] = even[3];
      odd[1] = odd[3];
      for (int32_t column = 2; column < 4; ++column) {
        const uint32_t x = eq_load_word(p);
        const uint32_t y = eq_load_word(q) ^ flip;
        even[column] = eq_tiles_add(eq_even_bytes(x), eq_even_bytes(y));
        odd[column] = eq_tiles_add(eq_odd_bytes(x), eq_odd_bytes(y));
        p += c;
        q += c;
      }
      if (tile >= 0) {
        to[0] = eq_tiles_subtract(even[0], even[2]);
        to[64] = eq_tiles_subtract(odd[0], odd[2]);
        to[4] = eq_tiles_add(eq_tiles_add(even[1], even[2]), missing);
        to[68] = eq_tiles_add(eq_tiles_add(odd[1], odd[2]), missing);
        to[8] = eq_tiles_subtract(even[2], even[1]);
        to[72] = eq_tiles_subtract(odd[2], odd[1]);
        to[12] = eq_tiles_subtract(even[1], even[3]);
        to[76] = eq_tiles_subtract(odd[1], odd[3]);
        ++to;
      }
    }
    v += 128;
    a += 4;
    b += 4;
  }
}

EQ_INLINE void eq_tiles_sum_of(eq_tile_t *v, const int8_t *a, const int8_t *b, int32_t c) {
  eq_tiles_lines(v, a, b, c, 0);
}

EQ_INLINE void eq_tiles_difference_of(eq_tile_t *v, const int8_t *a, const int8_t *b, int32_t c) {
  eq_tiles_lines(v, a, b, c, UINT32_MAX);
}
#else
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_sums(eq_tile_t *v, const int8_t *a, const int8_t *b,
                                                              int32_t c) {
  eq_tiles_row(v, a, b, c, 0);
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_differences(eq_tile_t *v, const int8_t *a, const int8_t *b,
                                                                     int32_t c) {
  eq_tiles_row(v, a, b, c, 1);
}

EQ_INLINE void eq_tiles_sum_of(eq_tile_t *v, const int8_t *a, const int8_t *b, int32_t c) { eq_tiles_sums(v, a, b, c); }

EQ_INLINE void eq_tiles_difference_of(eq_tile_t *v, const int8_t *a, const int8_t *b, int32_t c) {
  eq_tiles_differences(v, a, b, c);
}
#endif

/* `row` bytes from a row of the window to the next, c from a pixel to the next. */
EQ_INLINE void eq_tiles_input(void *out, const int8_t *x, int32_t row, int32_t c) {
  eq_tile_t *v = (eq_tile_t *)out;
  eq_tiles_difference_of(v, x, x + 2 * row, c);
  eq_tiles_sum_of(v + 16, x + row, x + 2 * row, c);
  eq_tiles_difference_of(v + 32, x + 2 * row, x + row, c);
  eq_tiles_difference_of(v + 48, x + row, x + 3 * row, c);
}

/* Four positions of one row from three weights. */
EQ_INLINE void eq_tiles_columns(eq_tile_t *u, uint32_t left, uint32_t middle, uint32_t right) {
  const uint32_t sum = eq_tiles_add(left, right);
  u[0] = left;
  u[2] = eq_tiles_add(sum, middle);
  u[4] = eq_tiles_subtract(sum, middle);
  u[6] = right;
}

/* Two bytes of a word as halfwords: the even ones of it turned by `turn` bits. */
EQ_INLINE uint32_t eq_tiles_pair(const int8_t *weights, int32_t turn) {
  const uint32_t word = eq_load_word(weights);
  uint32_t turned;
  __asm__("ror %0, %1, %2" : "=r"(turned) : "r"(word), "r"(turn));
  return eq_even_bytes(turned);
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_kernel(eq_tile_t *u, const int8_t *weights, int32_t turn) {
  uint32_t sum[3];
  uint32_t difference[3];
  uint32_t first[3];
  uint32_t last[3];
  EQ_UNROLL_3
  for (int32_t x = 0; x < 3; ++x) {
    first[x] = eq_tiles_pair(weights + 8 * x, turn);
    last[x] = eq_tiles_pair(weights + 8 * x + 48, turn);
  }
  eq_tiles_columns(u, first[0], first[1], first[2]);
  eq_tiles_columns(u + 24, last[0], last[1], last[2]);
  EQ_UNROLL_3
  for (int32_t x = 0; x < 3; ++x) {
    const uint32_t middle = eq_tiles_pair(weights + 8 * x + 24, turn);
    const uint32_t outer = eq_tiles_add(first[x], last[x]);
    sum[x] = eq_tiles_add(outer, middle);
    difference[x] = eq_tiles_subtract(outer, middle);
  }
  eq_tiles_columns(u + 8, sum[0], sum[1], sum[2]);
  eq_tiles_columns(u + 16, difference[0], difference[1], difference[2]);
}

EQ_INLINE void eq_tiles_weights(void *out, const int8_t *weights, int32_t c) {
  eq_tile_t *u = (eq_tile_t *)out;
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; left -= 4) {
    EQ_NO_UNROLL
    for (int32_t output = 0; output < 2; ++output) {
      eq_tiles_kernel(u + output, weights + 4 * output, 0);
      eq_tiles_kernel(u + output + 32, weights + 4 * output, 8);
    }
    u += 64;
    weights += 72;
  }
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_multiply(int32_t *m, const void *v, const void *u, int32_t c) {
  EQ_TILE_OPERANDS;
  EQ_TILE_PRODUCTS(16);
}

/* clang-format off */
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
#define EQ_TILES_RESULTS(shift)                                                   \
  __asm__ volatile(                                                               \
      "push {r4-r11, lr}\n\t"                                                     \
      "sub sp, #8\n\t"                                                            \
      "ldm r12, {r4-r7}\n\t"                                                      \
      "strd r6, r7, [sp]\n\t"                                                     \
      "1:\n\t"                                                                    \
      EQ_TILES_ROW("0", "r6", "r7", "")                                           \
      EQ_TILES_ROW("128", "r8", "r9", "ldr r12, [sp]\n\t" "add r9, r9, r12\n\t")  \
      EQ_TILES_ROW("256", "r10", "r11", "")                                       \
      "add lr, r8, r10\n\t"                                                       \
      "sub r8, r8, r10\n\t"                                                       \
      "add r6, r6, lr, asr #1\n\t"                                                \
      "add lr, r9, r11\n\t"                                                       \
      "sub r9, r9, r11\n\t"                                                       \
      "add r7, r7, lr, asr #1\n\t"                                                \
      EQ_TILES_ROW("384", "r10", "r11", "")                                       \
      "rsb r8, r10, r8, asr #1\n\t"                                               \
      "rsb r9, r11, r9, asr #1\n\t"                                               \
      shift                                                                       \
      EQ_TILES_STORE("r6", "[r0]")                                                \
      EQ_TILES_STORE("r8", "[r0, r1]")                                            \
      "add r0, r0, r2\n\t"                                                        \
      EQ_TILES_STORE("r7", "[r0]")                                                \
      EQ_TILES_STORE("r9", "[r0, r1]")                                            \
      "add r0, r0, r2\n\t"                                                        \
      "add r3, r3, #4\n\t"                                                        \
      "lsls r12, r3, #28\n\t"                                                     \
      "bne 1b\n\t"                                                                \
      "add sp, #8\n\t"                                                            \
      "pop {r4-r11, lr}\n\t"                                                      \
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12)                         \
      :                                                                           \
      : "cc", "memory");
/* clang-format on */

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_unshifted(int8_t *out, int32_t row, int32_t pixel,
                                                                   const int32_t *m, const eq_tiles_scale_t *p) {
  EQ_TILES_FINISHED;
  EQ_TILES_RESULTS("");
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_shifted(int8_t *out, int32_t row, int32_t pixel,
                                                                 const int32_t *m, const eq_tiles_scale_t *p) {
  EQ_TILES_FINISHED;
  EQ_TILES_RESULTS(EQ_TILES_SHIFT);
}

/* `row` and `pixel` bytes between results; M at an address of 16 bytes. */
EQ_INLINE void eq_tiles_results(int8_t *out, int32_t row, int32_t pixel, const int32_t *m, const eq_tiles_scale_t *p) {
  if (p->shift == 0) {
    eq_tiles_unshifted(out, row, pixel, m, p);
  } else {
    eq_tiles_shifted(out, row, pixel, m, p);
  }
}

#endif
