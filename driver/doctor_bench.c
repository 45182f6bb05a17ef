// Where the doctor tries things out: two compiled training steps and a sample of the training data.
#include <math.h>
#include <string.h>

#include "doctor_inside.h"
#include "constrain.h"
#include "labels.h"
#include "memory.h"

enum { SAMPLE_ROWS = 2048, SAMPLE_BYTES = 1 << 27, MOST_LAYERS = 64, HEART = 20 };

// ---- the loss and its penalty ---------------------------------------------------------------------------------------

typedef struct Parts {
  const Graph *g;
  const bool *from_input;  // [n_nodes]
  Builder *b;
  const NodeId *map;
  NodeId data, penalty;  // in the new graph; NODE_NONE
} Parts;

static bool *reached_by_inputs(const Graph *g) {
  bool *reached = arena_array(g->arena, g->n_nodes, sizeof *reached);
  for (size_t k = 0; k < g->n_nodes; k++) {
    reached[k] = g->nodes[k].op == OP_input;
    for (int i = 0; i < g->nodes[k].n_in; i++) reached[k] |= reached[g->nodes[k].in[i]];
  }
  return reached;
}

// Sums of sums are taken apart; what remains is of the data or of the parameters alone.
static void take_apart(Parts *parts, NodeId id) {
  const Node *node = graph_node(parts->g, id);
  if (node->op == OP_add) {
    take_apart(parts, node->in[0]);
    take_apart(parts, node->in[1]);
    return;
  }
  NodeId *sum = parts->from_input[id] ? &parts->data : &parts->penalty;
  *sum = *sum == NODE_NONE ? parts->map[id] : build_binary(parts->b, OP_add, *sum, parts->map[id]);
}

// ---- layers to look at ----------------------------------------------------------------------------------------------

static bool is_zero(const Graph *g, NodeId id) {
  return graph_node(g, id)->op == OP_const && graph_node(g, id)->number == 0;
}

static bool is_watched(const Doctor *d, const Graph *g, const Node *node, LayerKind *kind) {
  size_t length = strlen(d->p->model_name);
  bool in_model = node->path && strncmp(node->path, d->p->model_name, length) == 0;
  if (!in_model || node->shape.rank < 2 || !dim_is_const(node->shape.dim[node->shape.rank - 1])) return false;
  *kind = node->op == OP_sigmoid ? LAYER_SIGMOID : node->op == OP_tanh ? LAYER_TANH : LAYER_RELU;
  if (node->op == OP_max) return is_zero(g, node->in[0]) || is_zero(g, node->in[1]);
  return *kind != LAYER_RELU;
}

// Where the program says it: "cell_1.relu_2 (line 7)"; what the model computes itself has the line alone.
static const char *layer_name(const Doctor *d, const Node *node) {
  const char *dot = strchr(node->path, '.');
  const Source *source = diag_source(d->session->sink, node->span.file);
  uint32_t line, column;
  if (!source) return dot ? dot + 1 : node->path;
  diag_position(source, node->span.begin, &line, &column);
  return dot ? arena_printf(d->arena, "%s (line %u)", dot + 1, line) : arena_printf(d->arena, "line %u", line);
}

static void watch_layers(const Doctor *d, Bench *bench, const Graph *g, Graph *to, const NodeId *map) {
  bench->layers = arena_array(d->arena, MOST_LAYERS, sizeof *bench->layers);
  for (size_t k = 0; k < g->n_nodes && bench->n_layers < MOST_LAYERS; k++) {
    const Node *node = &g->nodes[k];
    LayerKind kind;
    if (!is_watched(d, g, node, &kind)) continue;
    bench->layers[bench->n_layers++] = (WatchedLayer){kind, layer_name(d, node), (int)to->n_outputs};
    graph_output(to, OUT_RESULT, arena_printf(d->arena, "watched %zu", k), map[k]);
  }
}

// ---- compiling ------------------------------------------------------------------------------------------------------

// The training graph with the loss or its part from the data as the loss; both parts and the layers as outputs.
static Graph *bench_graph(const Doctor *d, Bench *bench, const Graph *g, bool whole) {
  Builder b = {.graph = graph_like(g)};
  NodeId *map = arena_array(d->arena, g->n_nodes, sizeof *map);
  for (size_t k = 0; k < g->n_nodes; k++) map[k] = build_copy(&b, g, (NodeId)k, map);
  NodeId loss = graph_find_output(g, OUT_LOSS, NULL)->value;
  Parts parts = {g, reached_by_inputs(g), &b, map, NODE_NONE, NODE_NONE};
  take_apart(&parts, loss);
  if (parts.data == NODE_NONE) parts.data = map[loss];
  graph_output(b.graph, OUT_LOSS, "loss", whole ? map[loss] : parts.data);
  graph_output(b.graph, OUT_METRIC, "loss from the data", parts.data);
  if (parts.penalty != NODE_NONE) graph_output(b.graph, OUT_METRIC, "penalty", parts.penalty);
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_STATE) graph_output(b.graph, OUT_STATE, g->outputs[k].name, map[g->outputs[k].value]);
  watch_layers(d, bench, g, b.graph, map);
  return b.graph;
}

static bool compile(Doctor *d, Bench *bench, bool whole) {
  bench->unit = pipeline_lower(d->p, MODE_TRAIN, LOWER_LOSS);
  if (!bench->unit || !memory_bind(d->p, bench->unit)) return false;
  bench->unit->graph = bench_graph(d, bench, bench->unit->lowered->graph, whole);
  return pipeline_passes(d->p, bench->unit, NULL) && pipeline_plan(d->p, bench->unit) &&
         pipeline_codegen(d->p, bench->unit);
}

static void start(const Doctor *d, Bench *bench, const Runner *shared) {
  bench->runner = runner_new(d->arena, bench->unit, d->team, shared);
  bench->data_loss = runner_find_output(bench->runner, OUT_METRIC, "loss from the data");
  bench->penalty = runner_find_output(bench->runner, OUT_METRIC, "penalty");
  for (int k = 0; k < bench->n_layers; k++) {
    const char *name = bench->unit->graph->outputs[bench->layers[k].output].name;
    bench->layers[k].output = runner_find_output(bench->runner, OUT_RESULT, name);
  }
}

// Without its penalty the loss may leave a parameter without gradient: that is a finding, not a mistake of the program.
static void compile_bare(Doctor *d) {
  DiagSink *outer = d->session->sink;
  d->session->sink = diag_sink_new(d->arena);
  if (compile(d, &d->bare, false)) {
    start(d, &d->bare, d->whole.runner);
  } else if (d->session->sink->n_items) {
    doctor_find(d, "gradients", SICK,
                "only the penalty moves these weights: replace the step by something with a slope (sigmoid, softplus)",
                "without the penalty, %s", d->session->sink->items[0]->message);
  }
  d->session->sink = outer;
}

// ---- the sample -----------------------------------------------------------------------------------------------------

static int64_t sample_rows(const Doctor *d) {
  int64_t bytes = 1, rows = d->split->rows.count;
  for (int k = 0; k < d->whole.runner->step->n_inputs; k++) bytes += d->row_bytes[k];
  if (rows > SAMPLE_ROWS) rows = SAMPLE_ROWS;
  return rows > SAMPLE_BYTES / bytes && SAMPLE_BYTES / bytes > HEART ? SAMPLE_BYTES / bytes : rows;
}

static bool take_sample(Doctor *d) {
  const DlcStep *step = d->whole.runner->step;
  d->sample = arena_array(d->arena, (size_t)step->n_inputs, sizeof *d->sample);
  d->row_bytes = arena_array(d->arena, (size_t)step->n_inputs, sizeof *d->row_bytes);
  for (int k = 0; k < step->n_inputs; k++)
    if (!memory_is_input(step->inputs[k].name))
      d->row_bytes[k] = runner_elements(&step->inputs[k], 1) * (int64_t)sizeof(float);
  d->rows = sample_rows(d);
  for (int k = 0; k < step->n_inputs; k++)
    d->sample[k] = arena_array(d->arena, (size_t)d->rows, (size_t)d->row_bytes[k]);
  Loader *loader =
      loader_new(d->arena, d->split->fields, d->split->n_fields, &d->split->rows, d->batch, true, d->p->seed, 0, 0);
  for (int64_t done = 0; loader && done < d->rows;) {
    const Batch *batch = loader_next(loader);
    int64_t count = batch->count < d->rows - done ? batch->count : d->rows - done;
    for (int k = 0, field = 0; k < step->n_inputs; k++)
      if (d->row_bytes[k])
        memcpy(d->sample[k] + done * d->row_bytes[k], batch->fields[field++], (size_t)(count * d->row_bytes[k]));
    done += count;
  }
  loader_free(loader);
  if (d->batch > d->rows) d->batch = d->rows;
  return loader != NULL;
}

static void find_label(Doctor *d) {
  const DlcStep *step = d->whole.runner->step;
  d->label = -1;
  for (int k = 0; k < step->n_inputs; k++) {
    int64_t classes = labels_classes(d->whole.unit->lowered->graph, step->inputs[k].name);
    if (step->inputs[k].type != DT_I32 || classes < 2 || !d->row_bytes[k]) continue;
    d->classes = (int)classes;
    if (step->inputs[k].rank == 1) d->label = k;
  }
}

bool doctor_open(Doctor *d) {
  d->batch = d->p->batch;
  if (d->p->batch < HEART) d->p->batch = HEART;
  if (!compile(d, &d->whole, true)) return false;
  d->team = team_new(d->p->codegen.threads);
  if (!d->team) return false;
  start(d, &d->whole, NULL);
  d->split = data_bind(d->p, data_store_new(d->arena, d->session->io), program_data(d->p->program, d->p->model),
                       "train", d->whole.runner->step);
  if (!d->split || !take_sample(d)) return false;
  find_label(d);
  if (d->whole.penalty >= 0)
    compile_bare(d);
  else
    d->bare = d->whole;
  return true;
}

void doctor_close(Doctor *d) {
  data_release(d->split);
  if (d->bare.unit != d->whole.unit) pipeline_release(d->bare.unit);
  pipeline_release(d->whole.unit);
  team_free(d->team);
}

// ---- steps ----------------------------------------------------------------------------------------------------------

void doctor_reset(const Doctor *d) { runner_init(d->whole.runner, d->p->seed); }

double doctor_value(const Bench *bench, int output) {
  return output < 0 ? 0 : (double)*(const float *)runner_output(bench->runner, output);
}

double doctor_step(const Doctor *d, const Bench *bench, int64_t first, int64_t count) {
  Runner *r = bench->runner;
  for (int k = 0; k < r->step->n_inputs; k++)
    if (d->row_bytes[k])
      memcpy(r->inputs[k], d->sample[k] + first * d->row_bytes[k], (size_t)(count * d->row_bytes[k]));
  runner_step(r, count, d->p->seed, 0, NULL);
  return doctor_value(bench, runner_find_output(r, OUT_LOSS, NULL));
}

int doctor_train(const Doctor *d, const Bench *bench, const OptimizerSpec *spec, int steps, int64_t heart,
                 double enough, double *losses) {
  Arena *arena = arena_beside(d->arena);
  Runner *r = bench->runner;
  Optimizer optimizer;
  optimizer_init(&optimizer, spec, r->params, arena);
  double *squares = arena_array(arena, (size_t)clip_pieces(r->params), sizeof *squares);
  doctor_reset(d);
  int64_t count = heart ? heart : d->batch, batches = d->rows / count;
  int done = 0;
  while (done < steps) {
    losses[done] = doctor_step(d, bench, heart ? 0 : done % batches * count, count);
    if (!isfinite(losses[done++]) || doctor_value(bench, bench->data_loss) < enough) break;
    runner_accept(r);
    gradient_clip(d->p->train, d->team, r->params, r->grad, squares);
    optimizer_update(&optimizer, d->team, r->params, r->param, r->grad, spec->lr);
    weights_constrain(d->p->train, d->team, r->params, r->param);
  }
  arena_free(arena);
  return done;
}
