// One LLVM module, and machine code or assembly from it.
#pragma once
#include <llvm-c/Core.h>

#include "target.h"

typedef struct Module {
  LLVMContextRef context;
  LLVMModuleRef llvm;
  const char *names;           // the kernels in it, for messages
  LLVMMemoryBufferRef object;  // set by compiling
} Module;

// An empty module for the target. Values keep their names where `readable`.
Module module_new(LLVMTargetMachineRef machine, const Target *target, bool readable);
void module_free(Module *m);
// Verifies the module (in builds with DLC_VERIFY) and runs the IR passes.
void module_finish(Module *m, LLVMTargetMachineRef machine);
// Runs passes, by their names, over a module.
void module_run(LLVMModuleRef module, LLVMTargetMachineRef machine, const char *passes);
// Makes m->object without any IR pass, and frees the module.
void module_emit(Module *m, LLVMTargetMachineRef machine, LLVMCodeGenFileType type);
// The same after module_finish: makes m->object, of machine code or of assembly text. What LLVM cannot do ends the
// process with the kernels' names.
void module_compile(Module *m, LLVMTargetMachineRef machine, LLVMCodeGenFileType type);
