/*
 * eq_strided_copy: a dense output gathered from a strided input; transposition and slicing.
 *
 *     out[i0][i1][i2][i3][i4] = x[start + i0*s0 + i1*s1 + i2*s2 + i3*s3 + i4*s4]
 *
 * It moves bytes: an element type wider than int8 is one more innermost axis with stride 1.
 *
 * Layout  out: dense n0 x n1 x n2 x n3 x n4 bytes. s0..s4 and start in bytes.
 * Aliasing  with s4 = 1 out may overlap x from below: rows of n4 bytes are copied in order, none onto itself.
 * Scratch none.
 */
#ifndef EQ_STRIDED_COPY_H
#define EQ_STRIDED_COPY_H

#include "eq_common.h"
#include "eq_plane.h"

typedef struct {
  int32_t n0, n1, n2, n3, n4;
  int32_t s0, s1, s2, s3, s4;
  int32_t start;
} eq_strided_copy_t;

/* The two innermost loops. */
EQ_INLINE void eq_strided_copy_plane(uint8_t *out, const uint8_t *x, const eq_strided_copy_t *p) {
  if (p->s4 != 1) {
    eq_copy_plane(out, x, p->n3, p->s3, p->n4, p->s4);
    return;
  }
  for (int32_t i = 0; i < p->n3; i++) {
    (void)__builtin_memcpy(out + i * p->n4, x + i * p->s3, (size_t)p->n4);
  }
}

EQ_INLINE void eq_strided_copy(void *out, const void *x, const eq_strided_copy_t *p) {
  uint8_t *to = (uint8_t *)out;
  const uint8_t *from = (const uint8_t *)x + p->start;
  for (int32_t i0 = 0; i0 < p->n0; i0++) {
    for (int32_t i1 = 0; i1 < p->n1; i1++) {
      for (int32_t i2 = 0; i2 < p->n2; i2++) {
        eq_strided_copy_plane(to, from + (i0 * p->s0 + i1 * p->s1 + i2 * p->s2), p);
        to += p->n3 * p->n4;
      }
    }
  }
}

#endif
