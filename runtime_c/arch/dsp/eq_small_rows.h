/*
 * Windows of rows of few values, widened: the gather of a first layer, of images with few channels.
 *   eq_small_rows_window   a window into column `pixel` of those of eq_triple.h or eq_wide.h
 *   eq_small_rows_pair     the windows of two neighbouring pixels, neither of which touches padding, into columns of eq_wide.h
 *
 * A column holds the whole words of all rows, then what is left of all rows, one to three values of each, in turn: so a
 * row is moved four values at a time although its length is no multiple of four. Neither that nor the number of rows is
 * limited, but each value that is left costs as much as half a word.
 */
#ifndef EQ_SMALL_ROWS_H
#define EQ_SMALL_ROWS_H

#include <eq_common.h>
#include <eq_dot.h>
#include <eq_unroll.h>
#include <eq_wide.h>
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
  int32_t apart; /* words between neighbouring columns */
  int32_t group; /* words between groups of four places */
  int32_t odd;   /* words from places 0 and 2 of a group to places 1 and 3 */
} eq_small_rows_t;

/* Row `ky` of a column, from kernel_w*in_c bytes. */
EQ_INLINE void eq_small_rows_row(eq_pair_t *column, const int8_t *src, int32_t ky, const eq_small_rows_t *p) {
  const int32_t n = p->kernel_w * p->in_c;
  const int32_t words = n >> 2;
  const int32_t rest = n & 3;
  eq_pair_t *to = column + ky * words * p->group;
  for (int32_t word = 0; word < words; ++word) {
    const uint32_t four = eq_load_word(src);
    uint32_t even;
    uint32_t odd;
    /* One statement, so that stores that lie side by side become one. */
    __asm__("sxtb16 %0, %2\n\tsxtb16 %1, %2, ror #8" : "=&r"(even), "=r"(odd) : "r"(four));
    to[0] = even;
    to[p->odd] = odd;
    src += 4;
    to += p->group;
  }
  for (int32_t i = 0; i < rest; ++i) {
    const int32_t at = ky * rest + i;
    eq_pair_t *const pair = column + (p->kernel_h * words + (at >> 2)) * p->group + (at & 1) * p->odd;
    ((int16_t __attribute__((may_alias)) *)pair)[(at >> 1) & 1] = src[i];
  }
}

typedef int16_t __attribute__((may_alias)) eq_wide_half_t;

/* Row `ky` of two windows, `apart` bytes from each other; returns where the words of the next one go. */
EQ_INLINE eq_pair_t *eq_small_rows_both(eq_pair_t *to, eq_wide_half_t *halves, const int8_t *src, int32_t apart,
                                        int32_t ky, const eq_small_rows_t *p) {
  const int32_t words = (p->kernel_w * p->in_c) >> 2;
  const int32_t rest = (p->kernel_w * p->in_c) & 3;
  for (int32_t word = 0; word < words; ++word) {
    to = eq_wide_words(to, eq_load_word(src), eq_load_word(src + apart));
    src += 4;
  }
  for (int32_t i = 0; i < rest; ++i) {
    const int32_t at = ky * rest + i;
    const int32_t half = (at >> 2) * 8 + (at & 1) * 4 + ((at >> 1) & 1);
    halves[half] = src[i];
    halves[half + 2] = src[apart + i];
  }
  return to;
}

/* The first window begins at `src`. The compiler must not know how addresses hang together: it would compute each from
   the first. */
EQ_INLINE void eq_small_rows_pair(void *columns, const int8_t *src, int32_t apart, const eq_small_rows_t *p) {
  const int32_t row = p->dilation_h * p->in_w * p->in_c;
  eq_pair_t *to = (eq_pair_t *)columns;
  eq_wide_half_t *halves = (eq_wide_half_t *)(to + 4 * p->kernel_h * ((p->kernel_w * p->in_c) >> 2));
  __asm__("" : "+r"(halves));
  if (EQ_KNOWN(p->kernel_h, 3) && __builtin_constant_p(p->kernel_w * p->in_c)) {
    EQ_UNROLL_3
    for (int32_t ky = 0; ky < 3; ++ky) {
      to = eq_small_rows_both(to, halves, src, apart, ky, p);
      src += row;
      __asm__("" : "+r"(src));
    }
    return;
  }
  EQ_NO_UNROLL
  for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
    to = eq_small_rows_both(to, halves, src, apart, ky, p);
    src += row;
  }
}

/* The window whose first row is y0, whose first column x0; both may be negative. */
EQ_INLINE void eq_small_rows_window(void *columns, int32_t pixel, int32_t y0, int32_t x0, const eq_small_rows_t *p) {
  eq_pair_t *const column = (eq_pair_t *)columns + pixel * p->apart;
  const int32_t row = p->in_w * p->in_c;
  int32_t offset = (y0 * p->in_w + x0) * p->in_c;
  const int32_t is_whole = x0 >= 0 && x0 + p->kernel_w <= p->in_w;
  if (is_whole && y0 >= 0 && y0 + (p->kernel_h - 1) * p->dilation_h < p->in_h) {
    if (EQ_KNOWN(p->kernel_h, 3) && __builtin_constant_p(p->kernel_w * p->in_c)) {
      EQ_UNROLL_3
      for (int32_t ky = 0; ky < 3; ++ky) {
        eq_small_rows_row(column, p->x + offset + ky * p->dilation_h * row, ky, p);
      }
    } else {
      EQ_NO_UNROLL
      for (int32_t ky = 0; ky < p->kernel_h; ++ky) {
        eq_small_rows_row(column, p->x + offset, ky, p);
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
    for (int32_t i = 0; i < p->kernel_w * p->in_c; ++i) {
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
    eq_small_rows_row(column, from, ky, p);
    iy += p->dilation_h;
    offset += p->dilation_h * row;
  }
}

#endif
