// The transforms of F(4x4, 3x3) on vectors: one value per lane, every lane by itself.
#pragma once
#include "irb.h"

// Each is applied along one dimension: `in` and `out` may not overlap.
typedef void (*WinogradMath)(const Irb *irb, const LLVMValueRef *in, LLVMValueRef *out);
void winograd_window(const Irb *irb, const LLVMValueRef *in, LLVMValueRef *out);     // 6 to 6: B' d
void winograd_result(const Irb *irb, const LLVMValueRef *in, LLVMValueRef *out);     // 6 to 4: A' m
void winograd_filter(const Irb *irb, const LLVMValueRef *in, LLVMValueRef *out);     // 3 to 6: G g
void winograd_spread(const Irb *irb, const LLVMValueRef *in, LLVMValueRef *out);     // 4 to 6: A dy
void winograd_to_filter(const Irb *irb, const LLVMValueRef *in, LLVMValueRef *out);  // 6 to 3: G' m

// Along the rows of every column, then along the columns of every row: in[rows * columns] to out, row-major.
void winograd_both(const Irb *irb, WinogradMath math, int from, int to, const LLVMValueRef *in, LLVMValueRef *out);
