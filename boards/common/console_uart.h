/* The console over a serial line. Included at the end of each console_uart_*.c, which defines before:
 *   static void uart_init(void), static uint8_t uart_get(void), static void uart_put(uint8_t)
 * Every byte is polled; input never ends, so console_read always returns `bytes`. */
#ifndef EQ_CONSOLE_UART_H
#define EQ_CONSOLE_UART_H

#include "console.h"
#include "uart.h"

typedef struct {
  uint32_t address, clear, set;
} eq_poke_t;

void console_text(const char *text) {
  while (*text != '\0') uart_put((uint8_t)*text++);
}

void console_init(const char *name) {
  static const eq_poke_t setup[] = {EQ_UART_SETUP};
  /* The last entry is a sentinel: C11 has no empty arrays. */
  for (uint32_t i = 0; i + 1 < sizeof setup / sizeof setup[0]; ++i)
    EQ_REGISTER(setup[i].address) = (EQ_REGISTER(setup[i].address) & ~setup[i].clear) | setup[i].set;
  uart_init();
  console_text("edgeq ");
  console_text(name);
  console_text("\r\n");
}

uint32_t console_read(void *to, uint32_t bytes) {
  uint8_t *out = to;
  for (uint32_t i = 0; i < bytes; ++i) out[i] = uart_get();
  return bytes;
}

void console_write(const void *from, uint32_t bytes) {
  const uint8_t *in = from;
  for (uint32_t i = 0; i < bytes; ++i) uart_put(in[i]);
}

void console_exit(uint32_t code) {
  (void)code;
  for (;;) {
  }
}

#endif
