// The functions of a built library's header, as LLVM IR.
#pragma once
#include <llvm-c/TargetMachine.h>

#include "describe.h"

// Gives the module NAME_open, NAME_predict and so on. Those that take what the runtime's function takes are that
// function under another name; those whose arguments are the model's own put pointers into arrays and call it.
void build_api_emit(Arena *arena, LLVMModuleRef module, LLVMTargetMachineRef machine, const BuildInput *input,
                    const Description *description, LLVMValueRef library);
bool build_api_is_public(LLVMValueRef function);
