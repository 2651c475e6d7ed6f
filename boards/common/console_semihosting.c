/* The console inside an emulator: the files edgeq.in and edgeq.out in the emulator's working directory, text on its
 * terminal, and an exit code. Calls: Arm's "Semihosting for AArch32 and AArch64", release 3.0.
 *
 * A call stops the emulated CPU and costs far more than its instructions, therefore reads and writes go straight
 * between the file and the caller's memory, a whole tensor at a time, and commands are the only single bytes.
 */
#include "console.h"

#define SYS_OPEN 0x01u
#define SYS_WRITE0 0x04u
#define SYS_WRITE 0x05u
#define SYS_READ 0x06u
#define SYS_EXIT_EXTENDED 0x20u
#define OPEN_READ_BINARY 1u
#define OPEN_WRITE_BINARY 5u
#define REASON_APPLICATION_EXIT 0x20026u
#define EXIT_NO_FILE 96u

static uint32_t input, output;

static uint32_t semihosting(uint32_t operation, const void *argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory", "cc");
  return r0;
}

static uint32_t open_file(const char *name, uint32_t length, uint32_t mode) {
  const uint32_t argument[3] = {(uint32_t)(uintptr_t)name, mode, length};
  const uint32_t handle = semihosting(SYS_OPEN, argument);
  if (handle == UINT32_MAX) {
    console_text("edgeq: cannot open ");
    console_text(name);
    console_text("\n");
    console_exit(EXIT_NO_FILE);
  }
  return handle;
}

void console_init(const char *name) {
  (void)name;
  input = open_file("edgeq.in", 8, OPEN_READ_BINARY);
  output = open_file("edgeq.out", 9, OPEN_WRITE_BINARY);
}

uint32_t console_read(void *to, uint32_t bytes) {
  uint32_t done = 0;
  while (done < bytes) {
    const uint32_t argument[3] = {input, (uint32_t)(uintptr_t)to + done, bytes - done};
    const uint32_t missing = semihosting(SYS_READ, argument); /* bytes NOT read; all of them: end of file */
    if (missing >= bytes - done) break;
    done = bytes - missing;
  }
  return done;
}

void console_write(const void *from, uint32_t bytes) {
  const uint32_t argument[3] = {output, (uint32_t)(uintptr_t)from, bytes};
  if (bytes > 0 && semihosting(SYS_WRITE, argument) != 0) console_exit(EXIT_NO_FILE);
}

void console_text(const char *text) { (void)semihosting(SYS_WRITE0, text); }

void console_exit(uint32_t code) {
  const uint32_t argument[2] = {REASON_APPLICATION_EXIT, code};
  for (;;) (void)semihosting(SYS_EXIT_EXTENDED, argument);
}
