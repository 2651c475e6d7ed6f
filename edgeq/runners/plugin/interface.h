/* What is used of QEMU's plugin interface, and counters that blocks of instructions increment inline.
 *
 * Declared here because distributions do not package QEMU's header. EQ_INTERFACE is the version of the interface: 1 for
 * QEMU 4.2 to 8.2, 2 for QEMU 9.0, 3 from QEMU 9.1 on. From 2 on counters lie in scoreboards, one of each for a virtual
 * CPU; from 3 on the bytes of an instruction are copied.
 *
 *   eq_counter_open       makes a counter, 0
 *   eq_counter_count      a block that is executed adds 1
 *   eq_counter_increment  adds 1 now, on a virtual CPU
 *   eq_counter_take       what was counted on all of them; the counter is 0 again
 *   eq_code_of            the bytes of an instruction that is translated
 */
#ifndef EQ_INTERFACE_H
#define EQ_INTERFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
/* Its first member is all that is read. */
typedef struct {
  const char *target_name;
} qemu_info_t;
typedef void (*eq_translate_t)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*eq_execute_t)(unsigned, void *);
typedef void (*eq_access_t)(unsigned, uint32_t, uint64_t, void *);
typedef void (*eq_exit_t)(qemu_plugin_id_t, void *);
enum { EQ_NO_REGISTERS = 0 };
enum { EQ_ADD_U64 = 0 };
enum { EQ_READS_AND_WRITES = 3 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, eq_translate_t);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, eq_execute_t, int, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, eq_execute_t, int, void *);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, eq_access_t, int, int, void *);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, eq_exit_t, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
extern unsigned qemu_plugin_mem_size_shift(uint32_t);
extern bool qemu_plugin_mem_is_store(uint32_t);

#define EXPORT __attribute__((visibility("default")))
EXPORT extern int qemu_plugin_version;
EXPORT int qemu_plugin_version = EQ_INTERFACE;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

enum { EQ_CODE_BYTES = 4 };
typedef struct {
  uint8_t bytes[EQ_CODE_BYTES];
} eq_code_t;

#if EQ_INTERFACE >= 3
extern size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);

static inline eq_code_t eq_code_of(const struct qemu_plugin_insn *insn) {
  eq_code_t code = {{0}};
  (void)qemu_plugin_insn_data(insn, code.bytes, sizeof code.bytes);
  return code;
}
#else
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

static inline eq_code_t eq_code_of(const struct qemu_plugin_insn *insn) {
  const uint8_t *bytes = qemu_plugin_insn_data(insn);
  size_t size = qemu_plugin_insn_size(insn);
  eq_code_t code = {{0}};
  for (size_t index = 0; index < size && index < sizeof code.bytes; index++) {
    code.bytes[index] = bytes[index];
  }
  return code;
}
#endif

#if EQ_INTERFACE >= 2
struct qemu_plugin_scoreboard;
typedef struct {
  struct qemu_plugin_scoreboard *score;
  size_t offset;
} qemu_plugin_u64;
extern struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t);
extern void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *, int, qemu_plugin_u64, uint64_t);
extern void qemu_plugin_u64_add(qemu_plugin_u64, unsigned, uint64_t);
extern void qemu_plugin_u64_set(qemu_plugin_u64, unsigned, uint64_t);
extern uint64_t qemu_plugin_u64_sum(qemu_plugin_u64);
extern int qemu_plugin_num_vcpus(void);

typedef qemu_plugin_u64 eq_counter_t;
/* A new scoreboard stops the machine: each holds many counters. */
enum { EQ_COUNTERS = 1024 };

static inline void eq_counter_open(eq_counter_t *counter) {
  static struct qemu_plugin_scoreboard *score;
  static size_t used;
  if (score == NULL || used == EQ_COUNTERS) {
    score = qemu_plugin_scoreboard_new(EQ_COUNTERS * sizeof(uint64_t));
    used = 0;
  }
  counter->score = score;
  counter->offset = used++ * sizeof(uint64_t);
}

static inline void eq_counter_count(const eq_counter_t *counter, struct qemu_plugin_tb *block) {
  qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(block, EQ_ADD_U64, *counter, 1);
}

static inline void eq_counter_increment(const eq_counter_t *counter, unsigned cpu) {
  qemu_plugin_u64_add(*counter, cpu, 1);
}

static inline uint64_t eq_counter_take(const eq_counter_t *counter) {
  uint64_t counted = qemu_plugin_u64_sum(*counter);
  for (int cpu = 0; counted != 0 && cpu < qemu_plugin_num_vcpus(); cpu++) {
    qemu_plugin_u64_set(*counter, (unsigned)cpu, 0);
  }
  return counted;
}
#else
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);

typedef uint64_t eq_counter_t;

static inline void eq_counter_open(eq_counter_t *counter) { *counter = 0; }

static inline void eq_counter_count(eq_counter_t *counter, struct qemu_plugin_tb *block) {
  qemu_plugin_register_vcpu_tb_exec_inline(block, EQ_ADD_U64, counter, 1);
}

static inline void eq_counter_increment(eq_counter_t *counter, unsigned cpu) {
  (void)cpu;
  ++*counter;
}

static inline uint64_t eq_counter_take(eq_counter_t *counter) {
  uint64_t counted = *counter;
  *counter = 0;
  return counted;
}
#endif

#endif
