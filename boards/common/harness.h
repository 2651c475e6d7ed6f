/* The test harness of edgeq's images: what it needs to know about the model, and what it answers.
 *
 * Commands come from the console, little endian, one byte each:
 *   'R' + the bytes of all inputs   run once; answer: the bytes of all outputs
 *   'V' + the bytes of all inputs   run step by step; answer: after each step the bytes of that step's results, at the
 *                                   end the bytes of all outputs as they lie in the arena then. A step of an image for
 *                                   rows itself writes what its calls give, before the results
 *   'Z'                             reset the model's states, before each sequence of a model that has states
 *   'P'                             paint the arena with a pattern, so that no run finds what another one left
 *   'S'                             answer: uint32 deepest stack use of a run or step so far, uint32 size of the stack
 *   'Q'                             exit with code 0; so does the end of the input between two commands
 * Every definition below comes from eq_harness_model.c, which is generated beside the model.
 */
#ifndef EQ_HARNESS_H
#define EQ_HARNESS_H

#include <stdint.h>

/* Exit codes of an image, besides 0. */
#define EQ_EXIT_FAULT 97u   /* a CPU fault; the report is on the terminal */
#define EQ_EXIT_INPUT 98u   /* the input ended inside a message */
#define EQ_EXIT_COMMAND 99u /* a byte that is no command */

/* A run of bytes in an arena. */
typedef struct {
  uint8_t *at;
  uint32_t bytes;
} eq_span_t;

extern const char eq_model_name[];
extern const uint32_t eq_model_steps;
extern const uint32_t eq_model_input_count;
extern const uint32_t eq_model_output_count;
extern const eq_span_t eq_model_inputs[];
extern const eq_span_t eq_model_outputs[];
extern const eq_span_t eq_model_results[];     /* of all steps, in order */
extern const uint32_t eq_model_first_result[]; /* steps + 1 entries: step k owns [first[k], first[k + 1]) */
extern const uint32_t eq_model_arena_count;    /* one for each memory that the model uses */
extern const eq_span_t eq_model_arenas[];

/* Call NAME_run(arenas) and NAME_step(arenas, step). On Thumb both are tail jumps that use no stack, so that the painted
 * stack shows the model's own use. */
void eq_model_run(void);
void eq_model_step(uint32_t step);

/* Call NAME_state_reset(arena), where the model has states. */
void eq_model_reset(void);

#if defined(__arm__)
#define EQ_ARENA_SECTION(name) __attribute__((section(".bss." name)))
#define EQ_BIND_MODEL(run, step)                                                               \
  __attribute__((naked)) void eq_model_run(void) {                                             \
    __asm__("ldr r0, =eq_model_arena\n\tldr r1, =" #run "\n\tbx r1\n\t.ltorg");                \
  }                                                                                            \
  __attribute__((naked)) void eq_model_step(uint32_t index) {                                  \
    (void)index;                                                                               \
    __asm__("mov r1, r0\n\tldr r0, =eq_model_arena\n\tldr r2, =" #step "\n\tbx r2\n\t.ltorg"); \
  }
/* The same with one or two further arenas, which lie in other memories. */
#define EQ_BIND_MODEL_2(run, step, second)                                                                             \
  __attribute__((naked)) void eq_model_run(void) {                                                                     \
    __asm__("ldr r0, =eq_model_arena\n\tldr r1, =" #second "\n\tldr r2, =" #run "\n\tbx r2\n\t.ltorg");                \
  }                                                                                                                    \
  __attribute__((naked)) void eq_model_step(uint32_t index) {                                                          \
    (void)index;                                                                                                       \
    __asm__("mov r2, r0\n\tldr r0, =eq_model_arena\n\tldr r1, =" #second "\n\tldr r3, =" #step "\n\tbx r3\n\t.ltorg"); \
  }
#define EQ_BIND_MODEL_3(run, step, second, third)                                                             \
  __attribute__((naked)) void eq_model_run(void) {                                                            \
    __asm__("ldr r0, =eq_model_arena\n\tldr r1, =" #second "\n\tldr r2, =" #third "\n\tldr r3, =" #run        \
            "\n\tbx r3\n\t.ltorg");                                                                           \
  }                                                                                                           \
  __attribute__((naked)) void eq_model_step(uint32_t index) {                                                 \
    (void)index;                                                                                              \
    __asm__("ldr r1, =" #step "\n\tmov r12, r1\n\tmov r3, r0\n\tldr r0, =eq_model_arena\n\tldr r1, =" #second \
            "\n\tldr r2, =" #third "\n\tbx r12\n\t.ltorg");                                                   \
  }
#else
/* The address sanitizer guards no variable that has a section of its own. */
#define EQ_ARENA_SECTION(name)
#define EQ_BIND_MODEL(run, step)                   \
  void eq_model_run(void) { run(eq_model_arena); } \
  void eq_model_step(uint32_t index) { step(eq_model_arena, index); }
#endif

/* Run under measurement of the stack. After a run the CPU passes the global label eq_run_end: it ends the count of
 * instructions that the entry of NAME_run began. One file per kind of CPU defines these: measure_thumb.c,
 * measure_host.c. */
void eq_measured_run(void);
void eq_measured_step(uint32_t step);
uint32_t eq_stack_high_water_bytes(void);
uint32_t eq_stack_size_bytes(void);

#endif
