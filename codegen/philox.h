// The counter-based generator of base/random.h as LLVM IR.
#pragma once
#include "irb.h"

// random_uniform(seed, stream, index) for i64 indices: scalars, or any number of lanes each.
LLVMValueRef philox_uniform(const Irb *irb, LLVMValueRef seed, LLVMValueRef stream, LLVMValueRef index);

enum { PHILOX_MAX_LANES = 64 };
// The numbers of `lanes` neighbouring indices from `first` on, both multiples of 4: each block of four words is made
// once.
LLVMValueRef philox_uniform_run(const Irb *irb, LLVMValueRef seed, LLVMValueRef stream, LLVMValueRef first, int lanes);
