/*
 * Windows over NHWC int8 data. The same functions exist for every instruction set, bit for bit equal:
 *
 *   eq_average_window  for each channel c: out[c] = clamp(requantize(offset + sum of x[r*row_stride + k*col_stride +
 *   c])) eq_max_window      for each channel c: out[c] = clamp(max of the same values)
 *   eq_sum_row         the sum of n neighbouring values
 *
 * with r < rows, k < cols, c < channels; rows, cols >= 1; strides in bytes; at most 2^23 positions in a window, so that
 * a sum stays within 2^30. requantize as eq_requantize.h defines it. Channels are written in order, each when its
 * values have been read. No alignment is required.
 *
 * This file: cores with the DSP extension. Sums run eight channels at a time as pairs of int16, which holds up to 256
 * positions (256 * -128 = -2^15); larger windows are summed channel by channel.
 */
#ifndef EQ_POOL_H
#define EQ_POOL_H

#include <eq_common.h>
#include <eq_dot.h>
#include <eq_scaling.h>

EQ_INLINE uint32_t eq_pool_word(const int8_t *at) { return eq_load_word(at); }

EQ_INLINE void eq_store_word(int8_t *at, uint32_t word) { *(eq_word_t *)(void *)at = word; }

/* pairs of int16 in `sums` += bytes 0 and 2 of `word`, sign extended. */
EQ_INLINE uint32_t eq_add_even_bytes(uint32_t sums, uint32_t word) {
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2" : "=r"(result) : "r"(sums), "r"(word));
  return result;
}

/* The same for bytes 1 and 3. */
EQ_INLINE uint32_t eq_add_odd_bytes(uint32_t sums, uint32_t word) {
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(sums), "r"(word));
  return result;
}

/* Bytewise signed maximum. */
EQ_INLINE uint32_t eq_max_bytes(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
  return result;
}

/* Bytewise signed minimum. */
EQ_INLINE uint32_t eq_min_bytes(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(a), "r"(b) : "cc");
  return result;
}

EQ_INLINE uint32_t eq_splat_byte(int32_t value) { return ((uint32_t)value & 0xffu) * 0x01010101u; }

/* Four channels from their sums: even holds channels 0 and 2, odd 1 and 3. */
EQ_INLINE void eq_average_four(int8_t *out, uint32_t even, uint32_t odd, int32_t offset, const eq_scaling_t *scaling) {
  out[0] = (int8_t)eq_scaled(offset + (int16_t)(even & 0xffffu), scaling);
  out[1] = (int8_t)eq_scaled(offset + (int16_t)(odd & 0xffffu), scaling);
  out[2] = (int8_t)eq_scaled(offset + ((int32_t)even >> 16), scaling);
  out[3] = (int8_t)eq_scaled(offset + ((int32_t)odd >> 16), scaling);
}

typedef struct {
  uint32_t even0, odd0, even1, odd1;
} eq_sums8_t;

EQ_INLINE void eq_add_position8(eq_sums8_t *sums, const int8_t *at) {
  const uint32_t low = eq_pool_word(at);
  const uint32_t high = eq_pool_word(at + 4);
  sums->even0 = eq_add_even_bytes(sums->even0, low);
  sums->odd0 = eq_add_odd_bytes(sums->odd0, low);
  sums->even1 = eq_add_even_bytes(sums->even1, high);
  sums->odd1 = eq_add_odd_bytes(sums->odd1, high);
}

/* Eight channels of a window of at most 256 positions. */
EQ_INLINE void eq_average_eight(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                int32_t col_stride, int32_t offset, const eq_scaling_t *scaling) {
  eq_sums8_t sums = {0, 0, 0, 0};
  for (int32_t r = 0; r < rows; r++) {
    const int8_t *at = x + r * row_stride;
    int32_t k = cols;
    for (; k >= 4; k -= 4) {
      eq_add_position8(&sums, at);
      eq_add_position8(&sums, at + col_stride);
      eq_add_position8(&sums, at + 2 * col_stride);
      eq_add_position8(&sums, at + 3 * col_stride);
      at += 4 * col_stride;
    }
    for (; k > 0; k--) {
      eq_add_position8(&sums, at);
      at += col_stride;
    }
  }
  eq_average_four(out, sums.even0, sums.odd0, offset, scaling);
  eq_average_four(out + 4, sums.even1, sums.odd1, offset, scaling);
}

EQ_INLINE void eq_average_window(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                 int32_t col_stride, int32_t channels, int32_t offset, eq_scaling_t scaling) {
  int32_t c = 0;
  if (row_stride == cols * col_stride) { /* the window is one run of positions */
    cols *= rows;
    rows = 1;
  }
  if (rows * cols <= 256) {
    for (; c + 8 <= channels; c += 8) {
      eq_average_eight(out + c, x + c, rows, cols, row_stride, col_stride, offset, &scaling);
    }
  }
  for (; c < channels; c++) {
    int32_t acc = offset;
    for (int32_t r = 0; r < rows; r++) {
      const int8_t *at = x + c + r * row_stride;
      for (int32_t k = 0; k < cols; k++) {
        acc += *at;
        at += col_stride;
      }
    }
    out[c] = (int8_t)eq_scaled(acc, &scaling);
  }
}

EQ_INLINE void eq_max_window(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                             int32_t col_stride, int32_t channels, int32_t lo, int32_t hi) {
  int32_t c = 0;
  for (; c + 4 <= channels; c += 4) {
    uint32_t best = eq_splat_byte(lo);
    for (int32_t r = 0; r < rows; r++) {
      const int8_t *at = x + c + r * row_stride;
      for (int32_t k = 0; k < cols; k++) {
        best = eq_max_bytes(eq_pool_word(at), best);
        at += col_stride;
      }
    }
    if (hi < 127) {
      best = eq_min_bytes(best, eq_splat_byte(hi));
    }
    eq_store_word(out + c, best);
  }
  for (; c < channels; c++) {
    int32_t best = lo;
    for (int32_t r = 0; r < rows; r++) {
      const int8_t *at = x + c + r * row_stride;
      for (int32_t k = 0; k < cols; k++) {
        best = *at > best ? *at : best;
        at += col_stride;
      }
    }
    out[c] = (int8_t)(best > hi ? hi : best);
  }
}

/* Four at a time in pairs of int16: a lane takes two values per word, so 128 words stay within 2^15. */
EQ_INLINE int32_t eq_sum_row(const int8_t *x, int32_t n) {
  int32_t sum = 0;
  while (n >= 4) {
    int32_t words = n / 4 < 128 ? n / 4 : 128;
    uint32_t pairs = 0;
    n -= 4 * words;
    for (; words > 0; words--) {
      const uint32_t word = eq_pool_word(x);
      pairs = eq_add_odd_bytes(eq_add_even_bytes(pairs, word), word);
      x += 4;
    }
    sum += (int16_t)(pairs & 0xffffu) + ((int32_t)pairs >> 16);
  }
  for (; n > 0; n--) {
    sum += *x++;
  }
  return sum;
}

#endif
