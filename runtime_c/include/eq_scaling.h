/*
 * An int32 accumulator to int8, as one value, so that calls stay readable; and the multiply-add that every sum uses.
 *
 *   eq_multiply_add  value + x*multiplier modulo 2^32 (one MLA)
 *   eq_scaled        clamp(requantize(acc), lo, hi), requantize as eq_requantize.h defines it, with its ranges
 *   eq_fold_shift    the scaling of an accumulator that is shifted already, with its multiplier in a register
 *   eq_in_register   value, in a register that the compiler does not know: a constant that a loop multiplies by or adds
 *   would
 *                    otherwise come back as several instructions with small immediates
 */
#ifndef EQ_SCALING_H
#define EQ_SCALING_H

#include <eq_common.h>
#include <eq_requantize.h>

typedef struct {
  int32_t multiplier;
  int32_t shift;
  int32_t zero;
  int32_t narrow;
  int32_t lo; /* -128 <= lo <= hi <= 127 */
  int32_t hi;
} eq_scaling_t;

EQ_INLINE int32_t eq_multiply_add(int32_t value, int32_t x, int32_t multiplier) {
  return (int32_t)((uint32_t)value + (uint32_t)x * (uint32_t)multiplier);
}

EQ_INLINE int32_t eq_in_register(int32_t value) {
  __asm__("" : "+r"(value));
  return value;
}

EQ_INLINE int32_t eq_scaled(int32_t acc, const eq_scaling_t *s) {
  return eq_clamp(eq_requantize_narrow(acc, s->multiplier, s->shift, s->zero, s->narrow), s->lo, s->hi);
}

EQ_INLINE eq_scaling_t eq_fold_shift(eq_scaling_t s) {
  const eq_scaling_t folded = {eq_in_register(s.multiplier), 0, s.zero, s.narrow, s.lo, s.hi};
  return folded;
}

#endif
