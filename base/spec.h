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
  bool nesterov, eps_inside;                // eps_inside: sqrt(s + eps) in the place of sqrt(s) + eps
} OptimizerSpec;

// What a schedule makes of the level, a factor of lr, from where the piece before left it (first: 1).
typedef enum ScheduleKind {
  SCHEDULE_CONSTANT,     // stays
  SCHEDULE_WARMUP,       // rises linearly from 0 to the level
  SCHEDULE_STEP,         // times `factor` after every `every`
  SCHEDULE_COSINE,       // half a cosine down to `to`
  SCHEDULE_LINEAR,       // a line to `to`
  SCHEDULE_EXPONENTIAL,  // times `factor` for each epoch, smoothly
  SCHEDULE_PLATEAU       // times `factor` whenever the watched score has not improved for `patience` epochs
} ScheduleKind;

typedef struct RunLength {
  double count;   // 0: not given
  bool in_steps;  // else in epochs
} RunLength;

typedef struct SchedulePiece {
  ScheduleKind kind;
  RunLength length;  // how long it lasts; not given: to the end of the run
  RunLength every;
  double factor, to;
  int64_t patience;
} SchedulePiece;

enum { SCHEDULE_MOST = 8 };
typedef struct ScheduleSpec {  // pieces joined by >>; none: the rate stays
  SchedulePiece piece[SCHEDULE_MOST];
  int n;
} ScheduleSpec;

// A score of a split whose improvement decides: "valid.loss".
typedef struct WatchSpec {
  const char *score;  // NULL: nothing is watched
  int64_t patience;   // epochs in a row without improvement
  bool maximize;      // an improvement is a greater value
} WatchSpec;

typedef struct TrainSpec {
  const char *model, *data;
  OptimizerSpec optimizer;                                       // default sgd(lr = 0.01)
  ScheduleSpec schedule;                                         // default none
  int64_t batch;                                                 // default 32
  int64_t epochs;                                                // default 1
  int64_t steps;                                                 // a total; 0: epochs decide
  uint64_t seed;                                                 // default 0
  bool shuffle;                                                  // default true
  int64_t checkpoint_epochs, checkpoint_steps, checkpoint_keep;  // default 1, 0, 3
  bool fast;                                                     // numerics = fast
  int64_t memory_bytes;                                          // 0: no limit
  double clip_norm, clip_value;                                  // of the gradient; 0: as it is
  double max_norm;                                               // of each unit's weights; 0: as they are
  WatchSpec plateau;                                             // for a schedule's plateau
  WatchSpec early_stop;
  Span span;
} TrainSpec;

// ---- search -------------------------------------------------------------------------------------------------------

typedef struct SearchAxis {  // k in [1, 3, 5]
  const char *name;
  const char **values;  // as a program writes them: [n_values]
  const char **shown;   // as a table shows them
  int n_values;
} SearchAxis;

typedef struct SearchSpec {
  const char *model, *data;
  SearchAxis *axes;
  int n_axes;
  int64_t folds;      // of cross-validation on `train`; 0: validation
  uint64_t seed;      // of the folds
  bool shuffle;       // false: folds are stretches of `train`
  const char *split;  // validation: on this split
  const char *score;  // the name of what is compared
  bool maximize;
  Span span;
} SearchSpec;

// ---- data ---------------------------------------------------------------------------------------------------------

// The name of a graph's input that holds a field of a data set, `memory`, starts so; no other input's can.
#define MEMORY_PREFIX "memory "

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
