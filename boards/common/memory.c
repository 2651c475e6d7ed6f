/* The four functions that gcc may call on its own, even in freestanding code (GCC manual, "Language Standards Supported
 * by GCC"). Words where both ends are aligned; no libc is linked into an image. Built with
 * -fno-tree-loop-distribute-patterns, or gcc would turn these loops into calls of themselves. */
#include <stddef.h>
#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) eq_word_t;

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);

static int aligned(const void *left, const void *right) { return (((uintptr_t)left | (uintptr_t)right) & 3u) == 0; }

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
  uint8_t *out = to;
  const uint8_t *in = from;
  if (aligned(to, from)) {
    eq_word_t *out_word = to;
    const eq_word_t *in_word = from;
    for (; bytes >= 16; bytes -= 16, out_word += 4, in_word += 4) {
      const eq_word_t a = in_word[0], b = in_word[1], c = in_word[2], d = in_word[3];
      out_word[0] = a;
      out_word[1] = b;
      out_word[2] = c;
      out_word[3] = d;
    }
    for (; bytes >= 4; bytes -= 4) *out_word++ = *in_word++;
    out = (uint8_t *)out_word;
    in = (const uint8_t *)in_word;
  }
  for (; bytes > 0; --bytes) *out++ = *in++;
  return to;
}

void *memmove(void *to, const void *from, size_t bytes) {
  uint8_t *out = to;
  const uint8_t *in = from;
  if ((uintptr_t)out - (uintptr_t)in >= bytes) {
    for (; bytes > 0; --bytes) *out++ = *in++;
  } else {
    for (; bytes > 0; --bytes) out[bytes - 1] = in[bytes - 1];
  }
  return to;
}

void *memset(void *to, int value, size_t bytes) {
  uint8_t *out = to;
  const uint8_t byte = (uint8_t)value;
  if (aligned(to, to)) {
    eq_word_t *out_word = to;
    const eq_word_t word = byte * UINT32_C(0x01010101);
    for (; bytes >= 4; bytes -= 4) *out_word++ = word;
    out = (uint8_t *)out_word;
  }
  for (; bytes > 0; --bytes) *out++ = byte;
  return to;
}

int memcmp(const void *left, const void *right, size_t bytes) {
  const uint8_t *a = left;
  const uint8_t *b = right;
  for (; bytes > 0; --bytes, ++a, ++b) {
    if (*a != *b) return *a < *b ? -1 : 1;
  }
  return 0;
}
