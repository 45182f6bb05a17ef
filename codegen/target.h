// The target as LLVM sees it.
#pragma once
#include <llvm-c/TargetMachine.h>

#include "codegen.h"

// Sets up LLVM's targets, once in a process.
void target_start(void);
// A machine for compiling to the target; each thread needs its own. Freed with LLVMDisposeTargetMachine.
LLVMTargetMachineRef target_machine(const Target *target);
// The same for object files that a linker takes, of any machine whose targets are set up (build_targets).
LLVMTargetMachineRef target_machine_for(const Target *target);
// The x86-64 level of options->cpu, which need not run here: the target of that level, with only its instructions, and
// the CPU to schedule for (NULL: none in particular). False after reporting E0603.
bool target_level(Arena *arena, DiagSink *sink, const CodegenOptions *options, Target *target, int *level,
                  const char **tune);
