/*
 * How results of one output channel are requantized that come from products of tiles.
 */
#ifndef EQ_TILE_SCALE_H
#define EQ_TILE_SCALE_H

#include "eq_common.h"

typedef struct {
  int32_t multiplier;
  int32_t out_zero;
  int32_t bias; /* as often as the form of the tiles has it */
  int32_t shift;
} eq_tiles_scale_t;

#endif
