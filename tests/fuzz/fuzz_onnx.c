// libFuzzer's target for the ONNX importer: any bytes either become a program that the frontend takes, or are refused
// with a message; within 256 MiB, and without a leak. tests/campaigns/fuzz_onnx.sh builds and runs it;
// tests/unit/test_onnx_corpus.c runs it over the kept corpus.
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "onnx.h"
#include "program.h"

enum { MOST_BYTES = 256 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

typedef struct Budget {
  size_t used;
} Budget;

static void *budget_alloc(void *state, size_t bytes, size_t align) {
  Budget *budget = state;
  if (bytes > MOST_BYTES - budget->used) return NULL;
  budget->used += bytes;
  return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void budget_release(void *state, void *block, size_t bytes) {
  ((Budget *)state)->used -= bytes;
  free(block);
}

// What was imported must be a program.
static void take(Arena *arena, DiagSink *sink, const OnnxProgram *program) {
  size_t before = sink->n_errors;
  Program *read = program_from_text(arena, sink, io_system(), "fuzz.dl", program->text, NULL, 0);
  if (sink->n_errors == before) program_lower(read, 0, MODE_INFER, LOWER_OUTPUT);
}

static void run(Arena *arena, const uint8_t *bytes, size_t size) {
  DiagSink *sink = diag_sink_new(arena);
  OnnxAsked asked = {.model = "fuzzed"};
  OnnxProgram *program = onnx_import_bytes(arena, sink, io_system(), "/nonexistent/fuzz.onnx", bytes, size, &asked);
  if (program)
    take(arena, sink, program);
  else if (!sink->n_errors)
    abort();  // refused without a word
  Text text = text_new(arena);
  diag_render(sink, false, &text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  Budget budget = {0};
  Allocator allocator = {budget_alloc, budget_release, &budget, NULL};
  Guard guard;
  Arena *volatile arena = arena_new(&allocator, &guard);
  if (!arena) return 0;
  if (!setjmp(guard.jump)) run(arena, bytes, size);
  arena_free(arena);
  if (budget.used) abort();
  return 0;
}
