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
 * This file: Armv8.1-M with integer MVE. Sums run in int16 lanes, 32 and then 8 channels at a time, which holds up to
 * 256 positions (256 * -128 = -2^15); larger windows are summed in int32 lanes. Tails are predicated: nothing beyond
 * the last channel is read or written.
 */
#ifndef EQ_POOL_H
#define EQ_POOL_H

#include <arm_mve.h>

#include <eq_common.h>
#include <eq_scaling.h>

/* Eight channels, of which `left` exist, from their int16 sums. */
EQ_INLINE void eq_average_store8(int8_t *out, int16x8_t sums, int32_t left, int32_t offset, const eq_scaling_t *s) {
  const int32x4_t even = vaddq_n_s32(vmovlbq_s16(sums), offset);
  const int32x4_t odd = vaddq_n_s32(vmovltq_s16(sums), offset);
  int16x8_t value = vdupq_n_s16(0);
  /* Saturating to int16 before the zero point is added is exact after the clamp to int8: |zero| <= 128. */
  value = vqmovnbq_s32(value, eq_high_multiply_x4(even, vdupq_n_s32(s->multiplier), s->shift));
  value = vqmovntq_s32(value, eq_high_multiply_x4(odd, vdupq_n_s32(s->multiplier), s->shift));
  value = vqaddq_n_s16(value, (int16_t)s->zero);
  value = vminq_s16(vmaxq_s16(value, vdupq_n_s16((int16_t)s->lo)), vdupq_n_s16((int16_t)s->hi));
  vstrbq_p_s16(out, value, vctp16q((uint32_t)left));
}

/* Thirty-two channels of a window of at most 256 positions. */
EQ_INLINE void eq_average_32(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                             int32_t col_stride, int32_t offset, const eq_scaling_t *scaling) {
  int16x8_t s0 = vdupq_n_s16(0);
  int16x8_t s1 = s0;
  int16x8_t s2 = s0;
  int16x8_t s3 = s0;
  for (int32_t r = 0; r < rows; r++) {
    const int8_t *at = x + r * row_stride;
    int16x8_t value;
    __asm__ volatile(
        "dls lr, %[cols]\n"
        "1:\n\t"
        "vldrb.s16 %q[value], [%[at]]\n\t"
        "vadd.i16 %q[s0], %q[s0], %q[value]\n\t"
        "vldrb.s16 %q[value], [%[at], #8]\n\t"
        "vadd.i16 %q[s1], %q[s1], %q[value]\n\t"
        "vldrb.s16 %q[value], [%[at], #16]\n\t"
        "vadd.i16 %q[s2], %q[s2], %q[value]\n\t"
        "vldrb.s16 %q[value], [%[at], #24]\n\t"
        "vadd.i16 %q[s3], %q[s3], %q[value]\n\t"
        "add %[at], %[at], %[stride]\n\t"
        "le lr, 1b"
        : [at] "+l"(at), [value] "=&w"(value), [s0] "+w"(s0), [s1] "+w"(s1), [s2] "+w"(s2), [s3] "+w"(s3)
        : [cols] "r"(cols), [stride] "r"(col_stride)
        : "lr", "memory");
  }
  eq_average_store8(out, s0, 8, offset, scaling);
  eq_average_store8(out + 8, s1, 8, offset, scaling);
  eq_average_store8(out + 16, s2, 8, offset, scaling);
  eq_average_store8(out + 24, s3, 8, offset, scaling);
}

/* Up to eight channels of a window of at most 256 positions. */
EQ_INLINE void eq_average_8(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                            int32_t col_stride, int32_t left, int32_t offset, const eq_scaling_t *scaling) {
  const mve_pred16_t exist = vctp16q((uint32_t)left);
  int16x8_t sums = vdupq_n_s16(0);
  for (int32_t r = 0; r < rows; r++) {
    const int8_t *at = x + r * row_stride;
    for (int32_t k = 0; k < cols; k++) {
      sums = vaddq_s16(sums, vldrbq_z_s16(at, exist));
      at += col_stride;
    }
  }
  eq_average_store8(out, sums, left, offset, scaling);
}

/* Up to four channels of a window of any size. */
EQ_INLINE void eq_average_4(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                            int32_t col_stride, int32_t left, int32_t offset, const eq_scaling_t *s) {
  const mve_pred16_t exist = vctp32q((uint32_t)left);
  int32x4_t sums = vdupq_n_s32(offset);
  for (int32_t r = 0; r < rows; r++) {
    const int8_t *at = x + r * row_stride;
    for (int32_t k = 0; k < cols; k++) {
      sums = vaddq_s32(sums, vldrbq_z_s32(at, exist));
      at += col_stride;
    }
  }
  const int32x4_t value = eq_requantize_x4(sums, vdupq_n_s32(s->multiplier), s->shift, s->zero);
  vstrbq_p_s32(out, vminq_s32(vmaxq_s32(value, vdupq_n_s32(s->lo)), vdupq_n_s32(s->hi)), exist);
}

EQ_INLINE void eq_average_window(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                 int32_t col_stride, int32_t channels, int32_t offset, eq_scaling_t scaling) {
  int32_t c = 0;
  if (row_stride == cols * col_stride) { /* the window is one run of positions */
    cols *= rows;
    rows = 1;
  }
  if (rows * cols <= 256) {
    for (; c + 32 <= channels; c += 32) {
      eq_average_32(out + c, x + c, rows, cols, row_stride, col_stride, offset, &scaling);
    }
    for (; c < channels; c += 8) {
      eq_average_8(out + c, x + c, rows, cols, row_stride, col_stride, channels - c, offset, &scaling);
    }
  } else {
    for (; c < channels; c += 4) {
      eq_average_4(out + c, x + c, rows, cols, row_stride, col_stride, channels - c, offset, &scaling);
    }
  }
}

EQ_INLINE void eq_max_window(int8_t *out, const int8_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                             int32_t col_stride, int32_t channels, int32_t lo, int32_t hi) {
  for (int32_t c = 0; c < channels; c += 16) {
    const mve_pred16_t exist = vctp8q((uint32_t)(channels - c));
    int8x16_t best = vdupq_n_s8((int8_t)lo);
    for (int32_t r = 0; r < rows; r++) {
      const int8_t *at = x + c + r * row_stride;
      for (int32_t k = 0; k < cols; k++) {
        best = vmaxq_s8(best, vldrbq_z_s8(at, exist));
        at += col_stride;
      }
    }
    vstrbq_p_s8(out + c, vminq_s8(best, vdupq_n_s8((int8_t)hi)), exist);
  }
}

EQ_INLINE int32_t eq_sum_row(const int8_t *x, int32_t n) {
  int32_t sum = 0;
  for (; n > 0; n -= 16) {
    sum = vaddvaq_s8(sum, vldrbq_z_s8(x, vctp8q((uint32_t)n)));
    x += 16;
  }
  return sum;
}

#endif
