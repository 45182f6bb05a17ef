// Training without a run directory: what a search does for each of its candidates.
#pragma once
#include "data_bind.h"
#include "memory.h"
#include "runner.h"

typedef struct FoldTraining {
  Unit *train, *test;  // the loss, both versions
  Team *team;
  const BoundSplit *split;    // bound to the training version; its rows are those of this fold
  const BoundSplit *watched;  // bound to the inference version: what schedules and early stopping look at, or NULL
  const Memory *memory;       // of this fold, or NULL
} FoldTraining;

// Trains as p's train block says, in the memory of `arena`. NULL where it cannot (reported) or where a number was not
// finite (*diverged, not reported).
Runner *fold_train(Pipeline *p, Arena *arena, const FoldTraining *fold, bool *diverged);
