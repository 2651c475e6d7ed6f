/*
 * Unrolling by a fixed count: written directly before a `for` loop whose trip count is that constant; 2 of 4: by half.
 */
#ifndef EQ_UNROLL_H
#define EQ_UNROLL_H

#if defined(__clang__)
#define EQ_UNROLL_2_OF_4 _Pragma("clang loop unroll_count(2)")
#define EQ_UNROLL_3 _Pragma("clang loop unroll(full)")
#define EQ_UNROLL_4 _Pragma("clang loop unroll(full)")
#define EQ_UNROLL_8 _Pragma("clang loop unroll(full)")
#else
#define EQ_UNROLL_2_OF_4 _Pragma("GCC unroll 2")
#define EQ_UNROLL_3 _Pragma("GCC unroll 3")
#define EQ_UNROLL_4 _Pragma("GCC unroll 4")
#define EQ_UNROLL_8 _Pragma("GCC unroll 8")
#endif

#endif
