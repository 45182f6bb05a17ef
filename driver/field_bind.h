// A field of a split bound to an input of the program: its sources opened, its statistics taken, its expression
// compiled, what augments and normalizes it made ready, and everything checked against what the program needs.
#pragma once
#include "data.h"
#include "pipeline.h"

typedef struct FieldBinder {
  Pipeline *p;
  DataStore *store;
  const DataSpec *data;
  bool training;  // of split train: augmented
} FieldBinder;

// *rows: how many the sources have. *convert: machine code to release (pipeline_release), or NULL; also after a
// mistake. False after reporting E0403, E0405 to E0408, E0410, E0411, E0414 to E0416.
bool field_bind(const FieldBinder *binder, const FieldSpec *spec, const DlcTensor *input, BatchField *field,
                int64_t *rows, Unit **convert);
