// A plan as machine-code functions to be and the launches that call them.
#pragma once
#include <llvm-c/Core.h>

#include "codegen.h"
#include "hash.h"
#include "nest.h"
#include "tiled.h"
#include "winograd_code.h"

// One function. Kernels whose code is the same share it.
typedef struct Code {
  const char *symbol;  // "dlc_conv2d_1_relu", after the first kernel that uses it: unique here
  const char *kernel;  // that kernel's name, for messages
  const char *key;     // [key_bytes] equal keys, equal code: in this program, in any other, in the cache
  size_t key_bytes;
  Hash hash;               // of the key
  Nest *nest;              // or
  Tiled *tiled;            // a micro-kernel, or
  WinogradCode *winograd;  // a convolution in transformed tiles
} Code;

typedef struct Launch {
  int code;
  int kernel;  // number in the plan
  bool once;   // DlcLaunch
  DlcCount items;
  int64_t item_cost;  // nanoseconds, roughly
} Launch;

typedef struct Launches {
  Arena *arena;  // where codes and launches lie
  const Plan *plan;
  Target target;
  Code *codes;
  size_t n_codes, codes_capacity;
  Launch *launches;  // in order
  size_t n_launches, launches_capacity;
  bool apart;                   // every launch has a code of its own
  HashTable by_key, by_symbol;  // of codes
} Launches;

Launches *launches_make(Arena *arena, const Plan *plan, const CodegenOptions *options, const Target *target);
// Adds the code's function to the module under that name. Writes nothing but the arena and the module: threads may emit
// codes side by side, each with its own of both.
void launches_emit(Arena *arena, const Code *code, LLVMModuleRef module, const char *symbol);
int64_t launches_local_bytes(const Launches *all);  // working memory of a thread
// The step: launches without functions, arguments, inputs and outputs. Keeps no pointer into the plan.
DlcStep launches_step(Arena *arena, const Launches *all);
