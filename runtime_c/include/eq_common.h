/*
 * What every kernel needs: storage classes, a static assertion, and the fixed-width types. Nothing of the C library.
 *
 * Kernels are always-inline functions over a const record. A caller that passes the address of a constant record gets
 * everything folded; a caller that wants one shared instance wraps the kernel in an EQ_NOINLINE function.
 *
 * Integer assumptions, which hold for gcc and clang on every target: two's complement, `>>` of a negative number is
 * arithmetic, conversion to a narrower signed type keeps the low bits.
 */
#ifndef EQ_COMMON_H
#define EQ_COMMON_H

#include <stddef.h>
#include <stdint.h>

#define EQ_INLINE static inline __attribute__((always_inline, unused))

/* A string: the section for all code but loops over steps, in fast memory perhaps. By default the compiler's own. */
#ifdef EQ_CODE_SECTION
#define EQ_PLACED __attribute__((section(EQ_CODE_SECTION)))
#else
#define EQ_PLACED
#endif

/* gcc 12 can lose track of what a function stores once it has rewritten the addresses of its loops, call the function
   free of effects, and drop the call. noipa forbids such conclusions across a call; it implies noinline. */
#if defined(__GNUC__) && !defined(__clang__)
#define EQ_NOINLINE __attribute__((noinline, noipa)) EQ_PLACED
#else
#define EQ_NOINLINE __attribute__((noinline)) EQ_PLACED
#endif

/* Behind EQ_NOINLINE: only instances need the function whose record has something in that field. It says so to estimates
   of code; where the field is a constant, the compiler sees it itself. */
#define EQ_FOR(field) __attribute__((unused))

#ifdef __cplusplus
#define EQ_RESTRICT __restrict__
#define EQ_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define EQ_RESTRICT restrict
#define EQ_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* Keeps the compiler from unrolling a loop whose body is already the fast step. */
#if defined(__clang__)
#define EQ_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define EQ_NO_UNROLL _Pragma("GCC unroll 1")
#endif

/* 1 where bytes of code count more than instructions: loops whose bodies stand once or twice, not as often as they are
   fastest, the same bits. The program that includes the runtime defines it before. */
#if !defined(EQ_COMPACT)
#define EQ_COMPACT 0
#endif

/* Whether the compiler knows that a value is this number: what then changes nothing is left out. False without optimization,
   where the condition of an `if` must be written so for the branch to vanish. */
#define EQ_KNOWN(value, number) (__builtin_constant_p(value) && (value) == (number))

EQ_STATIC_ASSERT((-1 >> 1) == -1, "right shift of a negative number must be arithmetic");

/* value * 2^shift modulo 2^32: a left shift that is defined for negative values. */
EQ_INLINE int32_t eq_shift_left(int32_t value, int32_t shift) { return (int32_t)((uint32_t)value << shift); }

/* a + b modulo 2^32. */
EQ_INLINE int32_t eq_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

#endif
