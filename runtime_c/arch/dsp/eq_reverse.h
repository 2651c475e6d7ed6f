/*
 * eq_reverse: the lower `bits` bits of a number in reversed order; those above are zero. 1 <= bits <= 16.
 *
 * This file: cores with the DSP extension, RBIT.
 */
#ifndef EQ_REVERSE_H
#define EQ_REVERSE_H

#include <eq_common.h>

EQ_INLINE int32_t eq_reverse(int32_t number, int32_t bits) {
  uint32_t value;
  __asm__("rbit %0, %1" : "=r"(value) : "r"(number));
  return (int32_t)(value >> (32 - bits));
}

#endif
