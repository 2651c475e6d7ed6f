/*
 * The text of assembly that ARMv7-M and the DSP extension share in eq_tiles_results: see eq_tiles.h.
 *
 * Left and right sum of the four positions of a row of M, at byte `at` of r3: two columns of a tile. `bias` is text between
 * the first two positions. Takes r12.
 */
#ifndef EQ_TILES_ROW_H
#define EQ_TILES_ROW_H

/* clang-format off */
#define EQ_TILES_ROW(at, left, right, bias)  \
  "ldr " right ", [r3, #" at "+32]\n\t"      \
  bias                                       \
  "ldr r12, [r3, #" at "+64]\n\t"            \
  "add " left ", " right ", r12\n\t"         \
  "sub " right ", " right ", r12\n\t"        \
  "ldr r12, [r3, #" at "]\n\t"               \
  "add " left ", r12, " left ", asr #1\n\t"  \
  "ldr r12, [r3, #" at "+96]\n\t"            \
  "rsb " right ", r12, " right ", asr #1\n\t"
/* clang-format on */

#endif
