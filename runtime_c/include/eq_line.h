/*
 * What a walk over lines of a depthwise 3x3 convolution takes: see eq_lines.h and eq_line_run.h.
 */
#ifndef EQ_LINE_H
#define EQ_LINE_H

#include <eq_common.h>

/* Lines with the same weights, in the order in which the assembly knows it. */
typedef struct {
  const int32_t *weights; /* [line][column] */
  uint32_t x;
  uint32_t side;
  int32_t count; /* of lines, >= 1 */
  int32_t bias;
  int32_t left;  /* bias and what padding before a line adds to it */
  int32_t right; /* what padding behind a line adds */
  int32_t multiplier;
  int32_t low, high; /* its halfwords */
  int32_t out_zero;
  int32_t rounding; /* out_zero * 2^16 + 2^15 */
  int32_t line;
  int32_t column;
  int32_t length;
  int32_t has_left, has_right;
  int32_t step;
  int32_t side_step;
  int32_t entry; /* results of the loop over columns, modulo 3, subtracted from 3; 0 for 0 */
  uint32_t end;
} eq_line_t;

#endif
