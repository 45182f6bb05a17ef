// The transforms of F(4x4, 3x3) and F(2x2, 5x5) on vectors: one value per lane, every lane by itself.
#pragma once
#include "irb.h"

// Applied along one dimension: `in` and `out` may not overlap.
typedef void (*WinogradMath)(const Irb *irb, const LLVMValueRef *in, LLVMValueRef *out);
void winograd_window(const Irb *irb, const LLVMValueRef *in, LLVMValueRef *out);  // 6 to 6: B' d, for both

typedef struct WinogradTransforms {
  WinogradMath result;     // 6 to tile: A' m
  WinogradMath filter;     // filter to 6: G g
  WinogradMath spread;     // tile to 6: A dy
  WinogradMath to_filter;  // 6 to filter: G' m
} WinogradTransforms;
const WinogradTransforms *winograd_transforms(int filter);  // 3 or 5

// Along the rows of every column, then along the columns of every row: in[rows * columns] to out, row-major.
void winograd_both(const Irb *irb, WinogradMath math, int from, int to, const LLVMValueRef *in, LLVMValueRef *out);
