/*
 * The part of a pooling window that lies inside the image, along one axis.
 *
 * A window of `size` positions starts at `start`, which is negative where it begins in the padding. The result is the
 * first position inside [0, extent) and how many follow it; length is 0 where the window lies wholly outside.
 */
#ifndef EQ_WINDOW_H
#define EQ_WINDOW_H

#include <eq_common.h>

typedef struct {
  int32_t first;
  int32_t length;
} eq_range_t;

EQ_INLINE eq_range_t eq_clip_window(int32_t start, int32_t size, int32_t extent) {
  const int32_t first = start < 0 ? 0 : start;
  const int32_t end = start + size > extent ? extent : start + size;
  const eq_range_t range = {first, end > first ? end - first : 0};
  return range;
}

#endif
