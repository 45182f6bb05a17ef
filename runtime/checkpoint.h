// safetensors files, checkpoints and run directories.
#pragma once
#include "diag.h"
#include "io.h"
#include "optimizer.h"
#include "tensors.h"

// ---- safetensors --------------------------------------------------------------------------------------------------

typedef struct NamedTensor {
  const char *name;
  int type;              // DATA_F32 or DATA_I32 (data.h)
  int rank;
  int64_t dim[8];
  const void *data;
} NamedTensor;

// Writes whole or not at all; 0 or -errno. `metadata`: pairs of strings ending in NULL, or NULL. The metadata always
// holds "dlc.crc32" of header and data.
int safetensors_write(Io io, Arena *arena, const char *path, const NamedTensor *tensors, int n, const char *const *metadata);

typedef struct SafeFile {
  NamedTensor *items; int n_items;   // data points into the arena
  const char **metadata; int n_metadata;  // pairs
} SafeFile;
// Checks everything before it allocates: header length (at most 100 MB), JSON, offsets without holes or overlaps, sizes,
// duplicate names, trailing bytes, crc32 where given. Reports E04xx and returns false otherwise.
bool safetensors_read(Arena *arena, DiagSink *sink, Io io, const char *path, SafeFile *file);

// Fills the blocks by name. Every parameter and state must be there with its shape, nothing else may be: otherwise E0412
// lists the differences.
bool weights_load(Arena *arena, DiagSink *sink, Io io, const char *path, const TensorTable *params, float *param_block,
                  const TensorTable *states, float *state_block);
int weights_save(Io io, Arena *arena, const char *path, const TensorTable *params, const float *param_block,
                 const TensorTable *states, const float *state_block);

// ---- run directories ----------------------------------------------------------------------------------------------

typedef struct RunState {  // all that a resumed run needs besides the weights
  int64_t step;            // updates done
  int64_t epoch, batch;    // position: the next batch to train on
  uint64_t seed;
  double loss_sum; int64_t loss_count;  // of the epoch so far, for the log
} RunState;

typedef struct RunDir RunDir;
// Makes (or, with resume, opens) a run directory and locks it. NULL after reporting E0604 (exists, locked, not writable).
RunDir *run_open(Arena *arena, DiagSink *sink, Io io, const char *path, bool resume);
void run_close(RunDir *run);
const char *run_path(const RunDir *run);
// step-%08d.safetensors and step-%08d.run, then older generations beyond `keep` are removed. 0 or -errno.
int run_save(RunDir *run, const RunState *state, const TensorTable *params, const float *param_block,
             const TensorTable *states, const float *state_block, const Optimizer *optimizer, int64_t keep);
// The newest generation whose two files are whole; a damaged one is named in a warning and the one before is used.
// 1 loaded, 0 there is none, -1 after reporting.
int run_load(RunDir *run, DiagSink *sink, RunState *state, const TensorTable *params, float *param_block,
             const TensorTable *states, float *state_block, Optimizer *optimizer);
// Appends one line to log.jsonl; 0 or -errno (a failing log never stops a run).
int run_log(RunDir *run, const char *json_line);
// Scalars for TensorBoard: events.out.tfevents.*.
int run_scalar(RunDir *run, const char *tag, int64_t step, double unix_seconds, float value);
// Copies text into a file of the run: the program, its options.
int run_put(RunDir *run, const char *name, const char *text);
