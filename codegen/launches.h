// A plan as machine-code functions to be and the launches that call them.
#pragma once
#include <llvm-c/Core.h>

#include "codegen.h"
#include "nest.h"
#include "tiled.h"
#include "winograd_code.h"

// One function. Kernels whose code is the same share it.
typedef struct Code {
  const char *symbol;      // "k3_conv2d_1_relu": unique
  const char *kernel;      // the kernel's name, for messages
  const char *key;         // equal keys, equal code
  Nest *nest;              // or
  Tiled *tiled;            // a micro-kernel, or
  WinogradCode *winograd;  // a convolution in transformed tiles
} Code;

typedef struct Launch {
  int code;
  int kernel;  // number in the plan
  bool once;   // DlcLaunch
} Launch;

typedef struct Launches {
  const Plan *plan;
  Target target;
  Code *codes;
  size_t n_codes, codes_capacity;
  Launch *launches;  // in order
  size_t n_launches, launches_capacity;
} Launches;

Launches *launches_make(Arena *arena, const Plan *plan, const CodegenOptions *options, const Target *target);
void launches_emit(Arena *arena, const Code *code, LLVMModuleRef module);
DlcCount launches_items(const Code *code);
int64_t launches_item_cost(const Code *code);
int64_t launches_local_bytes(const Code *code);  // working memory of a thread
// The step: launches without functions, arguments, inputs and outputs. Keeps no pointer into the plan.
DlcStep launches_step(Arena *arena, const Launches *all);
