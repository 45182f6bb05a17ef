// safetensors files, checkpoints and run directories.
#pragma once
#include "diag.h"
#include "events.h"
#include "io.h"
#include "optimizer.h"
#include "schedule.h"
#include "tensors.h"

// ---- safetensors --------------------------------------------------------------------------------------------------

typedef struct NamedTensor {
  const char *name;
  int type;  // DATA_F32 or DATA_I32 (data.h)
  int rank;
  int64_t dim[8];
  const void *data;
  int bytes;  // of an element in a file that was read; 0: 4
} NamedTensor;

// Writes whole or not at all; 0 or -errno. `metadata`: pairs of strings ending in NULL, or NULL. The metadata always
// holds "dlc.crc32" of header and data.
int safetensors_write(Io io, Arena *arena, const char *path, const NamedTensor *tensors, int n,
                      const char *const *metadata);

typedef struct SafeFile {
  NamedTensor *items;
  int n_items;  // data points into the arena
  const char **metadata;
  int n_metadata;  // pairs
} SafeFile;
// Checks everything before it allocates: header length (at most 100 MB), JSON, offsets without holes or overlaps,
// sizes, duplicate names, trailing bytes, crc32 where given. Reports E04xx and returns false otherwise.
bool safetensors_read(Arena *arena, DiagSink *sink, Io io, const char *path, SafeFile *file);

// Fills the blocks by name. Every parameter and state must be there with its shape, nothing else may be: otherwise
// E0412 lists the differences.
bool weights_load(Arena *arena, DiagSink *sink, Io io, const char *path, const TensorTable *params, float *param_block,
                  const TensorTable *states, float *state_block);
// The same to start training from: tensors of the file that the model has fill the blocks, what the file lacks keeps
// its values. The differences are a warning; a file of which nothing fits is an error.
bool weights_start(Arena *arena, DiagSink *sink, Io io, const char *path, const TensorTable *params, float *param_block,
                   const TensorTable *states, float *state_block);
int weights_save(Io io, Arena *arena, const char *path, const TensorTable *params, const float *param_block,
                 const TensorTable *states, const float *state_block);

// ---- run directories ----------------------------------------------------------------------------------------------

typedef struct RunState {  // all that a resumed run needs besides the weights
  int64_t step;            // updates done
  int64_t epoch, batch;    // position: the next batch to train on
  int64_t batch_rows;      // of a full batch: with another number the position would mean another place
  uint64_t seed;
  int64_t rows;  // trained on in this epoch so far
  double *sums;
  double plateau_level;  // what the schedule's plateau has made of the level: schedule_rate
  Watch plateau, stall;  // what it, and early_stop, have seen
  int n_sums;            // over those rows: the loss and each metric, each batch times its rows. The caller's memory
} RunState;

typedef struct RunDir RunDir;
// Makes (or, with resume, opens) a run directory and locks it. NULL after reporting E0604: it holds a run (without
// resume), another process has it locked, or it cannot be written.
RunDir *run_open(Arena *arena, DiagSink *sink, Io io, const char *path, bool resume);
void run_close(RunDir *run);  // NULL is allowed
const char *run_path(const RunDir *run);
// Writes step-%08d.safetensors, then step-%08d.run; then removes generations older than the `keep` (at least 2) newest.
// 0 or -errno; on failure the older generations are as they were.
int run_save(RunDir *run, const RunState *state, const TensorTable *params, const float *param_block,
             const TensorTable *states, const float *state_block, const Optimizer *optimizer, int64_t keep);
typedef enum RunLoaded { RUN_LOADED, RUN_EMPTY, RUN_UNUSABLE } RunLoaded;
// Loads the newest generation whose two files are whole; each damaged one is named in a warning (E0413). state->sums
// and n_sums say where the sums go and how many there must be. RUN_EMPTY: there is no generation. RUN_UNUSABLE, after
// reporting: E0413 where all are damaged or of another optimizer, E0412 where the weights are another model's. Forgets
// what the log says of later steps: they will be done again.
RunLoaded run_load(RunDir *run, DiagSink *sink, RunState *state, const TensorTable *params, float *param_block,
                   const TensorTable *states, float *state_block, Optimizer *optimizer);
// Appends one line to log.jsonl; 0 or -errno (a failing log never stops a run).
int run_log(RunDir *run, const char *json_line);
// The same with curves.jsonl: what is noted between the log's lines.
int run_curve(RunDir *run, const char *json_line);
// Scalars and histograms for TensorBoard: events.out.tfevents.*.
int run_histogram(RunDir *run, const char *tag, int64_t step, double unix_seconds, const EventHistogram *histogram);
int run_scalar(RunDir *run, const char *tag, int64_t step, double unix_seconds, float value);
// Copies text into a file of the run: the program, its options.
int run_put(RunDir *run, const char *name, const char *text);
