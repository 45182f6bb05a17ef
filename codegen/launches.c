// From a plan to functions and launches.
#include "launches.h"

#include "emit.h"
#include "sweep.h"

#include <ctype.h>
#include <string.h>

// ---- functions ----------------------------------------------------------------------------------------------------

// "dlc_conv2d_1_relu"; the next ones of the same kernel "dlc_conv2d_1_relu_2", and so on.
static const char *symbol_for(Launches *p, const char *kernel) {
  Arena *arena = p->arena;
  char *plain = arena_printf(arena, "dlc_%s", kernel), *symbol = plain;
  for (char *c = plain; *c; c++)
    if (!isalnum((unsigned char)*c)) *c = '_';
  Hash hash = hash_bytes(symbol, strlen(symbol));
  for (int k = 2; hash_find(&p->by_symbol, hash) >= 0; k++) {
    symbol = arena_printf(arena, "%s_%d", plain, k);
    hash = hash_bytes(symbol, strlen(symbol));
  }
  hash_add(arena, &p->by_symbol, hash, (int)p->n_codes);
  return symbol;
}

static int find_code(const Launches *p, const Text *key, Hash hash) {
  int code = hash_find(&p->by_key, hash);
  if (code < 0 || p->codes[code].key_bytes != key->length) return -1;
  return memcmp(p->codes[code].key, key->bytes, key->length) ? -1 : code;
}

static void add_key(Arena *arena, const Code *code, Text *key) {
  if (code->winograd)
    winograd_key(arena, code->winograd, key);
  else if (code->tiled)
    tiled_key(arena, code->tiled, key);
  else
    nest_key(code->nest, key);
}

// `what`: one of the kinds of code is set. It and its key lie in `work`.
static int add_code(Arena *work, Launches *p, const char *kernel, Code what) {
  Text key = text_new(work);
  add_key(work, &what, &key);
  Hash hash = hash_bytes(key.bytes, key.length);
  int code = p->apart ? -1 : find_code(p, &key, hash);
  if (code >= 0) return code;
  p->codes = arena_grow(p->arena, p->codes, p->n_codes, &p->codes_capacity, sizeof *p->codes);
  code = (int)p->n_codes;
  what.symbol = symbol_for(p, kernel);
  what.kernel = kernel;
  what.key = key.bytes, what.key_bytes = key.length, what.hash = hash;
  hash_add(p->arena, &p->by_key, hash, code);
  p->codes[p->n_codes++] = what;
  return code;
}

static DlcCount items_of(const Code *what) {
  if (what->winograd) return what->winograd->items;
  return what->tiled ? what->tiled->shares.items : what->nest->items;
}

static int64_t item_cost_of(const Code *what) {
  if (what->winograd) return what->winograd->item_cost;
  return what->tiled ? what->tiled->shares.item_cost : what->nest->item_cost;
}

static void add_launch(Arena *work, Launches *p, int kernel, Code what) {
  const Kernel *k = &p->plan->kernels[kernel];
  int code = add_code(work, p, k->name, what);
  bool weights = what.winograd && what.winograd->stage == WINOGRAD_WEIGHTS;
  p->launches = arena_grow(p->arena, p->launches, p->n_launches, &p->launches_capacity, sizeof *p->launches);
  p->launches[p->n_launches++] = (Launch){.code = code,
                                          .kernel = kernel,
                                          .once = k->once || (k->scratch_once && weights),
                                          .items = items_of(&what),
                                          .item_cost = item_cost_of(&what)};
}

static void add_sweep(Arena *work, Launches *p, int kernel, const Sweep *sweep, const CodegenOptions *options) {
  Tiled *tiled;
  WinogradCode *winograd;
  int n_winograd = winograd_list(work, sweep, &p->target, &winograd);
  for (int k = 0; k < n_winograd; k++) add_launch(work, p, kernel, (Code){.winograd = &winograd[k]});
  if (n_winograd > 0) return;
  bool loops = options->no_contract && sweep->kernel->n_sums == 0;  // of a product-sum, loops cannot carry others
  int n_tiled = loops ? 0 : tiled_list(work, sweep, &p->target, &tiled);
  for (int k = 0; k < n_tiled; k++) add_launch(work, p, kernel, (Code){.tiled = &tiled[k]});
  if (n_tiled > 0) return;
  Nest *nest = sweep_nest(work, sweep);
  if (nest) add_launch(work, p, kernel, (Code){.nest = nest});
}

Launches *launches_make(Arena *arena, const Plan *plan, const CodegenOptions *options, const Target *target) {
  Launches *p = arena_alloc(arena, sizeof *p);
  *p = (Launches){.arena = arena, .plan = plan, .target = *target, .apart = options->no_sharing};
  Arena *work = arena_beside(arena);
  for (int k = 0; k < plan->n_kernels; k++) {
    Sweep *sweeps;
    size_t codes = p->n_codes;
    int n = sweep_list(work, plan, &plan->kernels[k], &sweeps);
    for (int s = 0; s < n; s++) add_sweep(work, p, k, &sweeps[s], options);
    if (p->n_codes > codes) arena_adopt(arena, work);  // they stay: no other kernel has had them
    arena_reset(work);
  }
  arena_free(work);
  return p;
}

void launches_emit(Arena *arena, const Code *code, LLVMModuleRef module, const char *symbol) {
  if (code->winograd)
    winograd_emit(arena, module, symbol, code->winograd);
  else if (code->tiled)
    tiled_emit(arena, module, symbol, code->tiled);
  else
    emit_nest(arena, module, symbol, code->nest);
}

static int64_t local_bytes_of(const Code *code) {
  if (code->winograd) return code->winograd->local_bytes;
  return code->tiled ? code->tiled->local_bytes : 0;
}

int64_t launches_local_bytes(const Launches *all) {
  int64_t bytes = 0;
  for (size_t k = 0; k < all->n_codes; k++)
    if (local_bytes_of(&all->codes[k]) > bytes) bytes = local_bytes_of(&all->codes[k]);
  return bytes;
}

int64_t codegen_local_bytes(Arena *arena, DiagSink *sink, const Plan *plan, const CodegenOptions *options) {
  Target target;
  if (!codegen_target(arena, sink, options, false, &target)) return -1;
  Arena *own = arena_beside(arena);
  int64_t bytes = launches_local_bytes(launches_make(own, plan, options, &target));
  arena_free(own);
  return bytes;
}

// ---- the step -----------------------------------------------------------------------------------------------------

static DlcArg arg_of(const Place *place) {
  static const DlcRegion regions[REGION_COUNT] = {
      [REGION_ARENA] = DLC_ARENA, [REGION_PARAM] = DLC_PARAM,           [REGION_GRAD] = DLC_GRAD,
      [REGION_STATE] = DLC_STATE, [REGION_STATE_NEXT] = DLC_STATE_NEXT, [REGION_INPUT] = DLC_INPUT};
  dlc_assert(place->region != REGION_NONE);
  return (DlcArg){regions[place->region], place->input, place->offset};
}

static DlcTensor tensor_of(Arena *arena, const Plan *plan, NodeId id, const char *name, int kind) {
  const Node *node = graph_node(plan->graph, id);
  DlcTensor tensor = {.name = arena_strdup(arena, name ? name : ""), .kind = kind, .type = (int32_t)node->type};
  tensor.rank = node->shape.rank;
  for (int d = 0; d < node->shape.rank; d++) {
    tensor.scale[d] = node->shape.dim[d].scale;
    tensor.symbol[d] = node->shape.dim[d].symbol;
  }
  if (plan->place[id].region != REGION_NONE) tensor.at = arg_of(&plan->place[id]);
  return tensor;
}

static void set_inputs(Arena *arena, const Plan *plan, DlcStep *step) {
  const Graph *g = plan->graph;
  DlcTensor *inputs = arena_array(arena, g->n_nodes, sizeof *inputs);
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++)
    if (graph_node(g, id)->op == OP_input)
      inputs[step->n_inputs++] = tensor_of(arena, plan, id, graph_node(g, id)->name, 0);
  step->inputs = inputs;
}

static void set_outputs(Arena *arena, const Plan *plan, DlcStep *step) {
  const Graph *g = plan->graph;
  DlcTensor *outputs = arena_array(arena, g->n_outputs, sizeof *outputs);
  for (size_t k = 0; k < g->n_outputs; k++)
    outputs[k] = tensor_of(arena, plan, g->outputs[k].value, g->outputs[k].name, (int)g->outputs[k].kind);
  step->outputs = outputs;
  step->n_outputs = (int32_t)g->n_outputs;
}

// A kernel's arguments in the order of its nests' (lower_args).
static int32_t add_args(const Plan *plan, const Kernel *kernel, DlcArg *args) {
  int32_t n = 0;
  for (int k = 0; k < kernel->n_inputs; k++) args[n++] = arg_of(&plan->place[kernel->inputs[k]]);
  for (int k = 0; k < kernel->n_outputs; k++) args[n++] = arg_of(&plan->place[kernel->outputs[k]]);
  if (kernel->scratch_bytes > 0) args[n++] = (DlcArg){DLC_ARENA, 0, kernel->scratch_offset};
  for (int k = 0; k < kernel->n_sums; k++)
    args[n++] = (DlcArg){DLC_ARENA, 0, plan->kernels[kernel->sums[k]].scratch_offset};
  return n;
}

static int32_t *set_args(Arena *arena, const Plan *plan, DlcStep *step) {
  size_t n = 0;
  for (int k = 0; k < plan->n_kernels; k++) n += (size_t)lower_arg_count(&plan->kernels[k]);
  DlcArg *args = arena_array(arena, n, sizeof *args);
  int32_t *first = arena_array(arena, (size_t)plan->n_kernels + 1, sizeof *first);
  for (int k = 0; k < plan->n_kernels; k++)
    first[k + 1] = first[k] + add_args(plan, &plan->kernels[k], args + first[k]);
  step->args = args;
  step->n_args = (int32_t)n;
  return first;
}

DlcStep launches_step(Arena *arena, const Launches *p) {
  const Plan *plan = p->plan;
  DlcStep step = {.arena_bytes = plan->arena_bytes};
  set_inputs(arena, plan, &step);
  set_outputs(arena, plan, &step);
  const int32_t *first = set_args(arena, plan, &step);
  DlcLaunch *launches = arena_array(arena, p->n_launches, sizeof *launches);
  for (size_t k = 0; k < p->n_launches; k++) {
    int kernel = p->launches[k].kernel;
    launches[k] = (DlcLaunch){.items = p->launches[k].items,
                              .first_arg = first[kernel],
                              .n_args = first[kernel + 1] - first[kernel],
                              .kernel = kernel,
                              .item_cost = p->launches[k].item_cost,
                              .name = arena_strdup(arena, plan->kernels[kernel].name),
                              .once = p->launches[k].once};
  }
  step.launches = launches;
  step.n_launches = (int32_t)p->n_launches;
  step.local_bytes = launches_local_bytes(p);
  for (int k = 0; k < DLC_MAX_SYMBOLS; k++) step.capacity[k] = plan->symbol_values[k];
  return step;
}
