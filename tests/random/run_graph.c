#include "run_graph.h"

#include "run_step.h"
#include "threads.h"

void graph_tables(Arena *arena, const Graph *g, TensorTable *params, TensorTable *states) {
  *params = *states = (TensorTable){0};
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    if (node->op != OP_param && node->op != OP_state) continue;
    TensorInfo info = {.path = node->name, .rank = node->shape.rank, .decay = true};
    for (int d = 0; d < info.rank; d++) info.dim[d] = node->shape.dim[d].scale;
    if (!tensor_add(arena, node->op == OP_param ? params : states, &info)) dlc_bug("a tensor does not fit");
  }
}

// ---- memory ---------------------------------------------------------------------------------------------------------

static void fill_table(const Graph *g, const TensorTable *table, Op op, const Fill *fill, float *block) {
  for (int64_t k = 0; k < table->block_floats; k++) block[k] = 0;
  for (int t = 0; t < table->n_items; t++) {
    NodeId id = graph_find_source(g, op, table->items[t].path);
    if (id == NODE_NONE) continue;
    const Node *node = graph_node(g, id);
    float *data = block + table->items[t].offset;
    for (int64_t k = 0; k < table->items[t].count; k++) data[k] = (float)fill_value(fill, node, k);
  }
}

static void fill_inputs(const Graph *g, const Plan *plan, const Fill *fill, const int64_t *symbols, StepRun *run) {
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    if (node->op != OP_input) continue;
    void *data = run->inputs[plan->place[id].input].base;
    for (int64_t k = 0; k < shape_count(&node->shape, symbols); k++)
      step_put(node->type, data, k, fill_value(fill, node, k));
  }
}

// ---- execution ------------------------------------------------------------------------------------------------------

// By a team: every launch costs enough to be shared out.
static void run_team(Arena *arena, StepRun *run, int threads) {
  DlcStep step = *run->step;
  DlcLaunch *launches = arena_array(arena, (size_t)step.n_launches, sizeof *launches);
  for (int k = 0; k < step.n_launches; k++) {
    launches[k] = step.launches[k];
    launches[k].item_cost = 1000000;
  }
  step.launches = launches;
  StepBinding binding = {0};
  for (int r = 0; r < DLC_REGION_COUNT; r++) binding.base[r] = run->region[r].base;
  char **inputs = arena_array(arena, (size_t)step.n_inputs, sizeof *inputs);
  for (int k = 0; k < step.n_inputs; k++) inputs[k] = run->inputs[k].base;
  binding.inputs = inputs;
  Guarded local = guarded_new((size_t)(step.local_bytes * threads), 64);
  binding.local = local.base;
  Team *team = team_new(threads);
  if (!team) dlc_bug("no team of %d threads", threads);
  step_run(team, &step, &binding, &run->rt, arena_array(arena, (size_t)step.n_args, sizeof(char *)), NULL);
  team_free(team);
  guarded_free(&local);
}

static void take_outputs(Arena *arena, const StepRun *run, const int64_t *symbols, EvalTensor *outputs) {
  for (int o = 0; o < run->step->n_outputs; o++) {
    const DlcTensor *t = &run->step->outputs[o];
    int64_t count = step_tensor_count(t, symbols);
    outputs[o] = (EvalTensor){.type = (DType)t->type, .shape = {1, {dim_const(count)}}};
    outputs[o].data = arena_array(arena, (size_t)count, sizeof(double));
    const void *data = step_address(run, t->at);
    for (int64_t k = 0; k < count; k++) outputs[o].data[k] = step_get((DType)t->type, data, k);
  }
}

// Places in the arena begin on 64 bytes: what lies between an output's end and the next belongs to nobody.
static bool is_untouched(const StepRun *run, const int64_t *symbols, Text *why) {
  for (int o = 0; o < run->step->n_outputs; o++) {
    const DlcTensor *t = &run->step->outputs[o];
    if (t->at.region != DLC_ARENA) continue;
    size_t bytes = step_tensor_bytes(t, symbols);
    const unsigned char *end = (const unsigned char *)step_address(run, t->at) + bytes;
    for (size_t k = 0; k < (64 - bytes % 64) % 64; k++)
      if (end[k] != 0xff) return text_printf(why, "written %zu bytes behind output '%s'", k + 1, t->name), false;
  }
  return true;
}

bool graph_build(Arena *arena, const Graph *g, int64_t capacity, const How *how, BuiltGraph *built, Text *why) {
  *built = (BuiltGraph){.graph = g};
  graph_tables(arena, g, &built->params, &built->states);
  DiagSink *sink = diag_sink_new(arena);
  int64_t symbols[IR_MAX_SYMBOLS];
  for (int k = 0; k < IR_MAX_SYMBOLS; k++) symbols[k] = capacity;
  CodegenOptions options = {.cpu = how->cpu, .threads = 1, .no_contract = how->no_contract};
  built->plan = plan_make(arena, sink, g, &built->params, &built->states, symbols, &how->plan);
  bool planned = built->plan && plan_verify(built->plan, why);
  built->compiled = planned ? codegen_jit(arena, sink, built->plan, &options) : NULL;
  if (!built->compiled) diag_render(sink, false, why);
  return built->compiled != NULL;
}

void graph_unbuild(BuiltGraph *built) { codegen_free(built->compiled); }

bool graph_execute(Arena *arena, const BuiltGraph *b, const Fill *fill, const How *how, EvalTensor *outputs,
                   Text *why) {
  int64_t symbols[IR_MAX_SYMBOLS];
  for (int k = 0; k < IR_MAX_SYMBOLS; k++) symbols[k] = fill->symbol;
  StepRun run =
      step_run_at(codegen_step(b->compiled), symbols, b->params.block_floats, b->states.block_floats, how->front);
  fill_table(b->graph, &b->params, OP_param, fill, (float *)run.region[DLC_PARAM].base);
  fill_table(b->graph, &b->states, OP_state, fill, (float *)run.region[DLC_STATE].base);
  fill_inputs(b->plan->graph, b->plan, fill, symbols, &run);
  if (how->parts)
    step_execute(&run, how->parts);
  else
    run_team(arena, &run, how->threads);
  take_outputs(arena, &run, symbols, outputs);
  bool untouched = !how->plan.no_reuse || is_untouched(&run, symbols, why);
  step_run_free(&run);
  return untouched;
}

bool run_graph(Arena *arena, const Graph *g, const Fill *fill, const How *how, EvalTensor *outputs, Text *why) {
  BuiltGraph built;
  if (!graph_build(arena, g, fill->symbol + how->spare, how, &built, why)) return false;
  bool good = graph_execute(arena, &built, fill, how, outputs, why);
  graph_unbuild(&built);
  return good;
}
