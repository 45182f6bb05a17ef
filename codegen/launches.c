// From a plan to functions and launches.
#include "launches.h"

#include "emit.h"
#include "sweep.h"

#include <ctype.h>
#include <string.h>

// ---- functions ----------------------------------------------------------------------------------------------------

static const char *symbol_for(Arena *arena, size_t number, const char *name) {
  char *symbol = arena_printf(arena, "k%zu_%s", number, name);
  for (char *c = symbol; *c; c++)
    if (!isalnum((unsigned char)*c)) *c = '_';
  return symbol;
}

static int find_code(const Launches *p, const char *key) {
  for (size_t k = 0; k < p->n_codes; k++)
    if (!strcmp(p->codes[k].key, key)) return (int)k;
  return -1;
}

static const char *key_of(Arena *arena, const Code *code) {
  if (code->winograd) return winograd_key(arena, code->winograd);
  return code->nest ? nest_key(code->nest) : tiled_key(arena, code->tiled);
}

// `what`: one of the kinds of code is set.
static void add_launch(Arena *arena, Launches *p, int kernel, Code what) {
  what.key = key_of(arena, &what);
  int code = find_code(p, what.key);
  if (code < 0) {
    p->codes = arena_grow(arena, p->codes, p->n_codes, &p->codes_capacity, sizeof *p->codes);
    const char *name = p->plan->kernels[kernel].name;
    code = (int)p->n_codes++;
    what.symbol = symbol_for(arena, (size_t)code, name);
    what.kernel = name;
    p->codes[code] = what;
  }
  p->launches = arena_grow(arena, p->launches, p->n_launches, &p->launches_capacity, sizeof *p->launches);
  const Kernel *k = &p->plan->kernels[kernel];
  bool weights = what.winograd && what.winograd->stage == WINOGRAD_WEIGHTS;
  p->launches[p->n_launches++] = (Launch){code, kernel, k->once || (k->scratch_once && weights)};
}

static void add_sweep(Arena *arena, Launches *p, int kernel, const Sweep *sweep, const CodegenOptions *options) {
  Tiled *tiled;
  WinogradCode *winograd;
  int n_winograd = winograd_list(arena, sweep, &p->target, &winograd);
  for (int k = 0; k < n_winograd; k++) add_launch(arena, p, kernel, (Code){.winograd = &winograd[k]});
  if (n_winograd > 0) return;
  int n_tiled = options->no_contract ? 0 : tiled_list(arena, sweep, &p->target, &tiled);
  for (int k = 0; k < n_tiled; k++) add_launch(arena, p, kernel, (Code){.tiled = &tiled[k]});
  if (n_tiled > 0) return;
  Nest *nest = sweep_nest(arena, sweep);
  if (nest) add_launch(arena, p, kernel, (Code){.nest = nest});
}

Launches *launches_make(Arena *arena, const Plan *plan, const CodegenOptions *options, const Target *target) {
  Launches *p = arena_alloc(arena, sizeof *p);
  *p = (Launches){.plan = plan, .target = *target};
  for (int k = 0; k < plan->n_kernels; k++) {
    Sweep *sweeps;
    int n = sweep_list(arena, plan, &plan->kernels[k], &sweeps);
    for (int s = 0; s < n; s++) add_sweep(arena, p, k, &sweeps[s], options);
  }
  return p;
}

void launches_emit(Arena *arena, const Code *code, LLVMModuleRef module) {
  if (code->winograd)
    winograd_emit(arena, module, code->symbol, code->winograd);
  else if (code->tiled)
    tiled_emit(arena, module, code->symbol, code->tiled);
  else
    emit_nest(arena, module, code->symbol, code->nest);
}

DlcCount launches_items(const Code *code) {
  if (code->winograd) return code->winograd->items;
  return code->tiled ? code->tiled->shares.items : code->nest->items;
}

int64_t launches_item_cost(const Code *code) {
  if (code->winograd) return code->winograd->item_cost;
  return code->tiled ? code->tiled->shares.item_cost : code->nest->item_cost;
}

int64_t launches_local_bytes(const Code *code) {
  if (code->winograd) return code->winograd->local_bytes;
  return code->tiled ? code->tiled->local_bytes : 0;
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
    const Code *code = &p->codes[p->launches[k].code];
    launches[k] = (DlcLaunch){.items = launches_items(code),
                              .first_arg = first[kernel],
                              .n_args = first[kernel + 1] - first[kernel],
                              .kernel = kernel,
                              .item_cost = launches_item_cost(code),
                              .name = arena_strdup(arena, plan->kernels[kernel].name),
                              .once = p->launches[k].once};
  }
  step.launches = launches;
  step.n_launches = (int32_t)p->n_launches;
  for (size_t k = 0; k < p->n_codes; k++)
    if (launches_local_bytes(&p->codes[k]) > step.local_bytes) step.local_bytes = launches_local_bytes(&p->codes[k]);
  for (int k = 0; k < DLC_MAX_SYMBOLS; k++) step.capacity[k] = plan->symbol_values[k];
  return step;
}
