/* Arm PrimeCell UART PL011 (TRM DDI 0183, 3.3): lm3s6965evb and others. */
#include "uart.h"

#define DR EQ_UART(0x00u)
#define FR EQ_UART(0x18u)
#define IBRD EQ_UART(0x24u)
#define FBRD EQ_UART(0x28u)
#define LCRH EQ_UART(0x2Cu)
#define CR EQ_UART(0x30u)
#define FR_RX_EMPTY (1u << 4)
#define FR_TX_FULL (1u << 5)
#define LCRH_8N1_FIFO 0x70u
#define CR_ENABLE_TX_RX 0x301u
/* The divisor in 1/64: clock / (16 * baud), rounded. */
#define DIVISOR_64 ((EQ_UART_CLOCK_HZ * 4u + EQ_UART_BAUD / 2u) / EQ_UART_BAUD)

static void uart_init(void) {
  CR = 0;
  IBRD = DIVISOR_64 >> 6;
  FBRD = DIVISOR_64 & 63u;
  LCRH = LCRH_8N1_FIFO; /* latches the divisor too */
  CR = CR_ENABLE_TX_RX;
}

static uint8_t uart_get(void) {
  while ((FR & FR_RX_EMPTY) != 0) {
  }
  return (uint8_t)DR;
}

static void uart_put(uint8_t byte) {
  while ((FR & FR_TX_FULL) != 0) {
  }
  DR = byte;
}

#include "console_uart.h"
