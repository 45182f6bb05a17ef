// One emitter for each pointwise row of ops.def, on scalars and on vectors of any width.
#pragma once
#include "ir.h"
#include "irb.h"

// `type` is the operands' type (a select's: of b and c), as in eval_pointwise. f32 is float, i32 is i32, u8 is i8, bool
// is i1; all operands have the same number of lanes.
LLVMValueRef scalar_emit(const Irb *irb, Op op, DType type, const LLVMValueRef *args);
// The pointwise max and min, as reductions use them: b only where it is greater (less), NaN if either is.
LLVMValueRef scalar_max(const Irb *irb, DType type, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef scalar_min(const Irb *irb, DType type, LLVMValueRef a, LLVMValueRef b);
