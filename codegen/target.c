// Which CPU to compile for. On exit of codegen_target: a CPU that LLVM knows by that name, and where code is to run
// here, one whose instructions this machine has.
#include "target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Support.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// Two of LLVM's passes take a third of its time and have nothing to gain here: one rewrites loops' addresses, which are
// written as they should be (codegen/expr), the other orders instructions once more for processors that take them in
// order. They can be left out by the options of LLVM's tools only.
static void start_llvm(void) {
  static const char *const options[] = {"dlc", "-disable-lsr", "-disable-post-ra"};
  LLVMParseCommandLineOptions(sizeof options / sizeof *options, options, NULL);
  if (LLVMInitializeNativeTarget() || LLVMInitializeNativeAsmPrinter())
    dlc_bug("LLVM has no code generator for this machine");
}

void target_start(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_llvm);
}

// ---- levels -------------------------------------------------------------------------------------------------------

typedef struct Cpu {
  const char *name;
  int level;
} Cpu;

static const Cpu cpus[] = {
#define CPU(name, level) {name, level},
#include "cpus.def"
#undef CPU
};
enum { N_CPUS = sizeof cpus / sizeof *cpus };

static bool has_feature(const char *features, const char *name) {
  size_t length = strlen(name);
  for (const char *at = features; (at = strchr(at, '+')); at++)
    if (!strncmp(at + 1, name, length) && (at[length + 1] == ',' || !at[length + 1])) return true;
  return false;
}

// The highest x86-64 level whose features are all there.
static int level_of(const char *features) {
  static const char *const wanted[][9] = {
      {"sse2"},
      {"cx16", "popcnt", "sse3", "ssse3", "sse4.1", "sse4.2"},
      {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"},
      {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
  };
  int level = 0;
  for (; level < 4; level++)
    for (int k = 0; wanted[level][k]; k++)
      if (!has_feature(features, wanted[level][k])) return level;
  return level;
}

static void set_widths(Target *target, int level) {
  target->vector_floats = level >= 4 ? 16 : level >= 3 ? 8 : 4;
  target->registers = level >= 4 || level == 0 ? 32 : 16;
  target->has_fma = level >= 3 || level == 0;
}

// ---- the host -----------------------------------------------------------------------------------------------------

typedef struct Host {
  const char *triple, *cpu, *features;
  bool is_x86;
  int level;  // 0: not x86-64
} Host;

static const char *take_message(Arena *arena, char *message) {
  const char *copy = arena_strdup(arena, message);
  LLVMDisposeMessage(message);
  return copy;
}

static Host find_host(Arena *arena) {
  Host host = {.triple = take_message(arena, LLVMGetDefaultTargetTriple()),
               .cpu = take_message(arena, LLVMGetHostCPUName()),
               .features = take_message(arena, LLVMGetHostCPUFeatures())};
  host.is_x86 = !strncmp(host.triple, "x86_64", 6);
  host.level = host.is_x86 ? level_of(host.features) : 0;
  return host;
}

// ---- choosing -----------------------------------------------------------------------------------------------------

static bool report_unknown(DiagSink *sink, const char *name) {
  const char *names[N_CPUS];
  for (int k = 0; k < N_CPUS; k++) names[k] = cpus[k].name;
  Diag *diag = diag_error(sink, DIAG_E0603, SPAN_NONE, "no CPU is called '%s'", name);
  const char *nearest = text_nearest(name, names, N_CPUS);
  if (nearest) diag_line(sink, diag, DIAG_HELP, "did you mean '%s'?", nearest);
  diag_line(sink, diag, DIAG_HELP, "'native' is this machine; x86-64, x86-64-v2, x86-64-v3 and x86-64-v4 are levels");
  return false;
}

static bool report_unable(DiagSink *sink, const char *name, const Host *host) {
  Diag *diag = diag_error(sink, DIAG_E0603, SPAN_NONE, "this machine cannot run code for '%s'", name);
  if (host->is_x86)
    diag_line(sink, diag, DIAG_NOTE, "it is a %s, of level x86-64-v%d", host->cpu, host->level);
  else
    diag_line(sink, diag, DIAG_NOTE, "it is a %s", host->triple);
  diag_line(sink, diag, DIAG_HELP, "use '--cpu native'");
  return false;
}

static void warn_without_fma(DiagSink *sink, const Target *target) {
  if (target->has_fma) return;
  Diag *diag = diag_warning(sink, DIAG_E0630, SPAN_NONE, "'%s' has no fused multiply-add", target->cpu);
  diag_line(sink, diag, DIAG_NOTE, "results are the same; each product in a sum is a call of fmaf(), and slow");
}

bool codegen_target(Arena *arena, DiagSink *sink, const CodegenOptions *options, bool for_jit, Target *target) {
  target_start();
  Host host = find_host(arena);
  const char *name = options->cpu ? options->cpu : "native";
  *target = (Target){.triple = host.triple, .cpu = host.cpu, .features = host.features};
  int level = host.level;
  if (strcmp(name, "native") != 0 && strcmp(name, host.cpu) != 0) {
    int k = 0;
    while (k < N_CPUS && strcmp(cpus[k].name, name) != 0) k++;
    if (k == N_CPUS) return report_unknown(sink, name);
    // A level is a set of instructions; a model may have more of them than its level says.
    bool is_level = !strncmp(name, "x86-64", 6);
    if (for_jit && (!host.is_x86 || !is_level || cpus[k].level > host.level)) return report_unable(sink, name, &host);
    level = cpus[k].level;
    target->cpu = cpus[k].name;
    target->features = "";
  }
  set_widths(target, level);
  warn_without_fma(sink, target);
  return true;
}

bool target_level(Arena *arena, DiagSink *sink, const CodegenOptions *options, Target *target, int *level,
                  const char **tune) {
  static const char *const names[] = {"x86-64", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
  target_start();
  Host host = find_host(arena);
  bool is_native = !strcmp(options->cpu, "native");
  int k = 0;
  while (k < N_CPUS && strcmp(cpus[k].name, options->cpu) != 0) k++;
  if (!is_native && k == N_CPUS) return report_unknown(sink, options->cpu);
  *level = is_native ? host.level : cpus[k].level;
  *tune = is_native ? host.cpu : strncmp(options->cpu, "x86-64", 6) ? options->cpu : NULL;
  *target = (Target){.triple = host.triple, .cpu = names[*level], .features = ""};
  set_widths(target, *level);
  warn_without_fma(sink, target);
  return true;
}

static LLVMTargetMachineRef make_machine(const Target *target, LLVMCodeModel model) {
  LLVMTargetRef llvm;
  char *message = NULL;
  if (LLVMGetTargetFromTriple(target->triple, &llvm, &message)) dlc_bug("LLVM: %s", message);
  return LLVMCreateTargetMachine(llvm, target->triple, target->cpu, target->features, LLVMCodeGenLevelDefault,
                                 LLVMRelocPIC, model);
}

LLVMTargetMachineRef target_machine(const Target *target) { return make_machine(target, LLVMCodeModelJITDefault); }
LLVMTargetMachineRef target_machine_for(const Target *target) { return make_machine(target, LLVMCodeModelDefault); }

const char *codegen_version(Arena *arena) {
  target_start();
  unsigned major, minor, patch;
  LLVMGetVersion(&major, &minor, &patch);
  Host host = find_host(arena);
  return arena_printf(arena, "LLVM %u.%u.%u, %s", major, minor, patch, host.cpu);
}
