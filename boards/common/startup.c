/* Vector table and reset for every Cortex-M. The chip starts on its reset clock; no interrupt is ever enabled. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SCB_VTOR REGISTER(0xE000ED08u)
#define SCB_CCR REGISTER(0xE000ED14u)
#define SCB_CPACR REGISTER(0xE000ED88u)
#define CCR_UNALIGN_TRP (1u << 3)
#define CCR_LOB (1u << 19)
#define CPACR_CP10_CP11 (0xFu << 20)

#define SYSTEM_VECTORS 16u

/* All from the linker script. */
extern uint32_t eq_stack_top[];
extern uint32_t eq_data_start[], eq_data_end[];
extern const uint32_t eq_data_load[];
extern uint32_t eq_bss_start[], eq_bss_end[];

int main(void);
void eq_reset(void);
void eq_fault(void);

typedef union {
  uint32_t *stack;
  void (*handler)(void);
} eq_vector_t;

extern const eq_vector_t eq_vectors[SYSTEM_VECTORS];

__attribute__((used, section(".vectors"))) const eq_vector_t eq_vectors[SYSTEM_VECTORS] = {
    {.stack = eq_stack_top}, {.handler = eq_reset}, {.handler = eq_fault}, {.handler = eq_fault},
    {.handler = eq_fault},   {.handler = eq_fault}, {.handler = eq_fault}, {.handler = eq_fault},
    {.handler = eq_fault},   {.handler = eq_fault}, {.handler = eq_fault}, {.handler = eq_fault},
    {.handler = eq_fault},   {.handler = eq_fault}, {.handler = eq_fault}, {.handler = eq_fault},
};

/* Stands at the image's start where a bootloader's header leaves no aligned place for the vector table: it reads only
 * these two words. The linker script drops it on all other boards. */
extern const eq_vector_t eq_boot_vectors[2];
__attribute__((used, section(".boot_vectors"))) const eq_vector_t eq_boot_vectors[2] = {
    {.stack = eq_stack_top},
    {.handler = eq_reset},
};

static void prepare_core(void) {
#if defined(__ARM_ARCH_6M__)
  /* Fixed at 1 on these cores. Their code may run on an emulated ARMv7-M, which would let unaligned accesses pass. */
  SCB_CCR |= CCR_UNALIGN_TRP;
#else
#if !defined(__ARM_FEATURE_UNALIGNED)
  SCB_CCR |= CCR_UNALIGN_TRP; /* built for memory that traps them: then every run shows that there are none */
#endif
  SCB_VTOR = (uint32_t)(uintptr_t)eq_vectors;
  SCB_CPACR |= CPACR_CP10_CP11; /* gates MVE too, and reads as zero where there is neither */
#if defined(__ARM_FEATURE_MVE)
  SCB_CCR |= CCR_LOB;           /* the loop cache behind DLS/LE; loops are right without it, only slower */
#endif
#endif
  __asm__ volatile("dsb\n\tisb" ::: "memory");
}

void eq_reset(void) {
  prepare_core();
  const uint32_t *from = eq_data_load;
  for (uint32_t *to = eq_data_start; to < eq_data_end; ++to) *to = *from++;
  for (uint32_t *to = eq_bss_start; to < eq_bss_end; ++to) *to = 0;
  (void)main();
  for (;;) {
  }
}
