/*
 * eq_copy: bytes from one place to another, whatever their type.
 *
 * Layout  `bytes` bytes. No alignment is required.
 * Aliasing  out may be exactly x, then nothing happens; otherwise no overlap.
 * Scratch none.
 */
#ifndef EQ_COPY_H
#define EQ_COPY_H

#include "eq_common.h"

typedef struct {
  int32_t bytes;
} eq_copy_t;

EQ_INLINE void eq_copy(void *out, const void *x, const eq_copy_t *p) {
  if (out != x) {
    (void)__builtin_memcpy(out, x, (size_t)p->bytes);
  }
}

#endif
