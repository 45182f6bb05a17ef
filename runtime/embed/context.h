// A model in the caller's memory. Private to the runtime inside built libraries.
//
// True after embed_open: everything in the context is set, and the rest of the caller's memory belongs to it, laid out
// as EmbedModel says. A library holds no other state, so contexts in different memory know nothing of each other.
#pragma once
#include "embed.h"
#include "optimizer.h"
#include "spec.h"
#include "tensors.h"
#include "threads.h"

// The team of the runtime (threads.h), in a library: the host's parallel-for.
struct Team {
  EmbedFor run;
  void *host;
  int64_t threads;  // 1 at least; parts that are given out at once
};

// Training as a file holds it: the blocks as they lie, and the counters as parts of 16 bits, which floats hold exactly.
enum { TRAINING_TENSORS = 3 + OPTIMIZER_MAX_SLOTS, TRAINING_COUNTERS = 5, TRAINING_PARTS = 4 * TRAINING_COUNTERS };

struct EmbedContext {
  uint64_t mark;  // EMBED_MARK once it is open
  const EmbedLibrary *library;
  const EmbedModel *model;
  const EmbedVariant *variant;  // for this CPU
  Team team;
  int64_t threads_most;  // that the memory has room for
  char *base[DLC_REGION_COUNT];
  char *locals;
  char **args;  // the arguments of a step, resolved
  int has_weights;
  int prepared;                    // launches marked `once` of the inference step hold what they should
  uint64_t seed;                   // of a training step's random numbers
  double rate;                     // the learning rate where there is no schedule
  int64_t steps_per_epoch, steps;  // of the run that a schedule is for; 0: not said
  TensorTable params, states;
  TrainSpec training;
  Optimizer optimizer;
  double *squares;
  float counters[TRAINING_PARTS];  // while training is saved or loaded
};

static const uint64_t EMBED_MARK = 0x646c63206d6f6465u;

_Static_assert(sizeof(EmbedContext) <= EMBED_CONTEXT_BYTES, "room for a context");
_Static_assert(sizeof(TensorInfo) <= EMBED_TENSOR_BYTES, "room for a tensor");
_Static_assert(sizeof(char *) <= EMBED_POINTER_BYTES, "room for a pointer");
_Static_assert(EMBED_MAX_RANK == TENSOR_MAX_RANK && EMBED_SCHEDULE_MOST == SCHEDULE_MOST, "tables of equal length");

static inline const void *embed_word(const EmbedContext *c, int64_t word) { return c->library->words + word; }

// OK, or what is wrong with a context that a caller gives.
int embed_check(const EmbedContext *context);

// cpu.c: the level of x86-64 that this CPU has, 1 to 4; 0 on other machines.
int64_t embed_cpu_level(void);

// How numbers are computed: round to nearest, denormals kept, no traps. embed_strict sets it and returns what the host
// had, which embed_restore brings back.
uint64_t embed_strict(void);
void embed_restore(uint64_t before);

// step.c: runs one step; `seed` and `number` are of its random numbers. `once`: launches that are marked so are run
// too. inputs: [n_inputs].
void embed_run(EmbedContext *context, const EmbedStep *step, const char *const *inputs, int64_t rows, uint64_t seed,
               uint64_t number, int once);
// Pointers to as many values as a step has: no NULL, aligned. A status.
int embed_check_values(const EmbedContext *context, int64_t values, int64_t n, const void *const *pointers);
int64_t embed_value_bytes(const EmbedValue *value, int64_t rows);
// train.c: training as tensors, whose offsets count from the context itself. items: [TRAINING_TENSORS].
TensorTable embed_training_tensors(const EmbedContext *context, TensorInfo *items);
void embed_put_counters(EmbedContext *context);  // into `counters`, and back
int embed_take_counters(EmbedContext *context);  // DAMAGED where they cannot be
int embed_training_is_started(const EmbedContext *context);
void embed_start_training(EmbedContext *context);

// Where an output of the step lies.
const char *embed_output(const EmbedContext *context, const EmbedValue *output, const char *const *inputs);
