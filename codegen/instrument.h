// Compiled kernels under the sanitizer that dlc itself is built with (DLC_SANITIZE with clang of LLVM's version, whose
// runtime the passes fit). In other builds nothing happens.
#pragma once
#include "module.h"

// Makes every memory access of the module's functions one that the sanitizer looks at. To be called after
// module_finish.
void instrument(Module *m, LLVMTargetMachineRef machine);
