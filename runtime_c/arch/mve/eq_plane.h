/*
 * Bytes of a plane in another order:
 *
 *   eq_copy_plane  out[i*columns + k] = x[i*row_stride + k*column_stride] for i < rows, k < columns; out overlaps nothing
 *
 * The same function exists for every instruction set.
 *
 * This file: Armv8.1-M with integer MVE, eight bytes in 4 instructions with the loop, tails predicated: gathered along a row of
 * the result, or scattered from a run of x where that is the longer one. Offsets have 16 bits.
 */
#ifndef EQ_PLANE_H
#define EQ_PLANE_H

#include <arm_mve.h>

#include <eq_common.h>

#define EQ_PLANE_STRIDE_MAX 8192

/* out[k] = x[k*stride] for k < n. */
EQ_INLINE void eq_plane_gather(uint8_t *out, const uint8_t *x, int32_t n, int32_t stride) {
  const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)stride);
  __asm__ volatile(
      "wlstp.16 lr, %[n], 2f\n"
      "1:\n\t"
      "vldrb.u16 q1, [%[x], %q[offsets]]\n\t"
      "add %[x], %[x], %[stride]\n\t"
      "vstrb.16 q1, [%[out]], #8\n\t"
      "letp lr, 1b\n"
      "2:"
      : [out] "+l"(out), [x] "+r"(x)
      : [n] "r"(n), [stride] "r"(8 * stride), [offsets] "w"(offsets)
      : "q1", "lr", "memory");
}

/* out[i*stride] = x[i] for i < n. */
EQ_INLINE void eq_plane_scatter(uint8_t *out, const uint8_t *x, int32_t n, int32_t stride) {
  const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)stride);
  __asm__ volatile(
      "wlstp.16 lr, %[n], 2f\n"
      "1:\n\t"
      "vldrb.u16 q1, [%[x]], #8\n\t"
      "vstrb.16 q1, [%[out], %q[offsets]]\n\t"
      "add %[out], %[out], %[stride]\n\t"
      "letp lr, 1b\n"
      "2:"
      : [out] "+r"(out), [x] "+l"(x)
      : [n] "r"(n), [stride] "r"(8 * stride), [offsets] "w"(offsets)
      : "q1", "lr", "memory");
}

EQ_INLINE void eq_copy_plane(uint8_t *out, const uint8_t *x, int32_t rows, int32_t row_stride, int32_t columns,
                             int32_t column_stride) {
  if (row_stride == 1 && rows > columns && columns < EQ_PLANE_STRIDE_MAX) {
    EQ_NO_UNROLL
    for (int32_t k = 0; k < columns; k++) {
      eq_plane_scatter(out + k, x + k * column_stride, rows, columns);
    }
    return;
  }
  EQ_NO_UNROLL
  for (int32_t i = 0; i < rows; i++) {
    if (column_stride > 0 && column_stride < EQ_PLANE_STRIDE_MAX) {
      eq_plane_gather(out, x, columns, column_stride);
    } else {
      for (int32_t k = 0; k < columns; k++) {
        out[k] = x[k * column_stride];
      }
    }
    out += columns;
    x += row_stride;
  }
}

#endif
