/*
 * eq_pad: a dense block of bytes surrounded by a constant.
 *
 * Axes without padding are merged with the axis before them, so that n0..n3 are rows of n4 bytes each and innermost
 * padding is counted in bytes. An element type wider than int8 is possible where all bytes of its padding value are
 * equal; eq_pad_s16 serves int16 where they differ.
 *
 * Layout  x: dense n0 x n1 x n2 x n3 x n4 bytes. out: dense, `out_bytes` bytes; x[0] goes to out[start]; s0..s3 are the
 *         strides of the block in out, in bytes.
 * Aliasing  none: out must not overlap x.
 * Scratch none.
 */
#ifndef EQ_PAD_H
#define EQ_PAD_H

#include "eq_common.h"

typedef struct {
  int32_t n0, n1, n2, n3, n4;
  int32_t s0, s1, s2, s3;
  int32_t start, out_bytes;
  int32_t value;
} eq_pad_t;

/* The block in out, whose padding is there. */
EQ_INLINE void eq_pad_place(void *out, const void *x, const eq_pad_t *p) {
  uint8_t *to = (uint8_t *)out + p->start;
  const uint8_t *from = (const uint8_t *)x;
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        for (int32_t i3 = 0; i3 < p->n3; i3++) {
          (void)__builtin_memcpy(to + (i0 * p->s0 + i1 * p->s1 + i2 * p->s2 + i3 * p->s3), from, (size_t)p->n4);
          from += p->n4;
        }
      }
    }
  }
}

EQ_INLINE void eq_pad(void *out, const void *x, const eq_pad_t *p) {
  (void)__builtin_memset(out, p->value, (size_t)p->out_bytes);
  eq_pad_place(out, x, p);
}

#endif
