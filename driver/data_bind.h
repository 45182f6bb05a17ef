// A split of a data set bound to the inputs of a compiled loss: sources opened, checked against what the program needs,
// field expressions compiled.
#pragma once
#include "data.h"
#include "pipeline.h"

typedef struct BoundSplit {
  const char *name;
  BatchField *fields;  // [n_fields], in the order of the step's inputs, those of memory apart
  int n_fields;
  RowSet rows;
  Unit **converts;  // [n_fields], NULL where the field is taken as it is
} BoundSplit;

// Opens what split `split` gives for the step's inputs. NULL after reporting: a missing or damaged file, rows that do
// not agree, a shape or element type that does not fit (E0406), a label outside the model's classes or a NaN (E0405).
// Batches have at most p->batch rows. Splits bound with one store share their files' memory and statistics.
BoundSplit *data_bind(Pipeline *p, DataStore *store, const DataSpec *data, const char *split, const DlcStep *step);
// The same to train on: augmented.
BoundSplit *data_bind_training(Pipeline *p, DataStore *store, const DataSpec *data, const char *split,
                               const DlcStep *step);
// The split with only the rows at these places of it; in the arena.
BoundSplit data_narrowed(Arena *arena, const BoundSplit *split, const RowSet *places);
void data_release(BoundSplit *bound);  // frees machine code; NULL is allowed

// The model's number of classes: the width of its (first) result, or 0 where it has none.
int64_t data_classes(Pipeline *p);
