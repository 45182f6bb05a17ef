// What the compiler holds after its last stages, as text: every kernel of the plan, in order.
#include "launches.h"
#include "module.h"
#include "sweep.h"

static const char *count_text(Arena *arena, const Graph *g, DlcCount items) {
  const char *symbol = items.symbol ? g->symbols[items.symbol - 1] : "";
  Text text = text_new(arena);
  if (items.scale == 1 && !items.symbol) return arena_printf(arena, "%lld", (long long)(items.times ? items.times : 1));
  if (items.times > 1) text_printf(&text, "%lld * ", (long long)items.times);
  bool divided = items.divisor > 1;
  text_add(&text, divided ? "ceil(" : "");
  if (items.scale != 1 || !items.symbol) text_printf(&text, "%lld", (long long)items.scale);
  text_printf(&text, "%s%s", items.scale != 1 && items.symbol ? "*" : "", symbol);
  if (divided) text_printf(&text, " / %lld)", (long long)items.divisor);
  return text.bytes;
}

static void print_args(Arena *arena, const Plan *plan, const Kernel *kernel, Text *out) {
  int n = lower_arg_count(kernel);
  NestArg *args = arena_array(arena, (size_t)n, sizeof *args);
  lower_args(plan, kernel, args);
  for (int k = 0; k < n; k++) {
    text_printf(out, "  a%d = ", k);
    if (args[k].node == NODE_NONE) {
      text_add(out, "chunk sums\n");
      continue;
    }
    const Node *node = graph_node(plan->graph, args[k].node);
    text_printf(out, "%%%d : %s", args[k].node, dtype_name(node->type));
    shape_print(&node->shape, plan->graph->symbols, out);
    text_add(out, "\n");
  }
}

static void print_sweep(Arena *arena, const Plan *plan, const Sweep *sweep, const Target *target, bool no_contract,
                        Text *out) {
  WinogradCode *winograd;
  int n = winograd_list(arena, sweep, target, &winograd);
  for (int k = 0; k < n; k++) {
    text_printf(out, "  items %s\n", count_text(arena, plan->graph, winograd[k].items));
    winograd_print(arena, &winograd[k], 4, out);
  }
  if (n > 0) return;
  Tiled *tiled;
  n = no_contract ? 0 : tiled_list(arena, sweep, target, &tiled);
  for (int k = 0; k < n; k++) {
    text_printf(out, "  items %s\n", count_text(arena, plan->graph, tiled[k].shares.items));
    tiled_print(arena, &tiled[k], 4, out);
  }
  Nest *nest = n > 0 ? NULL : sweep_nest(arena, sweep);
  if (!nest) return;
  text_printf(out, "  items %s\n", count_text(arena, plan->graph, nest->items));
  nest_print(nest, 4, out);
}

bool codegen_print_loops(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *out) {
  Target target;
  if (!codegen_target(arena, sink, options, false, &target)) return false;
  for (int k = 0; k < plan->n_kernels; k++) {
    Sweep *sweeps;
    int n = sweep_list(arena, plan, &plan->kernels[k], &sweeps);
    text_printf(out, "kernel %d \"%s\"\n", k, plan->kernels[k].name);
    print_args(arena, plan, &plan->kernels[k], out);
    for (int s = 0; s < n; s++) print_sweep(arena, plan, &sweeps[s], &target, options->no_contract, out);
  }
  return true;
}

static void print_module(Module *m, LLVMTargetMachineRef machine, bool assembly, Text *out) {
  if (assembly) {
    module_compile(m, machine, LLVMAssemblyFile);
    text_add_n(out, LLVMGetBufferStart(m->object), LLVMGetBufferSize(m->object));
    LLVMDisposeMemoryBuffer(m->object);
    return;
  }
  module_finish(m, machine);
  char *text = LLVMPrintModuleToString(m->llvm);
  text_add(out, text);
  LLVMDisposeMessage(text);
  module_free(m);
}

// One module for each function, so that each can be read, and taken out, by itself.
static bool print_code(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, bool assembly,
                       Text *out) {
  Target target;
  if (!codegen_target(arena, sink, options, false, &target)) return false;
  Launches *all = launches_make(arena, plan, options, &target);
  LLVMTargetMachineRef machine = target_machine(&target);
  for (size_t k = 0; k < all->n_codes; k++) {
    Module m = module_new(machine, &target, true);
    m.names = all->codes[k].kernel;
    text_printf(out, "%s kernel %s\n", assembly ? "#" : ";", m.names);
    launches_emit(arena, &all->codes[k], m.llvm, all->codes[k].symbol);
    print_module(&m, machine, assembly, out);
  }
  LLVMDisposeTargetMachine(machine);
  return true;
}

bool codegen_print_llvm(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *out) {
  return print_code(arena, sink, plan, options, false, out);
}

bool codegen_print_asm(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options, Text *out) {
  return print_code(arena, sink, plan, options, true, out);
}
