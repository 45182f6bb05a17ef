// Names of compiled functions for tools that look at a running process: perf's map file and gdb's JIT interface.
#pragma once
#include <llvm-c/LLJIT.h>

#include "objects.h"

typedef struct Symbols Symbols;

// The functions of the objects, which are not linked yet.
Symbols *symbols_of(Arena *arena, const Objects *objects);
void symbols_place(Symbols *symbols, const char *name, uint64_t address);
// Adds what has been placed to /tmp/perf-PID.map, where perf looks for it. A file that cannot be written is none.
void symbols_write(const Symbols *symbols, Io io);
// Has ORC hand every object that it links to a debugger.
void symbols_show_debugger(LLVMOrcLLJITRef jit);
