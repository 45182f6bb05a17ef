// What follows a micro-kernel's sum: bias, activation, other outputs, padded copies; ends in the kernel's stores.
#pragma once
#include "emit.h"
#include "sweep.h"

typedef struct Follow Follow;

// For the sums of a sweep, inside a kernel function. Call follow_begin at the function's entry, before any store.
Follow *follow_new(Arena *arena, const Sweep *sweep, LLVMModuleRef module);
// Loads the addresses of the kernel's arguments. `follow` is a Follow.
void follow_begin(void *follow, LLVMBuilderRef builder, LLVMValueRef function);
// Emits what follows one vector of sums; a TileStore (tile.h).
void follow_store(void *follow, LLVMBuilderRef builder, const LLVMValueRef *index, LLVMValueRef value, int lanes,
                  int live, LLVMValueRef *acc);
// The address of argument `slot`.
LLVMValueRef follow_base(const Follow *follow, int slot);
