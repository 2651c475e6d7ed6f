/* Says which fault stopped the CPU, and where, then exits with EQ_EXIT_FAULT.
 *
 * Only the hard fault is enabled, so every other fault arrives here escalated, with its cause in CFSR. The stack stands
 * at the bottom of the RAM: an overflow leaves the RAM, and the pushed frame is then lost.
 */
#include "console.h"
#include "harness.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SCB_CFSR REGISTER(0xE000ED28u)
#define SCB_MMFAR REGISTER(0xE000ED34u)
#define SCB_BFAR REGISTER(0xE000ED38u)
#define SAU_SFSR REGISTER(0xE000EDE4u)

/* From the linker script: [limit, top) is the stack. */
extern uint32_t eq_stack_limit[], eq_stack_top[];

#define FRAME_BYTES 32u

void eq_fault(void);
void eq_report_fault(uint32_t stack, uint32_t kind, uint32_t pc, uint32_t lr);

#if !defined(__ARM_ARCH_6M__)
typedef struct {
  uint32_t mask;
  const char *text;
} eq_cause_t;

/* Worst first: a bad stack makes the others follow. */
static const eq_cause_t causes[] = {
    {UINT32_C(1) << 20, "stack limit"},
    {UINT32_C(1) << 12, "bus error while stacking"},
    {UINT32_C(1) << 4, "memory protection while stacking"},
    {UINT32_C(1) << 16, "undefined instruction"},
    {UINT32_C(1) << 17, "invalid state"},
    {UINT32_C(1) << 18, "invalid return"},
    {UINT32_C(1) << 19, "coprocessor disabled"},
    {UINT32_C(1) << 24, "unaligned access"},
    {UINT32_C(1) << 25, "division by zero"},
    {UINT32_C(1) << 9, "bus error on data"},
    {UINT32_C(1) << 10, "late bus error on data"},
    {UINT32_C(1) << 8, "bus error on an instruction"},
    {UINT32_C(1) << 1, "memory protection on data"},
    {UINT32_C(1) << 0, "memory protection on an instruction"},
};
#endif

static void write_hex(const char *label, uint32_t value) {
  char text[11] = "0x";
  for (uint32_t i = 0; i < 8; ++i) text[2 + i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15u];
  text[10] = '\0';
  console_text(label);
  console_text(text);
}

static void write_cause(void) {
#if !defined(__ARM_ARCH_6M__)
  const uint32_t status = SCB_CFSR;
  for (uint32_t i = 0; i < sizeof causes / sizeof causes[0]; ++i) {
    if (status & causes[i].mask) {
      console_text(", ");
      console_text(causes[i].text);
    }
  }
  if (status & (UINT32_C(1) << 7)) write_hex(", address ", SCB_MMFAR);
  if (status & (UINT32_C(1) << 15)) write_hex(", address ", SCB_BFAR);
  write_hex(", cfsr ", status);
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
  if (SAU_SFSR != 0) write_hex(", sfsr ", SAU_SFSR);
#endif
#endif
}

/* stack: where the CPU pushed its registers; kind: the exception number; pc and lr are what it pushed, if that lies in the
 * stack: elsewhere they say nothing. */
__attribute__((used, noreturn)) void eq_report_fault(uint32_t stack, uint32_t kind, uint32_t pc, uint32_t lr) {
  console_text("\nedgeq fault: ");
  if (kind == 3u)
    console_text("hard fault");
  else
    write_hex("exception ", kind);
  if (stack < (uint32_t)(uintptr_t)eq_stack_limit) {
    write_hex(", stack overflow: sp ", stack);
  } else if (stack > (uint32_t)(uintptr_t)eq_stack_top - FRAME_BYTES) {
    write_hex(", sp above the stack: ", stack);
  } else {
    write_hex(" at pc ", pc);
    write_hex(", lr ", lr);
    if (pc == 0) console_text(", a jump to address 0");
  }
  write_cause();
  console_text("\n");
  console_exit(EQ_EXIT_FAULT);
}

/* Fetches pc and lr from the basic exception frame (ARMv7-M ARM, B1.5.6: words 6 and 5) where it lies in the stack, then
 * starts the stack anew: the report needs one that works. */
__attribute__((naked)) void eq_fault(void) {
  __asm__(
      ".syntax unified\n\t"
      "mov r0, sp\n\t"
      "mrs r1, ipsr\n\t"
      "movs r2, #0\n\t"
      "movs r3, #0\n\t"
      "ldr r4, =eq_stack_limit\n\t"
      "cmp r0, r4\n\t"
      "blo 1f\n\t"
      "ldr r4, =eq_stack_top\n\t"
      "subs r4, #32\n\t"
      "cmp r0, r4\n\t"
      "bhi 1f\n\t"
      "ldr r2, [r0, #24]\n\t"
      "ldr r3, [r0, #20]\n"
      "1:\n\t"
      "ldr r4, =eq_stack_top\n\t"
      "mov sp, r4\n\t"
      "ldr r4, =eq_report_fault\n\t"
      "bx r4\n\t"
      ".ltorg");
}
