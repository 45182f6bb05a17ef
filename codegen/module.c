// An LLVM module of a few functions to an object file. What LLVM reports while it compiles is a bug of dlc's or LLVM's.
#include "module.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>

// ---- LLVM's own failures ------------------------------------------------------------------------------------------

// LLVM's fatal errors come through a handler without a state argument: each thread leaves here what it compiles.
static _Thread_local const char *compiling;

static void on_fatal_error(const char *reason) {
  dlc_bug("LLVM, compiling %s: %s", compiling ? compiling : "nothing", reason);
}

static void catch_fatal_errors(void) { LLVMInstallFatalErrorHandler(on_fatal_error); }

static void on_diagnostic(LLVMDiagnosticInfoRef info, void *state) {
  (void)state;
  if (LLVMGetDiagInfoSeverity(info) == LLVMDSError) on_fatal_error(LLVMGetDiagInfoDescription(info));
}

// ---- modules ------------------------------------------------------------------------------------------------------

Module module_new(LLVMTargetMachineRef machine, const Target *target, bool readable) {
  Module m = {.context = LLVMContextCreate()};
  LLVMContextSetDiscardValueNames(m.context, !readable);
  LLVMContextSetDiagnosticHandler(m.context, on_diagnostic, NULL);
  m.llvm = LLVMModuleCreateWithNameInContext("dlc", m.context);
  LLVMSetTarget(m.llvm, target->triple);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
  LLVMSetModuleDataLayout(m.llvm, layout);
  LLVMDisposeTargetData(layout);
  return m;
}

void module_free(Module *m) {
  if (m->llvm) LLVMDisposeModule(m->llvm);
  if (m->context) LLVMContextDispose(m->context);
  m->llvm = NULL;
  m->context = NULL;
}

static void verify(const Module *m) {
#ifdef DLC_VERIFY
  char *message = NULL;
  if (LLVMVerifyModule(m->llvm, LLVMReturnStatusAction, &message)) dlc_bug("LLVM IR of %s: %s", m->names, message);
  LLVMDisposeMessage(message);
#else
  (void)m;
#endif
}

void module_run(LLVMModuleRef module, LLVMTargetMachineRef machine, const char *passes) {
  LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
  LLVMErrorRef error = LLVMRunPasses(module, passes, machine, options);
  LLVMDisposePassBuilderOptions(options);
  if (error) on_fatal_error(LLVMGetErrorMessage(error));
}

void module_finish(Module *m, LLVMTargetMachineRef machine) {
  verify(m);
  module_run(m->llvm, machine, "function(early-cse,simplifycfg)");
}

void module_compile(Module *m, LLVMTargetMachineRef machine, LLVMCodeGenFileType type) {
  module_finish(m, machine);
  module_emit(m, machine, type);
}

void module_emit(Module *m, LLVMTargetMachineRef machine, LLVMCodeGenFileType type) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, catch_fatal_errors);
  compiling = m->names;
  verify(m);
  char *message = NULL;
  if (LLVMTargetMachineEmitToMemoryBuffer(machine, m->llvm, type, &message, &m->object)) on_fatal_error(message);
  module_free(m);
  compiling = NULL;
}
