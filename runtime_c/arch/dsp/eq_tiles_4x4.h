/*
 * Winograd's F(4x4,3x3) in integers: a tile is a window of 6x6 input pixels and its 4x4 results.
 *
 * With  B' = [4 0 -5 0 1 0; 0 -4 -4 1 1 0; 0 4 -4 -1 1 0; 0 -2 -1 2 1 0; 0 2 -1 -2 1 0; 0 4 0 -5 0 1]  and
 * G = [6 0 0; -1 -1 -1; -1 1 -1; 1 2 4; 1 -2 4; 0 0 6]  (Lavin and Gray 2016, rows scaled to integers) a result comes out
 * 9 * 2^k times itself, k = 6, 5, 4, 4 in the first row, 5, 4, 3, 3 in the second, 4, 3, 2, 2 in the others. All sums are
 * those of int32 and wrap around; multiplied by the inverse of 9 modulo 2^32, a result is 2^k times itself, exactly.
 *
 *   eq_tiles_4x4_input      V of one of four tiles from its window
 *   eq_tiles_4x4_multiply   M: see eq_tile_products.h, 36 positions
 *   eq_tiles_4x4_results    requantized results of a tile for one output channel, saturated to int8, from its part of M
 *
 * Layout   as eq_tile_products.h has it.
 * Ranges   |V| <= 12800 and |U| <= 6272 fit halfwords. A result, bias included, needs fewer than 26 bits.
 */
#ifndef EQ_TILES_4X4_H
#define EQ_TILES_4X4_H

#include <eq_requantize.h>
#include <eq_tile_products.h>
#include <eq_unroll.h>

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_4x4_multiply(int32_t *m, const void *v, const void *u,
                                                                      int32_t c) {
  EQ_TILE_OPERANDS;
  EQ_TILE_PRODUCTS(36);
}

/* B' d for a column of six halfword pairs, to out[0], out[step], ... */
EQ_INLINE void eq_tiles_4x4_line(eq_tile_t *out, int32_t step, uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3,
                                 uint32_t d4, uint32_t d5) {
  uint32_t even = eq_tiles_add(d2, d2);
  even = eq_tiles_subtract(d4, eq_tiles_add(even, even));
  uint32_t odd = eq_tiles_add(d1, d1);
  odd = eq_tiles_subtract(d3, eq_tiles_add(odd, odd));
  out[step] = eq_tiles_add(even, odd);
  out[2 * step] = eq_tiles_subtract(even, odd);
  uint32_t outer = eq_tiles_add(d0, d0);
  outer = eq_tiles_subtract(eq_tiles_add(outer, outer), d2);
  out[0] = eq_tiles_add(outer, even);
  const uint32_t near = eq_tiles_subtract(d4, d2);
  uint32_t far = eq_tiles_subtract(d3, d1);
  far = eq_tiles_add(far, far);
  out[3 * step] = eq_tiles_add(near, far);
  out[4 * step] = eq_tiles_subtract(near, far);
  far = eq_tiles_add(far, far);
  out[5 * step] = eq_tiles_subtract(eq_tiles_subtract(d5, d3), far);
}

/* V of one tile; `row` bytes from a row of its window to the next, c from a pixel to the next; `lines` has 72 words. */
EQ_NOINLINE __attribute__((unused)) static void eq_tiles_4x4_input(eq_tile_t *v, const int8_t *x, int32_t row,
                                                                   int32_t c, eq_tile_t *lines) {
  EQ_NO_UNROLL
  for (int32_t left = c; left > 0; left -= 4) {
    const int8_t *p = x;
    EQ_NO_UNROLL
    for (eq_tile_t *line = lines; line != lines + 6; ++line) {
      const int8_t *q = p + 3 * row;
      const uint32_t d0 = eq_load_word(p);
      const uint32_t d1 = eq_load_word(p + row);
      const uint32_t d2 = eq_load_word(p + 2 * row);
      const uint32_t d3 = eq_load_word(q);
      const uint32_t d4 = eq_load_word(q + row);
      const uint32_t d5 = eq_load_word(q + 2 * row);
      eq_tiles_4x4_line(line, 6, eq_even_bytes(d0), eq_even_bytes(d1), eq_even_bytes(d2), eq_even_bytes(d3),
                        eq_even_bytes(d4), eq_even_bytes(d5));
      eq_tiles_4x4_line(line + 36, 6, eq_odd_bytes(d0), eq_odd_bytes(d1), eq_odd_bytes(d2), eq_odd_bytes(d3),
                        eq_odd_bytes(d4), eq_odd_bytes(d5));
      p += c;
    }
    EQ_NO_UNROLL
    for (const eq_tile_t *line = lines; line != lines + 72; line += 6) {
      eq_tiles_4x4_line(v, 4, line[0], line[1], line[2], line[3], line[4], line[5]);
      v += 24;
    }
    x += 4;
  }
}

/* clang-format off */
/* A' m modulo 2^32 for six sums of base + at, 6 * step bytes: r6 to r9. `bias` goes to the second one, in r4. */
#define EQ_TILES_4X4_COLUMN(at, bias)        \
  "ldr r4, [r3, #" at "+192]\n\t"            \
  "ldr r5, [r3, #" at "+384]\n\t"            \
  bias                                       \
  "add r10, r4, r5\n\t"                      \
  "sub r11, r4, r5\n\t"                      \
  "ldr r4, [r3, #" at "+576]\n\t"            \
  "ldr r5, [r3, #" at "+768]\n\t"            \
  "add r12, r4, r5\n\t"                      \
  "sub lr, r4, r5\n\t"                       \
  "ldr r4, [r3, #" at "]\n\t"                \
  "ldr r5, [r3, #" at "+960]\n\t"            \
  "add r4, r4, r12\n\t"                      \
  "add r6, r4, r10, lsl #2\n\t"              \
  "add r7, lr, r11, lsl #1\n\t"              \
  "add r8, r10, r12\n\t"                     \
  "add r5, r5, r11\n\t"                      \
  "add r9, r5, lr, lsl #1\n\t"               \
  "push {r6-r9}\n\t"
#define EQ_TILES_4X4_STORE(sum, k, shift, where) \
  "mul " sum ", " sum ", lr\n\t"                \
  "asr " sum ", " sum ", #" k "\n\t"            \
  shift(sum)                                    \
  "smmlar " sum ", " sum ", r11, r12\n\t"       \
  "ssat " sum ", #8, " sum "\n\t"               \
  "strb " sum ", " where "\n\t"
/* Results of a row whose six sums lie from byte `at` of the stack down to it. */
#define EQ_TILES_4X4_ROW(at, k0, k1, k2, k3, load, shift) \
  "ldr r4, [sp, #" at "+64]\n\t"                 \
  "ldr r5, [sp, #" at "+48]\n\t"                 \
  "add r6, r4, r5\n\t"                           \
  "sub r7, r4, r5\n\t"                           \
  "ldr r4, [sp, #" at "+32]\n\t"                 \
  "ldr r5, [sp, #" at "+16]\n\t"                 \
  "add r8, r4, r5\n\t"                           \
  "sub r9, r4, r5\n\t"                           \
  "ldr r4, [sp, #" at "+80]\n\t"                 \
  "ldr r5, [sp, #" at "]\n\t"                    \
  "add r4, r4, r8\n\t"                           \
  "add r4, r4, r6, lsl #2\n\t"                   \
  "add r10, r9, r7, lsl #1\n\t"                  \
  "add r6, r6, r8\n\t"                           \
  "add r5, r5, r7\n\t"                           \
  "add r5, r5, r9, lsl #1\n\t"                   \
  load                                           \
  EQ_TILES_4X4_STORE("r4", k0, shift, "[r0]")           \
  EQ_TILES_4X4_STORE("r10", k1, shift, "[r0, r2]")      \
  EQ_TILES_4X4_STORE("r6", k2, shift, "[r0, r2, lsl #1]") \
  EQ_TILES_4X4_STORE("r5", k3, shift, "[r0, r3]")       \
  "add r0, r0, r1\n\t"
#define EQ_TILES_4X4_KEEP(sum) ""
#define EQ_TILES_4X4_SHIFT(sum) "lsl " sum ", " sum ", r7\n\t"
/*
 * On the stack, from above: registers, bias and shift, then the sums of six columns, the last one lowest. r11 multiplier,
 * r12 zero point, lr the inverse of 9.
 */
#define EQ_TILES_4X4_RESULTS(load, shift)                                        \
  __asm__ volatile(                                                              \
      "push {r4-r11, lr}\n\t"                                                    \
      "ldm r12, {r4-r7}\n\t"                                                     \
      "push {r4-r7}\n\t"                                                         \
      EQ_TILES_4X4_COLUMN("0", "")                                               \
      EQ_TILES_4X4_COLUMN("32", "ldr r12, [sp, #24]\n\t" "add r4, r4, r12\n\t")  \
      EQ_TILES_4X4_COLUMN("64", "")                                              \
      EQ_TILES_4X4_COLUMN("96", "")                                              \
      EQ_TILES_4X4_COLUMN("128", "")                                             \
      EQ_TILES_4X4_COLUMN("160", "")                                             \
      "ldrd r11, r12, [sp, #96]\n\t"                                             \
      "movw lr, #0x8e39\n\t"                                                     \
      "movt lr, #0x38e3\n\t"                                                     \
      "add r3, r2, r2, lsl #1\n\t"                                               \
      EQ_TILES_4X4_ROW("0", "6", "5", "4", "4", load, shift)                     \
      EQ_TILES_4X4_ROW("4", "5", "4", "3", "3", load, shift)                     \
      EQ_TILES_4X4_ROW("8", "4", "3", "2", "2", load, shift)                     \
      EQ_TILES_4X4_ROW("12", "4", "3", "2", "2", load, shift)                    \
      "add sp, #112\n\t"                                                         \
      "pop {r4-r11, lr}\n\t"                                                     \
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12)                        \
      :                                                                          \
      : "cc", "memory");
/* clang-format on */

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_4x4_unshifted(int8_t *out, int32_t row, int32_t pixel,
                                                                       const int32_t *m, const eq_tiles_scale_t *p) {
  EQ_TILES_FINISHED;
  EQ_TILES_4X4_RESULTS("", EQ_TILES_4X4_KEEP);
}

EQ_NOINLINE __attribute__((unused)) static void eq_tiles_4x4_shifted(int8_t *out, int32_t row, int32_t pixel,
                                                                     const int32_t *m, const eq_tiles_scale_t *p) {
  EQ_TILES_FINISHED;
  EQ_TILES_4X4_RESULTS("ldr r7, [sp, #108]\n\t", EQ_TILES_4X4_SHIFT);
}

/* `row` and `pixel` bytes between results. The scale's bias is 36 times that of the results, modulo 2^32. */
EQ_INLINE void eq_tiles_4x4_results(int8_t *out, int32_t row, int32_t pixel, const int32_t *m,
                                    const eq_tiles_scale_t *p) {
  if (p->shift == 0) {
    eq_tiles_4x4_unshifted(out, row, pixel, m, p);
  } else {
    eq_tiles_4x4_shifted(out, row, pixel, m, p);
  }
}

#endif
