/*
 * What a row that is normalized is made with, for eq_norm_run.h.
 */
#ifndef EQ_NORM_H
#define EQ_NORM_H

#include <eq_common.h>

typedef struct {
  int32_t factor, less, inverse, down;
  int32_t bytes, step, shift, lo, hi;
} eq_norm_t;

/* By how much N is raised so that what is rounded off lies in the upper word of its product; -1 where it leaves int32:
   |N| <= factor * (2^(8*bytes) - 1), as is the distance of a value from the mean or from zero. */
EQ_INLINE int32_t eq_norm_raised(const eq_norm_t *p) {
  const int32_t raised = p->down < 33 ? 33 - p->down : 0;
  const int64_t bound = (int64_t)p->factor * (p->bytes == 1 ? 255 : 65535);
  return bound > INT32_MAX >> raised ? -1 : raised;
}

#endif
