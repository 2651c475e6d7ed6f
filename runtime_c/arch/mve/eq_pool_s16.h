/*
 * Windows over NHWC int16 data. The same functions exist for every instruction set, bit for bit equal:
 *
 *   eq_average_window_s16  for each channel c: out[c] = clamp(requantize(sum of x[r*row_stride + k*col_stride + c]))
 *   eq_max_window_s16      for each channel c: out[c] = clamp(max of the same values)
 *
 * with r < rows, k < cols, c < channels; rows, cols >= 1; strides in elements. At most 2^15 positions in a window give a
 * sum of int32, requantized as eq_requantize.h defines it; where `wide` is 1 there may be more, the sum has 64 bits, and
 * scaling.shift shifts it to the right, into int32. Channels are written in order, each
 * when its values have been read.
 *
 * This file: Armv8.1-M with integer MVE, 16 channels at a time, then up to 4 or 8, predicated: nothing beyond the last
 * channel is read or written. Wide sums are plain C.
 */
#ifndef EQ_POOL_S16_H
#define EQ_POOL_S16_H

#include <arm_mve.h>

#include <eq_common.h>
#include <eq_scaling.h>
#include <eq_window_sums_s16.h>

/* Up to four channels from their sums. */
EQ_INLINE void eq_average_store4_s16(int16_t *out, int32x4_t sums, int32_t left, const eq_scaling_t *s) {
  const int32x4_t value = eq_high_multiply_x4(sums, vdupq_n_s32(s->multiplier), s->shift);
  vstrhq_p_s32(out, vminq_s32(vmaxq_s32(value, vdupq_n_s32(s->lo)), vdupq_n_s32(s->hi)), vctp32q((uint32_t)left));
}

EQ_INLINE void eq_average_16_s16(int16_t *out, const int16_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                 int32_t col_stride, const eq_scaling_t *scaling) {
  int32x4_t s0 = vdupq_n_s32(0);
  int32x4_t s1 = s0;
  int32x4_t s2 = s0;
  int32x4_t s3 = s0;
  for (int32_t r = 0; r < rows; r++) {
    const int16_t *at = x + r * row_stride;
    int32x4_t value;
    __asm__ volatile(
        "dls lr, %[cols]\n"
        "1:\n\t"
        "vldrh.s32 %q[value], [%[at]]\n\t"
        "vadd.i32 %q[s0], %q[s0], %q[value]\n\t"
        "vldrh.s32 %q[value], [%[at], #8]\n\t"
        "vadd.i32 %q[s1], %q[s1], %q[value]\n\t"
        "vldrh.s32 %q[value], [%[at], #16]\n\t"
        "vadd.i32 %q[s2], %q[s2], %q[value]\n\t"
        "vldrh.s32 %q[value], [%[at], #24]\n\t"
        "vadd.i32 %q[s3], %q[s3], %q[value]\n\t"
        "add %[at], %[at], %[stride], lsl #1\n\t"
        "le lr, 1b"
        : [at] "+l"(at), [value] "=&w"(value), [s0] "+w"(s0), [s1] "+w"(s1), [s2] "+w"(s2), [s3] "+w"(s3)
        : [cols] "r"(cols), [stride] "r"(col_stride)
        : "lr", "memory");
  }
  eq_average_store4_s16(out, s0, 4, scaling);
  eq_average_store4_s16(out + 4, s1, 4, scaling);
  eq_average_store4_s16(out + 8, s2, 4, scaling);
  eq_average_store4_s16(out + 12, s3, 4, scaling);
}

/* Up to four channels. */
EQ_INLINE void eq_average_4_s16(int16_t *out, const int16_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                int32_t col_stride, int32_t left, const eq_scaling_t *scaling) {
  const mve_pred16_t exist = vctp32q((uint32_t)left);
  int32x4_t sums = vdupq_n_s32(0);
  for (int32_t r = 0; r < rows; r++) {
    const int16_t *at = x + r * row_stride;
    for (int32_t k = 0; k < cols; k++) {
      sums = vaddq_s32(sums, vldrhq_z_s32(at, exist));
      at += col_stride;
    }
  }
  eq_average_store4_s16(out, sums, left, scaling);
}

/* The sum of n neighbouring values. */
EQ_INLINE int32_t eq_sum_row_s16(const int16_t *x, int32_t n) {
  int32_t sum = 0;
  __asm__ volatile(
      "dlstp.16 lr, %[n]\n"
      "1:\n\t"
      "vldrh.16 q0, [%[x]], #16\n\t"
      "vaddva.s16 %[sum], q0\n\t"
      "letp lr, 1b"
      : [x] "+r"(x), [sum] "+Te"(sum)
      : [n] "r"(n)
      : "q0", "lr", "memory");
  return sum;
}

EQ_INLINE void eq_average_window_s16(int16_t *out, const int16_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                     int32_t col_stride, int32_t channels, int32_t wide, eq_scaling_t scaling) {
  int32_t c = 0;
  if (wide) {
    for (; c < channels; c++) {
      const int32_t sum = eq_window_sum_wide_s16(x + c, rows, cols, row_stride, col_stride, scaling.shift);
      out[c] = (int16_t)eq_clamp(eq_requantize(sum, scaling.multiplier, 0, 0), scaling.lo, scaling.hi);
    }
    return;
  }
  if (row_stride == cols * col_stride) { /* the window is one run of positions */
    cols *= rows;
    rows = 1;
  }
  if (channels == 1 && col_stride == 1) {
    int32_t sum = 0;
    for (int32_t r = 0; r < rows; r++) {
      sum += eq_sum_row_s16(x + r * row_stride, cols);
    }
    out[0] = (int16_t)eq_clamp(eq_requantize(sum, scaling.multiplier, scaling.shift, 0), scaling.lo, scaling.hi);
    return;
  }
  for (; c + 16 <= channels; c += 16) {
    eq_average_16_s16(out + c, x + c, rows, cols, row_stride, col_stride, &scaling);
  }
  for (; c < channels; c += 4) {
    eq_average_4_s16(out + c, x + c, rows, cols, row_stride, col_stride, channels - c, &scaling);
  }
}

EQ_INLINE void eq_max_16_s16(int16_t *out, const int16_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                             int32_t col_stride, int32_t lo, int32_t hi) {
  int16x8_t first = vdupq_n_s16((int16_t)lo);
  int16x8_t second = first;
  for (int32_t r = 0; r < rows; r++) {
    const int16_t *at = x + r * row_stride;
    int16x8_t value;
    __asm__ volatile(
        "dls lr, %[cols]\n"
        "1:\n\t"
        "vldrh.16 %q[value], [%[at]]\n\t"
        "vmax.s16 %q[first], %q[first], %q[value]\n\t"
        "vldrh.16 %q[value], [%[at], #16]\n\t"
        "vmax.s16 %q[second], %q[second], %q[value]\n\t"
        "add %[at], %[at], %[stride], lsl #1\n\t"
        "le lr, 1b"
        : [at] "+r"(at), [value] "=&w"(value), [first] "+w"(first), [second] "+w"(second)
        : [cols] "r"(cols), [stride] "r"(col_stride)
        : "lr", "memory");
  }
  vst1q_s16(out, vminq_s16(first, vdupq_n_s16((int16_t)hi)));
  vst1q_s16(out + 8, vminq_s16(second, vdupq_n_s16((int16_t)hi)));
}

EQ_INLINE void eq_max_window_s16(int16_t *out, const int16_t *x, int32_t rows, int32_t cols, int32_t row_stride,
                                 int32_t col_stride, int32_t channels, int32_t lo, int32_t hi) {
  int32_t c = 0;
  for (; c + 16 <= channels; c += 16) {
    eq_max_16_s16(out + c, x + c, rows, cols, row_stride, col_stride, lo, hi);
  }
  for (; c < channels; c += 8) {
    const mve_pred16_t exist = vctp16q((uint32_t)(channels - c));
    int16x8_t best = vdupq_n_s16((int16_t)lo);
    for (int32_t r = 0; r < rows; r++) {
      const int16_t *at = x + c + r * row_stride;
      for (int32_t k = 0; k < cols; k++) {
        best = vmaxq_s16(best, vldrhq_z_s16(at, exist));
        at += col_stride;
      }
    }
    vstrhq_p_s16(out + c, vminq_s16(best, vdupq_n_s16((int16_t)hi)), exist);
  }
}

#endif
