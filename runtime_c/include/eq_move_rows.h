/*
 * eq_move_rows: rows of a strip move down, to the place of rows that nobody reads any more.
 *
 * Layout    to <= from, both and bytes multiples of 4. The two may overlap: words are copied from the lowest up.
 */
#ifndef EQ_MOVE_ROWS_H
#define EQ_MOVE_ROWS_H

#include "eq_common.h"

typedef uint32_t __attribute__((may_alias)) eq_row_word_t;

EQ_NOINLINE __attribute__((unused)) static void eq_move_rows(uint8_t *to, const uint8_t *from, int32_t bytes) {
  eq_row_word_t *out = (eq_row_word_t *)(void *)to;
  const eq_row_word_t *x = (const eq_row_word_t *)(const void *)from;
  int32_t left = bytes >> 2;
  EQ_NO_UNROLL
  for (; left >= 4; left -= 4) {
    const uint32_t a = x[0];
    const uint32_t b = x[1];
    const uint32_t c = x[2];
    const uint32_t d = x[3];
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
    x += 4;
    out += 4;
  }
  EQ_NO_UNROLL
  for (; left > 0; --left) {
    *out++ = *x++;
  }
}

#endif
