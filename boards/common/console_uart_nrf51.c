/* Nordic UART without EasyDMA (nRF51 Series Reference Manual, 28; the nRF52832 and nRF52833 keep it as UART0). */
#include "uart.h"

#define TASKS_HFCLKSTART EQ_REGISTER(0x40000000u)
#define TASKS_STARTRX EQ_UART(0x000u)
#define TASKS_STARTTX EQ_UART(0x008u)
#define EVENTS_RXDRDY EQ_UART(0x108u)
#define EVENTS_TXDRDY EQ_UART(0x11Cu)
#define ENABLE EQ_UART(0x500u)
#define PSELTXD EQ_UART(0x50Cu)
#define PSELRXD EQ_UART(0x514u)
#define RXD EQ_UART(0x518u)
#define TXD EQ_UART(0x51Cu)
#define BAUDRATE EQ_UART(0x524u)

static void uart_init(void) {
  /* The RC oscillator is too coarse for a serial line; the crystal runs long before the first byte comes. */
  TASKS_HFCLKSTART = 1;
  PSELTXD = EQ_UART_TX_PIN;
  PSELRXD = EQ_UART_RX_PIN;
  /* baud * 2^32 / 16 MHz, rounded to the register's upper 20 bits: 115200 gives 0x01D7E000 */
  BAUDRATE = (uint32_t)((((uint64_t)EQ_UART_BAUD << 32) / 16000000u + 0x800u) & 0xFFFFF000u);
  ENABLE = 4;
  TASKS_STARTTX = 1;
  TASKS_STARTRX = 1;
}

static uint8_t uart_get(void) {
  while (EVENTS_RXDRDY == 0) {
  }
  EVENTS_RXDRDY = 0; /* before the read: the read lets the next byte raise it */
  return (uint8_t)RXD;
}

static void uart_put(uint8_t byte) {
  TXD = byte;
  while (EVENTS_TXDRDY == 0) {
  }
  EVENTS_TXDRDY = 0;
}

#include "console_uart.h"
