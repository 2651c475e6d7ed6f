/*
 * eq_pointwise_s8 for instruction sets whose columns are plain bytes (EQ_COLUMNS_DIRECT): the input is read in place and
 * there is no scratch. Same record, same manual.
 */
#ifndef EQ_POINTWISE_DIRECT_S8_H
#define EQ_POINTWISE_DIRECT_S8_H

#include "eq_pointwise_s8.h"

EQ_STATIC_ASSERT(EQ_COLUMNS_DIRECT == 1, "this instruction set widens its columns: use eq_pointwise_s8");

EQ_INLINE void eq_pointwise_direct_s8(int8_t *out, const int8_t *x, const int8_t *weights, const int32_t *bias,
                                      const int32_t *multiplier, const eq_pointwise_s8_t *p) {
  eq_pointwise_s8(out, x, NULL, weights, bias, multiplier, p);
}

#endif
