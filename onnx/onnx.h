// ONNX models to programs: what the rest of dlc sees of this half of the room; the other is onnx_export.h.
//
// Import: a .onnx file becomes the text of a .dl program and its tensors, in the order in which the program declares
// them. Nothing is written here. Images are channels last in the program: the model's [N, C, H, W] are [N, H, W, C],
// weights are turned to fit, and what is turned at an input or an output is said in its OnnxPort.
#pragma once
#include "diag.h"
#include "io.h"

enum { ONNX_MAX_RANK = 8, ONNX_OLDEST = 1, ONNX_NEWEST = 21 };

typedef struct OnnxTensor {  // a parameter or a state of the program
  int rank;
  int64_t dim[ONNX_MAX_RANK];
  int64_t count;
  const float *data;   // [count], row-major
  const char *source;  // its name in the model, for messages
} OnnxTensor;

// An input or an output: dimension p of the program's tensor is the model's dimension axis[p].
typedef struct OnnxPort {
  const char *source, *name;  // in the model; in the program
  const char *type;           // "f32[N, 28, 28, 1]", as the program has it
  int rank;
  int axis[ONNX_MAX_RANK];
} OnnxPort;

typedef struct OnnxProgram {
  const char *text;             // the program
  OnnxTensor *params, *states;  // in the order of their declaration
  int n_params, n_states;
  OnnxPort *inputs, *outputs;  // in the program's order
  int n_inputs, n_outputs;
  int n_nodes;
} OnnxProgram;

// An input that is held fixed: its values become part of the program.
typedef struct OnnxFixed {
  const char *name;  // in the model
  int type;          // 0: f32, 1: i32, 2: bool, 3: u8, as .npy files give them
  int rank;
  int64_t dim[ONNX_MAX_RANK];
  const void *data;
} OnnxFixed;

typedef struct OnnxSize {  // what a named size of the model is, where it is not the batch
  const char *name;
  int64_t size;
} OnnxSize;

typedef struct OnnxAsked {
  const char *model;  // the program's model is called this
  const OnnxFixed *fixed;
  int n_fixed;
  const OnnxSize *sizes;
  int n_sizes;
} OnnxAsked;

// Reads a model. NULL after reporting E0420 (the file), E0421 (external data) or E0422 (nodes that dlc has nothing for,
// each with its reason).
OnnxProgram *onnx_import(Arena *arena, DiagSink *sink, Io io, const char *path, const OnnxAsked *asked);
// The same from memory; `path` names it in messages and is where external data is looked for.
OnnxProgram *onnx_import_bytes(Arena *arena, DiagSink *sink, Io io, const char *path, const void *bytes, size_t size,
                               const OnnxAsked *asked);
// How many operators the importer has, and their names in alphabetical order.
int onnx_operator_count(void);
const char *onnx_operator_name(int k);
