/*
 * Requantized results of a quad of four tiles for one output channel from its sums of products: see eq_tiles.h.
 *   eq_tiles_results   out[row * y + pixel * x] for two rows of eight, saturated to int8; m is at an address of 16 bytes,
 *                      its positions are 32 bytes apart
 *
 * This file: ARMv7-M without the DSP extension, 72 instructions for four results. Stack: EQ_TILES_RESULTS_STACK bytes.
 */
#ifndef EQ_TILES_RESULTS_H
#define EQ_TILES_RESULTS_H

#include <eq_common.h>
#include <eq_tile_scale.h>
#include <eq_tiles_row.h>

#define EQ_TILES_RESULTS_STACK 44

/* clang-format off */
#define EQ_TILES_STORE(sum, where)           \
  "smull r12, " sum ", " sum ", r4\n\t"      \
  "add " sum ", " sum ", r12, lsr #31\n\t"   \
  "add " sum ", r5\n\t"                      \
  "ssat " sum ", #8, " sum "\n\t"            \
  "strb " sum ", " where "\n\t"
#define EQ_TILES_SHIFT     \
  "ldr r12, [sp, #4]\n\t"  \
  "lsl r6, r6, r12\n\t"    \
  "lsl r7, r7, r12\n\t"    \
  "lsl r8, r8, r12\n\t"    \
  "lsl r9, r9, r12\n\t"
/*
 * r4 multiplier, r5 zero point, bias and shift on the stack. Rows of M are r6 and r7, r8 and r9, r10 and r11; the third
 * row goes into the upper results and the lower ones, then the fourth takes its registers. The four tiles end where M is
 * aligned again.
 */
#define EQ_TILES_RESULTS(name, shift)                                                                   \
  EQ_NOINLINE __attribute__((unused)) static void name(int8_t *out, int32_t row, int32_t pixel,         \
                                                       const int32_t *m, const eq_tiles_scale_t *p) {   \
    register int8_t *r0 __asm__("r0") = out;                                                            \
    register int32_t r1 __asm__("r1") = row;                                                            \
    register int32_t r2 __asm__("r2") = pixel;                                                          \
    register const int32_t *r3 __asm__("r3") = m;                                                       \
    register const eq_tiles_scale_t *r12 __asm__("r12") = p;                                            \
    __asm__ volatile(                                                                                   \
        "push {r4-r11, lr}\n\t"                                                                         \
        "sub sp, #8\n\t"                                                                                \
        "ldm r12, {r4-r7}\n\t"                                                                          \
        "strd r6, r7, [sp]\n\t"                                                                         \
        "1:\n\t"                                                                                        \
        EQ_TILES_ROW("0", "r6", "r7", "")                                                               \
        EQ_TILES_ROW("128", "r8", "r9", "ldr r12, [sp]\n\t" "add r9, r9, r12\n\t")                      \
        EQ_TILES_ROW("256", "r10", "r11", "")                                                           \
        "add lr, r8, r10\n\t"                                                                           \
        "sub r8, r8, r10\n\t"                                                                           \
        "add r6, r6, lr, asr #1\n\t"                                                                    \
        "add lr, r9, r11\n\t"                                                                           \
        "sub r9, r9, r11\n\t"                                                                           \
        "add r7, r7, lr, asr #1\n\t"                                                                    \
        EQ_TILES_ROW("384", "r10", "r11", "")                                                           \
        "rsb r8, r10, r8, asr #1\n\t"                                                                   \
        "rsb r9, r11, r9, asr #1\n\t"                                                                   \
        shift                                                                                           \
        EQ_TILES_STORE("r6", "[r0]")                                                                    \
        EQ_TILES_STORE("r8", "[r0, r1]")                                                                \
        "add r0, r0, r2\n\t"                                                                            \
        EQ_TILES_STORE("r7", "[r0]")                                                                    \
        EQ_TILES_STORE("r9", "[r0, r1]")                                                                \
        "add r0, r0, r2\n\t"                                                                            \
        "add r3, r3, #4\n\t"                                                                            \
        "lsls r12, r3, #28\n\t"                                                                         \
        "bne 1b\n\t"                                                                                    \
        "add sp, #8\n\t"                                                                                \
        "pop {r4-r11, lr}\n\t"                                                                          \
        : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12)                                             \
        :                                                                                               \
        : "cc", "memory");                                                                              \
  }
EQ_TILES_RESULTS(eq_tiles_unshifted, "")
EQ_TILES_RESULTS(eq_tiles_shifted, EQ_TILES_SHIFT)
/* clang-format on */

EQ_INLINE void eq_tiles_results(int8_t *out, int32_t row, int32_t pixel, const int32_t *m, const eq_tiles_scale_t *p) {
  if (p->shift == 0) {
    eq_tiles_unshifted(out, row, pixel, m, p);
  } else {
    eq_tiles_shifted(out, row, pixel, m, p);
  }
}

#endif
