/* STM32 USART with SR and DR: the F1, F2 and F4 families (RM0041, 23.6; RM0090, 30.6). */
#include "uart.h"

#define SR EQ_UART(0x00u)
#define DR EQ_UART(0x04u)
#define BRR EQ_UART(0x08u)
#define CR1 EQ_UART(0x0Cu)
#define SR_RXNE (1u << 5)
#define SR_TXE (1u << 7)
#define CR1_UE_TE_RE 0x200Cu

static void uart_init(void) {
  BRR = (EQ_UART_CLOCK_HZ + EQ_UART_BAUD / 2u) / EQ_UART_BAUD;
  CR1 = CR1_UE_TE_RE;
}

static uint8_t uart_get(void) {
  while ((SR & SR_RXNE) == 0) {
  }
  return (uint8_t)DR;
}

static void uart_put(uint8_t byte) {
  while ((SR & SR_TXE) == 0) {
  }
  DR = byte;
}

#include "console_uart.h"
