// Plan -> loop nests -> LLVM IR -> machine code. The only room that includes LLVM headers; this header does not.
#pragma once
#include "dlc_abi.h"
#include "io.h"
#include "plan.h"
#include "spec.h"

typedef struct CodegenOptions {
  const char *cpu;    // "native", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", or any LLVM CPU name
  bool fast;          // --numerics fast
  int threads;        // compile threads, >= 1
  bool no_contract;   // every kernel through the loop emitter (tests)
  bool no_sharing;    // every launch has a function of its own (tests)
  Io io;              // for what follows
  const char *cache;  // the folder where machine code is kept between runs; NULL: none is
  bool symbols;       // functions have their kernels' names, and perf and gdb are told them
} CodegenOptions;

// What is known of the target: decides widths and tiles, never bits.
typedef struct Target {
  const char *triple, *cpu, *features;
  int vector_floats;  // native: 16 (AVX-512), 8 (AVX2), 4
  int registers;      // vector registers: 32 or 16
  bool has_fma;
} Target;

// Where the time of codegen_jit went, in seconds, and how many of its object files the cache held.
typedef struct CodegenTimes {
  double loops_s;    // kernels to loops and tiles, and what is the same code
  double look_s;     // looking in the cache
  double compile_s;  // LLVM IR and machine code
  double keep_s;     // into the cache
  double link_s;
  int objects, kept;
} CodegenTimes;

typedef struct Compiled Compiled;  // machine code and its DlcStep; freed with codegen_free

// The target for these options. False after reporting E0603 (a CPU that LLVM does not know, or that this host cannot
// run when `for_jit`).
bool codegen_target(Arena *arena, DiagSink *sink, const CodegenOptions *options, bool for_jit, Target *target);

// Bytes of working memory that the plan's kernels ask for on each thread, known before any is compiled. -1 after
// reporting.
int64_t codegen_local_bytes(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options);
// Compiles every kernel of the plan for this process. NULL after reporting. The result keeps no pointer into the plan.
Compiled *codegen_jit(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options);
const DlcStep *codegen_step(const Compiled *compiled);
int64_t codegen_code_bytes(const Compiled *compiled);
int codegen_kernel_count(const Compiled *compiled);  // distinct machine-code functions
CodegenTimes codegen_times(const Compiled *compiled);
void codegen_free(Compiled *compiled);  // NULL is allowed

// ---- ahead of time -------------------------------------------------------------------------------------------------

typedef enum BuildForm { BUILD_OBJECT, BUILD_LLVM, BUILD_ASM } BuildForm;

// What becomes a library.
typedef struct BuildInput {
  const char *prefix;          // of every function: a C identifier
  const Plan *infer, *train;   // of one model, tables alike; train: NULL where it is not to be trained
  const float *param, *state;  // values that stand in the library; NULL: they are loaded
  const TrainSpec *training;   // of `train`
  uint64_t seed;
  int64_t n_slots, n_squares;  // blocks of the optimizer; doubles that clipping works with
  bool mixes;                  // a row's results depend on other rows
  const char *target;          // "aarch64"; NULL: this machine. CodegenOptions.cpu may be a list
  BuildForm form;
} BuildInput;

typedef struct Built {
  const char *bytes;  // [size] the object file, or text
  size_t size;
  const char *machine, *triple, *cpus;  // "x86_64", .., "x86-64-v3, x86-64-v4"
  bool is_host;                         // that machine is this one
  bool needs_cpu;                       // not every CPU of that machine runs it
  int64_t memory_bytes, thread_bytes;   // of the caller's memory: for one thread, for each more
  DlcStep infer, train;                 // inputs and outputs
} Built;

// One object file that needs libc and libm alone. NULL after reporting E0603 (a target or CPU that is not known).
Built *codegen_build(Arena *arena, DiagSink *sink, const BuildInput *input, const CodegenOptions *options);

// Removes the map of symbols that an earlier process of the same number left (CodegenOptions.symbols).
void codegen_forget_symbols(Arena *arena, Io io);

// Dumps. Each prints every kernel of the plan, in order.
bool codegen_print_loops(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *out);
bool codegen_print_llvm(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *out);
bool codegen_print_asm(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *out);

// Are the functions of all launches with equal keys the same, in this plan and in all that the book has seen for one
// target? The number of launches, or -1 with the first breach in *why. The pipeline asks in builds with DLC_VERIFY.
typedef struct KeyBook KeyBook;
KeyBook *codegen_key_book(Arena *arena);
int codegen_verify_keys(KeyBook *book, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *why);

// "LLVM 19.1.7, znver4"
const char *codegen_version(Arena *arena);
