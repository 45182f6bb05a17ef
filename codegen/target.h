// The target as LLVM sees it.
#pragma once
#include <llvm-c/TargetMachine.h>

#include "codegen.h"

// Sets up LLVM's targets, once in a process.
void target_start(void);
// A machine for compiling to the target; each thread needs its own. Freed with LLVMDisposeTargetMachine.
LLVMTargetMachineRef target_machine(const Target *target);
