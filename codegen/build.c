// `dlc build`: a model as one object file that needs nothing but libc and libm. The kernels of every CPU, the
// description of the model, its weights, and the runtime of runtime/embed, which is kept as LLVM bitcode for each
// machine, become one module. Everything in it but the functions of the header is internal, and what is not reached is
// dropped.
#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

#include "build_api.h"
#include "describe.h"
#include "llvm_shim.h"
#include "module.h"

typedef struct Build {
  Arena *arena;
  const BuildInput *input;
  BuildTargets targets;
  VariantCode code[BUILD_MOST_VARIANTS];
  int n_functions;
  LLVMValueRef *functions;  // [n_functions] kernels, in the order in which launches count them
  LLVMTargetMachineRef machine;
  Module module;
  Description description;
} Build;

// ---- kernels --------------------------------------------------------------------------------------------------------

static void make_launches(Build *b, const CodegenOptions *options) {
  for (int k = 0; k < b->targets.n; k++) {
    VariantCode *code = &b->code[k];
    const Target *target = &b->targets.items[k].target;
    code->first_infer = b->n_functions;
    code->infer = launches_make(b->arena, b->input->infer, options, target);
    b->n_functions += (int)code->infer->n_codes;
    code->first_train = b->n_functions;
    if (!b->input->train) continue;
    code->train = launches_make(b->arena, b->input->train, options, target);
    b->n_functions += (int)code->train->n_codes;
  }
}

static void set_cpu(LLVMValueRef function, const BuildTarget *target) {
  shim_set_attribute(function, "target-cpu", target->target.cpu);
  shim_set_attribute(function, "target-features", target->target.features);
  shim_set_attribute(function, "tune-cpu", target->tune ? target->tune : target->target.cpu);
}

// Kernels that training and inference share are emitted twice: their names differ.
static void emit_kernels(Build *b, const Launches *all, const BuildTarget *target, const char *suffix, int first) {
  for (size_t k = 0; all && k < all->n_codes; k++) {
    const char *symbol = arena_printf(b->arena, "%s.%s%d", all->codes[k].symbol, suffix, target->level);
    launches_emit(b->arena, &all->codes[k], b->module.llvm, symbol);
    LLVMValueRef function = LLVMGetNamedFunction(b->module.llvm, symbol);
    set_cpu(function, target);
    b->functions[first + (int)k] = function;
  }
}

static void emit_variants(Build *b) {
  b->functions = arena_array(b->arena, (size_t)b->n_functions, sizeof(LLVMValueRef));
  for (int k = 0; k < b->targets.n; k++) {
    const BuildTarget *target = &b->targets.items[k];
    emit_kernels(b, b->code[k].infer, target, "v", b->code[k].first_infer);
    emit_kernels(b, b->code[k].train, target, "t", b->code[k].first_train);
  }
  b->module.names = "the kernels of a library";
  module_finish(&b->module, b->machine);
}

// ---- constants ------------------------------------------------------------------------------------------------------

static LLVMValueRef add_constant(Build *b, const char *name, LLVMValueRef value, unsigned align) {
  LLVMValueRef global = LLVMAddGlobal(b->module.llvm, LLVMTypeOf(value), name);
  LLVMSetInitializer(global, value);
  LLVMSetGlobalConstant(global, true);
  LLVMSetLinkage(global, LLVMInternalLinkage);
  LLVMSetAlignment(global, align);
  return global;
}

static LLVMValueRef add_bytes(Build *b, const char *name, const void *bytes, size_t n, unsigned align) {
  return add_constant(b, name, shim_bytes(b->module.context, bytes, n), align);
}

// A block of weights, as it lies in memory; NULL: none.
static LLVMValueRef add_block(Build *b, const char *name, const float *block, const TensorTable *table) {
  LLVMTypeRef ptr = LLVMPointerTypeInContext(b->module.context, 0);
  if (!block || table->block_floats == 0) return LLVMConstNull(ptr);
  return add_bytes(b, name, block, (size_t)table->block_floats * sizeof(float), EMBED_ALIGN);
}

// EmbedLibrary: five pointers.
static LLVMValueRef add_library(Build *b) {
  const BuildInput *in = b->input;
  LLVMContextRef context = b->module.context;
  LLVMTypeRef ptr = LLVMPointerTypeInContext(context, 0);
  const Description *d = &b->description;
  LLVMValueRef functions = LLVMConstArray(ptr, b->functions, (unsigned)b->n_functions);
  LLVMValueRef fields[5] = {
      add_bytes(b, "words", d->words, d->n_words * sizeof *d->words, 8), add_constant(b, "functions", functions, 8),
      add_bytes(b, "names", d->names.bytes, d->names.length + 1, 1),
      add_block(b, "params", in->param, in->infer->params), add_block(b, "states", in->state, in->infer->states)};
  return add_constant(b, "library", LLVMConstStructInContext(context, fields, 5, false), 8);
}

// ---- the runtime ----------------------------------------------------------------------------------------------------

// The runtime, optimised for the lowest of the CPUs, becomes part of the module.
static void link_runtime(Build *b) {
  LLVMMemoryBufferRef bytes =
      LLVMCreateMemoryBufferWithMemoryRange(b->targets.runtime, b->targets.runtime_bytes, "runtime", false);
  LLVMModuleRef runtime;
  if (LLVMParseBitcodeInContext2(b->module.context, bytes, &runtime)) dlc_bug("the runtime's bitcode cannot be read");
  LLVMDisposeMemoryBuffer(bytes);
  LLVMSetTarget(runtime, b->targets.triple);
  LLVMSetModuleDataLayout(runtime, LLVMGetModuleDataLayout(b->module.llvm));
  for (LLVMValueRef f = LLVMGetFirstFunction(runtime); f; f = LLVMGetNextFunction(f))
    if (!LLVMIsDeclaration(f)) set_cpu(f, &b->targets.items[0]);
  module_run(runtime, b->machine, "default<O2>");
  if (LLVMLinkModules2(b->module.llvm, runtime)) dlc_bug("the runtime does not link");  // takes the runtime
}

// What is not of the header is internal, and goes where nothing reaches it.
static void hide_all(Build *b) {
  LLVMModuleRef m = b->module.llvm;
  for (LLVMValueRef f = LLVMGetFirstFunction(m); f; f = LLVMGetNextFunction(f)) {
    if (LLVMIsDeclaration(f)) continue;
    if (build_api_is_public(f))
      LLVMSetVisibility(f, LLVMDefaultVisibility);
    else
      LLVMSetLinkage(f, LLVMInternalLinkage);
  }
  module_run(m, b->machine, "globaldce");
}

// ---- together -------------------------------------------------------------------------------------------------------

static const char *take_text(Build *b, LLVMCodeGenFileType type, size_t *size) {
  module_emit(&b->module, b->machine, type);
  *size = LLVMGetBufferSize(b->module.object);
  char *bytes = arena_alloc(b->arena, *size + 1);
  memcpy(bytes, LLVMGetBufferStart(b->module.object), *size);
  LLVMDisposeMemoryBuffer(b->module.object);
  return bytes;
}

static const char *print_module(Build *b, size_t *size) {
  char *text = LLVMPrintModuleToString(b->module.llvm);
  const char *copy = arena_strdup(b->arena, text);
  LLVMDisposeMessage(text);
  module_free(&b->module);
  *size = strlen(copy);
  return copy;
}

static const char *cpu_names(const Build *b) {
  Text text = text_new(b->arena);
  for (int k = 0; k < b->targets.n; k++) text_printf(&text, "%s%s", k ? ", " : "", b->targets.items[k].target.cpu);
  return text.bytes;
}

static Built *finish(Build *b) {
  Built *built = arena_alloc(b->arena, sizeof *built);
  const BuildInput *in = b->input;
  *built = (Built){.machine = b->targets.name,
                   .triple = b->targets.triple,
                   .is_host = b->targets.is_host,
                   .cpus = cpu_names(b),
                   .needs_cpu = b->targets.items[0].level > 1,
                   .memory_bytes = b->description.model.memory_bytes,
                   .thread_bytes = b->description.model.thread_bytes,
                   .infer = launches_step(b->arena, b->code[0].infer)};
  if (in->train) built->train = launches_step(b->arena, b->code[0].train);
  if (in->form == BUILD_LLVM)
    built->bytes = print_module(b, &built->size);
  else
    built->bytes = take_text(b, in->form == BUILD_ASM ? LLVMAssemblyFile : LLVMObjectFile, &built->size);
  LLVMDisposeTargetMachine(b->machine);
  return built;
}

Built *codegen_build(Arena *arena, DiagSink *sink, const BuildInput *input, const CodegenOptions *options) {
  Build *b = arena_alloc(arena, sizeof *b);
  *b = (Build){.arena = arena, .input = input};
  if (!build_targets(arena, sink, input->target, options->cpu, &b->targets)) return NULL;
  make_launches(b, options);
  b->description = describe_model(arena, input, &b->targets, b->code);
  b->machine = target_machine_for(&b->targets.items[0].target);
  b->module = module_new(b->machine, &b->targets.items[0].target, false);
  emit_variants(b);
  LLVMValueRef library = add_library(b);
  link_runtime(b);
  build_api_emit(arena, b->module.llvm, b->machine, input, &b->description, library);
  hide_all(b);
  return finish(b);
}
