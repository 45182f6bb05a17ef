// Programs to ONNX models: what the rest of dlc sees of this half of the room.
#pragma once
#include "diag.h"
#include "ir.h"

// Where an export takes the elements of parameters and states from.
typedef struct OnnxWeights {
  const float *(*data)(void *state, const char *path);  // row-major; never NULL
  void *state;
} OnnxWeights;

// An inference graph as an ONNX model (opset 17): the file's bytes, or NULL after reporting E0423 at each place that
// ONNX has nothing for.
uint8_t *onnx_export(Arena *arena, DiagSink *sink, const Graph *g, const OnnxWeights *weights, size_t *size);
