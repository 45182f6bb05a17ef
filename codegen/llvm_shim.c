// LLVM's versions, reconciled.
#include "llvm_shim.h"

#include <llvm/Config/llvm-config.h>
#include <string.h>
#if LLVM_VERSION_MAJOR >= 19
#include <llvm-c/LLJITUtils.h>
#endif

typedef struct Masked {
  LLVMValueRef function;
  LLVMTypeRef type;
  bool aligned_by_argument;  // up to LLVM 21 the alignment is an argument, from 22 on an attribute of the pointer
} Masked;

static Masked masked(LLVMModuleRef module, const char *name, LLVMTypeRef vector, unsigned with_argument) {
  LLVMContextRef context = LLVMGetModuleContext(module);
  LLVMTypeRef types[2] = {vector, LLVMPointerTypeInContext(context, 0)};
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  Masked m = {.function = LLVMGetIntrinsicDeclaration(module, id, types, 2),
              .type = LLVMIntrinsicGetType(context, id, types, 2)};
  m.aligned_by_argument = LLVMCountParamTypes(m.type) == with_argument;
  return m;
}

static LLVMValueRef call_masked(LLVMBuilderRef builder, LLVMModuleRef module, const Masked *m, LLVMValueRef *args,
                                unsigned pointer, unsigned n, unsigned align) {
  LLVMContextRef context = LLVMGetModuleContext(module);
  if (m->aligned_by_argument) {
    for (unsigned k = n; k > pointer + 1; k--) args[k] = args[k - 1];
    args[pointer + 1] = LLVMConstInt(LLVMInt32TypeInContext(context), align, false);
    return LLVMBuildCall2(builder, m->type, m->function, args, n + 1, "");
  }
  LLVMValueRef call = LLVMBuildCall2(builder, m->type, m->function, args, n, "");
  LLVMSetInstrParamAlignment(call, pointer + 1, align);
  return call;
}

LLVMValueRef shim_masked_load(LLVMBuilderRef builder, LLVMModuleRef module, LLVMTypeRef type, LLVMValueRef address,
                              LLVMValueRef mask, unsigned align) {
  Masked m = masked(module, "llvm.masked.load", type, 4);
  LLVMValueRef args[4] = {address, mask, LLVMConstNull(type)};
  return call_masked(builder, module, &m, args, 0, 3, align);
}

void shim_masked_store(LLVMBuilderRef builder, LLVMModuleRef module, LLVMValueRef value, LLVMValueRef address,
                       LLVMValueRef mask, unsigned align) {
  Masked m = masked(module, "llvm.masked.store", LLVMTypeOf(value), 4);
  LLVMValueRef args[4] = {value, address, mask};
  call_masked(builder, module, &m, args, 1, 3, align);
}

static void add_attribute(LLVMValueRef function, const char *key, const char *value) {
  LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
  LLVMAttributeRef attribute =
      LLVMCreateStringAttribute(context, key, (unsigned)strlen(key), value, (unsigned)strlen(value));
  LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, attribute);
}

void shim_set_attribute(LLVMValueRef function, const char *key, const char *value) {
  LLVMRemoveStringAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, key,
                                   (unsigned)strlen(key));
  if (*value) add_attribute(function, key, value);
}

void shim_copy_result_attributes(LLVMValueRef from, LLVMValueRef to) {
  enum { MOST = 64 };
  LLVMAttributeRef attributes[MOST];
  unsigned n = LLVMGetAttributeCountAtIndex(from, LLVMAttributeReturnIndex);
  if (n > MOST) return;
  LLVMGetAttributesAtIndex(from, LLVMAttributeReturnIndex, attributes);
  for (unsigned k = 0; k < n; k++) LLVMAddAttributeAtIndex(to, LLVMAttributeReturnIndex, attributes[k]);
}

LLVMValueRef shim_bytes(LLVMContextRef context, const void *bytes, size_t n) {
#if LLVM_VERSION_MAJOR >= 19
  return LLVMConstStringInContext2(context, bytes, n, true);
#else
  return LLVMConstStringInContext(context, bytes, (unsigned)n, true);
#endif
}

// stackrealign: a spilled vector never straddles cache lines. prefer-vector-width: explicit 512-bit vectors stay whole
// on CPUs that LLVM tunes to 256.
LLVMValueRef shim_kernel_function(LLVMModuleRef module, const char *name) {
  LLVMContextRef context = LLVMGetModuleContext(module);
  LLVMTypeRef pointer = LLVMPointerTypeInContext(context, 0), i64 = LLVMInt64TypeInContext(context);
  LLVMTypeRef parameters[4] = {pointer, pointer, i64, i64};
  LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(context), parameters, 4, false);
  LLVMValueRef function = LLVMAddFunction(module, name, type);
  add_attribute(function, "stackrealign", "");
  add_attribute(function, "prefer-vector-width", "512");
  return function;
}

LLVMErrorRef shim_debug_support(LLVMOrcLLJITRef jit) {
#if LLVM_VERSION_MAJOR >= 19
  return LLVMOrcLLJITEnableDebugSupport(jit);
#else
  (void)jit;
  return NULL;
#endif
}
