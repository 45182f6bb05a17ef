// Loop nests to LLVM IR, one statement at a time. Nothing is decided here: the nest says what is computed where.
#pragma once
#include "irb.h"
#include "nest.h"

// Adds `void name(ptr args, ptr rt, i64 begin, i64 end)` to the module: the work items begin..end of the nest.
LLVMValueRef emit_nest(Arena *arena, LLVMModuleRef module, const char *name, const Nest *nest);

// A nest whose statements go into a function that somebody else builds: what follows a micro-kernel's sum.
typedef struct EmitGiven {
  LLVMValueRef function;     // a kernel function: its params are args and rt
  const LLVMValueRef *base;  // [n_args] of the nest: the arguments' addresses
  const LLVMValueRef *vars;  // [n_vars]: those of nest_given_var, i64; others NULL
  LLVMValueRef value;        // of VALUE_GIVEN, a vector of the nest's lanes
  LLVMValueRef *acc;         // [n_accs]: given accumulators, updated
} EmitGiven;
void emit_given(Arena *arena, LLVMBuilderRef builder, LLVMModuleRef module, const Nest *nest, const EmitGiven *given);
// Loads the address of argument `slot` at the builder's place.
LLVMValueRef emit_argument(LLVMBuilderRef builder, LLVMValueRef function, int slot);
