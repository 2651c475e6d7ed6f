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
 * Layout   V: [16 positions][c/2][4 tiles] words of two channels, U: [16][c/2][2 outputs] words, M: int32 [16][2][4].
 *          Word 2g of a position holds channels 4g and 4g + 2, word 2g + 1 channels 4g + 1 and 4g + 3.
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
      to[2 * c] = eq_tiles_add(even[1], even[2]);
      to[2 * c + 4] = eq_tiles_add(odd[1], odd[2]);
      to[4 * c] = eq_tiles_subtract(even[2], even[1]);
      to[4 * c + 4] = eq_tiles_subtract(odd[2], odd[1]);
      to[6 * c] = eq_tiles_subtract(even[1], even[3]);
      to[6 * c + 4] = eq_tiles_subtract(odd[1], odd[3]);
      ++to;
      even[0] = even[2];
      odd[0] = odd[2];
      even[1] = even[3];
      odd[1] = odd[3];
    }
    v += 8;
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
  eq_tiles_sums(v + 8 * c, x + row, x + 2 * row, c);
  eq_tiles_differences(v + 16 * c, x + 2 * row, x + row, c);
  eq_tiles_differences(v + 24 * c, x + row, x + 3 * row, c);
}

/* Four positions of one row from three weights. */
EQ_INLINE void eq_tiles_columns(eq_tile_t *u, int32_t c, uint32_t left, uint32_t middle, uint32_t right) {
  const uint32_t sum = eq_tiles_add(left, right);
  u[0] = left;
  u[c] = eq_tiles_add(sum, middle);
  u[2 * c] = eq_tiles_subtract(sum, middle);
  u[3 * c] = right;
}

EQ_INLINE void eq_tiles_kernel(eq_tile_t *u, int32_t c, const uint32_t w[9], int32_t odd) {
  uint32_t g[9];
  EQ_UNROLL_9
  for (int32_t tap = 0; tap < 9; ++tap) {
    g[tap] = odd != 0 ? eq_odd_bytes(w[tap]) : eq_even_bytes(w[tap]);
  }
  eq_tiles_columns(u, c, g[0], g[1], g[2]);
  eq_tiles_columns(u + 12 * c, c, g[6], g[7], g[8]);
  const uint32_t a = eq_tiles_add(g[0], g[6]);
  const uint32_t b = eq_tiles_add(g[1], g[7]);
  const uint32_t d = eq_tiles_add(g[2], g[8]);
  eq_tiles_columns(u + 4 * c, c, eq_tiles_add(a, g[3]), eq_tiles_add(b, g[4]), eq_tiles_add(d, g[5]));
  eq_tiles_columns(u + 8 * c, c, eq_tiles_subtract(a, g[3]), eq_tiles_subtract(b, g[4]), eq_tiles_subtract(d, g[5]));
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_weights(void *out, const int8_t *weights, int32_t c) {
  eq_tile_t *u = (eq_tile_t *)out;
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; left -= 4) {
    EQ_NO_UNROLL
    for (int32_t output = 0; output < 2; ++output) {
      uint32_t w[9];
      EQ_UNROLL_9
      for (int32_t tap = 0; tap < 9; ++tap) {
        w[tap] = eq_load_word(weights + 8 * tap + 4 * output);
      }
      eq_tiles_kernel(u + output, c, w, 0);
      eq_tiles_kernel(u + output + 2, c, w, 1);
    }
    u += 4;
    weights += 72;
  }
}

/* clang-format off */
/* r0 to r3 the first output's sums of four tiles, r4 to r7 the second's; r12 V, lr U. 44 bytes. */
#define EQ_TILES_STEP              \
  "ldrd r8, r9, [lr], #8\n\t"      \
  "ldrd r10, r11, [r12], #8\n\t"   \
  "smlad r0, r10, r8, r0\n\t"      \
  "smlad r4, r10, r9, r4\n\t"      \
  "smlad r1, r11, r8, r1\n\t"      \
  "smlad r5, r11, r9, r5\n\t"      \
  "ldrd r10, r11, [r12], #8\n\t"   \
  "smlad r2, r10, r8, r2\n\t"      \
  "smlad r6, r10, r9, r6\n\t"      \
  "smlad r3, r11, r8, r3\n\t"      \
  "smlad r7, r11, r9, r7\n\t"
#define EQ_TILES_4_STEPS EQ_TILES_STEP EQ_TILES_STEP EQ_TILES_STEP EQ_TILES_STEP
/* clang-format on */

/* On the stack: where a position enters the loop, its bytes in V, its end there, M, the end of V; then registers. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_multiply(int32_t *m, const void *v, const void *u, int32_t c) {
  register int32_t *r0 __asm__("r0") = m;
  register const void *r1 __asm__("r1") = v;
  register const void *r2 __asm__("r2") = u;
  register int32_t r3 __asm__("r3") = c;
  /* clang-format off */
  __asm__ volatile(
      "push {r4-r11, lr}\n\t"
      "sub sp, #20\n\t"
      "mov r12, r1\n\t"
      "mov lr, r2\n\t"
      "lsl r5, r3, #3\n\t"           /* c / 2 steps of 16 bytes */
      "add r6, r12, r3, lsl #7\n\t"  /* 16 positions */
      "lsr r4, r3, #1\n\t"
      "rsb r4, r4, #0\n\t"
      "and r4, r4, #7\n\t"           /* steps that the first round leaves out, of 44 bytes */
      "mov r3, #44\n\t"
      "adr.w r7, 2f\n\t"
      "mla r4, r4, r3, r7\n\t"
      "add r4, #1\n\t"
      "strd r4, r5, [sp, #0]\n\t"
      "strd r0, r6, [sp, #12]\n\t"
      "1:\n\t"
      "ldrd r8, r9, [sp, #0]\n\t"
      "add r9, r12\n\t"
      "str r9, [sp, #8]\n\t"
      "mov r0, #0\n\t"
      "mov r1, #0\n\t"
      "mov r2, #0\n\t"
      "mov r3, #0\n\t"
      "mov r4, #0\n\t"
      "mov r5, #0\n\t"
      "mov r6, #0\n\t"
      "mov r7, #0\n\t"
      "bx r8\n\t"
      "2:\n\t"
      EQ_TILES_4_STEPS EQ_TILES_4_STEPS
      "ldr r8, [sp, #8]\n\t"
      "cmp r12, r8\n\t"
      "bne 2b\n\t"
      "ldrd r8, r9, [sp, #12]\n\t"
      "stm r8!, {r0-r7}\n\t"
      "str r8, [sp, #12]\n\t"
      "cmp r12, r9\n\t"
      "bne 1b\n\t"
      "add sp, #20\n\t"
      "pop {r4-r11, lr}\n\t"
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
      :
      : "r12", "cc", "memory");
  /* clang-format on */
}

typedef struct {
  int32_t bias; /* four times that of the results */
  int32_t multiplier;
  int32_t shift;
  int32_t out_zero;
} eq_tiles_scale_t;

/* Two results of a column of tiles, one above the other, from four sums. */
EQ_INLINE void eq_tiles_column(int8_t *out, int32_t row, int32_t t0, int32_t t1, int32_t t2, int32_t t3,
                               const eq_tiles_scale_t *p) {
  const int32_t above = t0 + ((t1 + t2) >> 1);
  const int32_t below = ((t1 - t2) >> 1) - t3;
  out[0] = (int8_t)eq_saturate_s8(eq_requantize(above, p->multiplier, p->shift, p->out_zero));
  out[row] = (int8_t)eq_saturate_s8(eq_requantize(below, p->multiplier, p->shift, p->out_zero));
}

/* `row` and `pixel` bytes between results. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_results(int8_t *out, int32_t row, int32_t pixel,
                                                                 const int32_t *m, const eq_tiles_scale_t *p) {
  const eq_tiles_scale_t scale = *p;
  EQ_NO_UNROLL
  for (const int32_t *const end = m + 4; m != end; ++m) {
    int32_t left[4];
    int32_t right[4];
    EQ_UNROLL_4
    for (int32_t line = 0; line < 4; ++line) {
      const int32_t middle = m[32 * line + 8] + (line == 1 ? scale.bias : 0);
      const int32_t other = m[32 * line + 16];
      left[line] = m[32 * line] + ((middle + other) >> 1);
      right[line] = ((middle - other) >> 1) - m[32 * line + 24];
    }
    eq_tiles_column(out, row, left[0], left[1], left[2], left[3], &scale);
    eq_tiles_column(out + pixel, row, right[0], right[1], right[2], right[3], &scale);
    out += 2 * pixel;
  }
}

#endif
