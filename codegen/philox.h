// The counter-based generator of base/random.h as LLVM IR.
#pragma once
#include "irb.h"

// random_uniform(seed, stream, index) for i64 indices: scalars, or any number of lanes each.
LLVMValueRef philox_uniform(const Irb *irb, LLVMValueRef seed, LLVMValueRef stream, LLVMValueRef index);
