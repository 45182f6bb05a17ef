// The functions of the header, one by one.
#include "build_api.h"

#include <string.h>

#include "irb.h"
#include "llvm_shim.h"

typedef struct Api {
  Arena *arena;
  LLVMModuleRef module;
  LLVMTypeRef size;  // size_t
  const BuildInput *input;
  const Description *description;
  LLVMValueRef library;
  Irb irb;
} Api;

bool build_api_is_public(LLVMValueRef function) {
  return LLVMGetLinkage(function) == LLVMExternalLinkage && LLVMGetVisibility(function) == LLVMProtectedVisibility;
}

static const char *public_name(const Api *a, const char *verb) {
  return arena_printf(a->arena, "%s_%s", a->input->prefix, verb);
}

static LLVMValueRef runtime_function(const Api *a, const char *verb) {
  const char *name = arena_printf(a->arena, "embed_%s", verb);
  LLVMValueRef function = LLVMGetNamedFunction(a->module, name);
  if (!function) dlc_bug("the runtime has no %s", name);
  return function;
}

// Protected is what nothing else in the module is.
static void make_public(LLVMValueRef function) {
  LLVMSetLinkage(function, LLVMExternalLinkage);
  LLVMSetVisibility(function, LLVMProtectedVisibility);
}

static void rename_function(const Api *a, const char *verb) {
  LLVMValueRef function = runtime_function(a, verb);
  const char *name = public_name(a, verb);
  LLVMSetValueName2(function, name, strlen(name));
  make_public(function);
}

// int NAME_verb(types..), with the builder at its beginning. On some machines a returned int is extended by the callee:
// the runtime's function says so.
static LLVMValueRef begin(Api *a, const char *verb, LLVMTypeRef *types, int n) {
  LLVMTypeRef type = LLVMFunctionType(a->irb.i32, types, (unsigned)n, false);
  LLVMValueRef function = LLVMAddFunction(a->module, public_name(a, verb), type);
  make_public(function);
  shim_copy_result_attributes(runtime_function(a, verb), function);
  LLVMPositionBuilderAtEnd(a->irb.b, LLVMAppendBasicBlockInContext(a->irb.context, function, ""));
  return function;
}

static void return_call(Api *a, const char *verb, LLVMValueRef *args, int n) {
  LLVMValueRef callee = runtime_function(a, verb);
  LLVMTypeRef type = LLVMGlobalGetValueType(callee);
  LLVMBuildRet(a->irb.b, LLVMBuildCall2(a->irb.b, type, callee, args, (unsigned)n, ""));
}

// int NAME_open(NAME **model, void *memory, size_t bytes)
static void emit_open(Api *a) {
  LLVMTypeRef types[3] = {a->irb.ptr, a->irb.ptr, a->size};
  LLVMValueRef f = begin(a, "open", types, 3);
  LLVMValueRef args[4] = {a->library, LLVMGetParam(f, 0), LLVMGetParam(f, 1), LLVMGetParam(f, 2)};
  return_call(a, "open", args, 4);
}

// An array on the stack of the function's parameters first .. first+n.
static LLVMValueRef pointers(Api *a, LLVMValueRef function, int first, int n) {
  LLVMValueRef array = LLVMBuildArrayAlloca(a->irb.b, a->irb.ptr, irb_int(a->irb.i32, n > 0 ? n : 1), "");
  for (int k = 0; k < n; k++) {
    LLVMValueRef at = irb_i64(&a->irb, k);
    LLVMValueRef place = LLVMBuildInBoundsGEP2(a->irb.b, a->irb.ptr, array, &at, 1, "");
    LLVMBuildStore(a->irb.b, LLVMGetParam(function, (unsigned)(first + k)), place);
  }
  return array;
}

static LLVMTypeRef *parameter_types(const Api *a, int n) {
  LLVMTypeRef *types = arena_array(a->arena, (size_t)n, sizeof(LLVMTypeRef));
  for (int k = 0; k < n; k++) types[k] = a->irb.ptr;
  return types;
}

static const EmbedVariant *variant(const Api *a) {
  return (const void *)(a->description->words + a->description->model.variants);
}

// int NAME_predict(NAME *model, inputs.., outputs.., int64_t n)
static void emit_predict(Api *a) {
  const EmbedStep *step = &variant(a)->infer;
  int n_in = (int)step->n_inputs, n_out = (int)step->n_outputs, n = 1 + n_in + n_out;
  LLVMTypeRef *types = parameter_types(a, n + 1);
  types[n] = a->irb.i64;
  LLVMValueRef f = begin(a, "predict", types, n + 1);
  LLVMValueRef args[4] = {LLVMGetParam(f, 0), pointers(a, f, 1, n_in), pointers(a, f, 1 + n_in, n_out),
                          LLVMGetParam(f, (unsigned)n)};
  return_call(a, "predict", args, 4);
}

// int NAME_train_step(NAME *model, inputs.., int64_t n, loss, metrics..)
static void emit_train_step(Api *a) {
  const EmbedStep *step = &variant(a)->train;
  int n_in = (int)step->n_inputs, n_out = (int)step->n_outputs, n = 2 + n_in + n_out;
  LLVMTypeRef *types = parameter_types(a, n);
  types[1 + n_in] = a->irb.i64;
  LLVMValueRef f = begin(a, "train_step", types, n);
  LLVMValueRef args[4] = {LLVMGetParam(f, 0), pointers(a, f, 1, n_in), LLVMGetParam(f, (unsigned)(1 + n_in)),
                          pointers(a, f, 2 + n_in, n_out)};
  return_call(a, "train_step", args, 4);
}

void build_api_emit(Arena *arena, LLVMModuleRef module, LLVMTargetMachineRef machine, const BuildInput *input,
                    const Description *description, LLVMValueRef library) {
  Api a = {.arena = arena, .module = module, .input = input, .description = description, .library = library};
  a.irb = irb_new(module);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
  a.size = LLVMIntPtrTypeInContext(a.irb.context, layout);
  LLVMDisposeTargetData(layout);
  bool trains = input->train != NULL;
  emit_open(&a);
  emit_predict(&a);
  rename_function(&a, "threads");
  rename_function(&a, "error");
  if (trains || !input->param) {
    rename_function(&a, "load");
    rename_function(&a, "load_memory");
  }
  if (trains) {
    static const char *const verbs[] = {"save", "save_training", "load_training", "init", "schedule", "set_rate"};
    emit_train_step(&a);
    for (size_t k = 0; k < sizeof verbs / sizeof *verbs; k++) rename_function(&a, verbs[k]);
  }
  irb_free(&a.irb);
}
