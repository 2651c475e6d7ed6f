/*
 * eq_reverse: the lower `bits` bits of a number in reversed order; those above are zero. 1 <= bits <= 16.
 *
 * This file: plain C.
 */
#ifndef EQ_REVERSE_H
#define EQ_REVERSE_H

#include <eq_common.h>

EQ_INLINE int32_t eq_reverse(int32_t number, int32_t bits) {
  uint32_t value = (uint32_t)number;
  value = ((value >> 1) & 0x5555) | ((value & 0x5555) << 1);
  value = ((value >> 2) & 0x3333) | ((value & 0x3333) << 2);
  value = ((value >> 4) & 0x0f0f) | ((value & 0x0f0f) << 4);
  value = ((value >> 8) & 0x00ff) | ((value & 0x00ff) << 8);
  return (int32_t)(value >> (16 - bits));
}

#endif
