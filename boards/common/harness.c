/* Answers the commands of harness.h. Uses little stack and no data of its own, so that small chips have room. */
#include "harness.h"
#include "console.h"

/* Bytes that no step has written must not look like zeros by luck. */
#define EQ_ARENA_PAINT 0xA5u

static void paint_arena(void) {
  for (uint32_t arena = 0; arena < eq_model_arena_count; ++arena) {
    const eq_span_t *const span = &eq_model_arenas[arena];
    for (uint32_t i = 0; i < span->bytes; ++i) span->at[i] = EQ_ARENA_PAINT;
  }
}

static void read_inputs(void) {
  for (uint32_t i = 0; i < eq_model_input_count; ++i) {
    const eq_span_t *const span = &eq_model_inputs[i];
    if (console_read(span->at, span->bytes) != span->bytes) console_exit(EQ_EXIT_INPUT);
  }
}

static void write_spans(const eq_span_t *span, uint32_t count) {
  for (; count > 0; --count, ++span) console_write(span->at, span->bytes);
}

static void run(void) {
  read_inputs();
  eq_measured_run();
  write_spans(eq_model_outputs, eq_model_output_count);
}

static void run_steps(void) {
  read_inputs();
  for (uint32_t step = 0; step < eq_model_steps; ++step) {
    const uint32_t first = eq_model_first_result[step];
    eq_measured_step(step);
    write_spans(&eq_model_results[first], eq_model_first_result[step + 1] - first);
  }
  write_spans(eq_model_outputs, eq_model_output_count);
}

static void write_stack(void) {
  const uint32_t answer[2] = {eq_stack_high_water_bytes(), eq_stack_size_bytes()};
  console_write(answer, sizeof answer);
}

int main(void) {
  uint8_t command;
  console_init(eq_model_name);
  paint_arena();
  while (console_read(&command, 1) == 1) {
    switch (command) {
      case 'R':
        run();
        break;
      case 'V':
        run_steps();
        break;
      case 'Z':
        eq_model_reset();
        break;
      case 'P':
        paint_arena();
        break;
      case 'S':
        write_stack();
        break;
      case 'Q':
        console_exit(0);
      default:
        console_exit(EQ_EXIT_COMMAND);
    }
  }
  console_exit(0);
}
