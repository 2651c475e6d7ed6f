/*
 * Windows of rows of few values, widened for eq_triple.h: the gather of a first layer, of images with few channels.
 *   eq_small_rows_window   a window into column `pixel`
 *
 * A column holds the whole words of all rows, then what is left of all rows, one to three values of each, in turn: so a
 * row is moved four values at a time although its length is no multiple of four. Neither n nor the number of rows is
 * limited, but each value that is left costs as much as half a word.
 */
#ifndef EQ_SMALL_ROWS_H
#define EQ_SMALL_ROWS_H

#include <eq_common.h>
#include <eq_triple.h>
#include <eq_unroll.h>
#include <eq_window.h>

typedef struct {
  const int8_t *x;       /* [in_h][in_w][in_c] */
  int8_t *cut;           /* room for a row of a window, 4-byte aligned */
  const int8_t *outside; /* a row of padding */
  int32_t in_h;
  int32_t in_w;
  int32_t in_c;
  int32_t kernel_h;
  int32_t kernel_w;
  int32_t dilation_h;
  int32_t pad_value;
} eq_small_rows_t;

/* Row `ky` of a column whose whole rows have `words` words, from n bytes. */
EQ_INLINE void eq_small_rows_row(eq_pair_t *column, const int8_t *src, int32_t ky, int32_t n, int32_t kernel_h) {
  const int32_t words = n >> 2;
  const int32_t rest = n & 3;
  eq_pair_t *to = column + ky * words * 6;
  for (int32_t word = 0; word < words; ++word) {
    eq_triple_word(to, eq_load_word(src));
    src += 4;
    to += 6;
  }
  eq_half_t *const left = (eq_half_t *)(column + kernel_h * words * 6);
  for (int32_t i = 0; i < rest; ++i) {
    eq_triple_put(left, ky * rest + i, src[i]);
  }
}

/* The window whose first row is y0, whose first column x0; both may be negative. */
EQ_INLINE void eq_small_rows_window(void *columns, int32_t pixel, int32_t y0, int32_t x0, const eq_small_rows_t *p) {
  eq_pair_t *const column = (eq_pair_t *)columns + 2 * pixel;
  const int32_t n = p->kernel_w * p->in_c;
  const int32_t row = p->in_w * p->in_c;
  int32_t offset = (y0 * p->in_w + x0) * p->in_c;
  const int32_t is_whole = x0 >= 0 && x0 + p->kernel_w <= p->in_w;
  if (is_whole && y0 >= 0 && y0 + (p->kernel_h - 1) * p->dilation_h < p->in_h) {
    if (EQ_KNOWN(p->kernel_h, 3)) {
      EQ_UNROLL_3
      for (int32_t ky = 0; ky < 3; ++ky) {
        eq_small_rows_row(column, p->x + offset + ky * p->dilation_h * row, ky, n, p->kernel_h);
      }
    } else {
      EQ_NO_UNROLL
      for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
        eq_small_rows_row(column, p->x + offset, ky, n, p->kernel_h);
        offset += p->dilation_h * row;
      }
    }
    return;
  }
  const eq_range_t inside = eq_clip_window(x0, p->kernel_w, p->in_w);
  const int32_t skipped = (inside.first - x0) * p->in_c;
  const int32_t length = inside.length * p->in_c;
  if (!is_whole) {
    EQ_NO_UNROLL
    for (int32_t i = 0; i < n; ++i) {
      p->cut[i] = (int8_t)p->pad_value;
    }
  }
  int32_t iy = y0;
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    const int8_t *from = p->outside;
    if (iy >= 0 && iy < p->in_h && is_whole) {
      from = p->x + offset;
    } else if (iy >= 0 && iy < p->in_h) {
      EQ_NO_UNROLL
      for (int32_t i = skipped; i < skipped + length; ++i) {
        p->cut[i] = p->x[offset + i];
      }
      from = p->cut;
    }
    eq_small_rows_row(column, from, ky, n, p->kernel_h);
    iy += p->dilation_h;
    offset += p->dilation_h * row;
  }
}

#endif
