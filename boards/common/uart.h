/* What a serial driver gives to console_uart.h. Constants of the board come from eq_board.h, which is generated:
 * EQ_UART_BASE, EQ_UART_CLOCK_HZ, EQ_UART_BAUD, EQ_UART_TX_PIN, EQ_UART_RX_PIN, and EQ_UART_SETUP, the register writes
 * {address, bits to clear, bits to set} that lead the line to its pins. 8 data bits, no parity, 1 stop bit. */
#ifndef EQ_UART_H
#define EQ_UART_H

#include "eq_board.h"

#include <stdint.h>

#define EQ_REGISTER(address) (*(volatile uint32_t *)(address))
#define EQ_UART(offset) EQ_REGISTER(EQ_UART_BASE + (offset))

#endif
