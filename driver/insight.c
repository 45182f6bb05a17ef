// Notes of a training run.
#include "insight.h"

#include <math.h>
#include <string.h>

#include "histogram.h"
#include "memory.h"
#include "probe.h"

enum {
  NOTES = 200,              // in a run
  SAMPLE = 1 << 16,         // elements of a tensor whose update is measured
  LOOKED_ROWS = 64,         // of a batch, at most
  LOOKED_FLOATS = 1 << 22,  // of all probed values together
  MOST_LOOKED = 64          // layers
};

typedef struct Looked {  // a layer's output
  const char *name;
  int value, gradient;  // outputs of the probe; -1: none
} Looked;

struct Insight {
  Pipeline *p;
  RunDir *run;
  const Runner *train;
  Arena *arena;
  float **before;  // [params->n_items], the first elements of each weight; NULL: not looked at
  double loss_sum;
  int64_t loss_steps;
  bool noting;
  Unit *unit;  // the probe, or NULL
  Runner *probe;
  int64_t rows;  // that it is made for
  Looked *looked;
  int n_looked;
};

static double unix_now(const Insight *i) {
  const Clock *clock = &i->p->session->clock;
  return (double)clock->unix_time(clock->state);
}

// Events and lines that cannot be written are let go, as the log's.
static void note_scalar(Insight *i, const char *tag, int64_t step, double value) {
  (void)run_scalar(i->run, tag, step, unix_now(i), (float)value);
}

// ---- the probe ------------------------------------------------------------------------------------------------------

// The node that is a layer's result: the last one of its shape.
static NodeId result_of(const Graph *g, const LayerInfo *layer) {
  for (int id = layer->last_node; id-- > layer->first_node;) {
    const Node *node = graph_node(g, id);
    if (node->type == DT_F32 && shape_equal(&node->shape, &layer->shape) && op_info(node->op)->class != OPC_SOURCE)
      return op_info(node->op)->class == OPC_VIEW ? NODE_NONE : id;
  }
  return NODE_NONE;
}

static int64_t floats_of(const Node *node) {
  static const int64_t ones[IR_MAX_SYMBOLS] = {1, 1, 1, 1};
  return shape_count(&node->shape, ones);
}

// Marks the layers' results; returns the floats of a row of them all.
static int64_t choose(Insight *i, const Lowered *lowered, bool *wanted) {
  const Graph *g = lowered->graph;
  int stride = (lowered->n_layers + MOST_LOOKED - 1) / MOST_LOOKED;
  int64_t floats = 0;
  i->looked = arena_array(i->arena, (size_t)lowered->n_layers, sizeof *i->looked);
  for (int k = 0; k < lowered->n_layers; k += stride) {
    NodeId id = result_of(g, &lowered->layers[k]);
    if (id == NODE_NONE || wanted[id]) continue;
    wanted[id] = true;
    i->looked[i->n_looked++] = (Looked){lowered->layers[k].name, id, id};
    floats += floats_of(graph_node(g, id));
  }
  return floats;
}

// The loss, each chosen value as a result, and the gradients by the probes.
static void probe_outputs(Insight *i, Unit *unit, const bool *wanted) {
  const Graph *g = unit->lowered->graph;
  Probes probes = probe_graph(g, wanted, wanted);
  const char **names = arena_array(i->arena, (size_t)i->n_looked, sizeof *names);
  for (int k = 0; k < i->n_looked; k++) {
    NodeId id = i->looked[k].value;
    names[k] = probes.names[id];
    graph_output(probes.graph, OUT_RESULT, probes.names[id], probes.map[id]);
  }
  i->p->grad_inputs = names;
  i->p->n_grad_inputs = i->n_looked;
  unit->graph = probes.graph;
}

static bool compile_probe(Insight *i, Unit *unit) {
  int64_t batch = i->p->batch;
  i->p->batch = i->rows;
  bool done = pipeline_passes(i->p, unit, NULL) && pipeline_plan(i->p, unit) && pipeline_codegen(i->p, unit);
  i->p->batch = batch;
  return done;
}

static void find_outputs(Insight *i) {
  for (int k = 0; k < i->n_looked; k++) {
    const char *name = i->p->grad_inputs[k];
    i->looked[k].value = runner_find_output(i->probe, OUT_RESULT, name);
    i->looked[k].gradient = runner_find_output(i->probe, OUT_GRAD, name);
  }
}

// Another model's graph than the training step's: made from the program again.
static void make_probe(Insight *i, Team *team) {
  Unit *unit = pipeline_lower(i->p, MODE_TRAIN, LOWER_LOSS);
  if (!unit || !memory_bind(i->p, unit)) return;
  bool *wanted = arena_array(i->arena, unit->lowered->graph->n_nodes, sizeof *wanted);
  int64_t floats = choose(i, unit->lowered, wanted);
  if (i->n_looked == 0) return;
  i->rows = LOOKED_FLOATS / floats < LOOKED_ROWS ? LOOKED_FLOATS / floats : LOOKED_ROWS;
  if (i->rows < 2) i->rows = 2;
  if (i->rows > i->p->batch) i->rows = i->p->batch;
  probe_outputs(i, unit, wanted);
  if (compile_probe(i, unit)) {
    i->unit = unit;
    i->probe = runner_new(i->arena, unit, team, i->train);
    find_outputs(i);
  }
  i->p->grad_inputs = NULL;
  i->p->n_grad_inputs = 0;
}

Insight *insight_new(Pipeline *p, RunDir *run, const Runner *train, Team *team) {
  Insight *i = arena_alloc(p->session->arena, sizeof *i);
  *i = (Insight){.p = p, .run = run, .train = train, .arena = p->session->arena};
  i->before = arena_array(i->arena, (size_t)train->params->n_items, sizeof *i->before);
  for (int k = 0; k < train->params->n_items; k++) {
    const TensorInfo *tensor = &train->params->items[k];
    int64_t count = tensor->count < SAMPLE ? tensor->count : SAMPLE;
    if (tensor->decay && !tensor->frozen) i->before[k] = arena_array(i->arena, (size_t)count, sizeof(float));
  }
  if (!p->session->options.memory_limit && !p->train->memory_bytes) make_probe(i, team);
  return i;
}

void insight_release(Insight *i) {
  if (i) pipeline_release(i->unit);
}

// ---- steps ----------------------------------------------------------------------------------------------------------

static int64_t sampled(const TensorInfo *tensor) { return tensor->count < SAMPLE ? tensor->count : SAMPLE; }

void insight_before(Insight *i, int64_t step, int64_t steps, double loss) {
  if (!i) return;
  int64_t every = (steps + NOTES - 1) / NOTES;
  i->loss_sum += loss;
  i->loss_steps++;
  i->noting = step % every == 0;
  const TensorTable *params = i->train->params;
  for (int k = 0; i->noting && k < params->n_items; k++)
    if (i->before[k])
      memcpy(i->before[k], i->train->param + params->items[k].offset,
             (size_t)sampled(&params->items[k]) * sizeof(float));
}

static double norm(const float *values, int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; k++) sum += (double)values[k] * (double)values[k];
  return sqrt(sum);
}

// |w - w before| / |w before|; NAN where all weights were 0.
static double update_ratio(const Insight *i, int k) {
  const TensorInfo *tensor = &i->train->params->items[k];
  const float *now = i->train->param + tensor->offset, *before = i->before[k];
  double change = 0, size = 0;
  for (int64_t e = 0; e < sampled(tensor); e++) {
    double difference = (double)now[e] - (double)before[e];
    change += difference * difference;
    size += (double)before[e] * (double)before[e];
  }
  return size > 0 ? sqrt(change / size) : NAN;
}

// "conv2d_1.w" of "lenet5.conv2d_1.w".
static const char *short_name(const char *path) {
  const char *dot = strchr(path, '.');
  return dot ? dot + 1 : path;
}

static void note_ratios(Insight *i, Arena *arena, int64_t step, Text *json) {
  int written = 0;
  text_add(json, ",\"updates\":{");
  for (int k = 0; k < i->train->params->n_items; k++) {
    double ratio = i->before[k] ? update_ratio(i, k) : NAN;
    if (!isfinite(ratio)) continue;
    const char *name = short_name(i->train->params->items[k].path);
    if (written++) text_add(json, ",");
    text_add_quoted(json, name);
    text_printf(json, ":%.6g", ratio);
    note_scalar(i, arena_printf(arena, "update_ratio/%s", name), step, ratio);
  }
  text_add(json, "}}");
}

void insight_after(Insight *i, int64_t step, double lr) {
  if (!i || !i->noting) return;
  Arena *arena = arena_beside(i->arena);
  double loss = i->loss_sum / (double)i->loss_steps, gradient = norm(i->train->grad, i->train->params->block_floats);
  Text json = text_new(arena);
  text_printf(&json, "{\"step\":%lld,\"loss\":%.6g,\"lr\":%.6g,\"gradient\":%.6g", (long long)step + 1, loss, lr,
              gradient);
  note_ratios(i, arena, step + 1, &json);
  (void)run_curve(i->run, json.bytes);
  note_scalar(i, "step/loss", step + 1, loss);
  note_scalar(i, "step/lr", step + 1, lr);
  note_scalar(i, "step/gradient_norm", step + 1, gradient);
  i->loss_sum = 0;
  i->loss_steps = 0;
  arena_free(arena);
}

// ---- looking --------------------------------------------------------------------------------------------------------

typedef struct Look {
  Insight *i;
  Arena *arena;
  int64_t step;
  Text json;
  int n;
} Look;

static void note_histogram(Look *look, const char *what, const char *name, const float *values, int64_t count) {
  Histogram h = histogram_of(values, count);
  text_printf(&look->json, "%s{\"what\":\"%s\",\"name\":", look->n++ ? "," : "", what);
  text_add_quoted(&look->json, name);
  text_add(&look->json, ",");
  histogram_json(&h, &look->json);
  text_add(&look->json, "}");
  EventHistogram event = {.least = h.least,
                          .greatest = h.greatest,
                          .count = h.count,
                          .sum = h.sum,
                          .sum_of_squares = h.sum_of_squares,
                          .bins = h.bins,
                          .n_bins = HISTOGRAM_BINS};
  (void)run_histogram(look->i->run, arena_printf(look->arena, "%s/%s", what, name), look->step, unix_now(look->i),
                      &event);
}

static void note_output(Look *look, const char *what, const char *name, int output, int64_t rows) {
  if (output < 0) return;
  const Runner *r = look->i->probe;
  note_histogram(look, what, name, runner_output(r, output), runner_elements(&r->step->outputs[output], rows));
}

static void note_layers(Look *look, int64_t rows) {
  Insight *i = look->i;
  Runner *r = i->probe;
  if (rows > i->rows) rows = i->rows;
  for (int k = 0; k < r->step->n_inputs; k++) {
    int from = runner_find_input(i->train, r->step->inputs[k].name);
    if (from >= 0) r->inputs[k] = i->train->inputs[from];
  }
  runner_step(r, rows, i->p->seed, (uint64_t)look->step, NULL);
  for (int k = 0; k < i->n_looked; k++) {
    note_output(look, "activation", i->looked[k].name, i->looked[k].value, rows);
    note_output(look, "gradient", i->looked[k].name, i->looked[k].gradient, rows);
  }
}

void insight_look(Insight *i, int64_t step, int64_t epoch, int64_t rows) {
  if (!i) return;
  Look look = {.i = i, .arena = arena_beside(i->arena), .step = step};
  look.json = text_new(look.arena);
  text_printf(&look.json, "{\"step\":%lld,\"epoch\":%lld,\"histograms\":[", (long long)step, (long long)epoch);
  if (i->probe) note_layers(&look, rows);
  for (int k = 0; k < i->train->params->n_items; k++) {
    const TensorInfo *tensor = &i->train->params->items[k];
    if (!tensor->decay) continue;
    note_histogram(&look, "weight", short_name(tensor->path), i->train->param + tensor->offset, tensor->count);
    if (i->probe)
      note_histogram(&look, "weight_gradient", short_name(tensor->path), i->probe->grad + tensor->offset,
                     tensor->count);
  }
  text_add(&look.json, "]}");
  (void)run_curve(i->run, look.json.bytes);
  arena_free(look.arena);
}
