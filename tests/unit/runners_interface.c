/* Newer versions of QEMU's plugin interface, as far as the counting plugin uses them, in terms of version 1.
 *
 * The plugin is built for a newer version with qemu_plugin_insn_data and qemu_plugin_version renamed, and linked with
 * this file: the QEMU of these tests then loads it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CPUS = 2 };

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard {
  size_t size;
  uint8_t *data;
};
typedef struct {
  struct qemu_plugin_scoreboard *score;
  size_t offset;
} entry_t;

extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t *at(entry_t entry, unsigned cpu) {
  return (uint64_t *)(void *)(entry.score->data + cpu * entry.score->size + entry.offset);
}

size_t newer_insn_data(const struct qemu_plugin_insn *insn, void *out, size_t length) {
  size_t size = qemu_plugin_insn_size(insn);
  size = size < length ? size : length;
  memcpy(out, qemu_plugin_insn_data(insn), size);
  return size;
}

struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size) {
  struct qemu_plugin_scoreboard *score = malloc(sizeof *score);
  score->size = size;
  score->data = calloc(CPUS, size);
  return score;
}

void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *tb, int op, entry_t entry, uint64_t n) {
  qemu_plugin_register_vcpu_tb_exec_inline(tb, op, at(entry, 0), n);
}

void qemu_plugin_u64_add(entry_t entry, unsigned cpu, uint64_t n) { *at(entry, cpu) += n; }

void qemu_plugin_u64_set(entry_t entry, unsigned cpu, uint64_t n) { *at(entry, cpu) = n; }

uint64_t qemu_plugin_u64_sum(entry_t entry) { return *at(entry, 0) + *at(entry, 1); }

int qemu_plugin_num_vcpus(void) { return CPUS; }
