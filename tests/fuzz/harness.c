// One input through a target, with bounded memory and time. libFuzzer's entry.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"
#include "poison.h"

enum { MOST_BYTES = 256 << 20, MOST_AT_ONCE = 64 << 20, POOL_BYTES = 8 << 20, GAP = 64, MOST_SECONDS = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

void fuzz_require(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

// dlc_bug ends the process so; libFuzzer, which would not see it, is told.
void __real__exit(int status);
void __wrap__exit(int status);
void __wrap__exit(int status) {
  if (status == 70) abort();
  __real__exit(status);
}

// The first blocks of an input lie in the pool, which costs less than to ask the system for memory anew each time.
typedef struct Budget {
  size_t used;  // bytes that are out
  size_t pooled;
} Budget;

static _Alignas(64) char pool[POOL_BYTES];

// No input is so long that a single block for it may be larger than MOST_AT_ONCE.
static void *budget_alloc(void *state, size_t bytes, size_t align) {
  Budget *budget = state;
  if (bytes > MOST_AT_ONCE) fprintf(stderr, "%zu bytes are asked for at once\n", bytes);
  fuzz_require(bytes <= MOST_AT_ONCE, "memory is asked for only in sizes that were checked");
  if (bytes > MOST_BYTES - budget->used) return NULL;
  budget->used += bytes;
  size_t rounded = (bytes + align - 1) / align * align;
  if (align > 64 || rounded + GAP > POOL_BYTES - budget->pooled) return aligned_alloc(align, rounded);
  char *block = pool + budget->pooled;
  budget->pooled += (rounded + GAP + 63) / 64 * 64;
  memory_open(block, bytes);
  return block;
}

static void budget_release(void *state, void *block, size_t bytes) {
  ((Budget *)state)->used -= bytes;
  bool pooled = (char *)block >= pool && (char *)block < pool + POOL_BYTES;
  if (pooled)
    memory_close(block, bytes);
  else
    free(block);
}

uint8_t fuzz_byte(Fuzz *f) {
  if (f->size == 0) return 0;
  f->size--;
  return *f->bytes++;
}

static void run(Arena *arena, const uint8_t *bytes, size_t size) {
  Fuzz *f = arena_alloc(arena, sizeof *f);
  *f = (Fuzz){.arena = arena, .sink = diag_sink_new(arena), .bytes = bytes, .size = size};
  f->io = fuzz_io(&f->folder);
  fuzz_target(f);
  Text text = text_new(arena);
  diag_render(f->sink, false, &text);
}

static double cpu_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  double start = cpu_seconds();
  Budget budget = {0};
  Allocator allocator = {budget_alloc, budget_release, &budget, NULL};
  Guard guard;
  Arena *volatile arena = arena_new(&allocator, &guard);
  if (!arena) return 0;
  if (!setjmp(guard.jump)) run(arena, bytes, size);
  arena_free(arena);
  memory_close(pool, budget.pooled);
  fuzz_require(budget.used == 0, "all memory is given back");
  fuzz_require(cpu_seconds() - start < MOST_SECONDS, "an input takes less than a second");
  return 0;
}
