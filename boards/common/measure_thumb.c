/* Stack painting and the end label of the instruction count, for Cortex-M.
 *
 * The free stack is painted right before each call, from its limit up to the stack pointer at the call: what is no
 * longer paint afterwards is the model's own use, whatever the harness used before.
 */
#include "harness.h"

#define EQ_STACK_PAINT 0xA5A5A5A5u

extern uint32_t eq_stack_limit[]; /* lowest word of the stack, from the linker script */
extern uint32_t eq_stack_top[];

void eq_stack_note(const uint32_t *pointer);

static uint32_t high_water;

/* Paints [eq_stack_limit, sp); keeps r0 and r4 to r11, is called from naked code only. */
__attribute__((naked, used)) static void paint_stack(void) {
  __asm__(
      "ldr r1, =eq_stack_limit\n\t"
      "ldr r2, =0xA5A5A5A5\n\t"
      "mov r3, sp\n"
      "1:\n\t"
      "cmp r1, r3\n\t"
      "bhs 2f\n\t"
      "stmia r1!, {r2}\n\t"
      "b 1b\n"
      "2:\n\t"
      "bx lr\n\t"
      ".ltorg");
}

/* pointer: the stack pointer at the call that was measured. */
__attribute__((used)) void eq_stack_note(const uint32_t *pointer) {
  const uint32_t *word = eq_stack_limit;
  while (word < pointer && *word == EQ_STACK_PAINT) ++word;
  const uint32_t bytes = (uint32_t)((const uint8_t *)pointer - (const uint8_t *)word);
  if (bytes > high_water) high_water = bytes;
}

__attribute__((naked)) void eq_measured_run(void) {
  __asm__(
      "push {r4, lr}\n\t"
      "bl paint_stack\n\t"
      "bl eq_model_run\n"
      ".global eq_run_end\n"
      "eq_run_end:\n\t"
      "mov r0, sp\n\t"
      "bl eq_stack_note\n\t"
      "pop {r4, pc}");
}

__attribute__((naked)) void eq_measured_step(uint32_t step) {
  (void)step;
  __asm__(
      "push {r4, lr}\n\t"
      "bl paint_stack\n\t"
      "bl eq_model_step\n\t"
      "mov r0, sp\n\t"
      "bl eq_stack_note\n\t"
      "pop {r4, pc}");
}

uint32_t eq_stack_high_water_bytes(void) { return high_water; }

uint32_t eq_stack_size_bytes(void) {
  return (uint32_t)((const uint8_t *)eq_stack_top - (const uint8_t *)eq_stack_limit);
}
