// Machine code from LLVM modules.
#pragma once
#include "launches.h"
#include "target.h"

typedef struct JitModule {
  LLVMContextRef context;
  LLVMModuleRef module;
  const char *names;           // the kernels in it, for messages
  LLVMMemoryBufferRef object;  // set by compiling
} JitModule;

// An empty module for the target.
JitModule jit_module_new(LLVMTargetMachineRef machine, const Target *target);
void jit_module_free(JitModule *m);
// Verifies the module (in builds with DLC_VERIFY) and runs the IR passes.
void jit_module_finish(JitModule *m, LLVMTargetMachineRef machine);
// Makes m->object, of machine code or of assembly text. What LLVM cannot do ends the process with the kernels' names.
void jit_module_compile(JitModule *m, LLVMTargetMachineRef machine, LLVMCodeGenFileType type);
