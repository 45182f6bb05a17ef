// What a training network's graph shows to be wrong though every shape fits.
#pragma once
#include "pipeline.h"

// Warns (E0340) of dropout in front of a batch norm, once.
void lint_dropout(DiagSink *sink, const Graph *training);
// False after reporting (E0341) a batch norm that has one value of each channel in a batch of `batch` rows.
bool lint_norms(DiagSink *sink, const Graph *training, int64_t batch);
