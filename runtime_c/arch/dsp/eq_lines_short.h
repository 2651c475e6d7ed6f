/*
 * The lines of eq_lines.h where bytes of code count (EQ_COMPACT): one function for both strides, each with one result in
 * its loop.
 *   eq_lines_short   all lines of all channels; `entry` of the record is 0 for stride 1, 1 for stride 2
 *
 * The sum of two columns is complete with the third, then takes over the one of the column behind, which starts anew: so
 * a loop of one result moves nothing between registers.
 *
 * Cost      instructions for a result: 19 with stride 1, 25 with stride 2.
 * Stack     assembly takes EQ_LINES_STACK bytes.
 */
#ifndef EQ_LINES_SHORT_H
#define EQ_LINES_SHORT_H

#if EQ_COMPACT

/* clang-format off */
/* At 44 what the results' addresses move by when the window moves a line: with stride 1 they are relative to it. */
#define EQ_LINES_SHORT_ENTER          \
  "ldr r4, [sp, #112]\n\t"            \
  "ldr r5, [sp, #72]\n\t"             \
  "cmp r4, #0\n\t"                    \
  "it ne\n\t"                         \
  "movne r5, #0\n\t"                  \
  "str r5, [sp, #44]\n\t"
#define EQ_LINES_SHORT_NEXT           \
  "ldr r5, [sp, #112]\n\t"            \
  "add r1, r5\n\t"
#define EQ_LINES_SHORT_MOVE(to, back) \
  "ldrd r0, r1, [sp, #116]\n\t"       \
  "ldr r4, [sp, #72]\n\t"             \
  to " r0, r4\n\t"                    \
  "ldr r4, [sp, #44]\n\t"             \
  back " r1, r4\n\t"                  \
  "strd r0, r1, [sp, #116]\n\t"
#define EQ_LINES_SHORT_LAST           \
  "ldr r4, [sp, #8]\n\t"              \
  "add r2, r4\n\t"                    \
  EQ_LINES_FINISH("r2")
#define EQ_LINES_SHORT_LINE           \
  EQ_LINES_LOAD_ANY                   \
  EQ_LINES_SECOND("r2")               \
  EQ_LINES_FIRST_1("r3")              \
  "ldr r4, [sp, #112]\n\t"            \
  "cmp r4, #0\n\t"                    \
  "bne 61f\n\t"                       \
  "60:\n\t"                           \
  EQ_LINES_LOAD_ANY                   \
  EQ_LINES_THIRD("r2")                \
  EQ_LINES_FINISH("r2")               \
  EQ_LINES_BESIDE("r2")               \
  "smlad r2, r4, r7, r3\n\t"          \
  "smlabt r2, r5, r9, r2\n\t"         \
  EQ_LINES_FIRST_1("r3")              \
  "ldr r4, [sp, #12]\n\t"             \
  "cmp r0, r4\n\t"                    \
  "bne 60b\n\t"                       \
  "ldr r4, [sp, #100]\n\t"            \
  "cmp r4, #0\n\t"                    \
  "beq 64f\n\t"                       \
  "add r0, r0, r10, lsr #16\n\t"      \
  EQ_LINES_SHORT_LAST                 \
  EQ_LINES_BESIDE("r2")               \
  "b 64f\n\t"                         \
  /* Two columns for a result; what follows the comparison leaves its flags alone. */ \
  "61:\n\t"                           \
  EQ_LINES_LOAD_ANY                   \
  EQ_LINES_THIRD("r2")                \
  EQ_LINES_FINISH("r2")               \
  "strb r2, [r1]\n\t"                 \
  "add r1, r1, r10, lsr #16\n\t"      \
  EQ_LINES_FIRST_1("r2")              \
  "ldr r4, [sp, #12]\n\t"             \
  "cmp r0, r4\n\t"                    \
  "bne 62f\n\t"                       \
  "ldr r4, [sp, #100]\n\t"            \
  "cbz r4, 64f\n\t"                   \
  "62:\n\t"                           \
  EQ_LINES_LOAD_ANY                   \
  EQ_LINES_SECOND("r2")               \
  "bne 61b\n\t"                       \
  EQ_LINES_SHORT_LAST                 \
  "strb r2, [r1]\n\t"                 \
  "64:\n\t"
/* clang-format on */

EQ_NOINLINE __attribute__((unused)) static void eq_lines_short(const eq_lines_t *p) {
  register const eq_lines_t *r0 __asm__("r0") = p;
  EQ_LINES_RUN(EQ_LINES_SHORT_ENTER, EQ_LINES_BIAS_1, EQ_LINES_LOAD_ANY, EQ_LINES_FIRST_1, EQ_LINES_SHORT_LINE,
               EQ_LINES_SHORT_MOVE, EQ_LINES_SHORT_NEXT, "m"(*p));
}

#endif

#endif
