/*
 * Gates of recurrent cells:
 *
 *   eq_preactivation_four  n[r] = clamp16((x[r]*mx[r] + h[r]*mh[r] + 2^(shift-1)) >> shift) in 64 bits for r = 0 … 3;
 *                          0 <= mx, mh < 2^30, 1 <= shift <= 61
 *   eq_cell_tanh           15 fractional bits, from n with 12: a table of 513 values, linear between them, given at its
 *                          middle
 *   eq_cell_sigmoid        0 … 2^15 from n with 11 fractional bits, by the same table: (1 + tanh(v/2))/2
 *   eq_lstm_update         a step of the cells of EQ_LSTM_BLOCK units, of which n[4*unit] … are the pre-activations of i, o,
 *                          f, g; `next` and `cells` of all of them exist, also where units do not
 *                            c = (f*c + i*g + 2^14) >> 15,   next = (o*tanh(c) + 2^14) >> 15, tanh(c) at (c + 4) >> 3, held
 *                            within int16
 *
 * The same functions exist for every instruction set, bit for bit equal.
 *
 * This file: Armv8.1-M with integer MVE. Four pre-activations take 17 instructions with their loads, a function of four
 * values 9, four units behind their pre-activations 65.
 */
#ifndef EQ_GATE_H
#define EQ_GATE_H

#include <arm_mve.h>

#include <eq_common.h>

#define EQ_LSTM_BLOCK 4

EQ_INLINE int32x4_t eq_clamp16_x4(int32x4_t value) { return vshrq_n_s32(vqshlq_n_s32(value, 16), 16); }

/*
 * The sum of the products as an upper word and, with the carry, half of the lower one: what is rounded off lies above the
 * bit that is lost. What saturates lies beyond int16 by far.
 */
EQ_INLINE void eq_preactivation_four(int32_t n[4], const int32_t x[4], const int32_t h[4], const int32_t mx[4],
                                     const int32_t mh[4], int32_t shift) {
  if (shift < 3) { /* the lower part would leave int32 */
    for (int32_t r = 0; r < 4; ++r) {
      const int64_t value = ((int64_t)x[r] * mx[r] + (int64_t)h[r] * mh[r] + shift) >> shift; /* 2^(shift-1) = shift */
      n[r] = value < -32768 ? -32768 : value > 32767 ? 32767 : (int32_t)value;
    }
    return;
  }
  const int32x4_t a = vldrwq_s32(x);
  const int32x4_t b = vldrwq_s32(h);
  const int32x4_t ma = vldrwq_s32(mx);
  const int32x4_t mb = vldrwq_s32(mh);
  const uint32x4_t half = vhaddq_u32(vreinterpretq_u32_s32(vmulq_s32(a, ma)), vreinterpretq_u32_s32(vmulq_s32(b, mb)));
  int32x4_t high = vaddq_s32(vmulhq_s32(a, ma), vmulhq_s32(b, mb));
  if (shift > 32) { /* half a unit lies in the upper word */
    high = vrshlq_n_s32(vaddq_s32(high, vreinterpretq_s32_u32(vshrq_n_u32(half, 31))), 32 - shift);
  } else {
    high = vqaddq_s32(vqshlq_r_s32(high, 32 - shift), vreinterpretq_s32_u32(vrshlq_n_u32(half, 1 - shift)));
  }
  vstrwq_s32(n, eq_clamp16_x4(high));
}

EQ_INLINE int32_t eq_cell_tanh(int32_t n, const int16_t *middle) {
  const int32_t f = n & 127;
  const int16_t *t = middle + (n >> 7);
  return (t[0] * (128 - f) + t[1] * f + 64) >> 7;
}

EQ_INLINE int32_t eq_cell_sigmoid(int32_t n, const int16_t *middle) { return (eq_cell_tanh(n, middle) + 32769) >> 1; }

/* The table's middle and the entry behind it, in registers: the compiler would work them out again for every gather. */
typedef struct {
  const int16_t *first;
  const int16_t *second;
} eq_gate_table_t;

/* Addresses of a gather wrap, so that offsets may be negative. The barrier keeps values of other gates out of registers. */
EQ_INLINE int32x4_t eq_cell_tanh_x4(int32x4_t n, eq_gate_table_t table) {
  __asm__ volatile("" : : : "memory");
  const uint32x4_t index = vreinterpretq_u32_s32(vshrq_n_s32(n, 7));
  const int32x4_t first = vldrhq_gather_shifted_offset_s32(table.first, index);
  const int32x4_t rise = vsubq_s32(vldrhq_gather_shifted_offset_s32(table.second, index), first);
  return vaddq_s32(first, vrshrq_n_s32(vmulq_s32(rise, vandq_s32(n, vdupq_n_s32(127))), 7));
}

EQ_INLINE int32x4_t eq_cell_sigmoid_x4(int32x4_t n, eq_gate_table_t table) {
  return vhaddq_n_s32(eq_cell_tanh_x4(n, table), 32769);
}

EQ_INLINE void eq_lstm_update(int16_t *next, int32_t *cells, const int32_t n[16], const int16_t *middle) {
  eq_gate_table_t table = {middle, middle + 1};
  __asm__("" : "+r"(table.first), "+r"(table.second));
  const uint32x4_t units = vshlq_n_u32(vidupq_n_u32(0, 1), 4);
  /* c = 2^15*upper + lower, 0 <= lower < 2^15; i*g + f*lower is below 2^31 in magnitude. */
  const int32x4_t g = eq_cell_tanh_x4(vldrwq_gather_offset_s32(n + 3, units), table);
  const int32x4_t added = vmulq_s32(g, eq_cell_sigmoid_x4(vldrwq_gather_offset_s32(n, units), table));
  const int32x4_t f = eq_cell_sigmoid_x4(vldrwq_gather_offset_s32(n + 2, units), table);
  int32x4_t cell = vldrwq_s32(cells);
  const int32x4_t upper = vshrq_n_s32(cell, 15);
  const int32x4_t lower = vsubq_s32(cell, vshlq_n_s32(upper, 15));
  const int32x4_t sum = vrshrq_n_s32(vaddq_s32(added, vmulq_s32(f, lower)), 15);
  cell = vaddq_s32(vmulq_s32(f, upper), sum);
  vstrwq_s32(cells, cell);
  const int32x4_t result = eq_cell_tanh_x4(eq_clamp16_x4(vrshrq_n_s32(cell, 3)), table);
  const int32x4_t o = eq_cell_sigmoid_x4(vldrwq_gather_offset_s32(n + 1, units), table);
  vstrhq_s32(next, vrshrq_n_s32(vmulq_s32(o, result), 15));
}

#endif
