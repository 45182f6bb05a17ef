// What `dlc build` and the runtime inside the libraries that it makes agree on: the description of a model, as words.
//
// A description is one array of 64-bit words, made by codegen/describe.c and read by the files beside this one. Every
// struct here holds int64_t and double alone, so that it is laid out alike on every target; one that refers to another
// says at which word of the array it begins. The functions, names and weights that go with it stand in an EmbedLibrary.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "dlc_abi.h"

enum {
  EMBED_CONTEXT_BYTES = 2048,  // room for an EmbedContext at the beginning of the caller's memory
  EMBED_TENSOR_BYTES = 256,    // for a TensorInfo and what loading notes of it
  EMBED_POINTER_BYTES = 8,     // for a pointer
  EMBED_ALIGN = 64,            // of the caller's memory
  EMBED_MOST_THREADS = 1024
};

// Statuses of every function of a library. EMBED_STATUS(name, meaning): NAME_<name> in the header, in this order.
typedef enum EmbedStatus {
#define EMBED_STATUS(name, meaning) EMBED_##name,
#include "status.def"
#undef EMBED_STATUS
  EMBED_STATUS_COUNT
} EmbedStatus;

typedef struct EmbedArg {  // DlcArg
  int64_t region, input, offset;
} EmbedArg;

typedef struct EmbedLaunch {  // DlcLaunch
  int64_t function;           // number in EmbedLibrary.functions
  int64_t scale, symbol, divisor, times;
  int64_t first_arg, n_args;  // of the step's arguments
  int64_t once, cost;
} EmbedLaunch;

// An input or output of a step: `elements` times rows to the power of `power`.
typedef struct EmbedValue {
  int64_t element_bytes, elements, power;
  EmbedArg at;
} EmbedValue;

typedef struct EmbedStep {
  int64_t launches, n_launches;  // words; counts
  int64_t args, n_args;
  int64_t inputs, n_inputs;
  int64_t outputs, n_outputs;  // those that the caller gets: results; of a training step the loss, then the metrics
} EmbedStep;

typedef struct EmbedVariant {  // machine code for one CPU
  int64_t level;               // of x86-64 that the CPU must have; 0: any
  EmbedStep infer, train;
} EmbedVariant;

enum { EMBED_MAX_RANK = 8 };
typedef struct EmbedTensor {  // TensorInfo
  int64_t name;               // where its path begins in EmbedLibrary.names
  int64_t rank, dim[EMBED_MAX_RANK], count, offset;
  int64_t init, fan_in, fan_out, decay, frozen;
  double a, b;
} EmbedTensor;

enum { EMBED_SCHEDULE_MOST = 8 };
typedef struct EmbedPiece {  // SchedulePiece
  int64_t kind, length_in_steps, every_in_steps, patience;
  double length, every, factor, to;
} EmbedPiece;

typedef struct EmbedTraining {  // TrainSpec
  int64_t optimizer, nesterov, eps_inside, n_pieces;
  double lr, mu, decay, beta1, beta2, eps;
  double clip_norm, clip_value, max_norm;
  EmbedPiece piece[EMBED_SCHEDULE_MOST];
} EmbedTraining;

typedef struct EmbedModel {
  int64_t rows, train_rows;  // that a step takes at most
  int64_t mixes;             // 1: results of a row depend on others: all in one step, at most `rows`
  int64_t variants, n_variants;
  int64_t params, n_params, param_floats;  // tables of EmbedTensor; length of the block
  int64_t states, n_states, state_floats;
  int64_t trains, inside;  // may parameters change; do their values stand in the library
  uint64_t seed;
  // Bytes from the beginning of the caller's memory; where what is not needed would be, the place has no length.
  int64_t at_tensors, at_args, at_param, at_state, at_state_next, at_grad, at_slots, at_squares, at_arena, at_locals;
  int64_t memory_bytes, thread_bytes;  // for one thread; for each more
  EmbedTraining training;
} EmbedModel;

typedef struct EmbedLibrary {
  const int64_t *words;  // an EmbedModel, and what follows it
  const DlcKernelFn *functions;
  const char *names;
  const float *params, *states;  // NULL: not inside
} EmbedLibrary;

// The host's threads: does task(job, part) for each part of 0..parts once, in any order, on any threads, and returns
// when all are done.
typedef void (*EmbedTask)(void *job, int64_t part);
typedef void (*EmbedFor)(void *host, int64_t parts, EmbedTask task, void *job);

// The functions behind NAME_open, NAME_predict and so on: what they take and give is documented in the header that
// `dlc build` writes (driver/build_header.c). Each returns an EmbedStatus.
typedef struct EmbedContext EmbedContext;
int embed_open(const EmbedLibrary *library, EmbedContext **context, void *memory, size_t bytes);
int embed_threads(EmbedContext *context, EmbedFor run, void *host, int64_t threads);
int embed_predict(EmbedContext *context, const void *const *inputs, void *const *outputs, int64_t rows);
int embed_load(EmbedContext *context, const char *path);
int embed_load_memory(EmbedContext *context, const void *bytes, size_t size);
int embed_save(const EmbedContext *context, const char *path);
int embed_save_training(EmbedContext *context, const char *path);
int embed_load_training(EmbedContext *context, const char *path);
int embed_init(EmbedContext *context, uint64_t seed);
int embed_schedule(EmbedContext *context, int64_t steps_per_epoch, int64_t steps);
int embed_set_rate(EmbedContext *context, double rate);
int embed_train_step(EmbedContext *context, const void *const *inputs, int64_t rows, void *const *outputs);
const char *embed_error(int status);
