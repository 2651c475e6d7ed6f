/*
 * Dot products of int8 vectors. Vectors may have any alignment and any length n >= 1; nothing beyond them is read.
 *   eq_dot_s8   acc + sum a[i]*b[i]
 * and what the other headers of this folder build on:
 *   eq_load_word   four bytes from any address: one LDR, or four LDRB under -mno-unaligned-access
 *   eq_even_bytes  bytes 0 and 2 of a word, sign-extended to halfwords (SXTB16)
 *   eq_odd_bytes   bytes 1 and 3; gcc 12 does not fold the rotation into SXTB16 by itself
 *   eq_mac_dual    acc + low*low + high*high of two pairs of int16 (SMLAD)
 * No sum may leave int32.
 */
#ifndef EQ_DOT_H
#define EQ_DOT_H

#include <eq_common.h>

typedef uint32_t __attribute__((may_alias, aligned(1))) eq_word_t;
typedef uint32_t __attribute__((may_alias)) eq_pair_t;

/*
 * A variable for inline assembly that takes nearly all core registers. With a floating-point unit, or without
 * optimization, gcc 12 gives up on such a statement beside a frame pointer, unless each register has its name.
 */
#if defined(__clang__) || (defined(__SOFTFP__) && defined(__OPTIMIZE__))
#define EQ_VARIABLE(type, name, where) type name
#else
#define EQ_VARIABLE(type, name, where) register type name __asm__(where)
#endif

EQ_INLINE uint32_t eq_load_word(const void *address) { return *(const eq_word_t *)address; }

EQ_INLINE uint32_t eq_even_bytes(uint32_t word) {
  uint32_t pair;
  __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
  return pair;
}

EQ_INLINE uint32_t eq_odd_bytes(uint32_t word) {
  uint32_t pair;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
  return pair;
}

EQ_INLINE int32_t eq_mac_dual(uint32_t a, uint32_t b, int32_t acc) {
  int32_t sum;
  __asm__("smlad %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(acc) : "cc");
  return sum;
}

/* The last n = 1…3 bytes of a vector as a word whose other bytes are zero. */
EQ_INLINE uint32_t eq_load_tail(const int8_t *address, int32_t n) {
  uint32_t word = (uint8_t)address[0];
  if (n > 1) {
    word |= (uint32_t)(uint8_t)address[1] << 8;
  }
  if (n > 2) {
    word |= (uint32_t)(uint8_t)address[2] << 16;
  }
  return word;
}

EQ_INLINE int32_t eq_mac_words(uint32_t a, uint32_t b, int32_t acc) {
  acc = eq_mac_dual(eq_even_bytes(a), eq_even_bytes(b), acc);
  return eq_mac_dual(eq_odd_bytes(a), eq_odd_bytes(b), acc);
}

EQ_INLINE int32_t eq_dot_s8(const int8_t *a, const int8_t *b, int32_t n, int32_t acc) {
  int32_t i = 0;
  for (; i + 8 <= n; i += 8) {
    acc = eq_mac_words(eq_load_word(a + i), eq_load_word(b + i), acc);
    acc = eq_mac_words(eq_load_word(a + i + 4), eq_load_word(b + i + 4), acc);
  }
  if (i + 4 <= n) {
    acc = eq_mac_words(eq_load_word(a + i), eq_load_word(b + i), acc);
    i += 4;
  }
  if (i < n) {
    acc = eq_mac_words(eq_load_tail(a + i, n - i), eq_load_tail(b + i, n - i), acc);
  }
  return acc;
}

#endif
