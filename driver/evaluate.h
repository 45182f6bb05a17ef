// The mean loss and metrics of a model over a split: what `dlc eval` prints and training logs after each epoch.
#pragma once
#include "data_bind.h"
#include "runner.h"

typedef struct Score {
  const char *name;  // "loss" or the metric's
  double value;      // mean over rows: each batch counts by its size
} Score;

typedef struct Scores {
  Score *items;
  int n_items;
} Scores;

// Runs the inference version over all rows, in order, in batches of up to `batch`. `stop`: NULL, or asked before each
// batch; when it answers true the result has no items. Also without items: out of memory.
Scores evaluate_split(Arena *arena, Runner *runner, const BoundSplit *split, int64_t batch, bool (*stop)(void *state),
                      void *state);
