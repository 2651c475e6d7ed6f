/* The console of board `native`: commands on standard input, answers on standard output, text on standard error. */
#include "console.h"

#include <stdio.h>
#include <stdlib.h>

void console_init(const char *name) { (void)name; }

uint32_t console_read(void *to, uint32_t bytes) {
  /* A caller may wait for the answers before it sends more: buffered output must not be held back then. */
  (void)fflush(stdout);
  return (uint32_t)fread(to, 1, bytes, stdin);
}

void console_write(const void *from, uint32_t bytes) {
  if (fwrite(from, 1, bytes, stdout) != bytes) exit(1);
}

void console_text(const char *text) { (void)fputs(text, stderr); }

void console_exit(uint32_t code) {
  (void)fflush(stdout);
  exit((int)code);
}
