/*
 * 3x3 windows over one channel after the other: the core of a depthwise convolution that keeps its weights in registers.
 *   eq_lines_walk           all lines of all channels; a line runs along rows or columns, whichever the caller says
 *   eq_lines_walk_compact   the same with stride 1 over input whose columns are four bytes apart, and results whose are not;
 *                           eq_lines_compact fills in what addresses the input
 *
 * A line takes three neighbouring lines of input, a column at a time: the values of the first two lines as one pair, the
 * third alone, each times three columns of weights. Nine weights lie in five registers; the spare halfword is the
 * distance between columns. Stride 1 keeps the sums of two results, stride 2 of one. Lines above the input and below it
 * are not read: there the window moves inwards by a line, its weights with it, and what padding adds is in the bias. The
 * padding beside a line adds two numbers for each channel.
 *
 * Layout    weights: per channel 20 bytes, 4-byte aligned, w[line][column]:
 *           w00 w01 w10 w11, w02 w20 w12 w21 (int8), w22 (int16), 0 (int16), bias, multiplier (int32)
 * Ranges    at least 3 lines and 2 columns of input; at most one line, one column of padding on each side;
 *           0 < column < 65536 (bytes between columns); no left shift of the accumulator; results saturate to int8.
 * Order     channel by channel, in each line by line. Only bytes are loaded from the input.
 * Cost      instructions for a result, stride 1 and compact: 16 where distances are variables, 14 where they are constants and
 *           columns less than 256 bytes apart, else 15; stride 2: 21, 18, 20. About 30 for a line, 90 for a channel.
 * Stack     assembly takes EQ_LINES_STACK bytes.
 */
#ifndef EQ_LINES_H
#define EQ_LINES_H

#include <eq_common.h>

/* In the order in which the assembly knows it. Addresses are of channel 0. */
typedef struct {
  uint32_t weights;
  uint32_t x;       /* column 0 of the first line of input under the first line of results; in thought, above padding */
  uint32_t side;    /* stride 1: address of a line's first result less that of its column 1; stride 2: of the result */
  int32_t channels; /* >= 1 */
  int32_t pads;     /* the value of padding in both halfwords */
  int32_t out_zero; /* of the results */
  int32_t line;     /* bytes between lines of the input */
  uint32_t column;  /* bytes between columns, times 65536 */
  int32_t top;      /* 1: a line with padding above it comes first */
  int32_t middle;   /* lines whose window is inside */
  int32_t bottom;   /* 1: a line with padding below it comes last */
  int32_t length;   /* bytes from column 0 to the first one that the loop over columns does not take */
  int32_t left, right; /* 1: padding before, behind each line */
  int32_t step;        /* x of the next line of results, less x */
  int32_t side_step;   /* side of the next line of results, less side */
  int32_t entry;       /* eq_lines_entry */
  int32_t spare[3];
} eq_lines_t;

#define EQ_LINES_STACK 164

/* Of `inner` results in the loop over columns: modulo 4, subtracted from 4; 0 for 0. */
EQ_INLINE int32_t eq_lines_entry(int32_t inner, int32_t stride) { return EQ_COMPACT ? stride - 1 : -inner & 3; }

/* clang-format off */
/* r0 input, r1 side, r2 r3 sums, r4 r5 values, r6-r10 weights, r11 bytes between lines or bias, r12 multiplier, lr zero. */
#define EQ_LINES_LOAD_ANY                 \
  "ldrsb r5, [r0, r11]\n\t"               \
  "ldrsb r4, [r0]\n\t"                    \
  "pkhbt r4, r4, r5, lsl #16\n\t"         \
  "ldrsb r5, [r0, r11, lsl #1]\n\t"       \
  "add r0, r0, r10, lsr #16\n\t"
#define EQ_LINES_LOAD_NEAR                \
  "ldrsb r5, [r0, %[line]]\n\t"           \
  "ldrsb r4, [r0], %[column]\n\t"         \
  "pkhbt r4, r4, r5, lsl #16\n\t"         \
  "ldrsb r5, [r0, %[third]]\n\t"
#define EQ_LINES_LOAD_FAR                 \
  "ldrsb r5, [r0, %[line]]\n\t"           \
  "ldrsb r4, [r0]\n\t"                    \
  "pkhbt r4, r4, r5, lsl #16\n\t"         \
  "ldrsb r5, [r0, %[third]]\n\t"          \
  "add r0, %[column]\n\t"

/* Compact: r11 is the distance to the line before, r0 on the third line, and r10 has the columns of the results. */
#define EQ_LINES_LOAD_COMPACT             \
  "ldrsb r4, [r0, r11, lsl #1]\n\t"       \
  "ldrsb r5, [r0, r11]\n\t"               \
  "pkhbt r4, r4, r5, lsl #16\n\t"         \
  "ldrsb r5, [r0], #4\n\t"

#define EQ_LINES_BIAS_1 "ldr r11, [sp, #72]\n\t"
#define EQ_LINES_BIAS_2 "mov r3, r11\n\tldr r11, [sp, #72]\n\t"
#define EQ_LINES_BIAS_KEPT ""
#define EQ_LINES_FIRST_1(sum)                  \
  "ldr " sum ", [sp, #0]\n\t"                  \
  "smlad " sum ", r4, r6, " sum "\n\t"         \
  "smlabb " sum ", r5, r9, " sum "\n\t"
#define EQ_LINES_FIRST_2(sum)                  \
  "smlad " sum ", r4, r6, r3\n\t"              \
  "smlabb " sum ", r5, r9, " sum "\n\t"
#define EQ_LINES_FIRST_KEPT(sum)               \
  "smlad " sum ", r4, r6, r11\n\t"             \
  "smlabb " sum ", r5, r9, " sum "\n\t"
#define EQ_LINES_SECOND(sum)                   \
  "smlad " sum ", r4, r7, " sum "\n\t"         \
  "smlabt " sum ", r5, r9, " sum "\n\t"
#define EQ_LINES_THIRD(sum)                    \
  "smlad " sum ", r4, r8, " sum "\n\t"         \
  "smlabb " sum ", r5, r10, " sum "\n\t"
#define EQ_LINES_FINISH(sum)                   \
  "smmlar " sum ", " sum ", r12, lr\n\t"       \
  "ssat " sum ", #8, " sum "\n\t"

/* One result of stride 1, its last column: the sum `a` is complete and starts anew, `b` goes on. */
#define EQ_LINES_COLUMN(load, first, store, a, b) \
  load                                         \
  EQ_LINES_THIRD(a)                            \
  EQ_LINES_SECOND(b)                           \
  EQ_LINES_FINISH(a)                           \
  store(a)                                     \
  first(a)
#define EQ_LINES_BESIDE(sum) "strb " sum ", [r0, r1]\n\t"
#define EQ_LINES_APART(sum) "strb " sum ", [r1]\n\tadd r1, r1, r10, lsr #16\n\t"

/* A line of stride 1. The entries of the table have 8 bytes each. */
#define EQ_LINES_LINE_1(load, first, store, move) \
  load                                         \
  EQ_LINES_SECOND("r2")                        \
  first("r3")                                  \
  "ldr pc, [sp, #112]\n\t"                     \
  "50:\n\t"                                    \
  "b.n 60f\n\tnop.n\n\tnop.n\n\tnop.n\n\t"     \
  "mov r4, r2\n\tmov r2, r3\n\tmov r3, r4\n\tb.n 61f\n\t" \
  "b.n 62f\n\tnop.n\n\tnop.n\n\tnop.n\n\t"     \
  "mov r4, r2\n\tmov r2, r3\n\tmov r3, r4\n\tb.n 63f\n\t" \
  "60:\n\t"                                    \
  EQ_LINES_COLUMN(load, first, store, "r2", "r3")     \
  "61:\n\t"                                    \
  EQ_LINES_COLUMN(load, first, store, "r3", "r2")     \
  "62:\n\t"                                    \
  EQ_LINES_COLUMN(load, first, store, "r2", "r3")     \
  "63:\n\t"                                    \
  EQ_LINES_COLUMN(load, first, store, "r3", "r2")     \
  "ldr r4, [sp, #12]\n\t"                      \
  "cmp r0, r4\n\t"                             \
  "bne 60b\n\t"                                \
  "ldr r4, [sp, #100]\n\t"                     \
  "cbz r4, 64f\n\t"                            \
  "ldr r4, [sp, #8]\n\t"                       \
  move                                         \
  "add r2, r4\n\t"                             \
  EQ_LINES_FINISH("r2")                        \
  store("r2") \
  "64:\n\t"

/* One result of stride 2. */
#define EQ_LINES_PAIR(load, first, store)      \
  load                                         \
  EQ_LINES_SECOND("r2")                        \
  load                                         \
  EQ_LINES_THIRD("r2")                         \
  EQ_LINES_FINISH("r2")                        \
  store                                        \
  first("r2")

#define EQ_LINES_LINE_2(load, first, store)    \
  "ldr pc, [sp, #112]\n\t"                     \
  "50:\n\t"                                    \
  "b.n 60f\n\tnop.n\n\tnop.n\n\tnop.n\n\t"     \
  "b.n 61f\n\tnop.n\n\tnop.n\n\tnop.n\n\t"     \
  "b.n 62f\n\tnop.n\n\tnop.n\n\tnop.n\n\t"     \
  "b.n 63f\n\tnop.n\n\tnop.n\n\tnop.n\n\t"     \
  "60:\n\t"                                    \
  EQ_LINES_PAIR(load, first, store)            \
  "61:\n\t"                                    \
  EQ_LINES_PAIR(load, first, store)            \
  "62:\n\t"                                    \
  EQ_LINES_PAIR(load, first, store)            \
  "63:\n\t"                                    \
  EQ_LINES_PAIR(load, first, store)            \
  "ldr r4, [sp, #12]\n\t"                      \
  "cmp r0, r4\n\t"                             \
  "bne 60b\n\t"                                \
  "ldr r4, [sp, #100]\n\t"                     \
  "cbz r4, 64f\n\t"                            \
  load                                         \
  EQ_LINES_SECOND("r2")                        \
  "ldr r4, [sp, #8]\n\t"                       \
  "add r2, r4\n\t"                             \
  EQ_LINES_FINISH("r2")                        \
  "strb r2, [r1]\n\t"                          \
  "64:\n\t"

/* Moves the window of a line by a line of input, and what addresses its results with it. */
#define EQ_LINES_MOVE_1(to, back)              \
  "ldrd r0, r1, [sp, #116]\n\t"                \
  "ldr r4, [sp, #72]\n\t"                      \
  to " r0, r4\n\t"                             \
  back " r1, r4\n\t"                           \
  "strd r0, r1, [sp, #116]\n\t"
#define EQ_LINES_MOVE_2(to, back)              \
  "ldr r0, [sp, #116]\n\t"                     \
  "ldr r4, [sp, #72]\n\t"                      \
  to " r0, r4\n\t"                             \
  "str r0, [sp, #116]\n\t"

#define EQ_LINES_MOVE_3(to, back) EQ_LINES_MOVE_2(back, to)

/* Where the loop over columns is entered. */
#define EQ_LINES_ENTER             \
  "ldr r4, [sp, #112]\n\t"         \
  ".balign 4\n\t"                  \
  "adr.w r5, 50f\n\t"              \
  "add r5, r5, r4, lsl #3\n\t"     \
  "add r5, #1\n\t"                 \
  "str r5, [sp, #112]\n\t"
#define EQ_LINES_SAME "add r1, #0\n\t"
#define EQ_LINES_NEXT "add r1, #1\n\t"

/*
 * Everything. On the stack: 0 bias, 4 and 8 what padding before and behind a line adds, 12 where the loop over columns
 * ends, 16 return address, 20 weights and bias of the channel, 48 a copy of eq_lines_t, 128 the caller's registers.
 * At 116: x and side of the line; 124: how many lines are left.
 */
#define EQ_LINES_TEXT(enter, bias, load, first, line, move, next)                   \
  "push {r4-r11, lr}\n\t"                                                           \
  "add r0, #40\n\t"                                                                 \
  "ldm r0, {r1-r10}\n\t"                                                            \
  "push {r1-r10}\n\t"                                                               \
  "sub r0, #40\n\t"                                                                 \
  "ldm r0, {r1-r10}\n\t"                                                            \
  "push {r1-r10}\n\t"                                                               \
  "sub sp, #48\n\t"                                                                 \
  enter                                                                             \
  "ldr lr, [sp, #68]\n\t"                                                           \
  /* a channel: weights into r6-r10, bias into r11 */                               \
  "20:\n\t"                                                                         \
  "ldr r4, [sp, #48]\n\t"                                                           \
  "ldm r4!, {r5, r6, r8, r11, r12}\n\t"                                             \
  "str r4, [sp, #48]\n\t"                                                           \
  "ldr r10, [sp, #76]\n\t"                                                          \
  "pkhbt r10, r8, r10\n\t"                                                          \
  "sxtb16 r9, r6, ror #8\n\t"                                                       \
  "sxtb16 r8, r6\n\t"                                                               \
  "sxtb16 r7, r5, ror #8\n\t"                                                       \
  "sxtb16 r6, r5\n\t"                                                               \
  "add r4, sp, #20\n\t"                                                             \
  "stm r4, {r6-r11}\n\t"                                                            \
  "ldrd r0, r1, [sp, #52]\n\t"                                                      \
  "strd r0, r1, [sp, #116]\n\t"                                                     \
  "add r0, #1\n\t"                                                                  \
  next                                                                              \
  "strd r0, r1, [sp, #52]\n\t"                                                      \
  /* the line below padding: w1, w2, 0 on lines 0, 1, 2 */                          \
  "ldr r4, [sp, #80]\n\t"                                                           \
  "cbz r4, 21f\n\t"                                                                 \
  "str r4, [sp, #124]\n\t"                                                          \
  "ldr r5, [sp, #64]\n\t"                                                           \
  "smlabb r11, r6, r5, r11\n\t"                                                     \
  "smlabb r11, r7, r5, r11\n\t"                                                     \
  "smlabb r11, r8, r5, r11\n\t"                                                     \
  "lsr r4, r6, #16\n\t"                                                             \
  "pkhbt r6, r4, r9, lsl #16\n\t"                                                   \
  "pkhtb r7, r9, r7, asr #16\n\t"                                                   \
  "lsr r4, r8, #16\n\t"                                                             \
  "pkhbt r8, r4, r10, lsl #16\n\t"                                                  \
  "mov r9, #0\n\t"                                                                  \
  "ldr r10, [sp, #76]\n\t"                                                          \
  move("add", "sub")                                                                \
  ".balign 4\n\t"                                                                   \
  "adr.w r4, 24f\n\t"                                                               \
  "b 30f\n\t"                                                                       \
  "24:\n\t"                                                                         \
  move("sub", "add")                                                                \
  /* lines inside */                                                                \
  "21:\n\t"                                                                         \
  "ldr r4, [sp, #84]\n\t"                                                           \
  "cbz r4, 22f\n\t"                                                                 \
  "str r4, [sp, #124]\n\t"                                                          \
  "add r4, sp, #20\n\t"                                                             \
  "ldm r4, {r6-r11}\n\t"                                                            \
  "ldr r5, [sp, #64]\n\t"                                                           \
  ".balign 4\n\t"                                                                   \
  "adr.w r4, 22f\n\t"                                                               \
  "b 30f\n\t"                                                                       \
  /* the line above padding: 0, w0, w1 on the last three lines */                   \
  "22:\n\t"                                                                         \
  "ldr r4, [sp, #88]\n\t"                                                           \
  "cbz r4, 23f\n\t"                                                                 \
  "str r4, [sp, #124]\n\t"                                                          \
  "add r4, sp, #20\n\t"                                                             \
  "ldm r4, {r6-r11}\n\t"                                                            \
  "ldr r5, [sp, #64]\n\t"                                                           \
  "smlabb r11, r5, r9, r11\n\t"                                                     \
  "smlabt r11, r5, r9, r11\n\t"                                                     \
  "smlabb r11, r5, r10, r11\n\t"                                                    \
  "pkhtb r10, r10, r8, asr #16\n\t"                                                 \
  "pkhtb r9, r7, r6, asr #16\n\t"                                                   \
  "lsl r6, #16\n\t"                                                                 \
  "lsl r7, #16\n\t"                                                                 \
  "lsl r8, #16\n\t"                                                                 \
  move("sub", "add")                                                                \
  ".balign 4\n\t"                                                                   \
  "adr.w r4, 23f\n\t"                                                               \
  "b 30f\n\t"                                                                       \
  "23:\n\t"                                                                         \
  "ldr r4, [sp, #60]\n\t"                                                           \
  "subs r4, #1\n\t"                                                                 \
  "str r4, [sp, #60]\n\t"                                                           \
  "bne 20b\n\t"                                                                     \
  "add sp, #128\n\t"                                                                \
  "pop {r4-r11, lr}\n\t"                                                            \
  "b 39f\n\t"                                                                       \
  /* [sp, #124] lines with one set of weights; r4 leads back, r5 pads */            \
  "30:\n\t"                                                                         \
  "add r4, #1\n\t"                                                                  \
  "str r4, [sp, #16]\n\t"                                                           \
  "smlad r4, r6, r5, r11\n\t"                                                       \
  "smlabb r4, r9, r5, r4\n\t"                                                       \
  "strd r11, r4, [sp, #0]\n\t"                                                      \
  "smuad r4, r8, r5\n\t"                                                            \
  "smlabb r4, r10, r5, r4\n\t"                                                      \
  "str r4, [sp, #8]\n\t"                                                            \
  bias                                                                              \
  "31:\n\t"                                                                         \
  "ldrd r0, r1, [sp, #116]\n\t"                                                     \
  "ldr r4, [sp, #92]\n\t"                                                           \
  "add r4, r0\n\t"                                                                  \
  "str r4, [sp, #12]\n\t"                                                           \
  "ldr r4, [sp, #96]\n\t"                                                           \
  "ldr r2, [sp, #4]\n\t"                                                            \
  "cbnz r4, 32f\n\t"                                                                \
  load                                                                              \
  first("r2")                                                                       \
  "32:\n\t"                                                                         \
  line                                                                              \
  "ldrd r0, r1, [sp, #104]\n\t"                                                     \
  "ldrd r4, r5, [sp, #116]\n\t"                                                     \
  "add r4, r0\n\t"                                                                  \
  "add r5, r1\n\t"                                                                  \
  "strd r4, r5, [sp, #116]\n\t"                                                     \
  "ldr r4, [sp, #124]\n\t"                                                          \
  "subs r4, #1\n\t"                                                                 \
  "str r4, [sp, #124]\n\t"                                                          \
  "bne 31b\n\t"                                                                     \
  "ldr pc, [sp, #16]\n\t"                                                           \
  "39:"

#define EQ_LINES_RUN(enter, bias, load, first, line, move, next, ...)                            \
  __asm__ volatile(EQ_LINES_TEXT(enter, bias, load, first, line, move, next)                     \
                   : "+r"(r0)                                                                    \
                   : __VA_ARGS__                                                                 \
                   : "r1", "r2", "r3", "r12", "cc", "memory")
#define EQ_LINES_ASM(bias, load, first, line, move, next, ...) \
  EQ_LINES_RUN(EQ_LINES_ENTER, bias, load, first, line, move, next, __VA_ARGS__)
/* clang-format on */

#include <eq_lines_short.h>

/* Any distances. */
EQ_NOINLINE __attribute__((unused)) static void eq_lines_any_1(const eq_lines_t *p) {
  register const eq_lines_t *r0 __asm__("r0") = p;
  EQ_LINES_ASM(EQ_LINES_BIAS_1, EQ_LINES_LOAD_ANY, EQ_LINES_FIRST_1,
               EQ_LINES_LINE_1(EQ_LINES_LOAD_ANY, EQ_LINES_FIRST_1, EQ_LINES_BESIDE, "add r0, r0, r10, lsr #16\n\t"),
               EQ_LINES_MOVE_1, EQ_LINES_SAME, "m"(*p));
}

EQ_NOINLINE __attribute__((unused)) static void eq_lines_any_2(const eq_lines_t *p) {
  register const eq_lines_t *r0 __asm__("r0") = p;
  EQ_LINES_ASM(EQ_LINES_BIAS_2, EQ_LINES_LOAD_ANY, EQ_LINES_FIRST_2,
               EQ_LINES_LINE_2(EQ_LINES_LOAD_ANY, EQ_LINES_FIRST_2, "strb r2, [r1]\n\tadd r1, r1, r10, lsr #16\n\t"),
               EQ_LINES_MOVE_2, EQ_LINES_NEXT, "m"(*p));
}

#define EQ_LINES_KEPT(load, whole, move, next, line_bytes, column_bytes, third_bytes) \
  EQ_LINES_ASM(EQ_LINES_BIAS_KEPT, load, EQ_LINES_FIRST_KEPT, whole, move, next,      \
               "m"(*p), [line] "i"(line_bytes), [column] "i"(column_bytes), [third] "i"(third_bytes))

/* `stride` 1 or 2; distances that are compile-time constants and small enough become part of the instructions. */
EQ_INLINE void eq_lines_walk(const eq_lines_t *p, int32_t stride, int32_t line, int32_t column) {
  (void)line;
  (void)column;
#if EQ_COMPACT
  (void)stride;
  eq_lines_short(p);
#else
#if defined(__OPTIMIZE__)
  if (__builtin_constant_p(line) && __builtin_constant_p(column) && __builtin_constant_p(stride) && 2 * line < 4096 &&
      2 * line - column > -256 && column < 4096) {
    register const eq_lines_t *r0 __asm__("r0") = p;
    if (stride == 1 && column < 256) {
      EQ_LINES_KEPT(EQ_LINES_LOAD_NEAR,
                    EQ_LINES_LINE_1(EQ_LINES_LOAD_NEAR, EQ_LINES_FIRST_KEPT, EQ_LINES_BESIDE, "add r0, %[column]\n\t"),
                    EQ_LINES_MOVE_1, EQ_LINES_SAME, line, column, 2 * line - column);
    } else if (stride == 1) {
      EQ_LINES_KEPT(EQ_LINES_LOAD_FAR,
                    EQ_LINES_LINE_1(EQ_LINES_LOAD_FAR, EQ_LINES_FIRST_KEPT, EQ_LINES_BESIDE, "add r0, %[column]\n\t"),
                    EQ_LINES_MOVE_1, EQ_LINES_SAME, line, column, 2 * line);
    } else if (column < 256) {
      EQ_LINES_KEPT(EQ_LINES_LOAD_NEAR,
                    EQ_LINES_LINE_2(EQ_LINES_LOAD_NEAR, EQ_LINES_FIRST_KEPT, "strb r2, [r1], %[column]\n\t"),
                    EQ_LINES_MOVE_2, EQ_LINES_NEXT, line, column, 2 * line - column);
    } else {
      EQ_LINES_KEPT(EQ_LINES_LOAD_FAR,
                    EQ_LINES_LINE_2(EQ_LINES_LOAD_FAR, EQ_LINES_FIRST_KEPT, "strb r2, [r1]\n\tadd r1, %[column]\n\t"),
                    EQ_LINES_MOVE_2, EQ_LINES_NEXT, line, column, 2 * line);
    }
    return;
  }
#endif
  if (stride == 1) {
    eq_lines_any_1(p);
  } else {
    eq_lines_any_2(p);
  }
#endif
}

/* Compact columns, lines at any distance; `line` of the record is negated, x two lines further. */
EQ_NOINLINE __attribute__((unused)) static void eq_lines_any_3(const eq_lines_t *p) {
  register const eq_lines_t *r0 __asm__("r0") = p;
  EQ_LINES_ASM(EQ_LINES_BIAS_1, EQ_LINES_LOAD_COMPACT, EQ_LINES_FIRST_1,
               EQ_LINES_LINE_1(EQ_LINES_LOAD_COMPACT, EQ_LINES_FIRST_1, EQ_LINES_APART, ""), EQ_LINES_MOVE_3,
               EQ_LINES_NEXT, "m"(*p));
}

/* Input of four channels at `x`, its lines `line` bytes apart; columns of results out_column; lines of padding before. */
EQ_INLINE eq_lines_t eq_lines_compact(const void *x, int32_t line, int32_t out_column, int32_t pad) {
  eq_lines_t set = {0, 0, 0, 0, 0, 0, line, (uint32_t)out_column << 16, 0, 0, 0, 0, 0, 0, line, 0, 0, {0, 0, 0}};
  set.x = (uint32_t)(uintptr_t)x - (uint32_t)(pad * line);
  return set;
}

EQ_INLINE void eq_lines_walk_compact(const eq_lines_t *p, int32_t line) {
#if defined(__OPTIMIZE__)
  if (__builtin_constant_p(line) && 2 * line < 4096) {
    register const eq_lines_t *r0 __asm__("r0") = p;
    EQ_LINES_KEPT(EQ_LINES_LOAD_NEAR, EQ_LINES_LINE_1(EQ_LINES_LOAD_NEAR, EQ_LINES_FIRST_KEPT, EQ_LINES_APART, ""),
                  EQ_LINES_MOVE_2, EQ_LINES_NEXT, line, 4, 2 * line - 4);
    return;
  }
#endif
  eq_lines_t turned = *p;
  turned.x += (uint32_t)(2 * line);
  turned.line = -line;
  eq_lines_any_3(&turned);
}

#endif
