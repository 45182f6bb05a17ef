// LLVM's passes do the narrow accesses. Wide and masked ones get a call of the runtime's function for ranges here:
// ThreadSanitizer's pass looks at no access of more than 16 bytes and at no masked one, and what AddressSanitizer's
// makes of a mask, a branch for each lane, takes LLVM ten times as long to compile as the kernel.
//
// On entry: IR as kernels are, before machine code. On exit: the same with calls of __asan_ or __tsan_ functions, which
// the JIT finds in the process. A kernel has no global variables, so nothing has to be registered: the constructors
// that the passes add are taken out again.
#include "instrument.h"

#if defined(DLC_KERNELS_ASAN) || defined(DLC_KERNELS_TSAN)
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <pthread.h>
#include <string.h>

#include "irb.h"

enum { WIDEST = 16 };  // bytes of an access that both passes look at by themselves

typedef struct Sanitizer {
  const char *attribute, *passes, *constructor;
  const char *read, *write;  // the runtime's functions for (address, bytes)
  // Of a mask with gaps: all from its first lane to its last, as all of that is in one tensor? Else its first run: an
  // access too few is a race unseen, one too many a false alarm.
  bool spans_gaps;
} Sanitizer;

#ifdef DLC_KERNELS_ASAN
static const Sanitizer chosen = {"sanitize_address", "asan", "asan.module_ctor", "__asan_loadN", "__asan_storeN", true};
#else
static const Sanitizer chosen = {"sanitize_thread",   "tsan-module,function(tsan)", "tsan.module_ctor",
                                 "__tsan_read_range", "__tsan_write_range",         false};
#endif

// ---- wide and masked accesses -------------------------------------------------------------------------------------

// One access: what of memory the instruction reads or writes.
typedef struct Access {
  LLVMValueRef address, mask;  // mask: NULL, or a vector of i1
  LLVMTypeRef type;
  bool writes;
} Access;

static bool is_called(LLVMValueRef call, const char *prefix) {
  size_t length;
  LLVMValueRef function = LLVMGetCalledValue(call);
  const char *name = function && LLVMIsAFunction(function) ? LLVMGetValueName2(function, &length) : NULL;
  return name && !strncmp(name, prefix, strlen(prefix));
}

// Arguments: address, mask, what a masked load gives elsewhere; value, address, mask; up to LLVM 21 with an alignment
// behind the address.
static bool find_masked(LLVMValueRef call, Access *a) {
  unsigned n = LLVMGetNumArgOperands(call);
  if (is_called(call, "llvm.masked.load.")) {
    *a = (Access){LLVMGetOperand(call, 0), LLVMGetOperand(call, n - 2), LLVMTypeOf(call), false};
    return true;
  }
  if (!is_called(call, "llvm.masked.store.")) return false;
  *a = (Access){LLVMGetOperand(call, 1), LLVMGetOperand(call, n - 1), LLVMTypeOf(LLVMGetOperand(call, 0)), true};
  return true;
}

static bool find_access(LLVMValueRef instruction, LLVMTargetDataRef layout, Access *a) {
  LLVMOpcode opcode = LLVMGetInstructionOpcode(instruction);
  if (opcode == LLVMCall) return find_masked(instruction, a);
  if (opcode == LLVMLoad)
    *a = (Access){LLVMGetOperand(instruction, 0), NULL, LLVMTypeOf(instruction), false};
  else if (opcode == LLVMStore)
    *a = (Access){LLVMGetOperand(instruction, 1), NULL, LLVMTypeOf(LLVMGetOperand(instruction, 0)), true};
  else
    return false;
  return LLVMStoreSizeOfType(layout, a->type) > WIDEST;
}

static LLVMValueRef range_function(const Irb *irb, const char *name) {
  LLVMValueRef known = LLVMGetNamedFunction(irb->module, name);
  if (known) return known;
  LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(irb->context), (LLVMTypeRef[]){irb->ptr, irb->i64}, 2, 0);
  return LLVMAddFunction(irb->module, name, type);
}

// How many zeros the 64 bits begin with, from the lowest or from the highest; 64 where there is no one.
static LLVMValueRef zeros(const Irb *irb, const char *intrinsic, LLVMValueRef bits) {
  return irb_call(irb, intrinsic, (LLVMValueRef[]){bits, LLVMConstNull(irb->i1)}, 2);
}

// Which lanes the mask selects: `lanes` from `from` on.
static void selected(const Irb *irb, LLVMValueRef mask, LLVMValueRef *from, LLVMValueRef *lanes) {
  LLVMTypeRef narrow = LLVMIntTypeInContext(irb->context, LLVMGetVectorSize(LLVMTypeOf(mask)));
  LLVMValueRef bits = LLVMBuildZExt(irb->b, LLVMBuildBitCast(irb->b, mask, narrow, ""), irb->i64, "");
  LLVMValueRef none = LLVMBuildICmp(irb->b, LLVMIntEQ, bits, irb_i64(irb, 0), "");
  *from = LLVMBuildSelect(irb->b, none, irb_i64(irb, 0), zeros(irb, "llvm.cttz", bits), "");
  LLVMValueRef end = LLVMBuildSub(irb->b, irb_i64(irb, 64), zeros(irb, "llvm.ctlz", bits), "");
  LLVMValueRef behind = LLVMBuildNot(irb->b, LLVMBuildLShr(irb->b, bits, *from, ""), "");
  *lanes = chosen.spans_gaps ? LLVMBuildSub(irb->b, end, *from, "") : zeros(irb, "llvm.cttz", behind);
}

static void look_at(const Irb *irb, const Access *a, uint64_t bytes) {
  LLVMValueRef address = a->address, size = irb_i64(irb, (int64_t)bytes);
  if (a->mask) {
    LLVMValueRef from, lane = irb_i64(irb, (int64_t)(bytes / LLVMGetVectorSize(a->type)));
    selected(irb, a->mask, &from, &size);
    LLVMValueRef offset = LLVMBuildMul(irb->b, from, lane, "");
    address = LLVMBuildGEP2(irb->b, irb->i8, address, &offset, 1, "");
    size = LLVMBuildMul(irb->b, size, lane, "");
  }
  LLVMValueRef f = range_function(irb, a->writes ? chosen.write : chosen.read);
  LLVMBuildCall2(irb->b, LLVMGlobalGetValueType(f), f, (LLVMValueRef[]){address, size}, 2, "");
}

// Tells LLVM's pass that the instruction is done.
static void set_done(const Module *m, LLVMValueRef instruction) {
  static const char name[] = "nosanitize";
  unsigned kind = LLVMGetMDKindIDInContext(m->context, name, sizeof name - 1);
  LLVMMetadataRef nothing = LLVMMDNodeInContext2(m->context, NULL, 0);
  LLVMSetMetadata(instruction, kind, LLVMMetadataAsValue(m->context, nothing));
}

static void look_at_block(const Module *m, const Irb *irb, LLVMBasicBlockRef block) {
  LLVMTargetDataRef layout = LLVMGetModuleDataLayout(m->llvm);
  for (LLVMValueRef i = LLVMGetFirstInstruction(block); i; i = LLVMGetNextInstruction(i)) {
    Access access;
    if (!find_access(i, layout, &access)) continue;
    LLVMPositionBuilderBefore(irb->b, i);
    look_at(irb, &access, LLVMStoreSizeOfType(layout, access.type));
    set_done(m, i);
  }
}

static void look_at_all(const Module *m) {
  LLVMAttributeRef attribute = LLVMCreateEnumAttribute(
      m->context, LLVMGetEnumAttributeKindForName(chosen.attribute, strlen(chosen.attribute)), 0);
  Irb irb = irb_new(m->llvm);
  for (LLVMValueRef f = LLVMGetFirstFunction(m->llvm); f; f = LLVMGetNextFunction(f)) {
    if (LLVMIsDeclaration(f)) continue;
    LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
    for (LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(f); block; block = LLVMGetNextBasicBlock(block))
      look_at_block(m, &irb, block);
  }
  irb_free(&irb);
}

// ---- LLVM's passes --------------------------------------------------------------------------------------------------

// Checks as calls compile much faster than checks in place.
static void set_options(void) {
  static const char *const words[] = {"dlc", "-asan-instrumentation-with-call-threshold=0"};
  LLVMParseCommandLineOptions(2, words, NULL);
}

static void drop_constructor(const Module *m) {
  static const char *const lists[] = {"llvm.global_ctors", "llvm.used", "llvm.compiler.used"};
  for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
    LLVMValueRef list = LLVMGetNamedGlobal(m->llvm, lists[k]);
    if (list) LLVMDeleteGlobal(list);
  }
  LLVMValueRef function = LLVMGetNamedFunction(m->llvm, chosen.constructor);
  if (function) LLVMDeleteFunction(function);
}

void instrument(Module *m, LLVMTargetMachineRef machine) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, set_options);
  look_at_all(m);
  module_run(m->llvm, machine, chosen.passes);
  drop_constructor(m);
}

#else
void instrument(Module *m, LLVMTargetMachineRef machine) { (void)m, (void)machine; }
#endif
