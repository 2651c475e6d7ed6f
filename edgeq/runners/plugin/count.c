/* QEMU plugin: exact counts of a model's run, by step: instructions by class, and bytes read and written.
 *
 * Arguments:  markers=FILE  lines "begin ADDRESS", "end ADDRESS", "step NUMBER ADDRESS" (hexadecimal, bit 0 ignored)
 *             out=FILE      the counts, as text, see write_run and write_end
 *
 * How it counts. Each translation block is cut into segments at the markers that lie in it. A segment knows how many
 * instructions of each class it holds and has one counter of executions, which QEMU increments inline; a segment that
 * starts at a marker has a callback instead. The callback first moves all counters into the slot that was current, then
 * makes its own slot the current one. So the cost is one addition a block, and the marker's own instruction belongs to
 * what the marker opens. Instructions skipped by an IT block count, as they take a cycle.
 *
 * Slots of a run: 0 = before the first step, k + 1 = step k until the next step or the end. Everything outside of a run
 * goes to the idle slot and shows in the total of the whole program only. A run that never ends is not written.
 * Bytes that instructions read and write are added up by a callback for each access; vectors access lane by lane.
 */
#include "classes.h"
#include "classify_a64.h"
#include "classify_thumb.h"
#include "interface.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROLE_BEGIN, ROLE_END, ROLE_STEP };

typedef struct {
  uint64_t address;
  unsigned step;
  int role;
} marker_t;

typedef struct segment {
  struct segment *next_all;
  struct segment *next_hash;
  const marker_t *marker; /* NULL: counted inline */
  uint64_t address;
  eq_counter_t counter; /* of executions since the last harvest */
  uint32_t held[EQ_CLASSES];
} segment_t;

/* Instructions by class, then bytes read, then bytes written. */
enum { READ = EQ_CLASSES, WRITTEN, FIGURES };

typedef struct {
  uint64_t count[FIGURES];
} slot_t;

enum { BUCKETS = 4096 };

static int (*classify)(const uint8_t *code, unsigned size);
static segment_t *all_segments;
static segment_t *buckets[BUCKETS];
static marker_t *markers; /* sorted by address, then step */
static size_t marker_count;
static unsigned steps; /* 1 + the greatest step number */
static slot_t idle;
static slot_t *slots; /* of the current run, steps + 1 of them */
static slot_t *current = &idle;
static slot_t finished; /* all runs together */
static uint64_t runs;
static FILE *out;

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "edgeq-count: %s%s\n", what, detail);
  exit(97);
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (memory == NULL) {
    fail("out of memory", "");
  }
  return memory;
}

/* Moves what was executed since the last marker into the slot that was current. */
static void harvest(void) {
  for (segment_t *segment = all_segments; segment != NULL; segment = segment->next_all) {
    uint64_t executed = eq_counter_take(&segment->counter);
    for (int class = 0; executed != 0 && class < EQ_CLASSES; class ++) {
      current->count[class] += executed * segment->held[class];
    }
  }
}

static void add_slot(slot_t *sum, const slot_t *slot) {
  for (int figure = 0; figure < FIGURES; figure++) {
    sum->count[figure] += slot->count[figure];
  }
}

static void write_slot(const slot_t *slot) {
  for (int figure = 0; figure < FIGURES; figure++) {
    fprintf(out, " %" PRIu64, slot->count[figure]);
  }
  fputc('\n', out);
}

/* "run N", then one line a slot: "before F0 F1 ...", "0 F0 F1 ...", "1 F0 F1 ...", the figures in a slot's order. */
static void write_run(void) {
  fprintf(out, "run %" PRIu64 "\n", runs++);
  for (unsigned slot = 0; slot <= steps; slot++) {
    if (slot == 0) {
      fputs("before", out);
    } else {
      fprintf(out, "%u", slot - 1u);
    }
    write_slot(&slots[slot]);
    add_slot(&finished, &slots[slot]);
  }
}

/* Folds a run that was left without reaching the end marker into the idle slot. */
static void abandon_run(void) {
  for (unsigned slot = 0; slot <= steps; slot++) {
    add_slot(&idle, &slots[slot]);
  }
}

/* "program F0 F1 ...": all that the machine executed; the last line, so that a cut file is recognized. */
static void write_end(qemu_plugin_id_t id, void *data) {
  (void)id;
  (void)data;
  harvest();
  if (current != &idle) {
    abandon_run();
  }
  add_slot(&idle, &finished);
  fputs("program", out);
  write_slot(&idle);
  if (fclose(out) != 0) {
    fprintf(stderr, "edgeq-count: cannot write the counts\n");
  }
}

/* Several steps can share an address where the compiler merged equal functions: take the next in order. */
static slot_t *slot_of_step(const marker_t *marker) {
  const marker_t *end = markers + marker_count;
  for (const marker_t *same = marker; same < end && same->address == marker->address; same++) {
    if (same->role == ROLE_STEP && &slots[same->step + 1u] > current) {
      return &slots[same->step + 1u];
    }
  }
  return &slots[marker->step + 1u];
}

static void reach_marker(unsigned cpu, void *data) {
  segment_t *segment = data;
  harvest();
  switch (segment->marker->role) {
    case ROLE_BEGIN:
      if (current != &idle) {
        abandon_run();
      }
      memset(slots, 0, (steps + 1u) * sizeof *slots);
      current = &slots[0];
      break;
    case ROLE_END:
      if (current != &idle) {
        write_run();
        current = &idle;
      }
      break;
    default:
      if (current != &idle) {
        current = slot_of_step(segment->marker);
      }
      break;
  }
  eq_counter_increment(&segment->counter, cpu);
}

static void access_memory(unsigned cpu, uint32_t access, uint64_t address, void *data) {
  (void)cpu;
  (void)address;
  (void)data;
  current->count[qemu_plugin_mem_is_store(access) ? WRITTEN : READ] += UINT64_C(1)
                                                                       << qemu_plugin_mem_size_shift(access);
}

static const marker_t *find_marker(uint64_t address) {
  size_t low = 0;
  size_t high = marker_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (markers[middle].address < address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < marker_count && markers[low].address == address ? &markers[low] : NULL;
}

/* The one segment of this place and content: a block that is translated again keeps its counter. */
static segment_t *intern(const segment_t *wanted) {
  segment_t **bucket = &buckets[(wanted->address >> 1) % BUCKETS];
  for (segment_t *known = *bucket; known != NULL; known = known->next_hash) {
    if (known->address == wanted->address && memcmp(known->held, wanted->held, sizeof known->held) == 0) {
      return known;
    }
  }
  segment_t *segment = allocate(1, sizeof *segment);
  *segment = *wanted;
  eq_counter_open(&segment->counter);
  segment->next_hash = *bucket;
  *bucket = segment;
  segment->next_all = all_segments;
  all_segments = segment;
  return segment;
}

static void count_segment(struct qemu_plugin_tb *block, size_t first, const segment_t *wanted) {
  segment_t *segment = intern(wanted);
  struct qemu_plugin_insn *start = qemu_plugin_tb_get_insn(block, first);
  if (segment->marker != NULL && first == 0) {
    qemu_plugin_register_vcpu_tb_exec_cb(block, reach_marker, EQ_NO_REGISTERS, segment);
  } else if (segment->marker != NULL) {
    qemu_plugin_register_vcpu_insn_exec_cb(start, reach_marker, EQ_NO_REGISTERS, segment);
  } else {
    /* a segment without a marker is the first of its block */
    eq_counter_count(&segment->counter, block);
  }
}

static void translate_block(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  size_t length = qemu_plugin_tb_n_insns(block);
  size_t first = 0;
  segment_t wanted;
  (void)id;
  for (size_t index = 0; index < length; index++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, index);
    uint64_t address = qemu_plugin_insn_vaddr(insn);
    const marker_t *marker = find_marker(address);
    if (index == 0 || marker != NULL) {
      if (index != 0) {
        count_segment(block, first, &wanted);
      }
      memset(&wanted, 0, sizeof wanted);
      wanted.address = address;
      wanted.marker = marker;
      first = index;
    }
    eq_code_t code = eq_code_of(insn);
    wanted.held[classify(code.bytes, (unsigned)qemu_plugin_insn_size(insn))]++;
    qemu_plugin_register_vcpu_mem_cb(insn, access_memory, EQ_NO_REGISTERS, EQ_READS_AND_WRITES, NULL);
  }
  if (length != 0) {
    count_segment(block, first, &wanted);
  }
}

static int compare_markers(const void *left, const void *right) {
  const marker_t *a = left;
  const marker_t *b = right;
  if (a->address != b->address) {
    return a->address < b->address ? -1 : 1;
  }
  return (a->step > b->step) - (a->step < b->step);
}

static void read_markers(const char *path) {
  FILE *file = fopen(path, "r");
  char line[128];
  size_t room = 0;
  if (file == NULL) {
    fail("cannot read ", path);
  }
  while (fgets(line, sizeof line, file) != NULL) {
    marker_t marker = {0, 0, ROLE_STEP};
    if (sscanf(line, "begin %" SCNx64, &marker.address) == 1) {
      marker.role = ROLE_BEGIN;
    } else if (sscanf(line, "end %" SCNx64, &marker.address) == 1) {
      marker.role = ROLE_END;
    } else if (sscanf(line, "step %u %" SCNx64, &marker.step, &marker.address) != 2) {
      fail("not a marker: ", line);
    } else if (marker.step >= steps) {
      steps = marker.step + 1u;
    }
    marker.address &= ~(uint64_t)1;
    if (marker_count == room) {
      room = room == 0 ? 64 : 2 * room;
      markers = realloc(markers, room * sizeof *markers);
      if (markers == NULL) {
        fail("out of memory", "");
      }
    }
    markers[marker_count++] = marker;
  }
  fclose(file);
  if (marker_count != 0) {
    qsort(markers, marker_count, sizeof *markers, compare_markers);
  }
  slots = allocate(steps + 1u, sizeof *slots);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  if (strcmp(info->target_name, "arm") == 0) {
    classify = eq_classify_thumb;
  } else if (strcmp(info->target_name, "aarch64") == 0) {
    classify = eq_classify_a64;
  } else {
    fail("no classes of instructions for ", info->target_name);
  }
  for (int index = 0; index < argc; index++) {
    if (strncmp(argv[index], "markers=", 8) == 0) {
      read_markers(argv[index] + 8);
    } else if (strncmp(argv[index], "out=", 4) == 0) {
      out = fopen(argv[index] + 4, "w");
    } else {
      fail("unknown argument: ", argv[index]);
    }
  }
  if (out == NULL || slots == NULL) {
    fail("needs markers=FILE and out=FILE", "");
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translate_block);
  qemu_plugin_register_atexit_cb(id, write_end, NULL);
  return 0;
}
