/*
 * eq_divide_s16: elementwise quotient of int16 with broadcasting, by a division of integers.
 *
 *     q = |a|*multiplier / |b|, rounded down;   out = clamp(sign * ((q + 2^(shift-1)) >> shift), clamp_min, clamp_max)
 *
 * sign is -1 where one of a and b is negative. All zero points are 0. a/0 saturates by the sign of a, 0/0 is 0. Either
 * operand may be a constant.
 *
 * Layout  Dense row-major int16. The shapes are collapsed into n0 x n1 x n2 x n3 x inner of the output; a0..a3 and
 *         b0..b3 are an operand's strides in elements (0 where it is broadcast); a_inner and b_inner are 1, or 0 where
 *         it is broadcast.
 * Ranges  0 <= multiplier < 2^31, hence |a|*multiplier < 2^46; 1 <= shift <= 46;
 *         -32768 <= clamp_min <= clamp_max <= 32767.
 * Aliasing  out may be exactly an operand that is not broadcast, or overlap one from below: elements are read and
 *           written in order.
 * Scratch none.
 */
#ifndef EQ_DIVIDE_S16_H
#define EQ_DIVIDE_S16_H

#include "eq_scaling.h"

typedef struct {
  int32_t n0, n1, n2, n3, inner;
  int32_t a0, a1, a2, a3, a_inner;
  int32_t b0, b1, b2, b3, b_inner;
  int32_t multiplier, shift;
  int32_t clamp_min, clamp_max;
} eq_divide_s16_t;

/* |a/b| in steps of the output, at most 65535. Two divisions of 32 bits, digits of 16 bits: the remainder of the first is
   below b <= 2^15, so that the second dividend fits. */
EQ_INLINE uint32_t eq_divide_s16_size(uint32_t a, uint32_t b, const eq_divide_s16_t *p) {
  if (b == 0) {
    return a == 0 ? 0 : 65535;
  }
  const uint64_t product = (uint64_t)a * (uint32_t)p->multiplier;
  const uint32_t upper = (uint32_t)(product >> 16);
  const uint32_t high = upper / b;
  const uint32_t low = (((upper - high * b) << 16) | ((uint32_t)product & 0xffffu)) / b;
  const uint64_t size = (((uint64_t)high << 16) + low + ((uint64_t)1 << (p->shift - 1))) >> p->shift;
  return size > 65535 ? 65535 : (uint32_t)size;
}

EQ_INLINE void eq_divide_s16_row(int16_t *out, const int16_t *a, const int16_t *b, const eq_divide_s16_t *p) {
  for (int32_t i = 0; i < p->inner; i++) {
    const int32_t left = *a;
    const int32_t right = *b;
    const int32_t size =
        (int32_t)eq_divide_s16_size((uint32_t)(left < 0 ? -left : left), (uint32_t)(right < 0 ? -right : right), p);
    out[i] = (int16_t)eq_clamp((left ^ right) < 0 ? -size : size, p->clamp_min, p->clamp_max);
    a += p->a_inner;
    b += p->b_inner;
  }
}

EQ_INLINE void eq_divide_s16(int16_t *out, const int16_t *a, const int16_t *b, const eq_divide_s16_t *p) {
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          eq_divide_s16_row(out, a + (i0 * p->a0 + i1 * p->a1 + i2 * p->a2 + i3 * p->a3),
                            b + (i0 * p->b0 + i1 * p->b1 + i2 * p->b2 + i3 * p->b3), p);
          out += p->inner;
        }
      }
    }
  }
}

#endif
