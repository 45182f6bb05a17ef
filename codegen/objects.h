// From functions to object files: which are compiled together, what the cache holds, the threads that compile the rest.
#pragma once
#include <llvm-c/Core.h>

#include "launches.h"

// Codes that share an object.
typedef struct Part {
  const int *codes;  // [n] numbers in Launches.codes
  int n;
  int64_t weight;              // how long compiling takes, in no unit
  LLVMMemoryBufferRef object;  // the caller's
} Part;

typedef struct Objects {
  Part *parts;
  size_t n;
  CodegenTimes times;  // look_s, compile_s, keep_s and the counts
} Objects;

// The name of a code's function in its object: what determines it, or, where options->symbols, Code.symbol.
const char *objects_symbol(Arena *arena, const CodegenOptions *options, const Code *code);
// Every code of the program as machine code.
Objects objects_make(Arena *arena, const Launches *all, const CodegenOptions *options);
void objects_dispose(Objects *objects);
