/*
 * 3x3 windows over one channel after the other: the core of a depthwise convolution that keeps its weights in registers.
 *   eq_lines_walk   all lines of all channels; a line runs along rows or columns, whichever the caller says
 *
 * Layout    weights: per channel 20 bytes, 4-byte aligned, w[line][column]:
 *           w00 w01 w10 w11, w02 w20 w12 w21 (int8), w22 (int16), 0 (int16), bias, multiplier (int32)
 * Ranges    at least 3 lines and 2 columns of input; at most one line, one column of padding on each side; no left shift
 *           of the accumulator; on ARMv6-M |acc * multiplier| < 2^47 - 2^40; results saturate to int8.
 * Order     channel by channel, in each line by line. Only bytes are loaded from the input.
 *
 * This file: cores without the DSP extension. eq_line_run.h has their assembly, which walks lines that have the same
 * weights; here are the channels around it, and the lines at the border of the image: there the window moves inwards by a
 * line, its weights with it, and what padding adds is in the bias. The padding beside a line adds two numbers for each
 * channel.
 */
#ifndef EQ_LINES_H
#define EQ_LINES_H

#include <eq_common.h>
#include <eq_line_run.h>

/* Addresses are of channel 0. */
typedef struct {
  uint32_t weights;
  uint32_t x;       /* column 0 of the first line of input under the first line of results; in thought, above padding */
  uint32_t side;    /* stride 1: address of a line's first result less that of its column 1; stride 2: of the result */
  int32_t channels; /* >= 1 */
  int32_t pads;     /* the value of padding in both halfwords */
  int32_t out_zero; /* of the results */
  int32_t line;     /* bytes between lines of the input */
  uint32_t column;  /* bytes between columns, times 65536 */
  int32_t top;      /* 1: a line with padding above it comes first */
  int32_t middle;   /* lines whose window is inside */
  int32_t bottom;   /* 1: a line with padding below it comes last */
  int32_t length;   /* bytes from column 0 to the first one that the loop over columns does not take */
  int32_t left, right; /* 1: padding before, behind each line */
  int32_t step;        /* x of the next line of results, less x */
  int32_t side_step;   /* side of the next line of results, less side */
  int32_t entry;       /* of other instruction sets */
  int32_t spare[3];
} eq_lines_t;

/* As with the DSP extension; here the walk finds its own. */
EQ_INLINE int32_t eq_lines_entry(int32_t inner, int32_t stride) {
  (void)stride;
  return -inner & 3;
}

typedef const int32_t __attribute__((may_alias)) eq_line_word_t;

/* `count` lines whose weights are three of `rows`. */
EQ_NOINLINE __attribute__((unused)) static void eq_lines_set(eq_line_t *p, const int32_t rows[3][3], int32_t bias,
                                                             int32_t pad, int32_t stride) {
  p->weights = rows[0];
  p->bias = bias;
  p->left = bias + pad * (rows[0][0] + rows[1][0] + rows[2][0]);
  p->right = pad * (rows[0][2] + rows[1][2] + rows[2][2]);
  if (stride == 1) {
    eq_line_run_1(p);
  } else {
    eq_line_run_2(p);
  }
}

EQ_NOINLINE __attribute__((unused)) static void eq_lines_channels(const eq_lines_t *p, int32_t stride) {
  const int8_t *w = (const int8_t *)(uintptr_t)p->weights;
  const int32_t pad = (int16_t)p->pads;
  const int32_t back = stride == 1 ? p->line : 0; /* of `side`, when x moves by a line */
  uint32_t x = p->x;
  uint32_t side = p->side;
  eq_line_t set;
  int32_t rows[5][3]; /* of zeros, the kernel, and of zeros */
  set.out_zero = p->out_zero;
  set.rounding = (int32_t)((uint32_t)p->out_zero << 16) + 0x8000;
  set.line = p->line;
  set.column = (int32_t)(p->column >> 16);
  set.length = p->length;
  set.has_left = p->left;
  set.has_right = p->right;
  set.step = p->step;
  set.side_step = p->side_step;
  set.entry = 2 - p->left; /* columns before the loop */
  for (int32_t place = 0; place < p->length; place += set.column) {
    set.entry = set.entry == 0 ? 2 : set.entry - 1;
  }
  for (int32_t i = 0; i < 3; ++i) {
    rows[0][i] = 0;
    rows[4][i] = 0;
  }
  EQ_NO_UNROLL
  for (int32_t channel = 0; channel < p->channels; ++channel) {
    const int32_t bias = ((eq_line_word_t *)(const void *)w)[3];
    set.multiplier = ((eq_line_word_t *)(const void *)w)[4];
    set.low = set.multiplier & 0xffff;
    set.high = set.multiplier >> 16;
    rows[1][0] = w[0];
    rows[1][1] = w[1];
    rows[1][2] = w[4];
    rows[2][0] = w[2];
    rows[2][1] = w[3];
    rows[2][2] = w[6];
    rows[3][0] = w[5];
    rows[3][1] = w[7];
    rows[3][2] = w[8];
    set.x = x;
    set.side = side;
    if (p->top != 0) {
      set.x += (uint32_t)p->line;
      set.side -= (uint32_t)back;
      set.count = 1;
      eq_lines_set(&set, (const int32_t(*)[3])rows + 2, bias + pad * (rows[1][0] + rows[1][1] + rows[1][2]), pad,
                   stride);
      set.x += (uint32_t)(p->step - p->line);
      set.side += (uint32_t)(p->side_step + back);
    }
    if (p->middle > 0) {
      set.count = p->middle;
      eq_lines_set(&set, (const int32_t(*)[3])rows + 1, bias, pad, stride);
      set.x += (uint32_t)(p->middle * p->step);
      set.side += (uint32_t)(p->middle * p->side_step);
    }
    if (p->bottom != 0) {
      set.x -= (uint32_t)p->line;
      set.side += (uint32_t)back;
      set.count = 1;
      eq_lines_set(&set, (const int32_t(*)[3])rows, bias + pad * (rows[3][0] + rows[3][1] + rows[3][2]), pad, stride);
    }
    w += 20;
    x += 1;
    side += stride == 1 ? 0u : 1u;
  }
}

EQ_INLINE void eq_lines_walk(const eq_lines_t *p, int32_t stride, int32_t line, int32_t column) {
  (void)line;
  (void)column;
  eq_lines_channels(p, stride);
}

#endif
