// Compiling for this process: modules of a few functions each are compiled by threads of our own, each with its target
// machine and each module with its context, into objects that ORC's LLJIT links.
#include "jit.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct Compiled {
  LLVMOrcLLJITRef jit;
  DlcStep step;
  int64_t code_bytes;
  int n_codes;
};

// ---- LLVM's own failures ------------------------------------------------------------------------------------------

// LLVM's fatal errors come through a handler without a state argument: each thread leaves here what it compiles.
static _Thread_local const char *compiling;

static void on_fatal_error(const char *reason) {
  dlc_bug("LLVM, compiling %s: %s", compiling ? compiling : "nothing", reason);
}

static void catch_fatal_errors(void) { LLVMInstallFatalErrorHandler(on_fatal_error); }

static void on_diagnostic(LLVMDiagnosticInfoRef info, void *state) {
  (void)state;
  if (LLVMGetDiagInfoSeverity(info) == LLVMDSError) on_fatal_error(LLVMGetDiagInfoDescription(info));
}

// ---- modules ------------------------------------------------------------------------------------------------------

JitModule jit_module_new(LLVMTargetMachineRef machine, const Target *target) {
  JitModule m = {.context = LLVMContextCreate()};
  LLVMContextSetDiagnosticHandler(m.context, on_diagnostic, NULL);
  m.module = LLVMModuleCreateWithNameInContext("dlc", m.context);
  LLVMSetTarget(m.module, target->triple);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
  LLVMSetModuleDataLayout(m.module, layout);
  LLVMDisposeTargetData(layout);
  return m;
}

void jit_module_free(JitModule *m) {
  if (m->module) LLVMDisposeModule(m->module);
  if (m->context) LLVMContextDispose(m->context);
  m->module = NULL;
  m->context = NULL;
}

static void verify(const JitModule *m) {
#ifdef DLC_VERIFY
  char *message = NULL;
  if (LLVMVerifyModule(m->module, LLVMReturnStatusAction, &message)) dlc_bug("LLVM IR of %s: %s", m->names, message);
  LLVMDisposeMessage(message);
#else
  (void)m;
#endif
}

void jit_module_finish(JitModule *m, LLVMTargetMachineRef machine) {
  verify(m);
  LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
  LLVMErrorRef error = LLVMRunPasses(m->module, "function(early-cse,simplifycfg)", machine, options);
  LLVMDisposePassBuilderOptions(options);
  if (error) on_fatal_error(LLVMGetErrorMessage(error));
}

void jit_module_compile(JitModule *m, LLVMTargetMachineRef machine, LLVMCodeGenFileType type) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, catch_fatal_errors);
  compiling = m->names;
  jit_module_finish(m, machine);
  char *message = NULL;
  if (LLVMTargetMachineEmitToMemoryBuffer(machine, m->module, type, &message, &m->object)) on_fatal_error(message);
  jit_module_free(m);
  compiling = NULL;
}

// ---- compile threads ----------------------------------------------------------------------------------------------

enum { CODES_PER_MODULE = 8, MAX_THREADS = 64 };

typedef struct Work {
  const Launches *all;
  JitModule *modules;
  size_t n_modules;
  atomic_size_t next;
} Work;

static void *compile_modules(void *state) {
  Work *work = state;
  LLVMTargetMachineRef machine = target_machine(&work->all->target);
  size_t k;
  while ((k = atomic_fetch_add(&work->next, 1)) < work->n_modules)
    jit_module_compile(&work->modules[k], machine, LLVMObjectFile);
  LLVMDisposeTargetMachine(machine);
  return NULL;
}

// A thread that cannot be had leaves its work to the others.
static void compile_all(Work *work, int threads) {
  pthread_t started[MAX_THREADS];
  int n = 0;
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  for (int k = 1; k < threads && (size_t)k < work->n_modules; k++)
    if (pthread_create(&started[n], NULL, compile_modules, work) == 0) n++;
  compile_modules(work);
  for (int k = 0; k < n; k++) pthread_join(started[k], NULL);
}

static void emit_modules(Arena *arena, Work *work, size_t per_module) {
  const Launches *p = work->all;
  LLVMTargetMachineRef machine = target_machine(&p->target);
  for (size_t m = 0; m < work->n_modules; m++) {
    JitModule *module = &work->modules[m];
    *module = jit_module_new(machine, &p->target);
    Text names = text_new(arena);
    for (size_t k = m * per_module; k < p->n_codes && k < (m + 1) * per_module; k++) {
      text_printf(&names, "%s%s", names.length ? ", " : "", p->codes[k].kernel);
      launches_emit(arena, &p->codes[k], module->module);
    }
    module->names = names.bytes;
  }
  LLVMDisposeTargetMachine(machine);
}

// ---- linking ------------------------------------------------------------------------------------------------------

static bool report(DiagSink *sink, LLVMErrorRef error, const char *what) {
  if (!error) return true;
  char *message = LLVMGetErrorMessage(error);
  Diag *diag = diag_error(sink, DIAG_E0631, SPAN_NONE, "%s", what);
  diag_line(sink, diag, DIAG_NOTE, "LLVM: %s", message);
  LLVMDisposeErrorMessage(message);
  return false;
}

// With the process' symbols: fmaf, floorf.
static bool start_jit(DiagSink *sink, Compiled *c) {
  if (!report(sink, LLVMOrcCreateLLJIT(&c->jit, NULL), "machine code cannot be linked in this process")) return false;
  LLVMOrcDefinitionGeneratorRef generator;
  char prefix = LLVMOrcLLJITGetGlobalPrefix(c->jit);
  LLVMErrorRef error = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&generator, prefix, NULL, NULL);
  if (!report(sink, error, "the process' own functions cannot be found")) return false;
  LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(c->jit), generator);  // owns it now
  return true;
}

static bool add_objects(DiagSink *sink, Compiled *c, Work *work) {
  bool ok = true;
  for (size_t k = 0; k < work->n_modules; k++) {
    if (!ok) {
      LLVMDisposeMemoryBuffer(work->modules[k].object);
      continue;
    }
    c->code_bytes += (int64_t)LLVMGetBufferSize(work->modules[k].object);
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(c->jit);
    LLVMErrorRef error = LLVMOrcLLJITAddObjectFile(c->jit, library, work->modules[k].object);  // takes the object
    ok = report(sink, error, "machine code cannot be added to the process");
  }
  return ok;
}

static bool find_functions(Arena *arena, DiagSink *sink, Compiled *c, const Launches *p) {
  DlcKernelFn *functions = arena_array(arena, p->n_codes, sizeof *functions);
  for (size_t k = 0; k < p->n_codes; k++) {
    LLVMOrcExecutorAddress address = 0;
    LLVMErrorRef error = LLVMOrcLLJITLookup(c->jit, &address, p->codes[k].symbol);
    if (!report(sink, error, "machine code cannot be linked")) return false;
    functions[k] = (DlcKernelFn)(uintptr_t)address;
  }
  DlcLaunch *launches = (DlcLaunch *)c->step.launches;  // launches_step made them for us
  for (size_t k = 0; k < p->n_launches; k++) launches[k].fn = functions[p->launches[k].code];
  return true;
}

static Work make_work(Arena *arena, const Launches *p, int threads) {
  size_t per_module = CODES_PER_MODULE, spread = (p->n_codes + (size_t)threads - 1) / (size_t)threads;
  if (spread < per_module) per_module = spread ? spread : 1;
  Work work = {.all = p, .n_modules = (p->n_codes + per_module - 1) / per_module};
  work.modules = arena_array(arena, work.n_modules, sizeof *work.modules);
  emit_modules(arena, &work, per_module);
  return work;
}

Compiled *codegen_jit(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options) {
  Target target;
  if (!codegen_target(arena, sink, options, true, &target)) return NULL;
  Launches *all = launches_make(arena, plan, options, &target);
  Work work = make_work(arena, all, options->threads > 0 ? options->threads : 1);
  compile_all(&work, options->threads);
  Compiled *c = arena_alloc(arena, sizeof *c);
  c->step = launches_step(arena, all);
  c->n_codes = (int)all->n_codes;
  if (start_jit(sink, c) && add_objects(sink, c, &work) && find_functions(arena, sink, c, all)) return c;
  codegen_free(c);
  return NULL;
}

const DlcStep *codegen_step(const Compiled *compiled) { return &compiled->step; }
int64_t codegen_code_bytes(const Compiled *compiled) { return compiled->code_bytes; }
int codegen_kernel_count(const Compiled *compiled) { return compiled->n_codes; }

void codegen_free(Compiled *compiled) {
  if (!compiled || !compiled->jit) return;
  LLVMErrorRef error = LLVMOrcDisposeLLJIT(compiled->jit);
  if (error) LLVMConsumeError(error);
  compiled->jit = NULL;
}
