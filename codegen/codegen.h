// Plan -> loop nests -> LLVM IR -> machine code. The only room that includes LLVM headers; this header does not.
#pragma once
#include "dlc_abi.h"
#include "plan.h"

typedef struct CodegenOptions {
  const char *cpu;   // "native", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", or any LLVM CPU name
  bool fast;         // --numerics fast
  int threads;       // compile threads, >= 1
  bool no_contract;  // every kernel through the loop emitter (tests)
} CodegenOptions;

// What is known of the target: decides widths and tiles, never bits.
typedef struct Target {
  const char *triple, *cpu, *features;
  int vector_floats;  // native: 16 (AVX-512), 8 (AVX2), 4
  int registers;      // vector registers: 32 or 16
  bool has_fma;
} Target;

typedef struct Compiled Compiled;  // machine code and its DlcStep; freed with codegen_free

// The target for these options. False after reporting E0603 (a CPU that LLVM does not know, or that this host cannot
// run when `for_jit`).
bool codegen_target(Arena *arena, DiagSink *sink, const CodegenOptions *options, bool for_jit, Target *target);

// Compiles every kernel of the plan for this process. NULL after reporting. The result keeps no pointer into the plan.
Compiled *codegen_jit(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options);
const DlcStep *codegen_step(const Compiled *compiled);
int64_t codegen_code_bytes(const Compiled *compiled);
int codegen_kernel_count(const Compiled *compiled);  // distinct machine-code functions
void codegen_free(Compiled *compiled);               // NULL is allowed

// Dumps. Each prints every kernel of the plan, in order.
bool codegen_print_loops(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *out);
bool codegen_print_llvm(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *out);
bool codegen_print_asm(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *out);

// "LLVM 19.1.7, znver4"
const char *codegen_version(Arena *arena);
