/*
 * Sums of products of transformed windows and weights, at every position of four tiles for two output channels.
 *
 *   EQ_TILE_PRODUCTS(positions)        the body of a function of r0 M, r1 V, r2 U, r3 c: EQ_TILE_OPERANDS
 *   eq_tiles_add, eq_tiles_subtract    two halfwords
 *
 * Layout   V: [c/2][positions][4 tiles] words of two channels, U: [c/2][positions][2 outputs] words, M: int32
 *          [positions][2 outputs][4 tiles]. Word 2g of a position holds channels 4g and 4g + 2, word 2g + 1 channels
 *          4g + 1 and 4g + 3.
 * Ranges   c a multiple of 4, at least 4; positions at most 64. Sums are those of int32, and wrap around.
 * Cost     per position 11 instructions for 16 products, 15 for the position, 3 for a loop of 8 steps.
 * Stack    assembly takes EQ_TILE_PRODUCTS_STACK bytes.
 */
#ifndef EQ_TILE_PRODUCTS_H
#define EQ_TILE_PRODUCTS_H

#include <eq_common.h>
#include <eq_tile_scale.h>
#include <eq_dot.h>

#define EQ_TILE_PRODUCTS_STACK 56

typedef uint32_t __attribute__((may_alias)) eq_tile_t;

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

/* clang-format off */
/* Two channels: r0 to r3 the first output's sums of four tiles, r4 to r7 the second's; r12 V, lr U. 44 bytes. */
#define EQ_TILE_STEP(product, sum, positions)          \
  "ldrd r8, r9, [lr], #8*" #positions "\n\t"           \
  "ldrd r10, r11, [r12], #8\n\t"                       \
  product " r0, r10, r8" sum("r0") "\n\t"              \
  product " r4, r10, r9" sum("r4") "\n\t"              \
  product " r1, r11, r8" sum("r1") "\n\t"              \
  product " r5, r11, r9" sum("r5") "\n\t"              \
  "ldrd r10, r11, [r12], #16*" #positions "-8\n\t"     \
  product " r2, r10, r8" sum("r2") "\n\t"              \
  product " r6, r10, r9" sum("r6") "\n\t"              \
  product " r3, r11, r8" sum("r3") "\n\t"              \
  product " r7, r11, r9" sum("r7") "\n\t"
#define EQ_TILE_ALONE(sum) ""
#define EQ_TILE_ADDED(sum) ", " sum
#define EQ_TILE_2_STEPS(positions) \
  EQ_TILE_STEP("smlad", EQ_TILE_ADDED, positions) EQ_TILE_STEP("smlad", EQ_TILE_ADDED, positions)
#define EQ_TILE_4_STEPS(positions) EQ_TILE_2_STEPS(positions) EQ_TILE_2_STEPS(positions)

/*
 * On the stack: where a position enters the loop behind its first two steps, how far U goes back to the next position,
 * the end of this one in V, M and its end; then registers. 1 to 8 steps are left out of the first round of the loop.
 * Aligned, since adr counts from a multiple of 4, and -Os aligns functions to 2.
 */
#define EQ_TILE_OPERANDS                       \
  register int32_t *r0 __asm__("r0") = m;      \
  register const void *r1 __asm__("r1") = v;   \
  register const void *r2 __asm__("r2") = u;   \
  register int32_t r3 __asm__("r3") = c
/* With EQ_COMPACT sums begin with 0, and the loop has two steps. */
#if EQ_COMPACT
#define EQ_TILE_ENTRY(positions)
#define EQ_TILE_SUMS(positions)                            \
      "movs r0, #0\n\t"                                    \
      "movs r1, #0\n\t"                                    \
      "movs r2, #0\n\t"                                    \
      "movs r3, #0\n\t"                                    \
      "movs r4, #0\n\t"                                    \
      "movs r5, #0\n\t"                                    \
      "movs r6, #0\n\t"                                    \
      "movs r7, #0\n\t"                                    \
      "2:\n\t"                                             \
      EQ_TILE_2_STEPS(positions)
#else
#define EQ_TILE_ENTRY(positions)                           \
      "rsb r4, r7, #1\n\t"                                 \
      "and r4, r4, #7\n\t"                                 \
      "add r4, r4, #1\n\t"                                 \
      "mov r5, #44\n\t"                                    \
      ".balign 4\n\t"                                      \
      "adr.w r6, 2f\n\t"                                   \
      "mla r4, r4, r5, r6\n\t"                             \
      "add r4, r4, #1\n\t"
#define EQ_TILE_SUMS(positions)                            \
      EQ_TILE_STEP("smuad", EQ_TILE_ALONE, positions)      \
      EQ_TILE_STEP("smlad", EQ_TILE_ADDED, positions)      \
      "ldr r8, [sp, #0]\n\t"                               \
      "bx r8\n\t"                                          \
      "2:\n\t"                                             \
      EQ_TILE_4_STEPS(positions) EQ_TILE_4_STEPS(positions)
#endif
#define EQ_TILE_PRODUCTS(positions)                        \
  __asm__ volatile(                                        \
      ".balign 4\n\t"                                      \
      "push {r4-r11, lr}\n\t"                              \
      "sub sp, #20\n\t"                                    \
      "mov r12, r1\n\t"                                    \
      "mov lr, r2\n\t"                                     \
      "lsr r7, r3, #1\n\t"                                 \
      EQ_TILE_ENTRY(positions)                             \
      "mov r5, #8*" #positions "\n\t"                      \
      "mul r5, r7, r5\n\t"                                 \
      "add r6, r12, r5, lsl #1\n\t"                        \
      "sub r5, r5, #8\n\t"                                 \
      "strd r4, r5, [sp, #0]\n\t"                          \
      "str r6, [sp, #8]\n\t"                               \
      "add r4, r0, #32*" #positions "\n\t"                 \
      "strd r0, r4, [sp, #12]\n\t"                         \
      "1:\n\t"                                             \
      EQ_TILE_SUMS(positions)                              \
      "ldr r8, [sp, #8]\n\t"                               \
      "cmp r12, r8\n\t"                                    \
      "bne 2b\n\t"                                         \
      "ldr r9, [sp, #4]\n\t"                               \
      "add r8, r12, #16\n\t"                               \
      "str r8, [sp, #8]\n\t"                               \
      "sub lr, lr, r9\n\t"                                 \
      "sub r12, r12, r9, lsl #1\n\t"                       \
      "ldrd r8, r9, [sp, #12]\n\t"                         \
      "stm r8!, {r0-r7}\n\t"                               \
      "str r8, [sp, #12]\n\t"                              \
      "cmp r8, r9\n\t"                                     \
      "bne 1b\n\t"                                         \
      "add sp, #20\n\t"                                    \
      "pop {r4-r11, lr}\n\t"                               \
      : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)             \
      :                                                    \
      : "r12", "cc", "memory");
/* clang-format on */

/* Of functions that requantize: r0 results, r1 bytes to the next row, r2 to the next pixel, r3 M, r12 scale. */
#define EQ_TILES_FINISHED                       \
  register int8_t *r0 __asm__("r0") = out;      \
  register int32_t r1 __asm__("r1") = row;      \
  register int32_t r2 __asm__("r2") = pixel;    \
  register const int32_t *r3 __asm__("r3") = m; \
  register const eq_tiles_scale_t *r12 __asm__("r12") = p

#endif
