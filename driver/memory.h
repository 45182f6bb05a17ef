// `memory`: fields of data sets that a model holds as tensors, read whole before the first step.
#pragma once
#include "data.h"
#include "pipeline.h"
#include "spec.h"

// An input of the graph that memory fills.
typedef struct MemoryField {
  const char *name;  // the input's: MEMORY_PREFIX "cifar.train.image"
  int symbol;        // of the graph, whose value is the number of rows
  char *data;        // [rows, row_bytes], in the split's order
  int64_t rows, row_bytes;
} MemoryField;

typedef struct Memory {
  MemoryField *items;
  int n_items;
} Memory;

bool memory_is_input(const char *name);  // by its name
// Reads what the unit's graph (lowered, not yet planned) holds and sets unit->memory, NULL where it holds nothing.
// Fields read before for the same pipeline are shared. pipeline_lower does this for commands that open data. False
// after reporting.
bool memory_bind(Pipeline *p, Unit *unit);
const MemoryField *memory_find(const Memory *memory, const char *name);  // NULL where there is none
// A copy that holds only these rows (places in the split's order) of the fields of data set `data`'s split `split`.
Memory *memory_select(Arena *arena, const Memory *memory, const char *data, const char *split, const int64_t *rows,
                      int64_t count);
// The fields of data set `data` read anew into the arena, with the statistics of p->fold, split train's at these places
// alone; those of other data sets as they are. NULL after reporting. The unit holds some memory.
Memory *memory_read_again(Pipeline *p, Arena *arena, DataStore *store, const Unit *unit, const char *data,
                          const RowSet *places);
