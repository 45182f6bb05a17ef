// The micro-kernel: one phase of a contraction as an LLVM function, accumulators in registers.
#pragma once
#include <llvm-c/Core.h>

#include "contract.h"

// What to do with a vector of finished sums. `index` holds an i64 for each output index of the root (the lane index:
// that of the vector's first lane), `value` is <lanes x float>; only the first `live` lanes are inside. acc[n_sums]: a
// vector of each sum that the kernel carries, taken up and updated; NULL where it carries none.
typedef void (*TileStore)(void *state, LLVMBuilderRef builder, const LLVMValueRef *index, LLVMValueRef value, int lanes,
                          int live, LLVMValueRef *acc);

typedef struct TileJob {
  const Graph *graph;
  const Contract *contract;
  const Phase *phase;
  Tile tile;
  Shares shares;
  Blocking blocking;
  int slot_a, slot_b;  // which of the kernel's args hold the operands
  int slot_scratch;    // chunked: where the chunks' sums go, [chunk][result]
  // not chunked: what follows the sum; NULL: the sums go to slot_c, by the axes' strides there
  TileStore store;
  int n_sums, slot_sum[KERNEL_SUMS_MOST];  // Contract.tally: the sums' scratches, [chunk][lanes of the result]
  int slot_c;
  bool goes_on;  // with store NULL: the sums start from what slot_c holds, not from 0
  // Called once per function, before any store: lets the store's owner load its pointers.
  void (*begin)(void *state, LLVMBuilderRef builder, LLVMValueRef function);
  void *state;
} TileJob;

// Adds `void name(ptr args, ptr rt, i64 begin, i64 end)` to the module: the work items begin..end of job->shares.
LLVMValueRef tile_emit(LLVMModuleRef module, const char *name, const TileJob *job);
