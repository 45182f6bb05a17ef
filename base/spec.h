// What data and train blocks say, as plain values: the frontend fills them in, the runtime obeys them.
#pragma once
#include "diag.h"

// ---- training -----------------------------------------------------------------------------------------------------

typedef enum OptimizerKind {
#define OPTIMIZER(name, ...) OPTIMIZER_##name,
#include "optimizers.def"
#undef OPTIMIZER
  OPTIMIZER_COUNT
} OptimizerKind;

typedef struct OptimizerSpec {
  OptimizerKind kind;
  double lr, mu, decay, beta1, beta2, eps;  // those that the kind has
  bool nesterov;
} OptimizerSpec;

typedef enum ScheduleKind { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE } ScheduleKind;
typedef struct ScheduleSpec {
  ScheduleKind kind;
  double every;  // step: length of a stair, in epochs, or in steps where in_steps
  bool in_steps;
  double factor;  // step: the rate is multiplied by this at every stair
  double to;      // cosine: fraction of lr reached at the end of the run
} ScheduleSpec;

typedef struct TrainSpec {
  const char *model, *data;
  OptimizerSpec optimizer;                                       // default sgd(lr = 0.01)
  ScheduleSpec schedule;                                         // default constant
  int64_t batch;                                                 // default 32
  int64_t epochs;                                                // default 1
  int64_t steps;                                                 // a total; 0: epochs decide
  uint64_t seed;                                                 // default 0
  bool shuffle;                                                  // default true
  int64_t checkpoint_epochs, checkpoint_steps, checkpoint_keep;  // default 1, 0, 3
  bool fast;                                                     // numerics = fast
  int64_t memory_bytes;                                          // 0: no limit
  Span span;
} TrainSpec;

// ---- data ---------------------------------------------------------------------------------------------------------

typedef enum SourceKind { SOURCE_IDX, SOURCE_CIFAR10, SOURCE_NPY, SOURCE_DIGITS } SourceKind;
typedef struct SourceSpec {  // a call of a source
  SourceKind kind;
  const char **files;
  int n_files;        // as written; relative to the .dl file's folder, or to --data
  const char *split;  // cifar10(dir, split): "train" or "test"; digits(split): likewise (disjoint); else NULL
  int64_t count;      // digits: how many images; 0: the source's own number
  uint64_t seed;      // digits
  const char *field;  // which of the source's fields: "image" or "label"; NULL: it has only one
  Span span;
} SourceSpec;

typedef struct SplitPart {  // rows of the source that belong to a split: split(all, 0.9, seed = 7)
  bool is_part;             // false: all rows
  double from, to;          // of the shuffled rows, 0..1
  uint64_t seed;
} SplitPart;
