/* Arm CMSDK APB UART (Cortex-M System Design Kit TRM, 4.3): the MPS2 and MPS3 boards. */
#include "uart.h"

#define DATA EQ_UART(0x00u)
#define STATE EQ_UART(0x04u)
#define CTRL EQ_UART(0x08u)
#define BAUDDIV EQ_UART(0x10u)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u

static void uart_init(void) {
  BAUDDIV = EQ_UART_CLOCK_HZ / EQ_UART_BAUD; /* at least 16 */
  CTRL = 3u;                                 /* transmit and receive */
}

static uint8_t uart_get(void) {
  while ((STATE & STATE_RX_FULL) == 0) {
  }
  return (uint8_t)DATA;
}

static void uart_put(uint8_t byte) {
  while ((STATE & STATE_TX_FULL) != 0) {
  }
  DATA = byte;
}

#include "console_uart.h"
