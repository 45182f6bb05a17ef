// Differences between LLVM 18 to 22, and what the C API lacks, in one place.
#pragma once
#include <llvm-c/Core.h>
#include <llvm-c/LLJIT.h>
#include <stdbool.h>

// Loads the lanes that the mask selects, 0 elsewhere; `align` bytes are promised.
LLVMValueRef shim_masked_load(LLVMBuilderRef builder, LLVMModuleRef module, LLVMTypeRef type, LLVMValueRef address,
                              LLVMValueRef mask, unsigned align);
void shim_masked_store(LLVMBuilderRef builder, LLVMModuleRef module, LLVMValueRef value, LLVMValueRef address,
                       LLVMValueRef mask, unsigned align);
// Declares `void name(ptr args, ptr rt, i64 begin, i64 end)` (dlc_abi.h, DlcKernelFn) with the attributes of a kernel.
LLVMValueRef shim_kernel_function(LLVMModuleRef module, const char *name);
// Sets a string attribute of a function, in the place of one of that name.
void shim_set_attribute(LLVMValueRef function, const char *key, const char *value);
// Gives the result of `to` the attributes that the result of `from` has: how an int is extended.
void shim_copy_result_attributes(LLVMValueRef from, LLVMValueRef to);
// A constant of n bytes.
LLVMValueRef shim_bytes(LLVMContextRef context, const void *bytes, size_t n);
// Objects that the JIT links are registered with gdb's JIT interface, where LLVM's C API can do that (from 19 on).
LLVMErrorRef shim_debug_support(LLVMOrcLLJITRef jit);
