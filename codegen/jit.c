// Compiling for this process: a plan's functions as objects that ORC's LLJIT links.
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>

#include "clock.h"
#include "objects.h"
#include "symbols.h"

struct Compiled {
  LLVMOrcLLJITRef jit;
  Arena *arena;
  const char *why;  // the first thing that went wrong inside of LLVM's linker, NULL
  DlcStep step;
  int64_t code_bytes;
  int n_codes;
  CodegenTimes times;
};

// ---- linking ------------------------------------------------------------------------------------------------------

static bool report(DiagSink *sink, const Compiled *c, LLVMErrorRef error, const char *what) {
  if (!error) return true;
  char *message = LLVMGetErrorMessage(error);
  Diag *diag = diag_error(sink, DIAG_E0631, SPAN_NONE, "%s", what);
  diag_line(sink, diag, DIAG_NOTE, "LLVM: %s", c->why ? c->why : message);
  LLVMDisposeErrorMessage(message);
  return false;
}

// LLVM's linker says why to a reporter, which prints by default, and to its caller only that it failed.
static void keep_reason(void *context, LLVMErrorRef error) {
  Compiled *c = context;
  char *message = LLVMGetErrorMessage(error);  // takes the error
  if (!c->why) c->why = arena_strdup(c->arena, message);
  LLVMDisposeErrorMessage(message);
}

// With the process' symbols: fmaf, floorf.
static bool start_jit(DiagSink *sink, Compiled *c, const CodegenOptions *options) {
  if (!report(sink, c, LLVMOrcCreateLLJIT(&c->jit, NULL), "machine code cannot be linked in this process"))
    return false;
  LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(c->jit), keep_reason, c);
  if (options->symbols) symbols_show_debugger(c->jit);
  LLVMOrcDefinitionGeneratorRef generator;
  char prefix = LLVMOrcLLJITGetGlobalPrefix(c->jit);
  LLVMErrorRef error = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&generator, prefix, NULL, NULL);
  if (!report(sink, c, error, "the process' own functions cannot be found")) return false;
  LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(c->jit), generator);  // owns it now
  return true;
}

static bool add_objects(DiagSink *sink, Compiled *c, Objects *objects) {
  bool ok = true;
  for (size_t k = 0; k < objects->n; k++) {
    LLVMMemoryBufferRef object = objects->parts[k].object;
    if (!ok) {
      LLVMDisposeMemoryBuffer(object);
      continue;
    }
    c->code_bytes += (int64_t)LLVMGetBufferSize(object);
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(c->jit);
    LLVMErrorRef error = LLVMOrcLLJITAddObjectFile(c->jit, library, object);  // takes the object
    ok = report(sink, c, error, "machine code cannot be added to the process");
  }
  return ok;
}

static bool find_functions(Arena *arena, DiagSink *sink, Compiled *c, const Launches *p, const CodegenOptions *options,
                           Symbols *symbols) {
  DlcKernelFn *functions = arena_array(arena, p->n_codes, sizeof *functions);
  for (size_t k = 0; k < p->n_codes; k++) {
    LLVMOrcExecutorAddress address = 0;
    const char *name = objects_symbol(arena, options, &p->codes[k]);
    if (!report(sink, c, LLVMOrcLLJITLookup(c->jit, &address, name),
                "this process cannot load machine code that it wrote"))
      return false;
    functions[k] = (DlcKernelFn)(uintptr_t)address;
    if (symbols) symbols_place(symbols, name, address);
  }
  DlcLaunch *launches = (DlcLaunch *)c->step.launches;  // launches_step made them for us
  for (size_t k = 0; k < p->n_launches; k++) launches[k].fn = functions[p->launches[k].code];
  return true;
}

static bool link_all(Arena *arena, DiagSink *sink, Compiled *c, const Launches *all, Objects *objects,
                     const CodegenOptions *options) {
  Symbols *symbols = options->symbols ? symbols_of(arena, objects) : NULL;
  bool started = start_jit(sink, c, options);
  if (!started) objects_dispose(objects);
  if (!started || !add_objects(sink, c, objects) || !find_functions(arena, sink, c, all, options, symbols))
    return false;
  if (symbols) symbols_write(symbols, options->io);
  return true;
}

// ---- together -----------------------------------------------------------------------------------------------------

static double now(void) {
  Clock clock = clock_system();
  return clock.seconds(clock.state);
}

Compiled *codegen_jit(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options) {
  Target target;
  double start = now();
  if (!codegen_target(arena, sink, options, true, &target)) return NULL;
  Launches *all = launches_make(arena, plan, options, &target);
  double ready = now();
  Objects objects = objects_make(arena, all, options);
  double compiled = now();
  Compiled *c = arena_alloc(arena, sizeof *c);
  c->arena = arena;
  c->step = launches_step(arena, all);
  c->n_codes = (int)all->n_codes;
  bool ok = link_all(arena, sink, c, all, &objects, options);
  c->times = objects.times;
  c->times.loops_s = ready - start;
  c->times.link_s = now() - compiled;
  if (ok) return c;
  codegen_free(c);
  return NULL;
}

const DlcStep *codegen_step(const Compiled *compiled) { return &compiled->step; }
int64_t codegen_code_bytes(const Compiled *compiled) { return compiled->code_bytes; }
int codegen_kernel_count(const Compiled *compiled) { return compiled->n_codes; }
CodegenTimes codegen_times(const Compiled *compiled) { return compiled->times; }

void codegen_free(Compiled *compiled) {
  if (!compiled || !compiled->jit) return;
  LLVMErrorRef error = LLVMOrcDisposeLLJIT(compiled->jit);
  if (error) LLVMConsumeError(error);
  compiled->jit = NULL;
}
