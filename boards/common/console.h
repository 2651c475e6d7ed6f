/* The console of an image: one byte stream in, one out, and a terminal for people. One console_*.c is linked in. */
#ifndef EQ_CONSOLE_H
#define EQ_CONSOLE_H

#include <stdint.h>

/* Get ready. A serial line prints the banner "edgeq NAME" now; the others say nothing. */
void console_init(const char *name);

/* Read `bytes` bytes; returns how many came, fewer only at the end of the input. */
uint32_t console_read(void *to, uint32_t bytes);

void console_write(const void *from, uint32_t bytes);

/* Text for people, apart from the answers where the console can; on a serial line they share the wire. */
void console_text(const char *text);

/* Flush and end the program with `code` (0..255); on a chip: stop here. */
__attribute__((noreturn)) void console_exit(uint32_t code);

#endif
