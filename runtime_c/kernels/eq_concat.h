/*
 * eq_concat: up to eight activations and one constant side by side along one axis.
 *
 * The axis and everything inside it make a row of bytes: each output row holds, at fixed places, one row of every
 * operand.
 *
 * Layout  out: rows x row_bytes bytes, dense. x0..x7: rows x bytes_i, dense; a row of x_i goes to offset_i of the
 *         output row. Unused operands have bytes_i = 0 (the caller repeats x0 for them). constant: rows x
 *         constant_bytes, placed at constant_offset; NULL with constant_bytes = 0 where there is none.
 * Aliasing  out may overlap an operand from below: all rows of an operand are copied, none onto itself, then those of
 *           the next one.
 * Scratch none.
 */
#ifndef EQ_CONCAT_H
#define EQ_CONCAT_H

#include "eq_common.h"

typedef struct {
  int32_t constant_bytes, constant_offset;
  int32_t rows, row_bytes;
  int32_t bytes0, bytes1, bytes2, bytes3, bytes4, bytes5, bytes6, bytes7;
  int32_t offset0, offset1, offset2, offset3, offset4, offset5, offset6, offset7;
} eq_concat_t;

EQ_INLINE void eq_concat_part(void *out, const void *x, int32_t bytes, int32_t offset, const eq_concat_t *p) {
  uint8_t *to = (uint8_t *)out + offset;
  const uint8_t *from = (const uint8_t *)x;
  if (bytes == 0) {
    return;
  }
  for (int32_t row = 0; row < p->rows; row++) {
    (void)__builtin_memcpy(to, from, (size_t)bytes);
    to += p->row_bytes;
    from += bytes;
  }
}

EQ_INLINE void eq_concat(void *out, const void *x0, const void *x1, const void *x2, const void *x3, const void *x4,
                         const void *x5, const void *x6, const void *x7, const void *constant, const eq_concat_t *p) {
  eq_concat_part(out, x0, p->bytes0, p->offset0, p);
  eq_concat_part(out, x1, p->bytes1, p->offset1, p);
  eq_concat_part(out, x2, p->bytes2, p->offset2, p);
  eq_concat_part(out, x3, p->bytes3, p->offset3, p);
  eq_concat_part(out, x4, p->bytes4, p->offset4, p);
  eq_concat_part(out, x5, p->bytes5, p->offset5, p);
  eq_concat_part(out, x6, p->bytes6, p->offset6, p);
  eq_concat_part(out, x7, p->bytes7, p->offset7, p);
  eq_concat_part(out, constant, p->constant_bytes, p->constant_offset, p);
}

#endif
