/* STM32 LPUART with ISR, RDR and TDR: the L4, L5, U5 and G4 families (RM0432, 51.7). */
#include "uart.h"

#define CR1 EQ_UART(0x00u)
#define BRR EQ_UART(0x0Cu)
#define ISR EQ_UART(0x1Cu)
#define RDR EQ_UART(0x24u)
#define TDR EQ_UART(0x28u)
#define ISR_RXNE (1u << 5)
#define ISR_TXE (1u << 7)
#define CR1_UE_RE_TE 0xDu

static void uart_init(void) {
  BRR = (uint32_t)(((uint64_t)EQ_UART_CLOCK_HZ * 256u + EQ_UART_BAUD / 2u) / EQ_UART_BAUD);
  CR1 = CR1_UE_RE_TE;
}

static uint8_t uart_get(void) {
  while ((ISR & ISR_RXNE) == 0) {
  }
  return (uint8_t)RDR;
}

static void uart_put(uint8_t byte) {
  while ((ISR & ISR_TXE) == 0) {
  }
  TDR = byte;
}

#include "console_uart.h"
