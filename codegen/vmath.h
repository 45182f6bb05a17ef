// Mathematical functions as inlined polynomials: the same float operations on every target, so the same bits, with
// fused multiply-adds where they are written. Denormals are kept; NaN gives NaN. Each takes scalars or vectors.
#pragma once
#include "irb.h"

LLVMValueRef math_exp(const Irb *irb, LLVMValueRef x);                  // 1 ulp
LLVMValueRef math_log(const Irb *irb, LLVMValueRef x);                  // 1 ulp
LLVMValueRef math_tanh(const Irb *irb, LLVMValueRef x);                 // 2 ulp
LLVMValueRef math_sigmoid(const Irb *irb, LLVMValueRef x);              // 2 ulp
LLVMValueRef math_erf(const Irb *irb, LLVMValueRef x);                  // 2 ulp
LLVMValueRef math_pow(const Irb *irb, LLVMValueRef a, LLVMValueRef b);  // 1 ulp, C's special cases
