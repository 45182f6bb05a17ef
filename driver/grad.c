// dlc grad: values and gradients at a point, of the training version of a network. Three ways: a point on the command
// line
// (--at, grad_at.c), inputs and weights from files by the compiled kernels, or the same by the evaluator (--oracle).
#include <string.h>

#include "bindings.h"
#include "checkpoint.h"
#include "commands.h"
#include "grad_at.h"
#include "labels.h"
#include "memory.h"

typedef struct GradRun {
  Session *session;
  Pipeline *p;
  Unit *unit;
  Runner *runner;
  NpyArray *inputs;  // [n_inputs of the step], "cotangent" included
  int64_t rows;
  NamedTensor *found;  // what goes into the file
  int n_found;
} GradRun;

// ---- inputs ---------------------------------------------------------------------------------------------------------

// --input's tensors, and the cotangent's from --cotangent (ones where it is not given).
static bool read_inputs(GradRun *g) {
  const DlcStep *step = g->runner->step;
  Session *s = g->session;
  int n = step->n_inputs, cotangent = runner_find_input(g->runner, "cotangent");
  DlcTensor *named = arena_array(s->arena, (size_t)n, sizeof *named);
  int kept = 0;
  for (int k = 0; k < n; k++)
    if (k != cotangent && !memory_is_input(step->inputs[k].name)) named[kept++] = step->inputs[k];
  NpyArray *arrays = arena_array(s->arena, (size_t)n, sizeof *arrays);
  if (!bindings_read(s, named, kept, s->options.input, arrays, &g->rows)) return false;
  g->inputs = arena_array(s->arena, (size_t)n, sizeof *g->inputs);
  for (int k = 0, from = 0; k < n; k++)
    if (k != cotangent && !memory_is_input(step->inputs[k].name)) g->inputs[k] = arrays[from++];
  if (cotangent < 0 || !s->options.cotangent) return true;
  int64_t rows;
  const char *text = arena_printf(s->arena, "cotangent=%s", s->options.cotangent);
  if (!bindings_read(s, &step->inputs[cotangent], 1, text, &g->inputs[cotangent], &rows)) return false;
  if (rows == g->rows || !runner_is_batched(&step->inputs[cotangent])) return true;
  diag_error(s->sink, DIAG_E0450, SPAN_NONE, "the cotangent has %lld rows, the inputs have %lld", (long long)rows,
             (long long)g->rows);
  return false;
}

// No compiled kernel looks at a label that is none: the loss would be a number without meaning.
static bool check_labels(const GradRun *g) {
  for (int k = 0; k < g->runner->step->n_inputs; k++) {
    const NpyArray *array = &g->inputs[k];
    const char *name = g->runner->step->inputs[k].name;
    int64_t classes = labels_classes(g->unit->lowered->graph, name), label;
    if (!classes || labels_fit(array->data, array->type, array->count, classes, &label)) continue;
    diag_error(g->session->sink, DIAG_E0405, SPAN_NONE,
               "label %lld in '%s' is outside the model's %lld classes, 0 to %lld", (long long)label, name,
               (long long)classes, (long long)classes - 1);
    return false;
  }
  return true;
}

static void fill_inputs(GradRun *g) {
  for (int k = 0; k < g->runner->step->n_inputs; k++) {
    const DlcTensor *input = &g->runner->step->inputs[k];
    float *to = (float *)g->runner->inputs[k];
    if (memory_is_input(input->name)) continue;
    if (g->inputs[k].data) {
      bindings_copy(input, &g->inputs[k], 0, g->rows, g->runner->inputs[k]);
      continue;
    }
    for (int64_t e = 0; e < runner_elements(input, g->rows); e++) to[e] = 1;  // the cotangent's default
  }
}

static bool load_weights(GradRun *g) {
  Session *s = g->session;
  Runner *r = g->runner;
  if (s->options.weights)
    return weights_load(s->arena, s->sink, s->io, s->options.weights, r->params, r->param, r->states, r->state);
  runner_init(r, g->p->seed);
  return true;
}

// ---- the file -------------------------------------------------------------------------------------------------------

static void add_tensor(GradRun *g, const char *name, const DlcTensor *tensor, const void *data) {
  NamedTensor *t = &g->found[g->n_found++];
  *t = (NamedTensor){.name = name, .type = tensor->type, .rank = tensor->rank, .data = data};
  for (int d = 0; d < tensor->rank; d++) t->dim[d] = runner_dim(tensor, d, g->rows);
}

// value.<output>, value.loss, grad.<parameter>, grad.<input>.
static void collect(GradRun *g) {
  const DlcStep *step = g->runner->step;
  g->found = arena_array(g->session->arena, (size_t)step->n_outputs, sizeof *g->found);
  for (int k = 0; k < step->n_outputs; k++) {
    const DlcTensor *output = &step->outputs[k];
    const char *format = output->kind == OUT_GRAD ? "grad.%s" : "value.%s";
    const char *name = output->kind == OUT_LOSS ? "loss" : output->name;
    if (output->kind == OUT_STATE || (output->type != DT_F32 && output->type != DT_I32)) continue;
    add_tensor(g, arena_printf(g->session->arena, format, name), output, runner_output(g->runner, k));
  }
}

static int write_found(GradRun *g) {
  Session *s = g->session;
  const char *path = s->options.output;
  if (!path) path = arena_printf(s->arena, "%s.grads.safetensors", g->p->model_name);
  int error = safetensors_write(s->io, s->arena, path, g->found, g->n_found, NULL);
  if (!error && !s->options.output) text_printf(&s->out, "%s\n", path);
  if (!error) return STATUS_DONE;
  diag_error(s->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-error));
  return STATUS_WRITE;
}

// ---- the evaluator in the kernels' place ----------------------------------------------------------------------------

static bool oracle_source(void *state, const Node *node, double *data, int64_t count) {
  const GradRun *g = state;
  const TensorTable *tables[2] = {g->runner->params, g->runner->states};
  const float *blocks[2] = {g->runner->param, g->runner->state};
  for (int t = 0; t < 2; t++) {
    int at = node->op == OP_input ? -1 : tensor_find(tables[t], node->name);
    if (at < 0) continue;
    for (int64_t k = 0; k < count; k++) data[k] = (double)blocks[t][tables[t]->items[at].offset + k];
    return true;
  }
  int input = runner_find_input(g->runner, node->name);
  if (input < 0) return false;
  const char *from = g->runner->inputs[input];
  for (int64_t k = 0; k < count; k++)
    data[k] = node->type == DT_F32 ? (double)((const float *)from)[k] : (double)((const int32_t *)from)[k];
  return true;
}

static void round_tensor(const EvalTensor *value, int64_t count, void *to) {
  for (int64_t k = 0; k < count; k++) {
    if (value->type == DT_F32)
      ((float *)to)[k] = (float)value->data[k];
    else
      ((int32_t *)to)[k] = (int32_t)value->data[k];
  }
}

// Replaces what the kernels computed by the evaluator's values, rounded to f32.
static bool run_oracle(GradRun *g) {
  Session *s = g->session;
  const Graph *graph = g->unit->graph;
  int64_t symbols[IR_MAX_SYMBOLS];
  for (int k = 0; k < IR_MAX_SYMBOLS; k++) symbols[k] = g->runner->symbols[k] ? g->runner->symbols[k] : g->rows;
  EvalEnv env = {.symbol_values = symbols, .source = oracle_source, .state = g, .seed = g->p->seed};
  EvalTensor *values = arena_array(s->arena, graph->n_nodes, sizeof *values);
  const char *why;
  if (!graph_eval(graph, &env, s->arena, values, &why)) {
    diag_error(s->sink, DIAG_E0450, SPAN_NONE, "the evaluator cannot run this: %s", why);
    return false;
  }
  for (int k = 0; k < g->runner->step->n_outputs; k++) {
    const DlcTensor *output = &g->runner->step->outputs[k];
    if (output->kind == OUT_STATE || (output->type != DT_F32 && output->type != DT_I32)) continue;
    round_tensor(&values[graph->outputs[k].value], runner_elements(output, g->rows),
                 (void *)runner_output(g->runner, k));
  }
  return true;
}

// ---- the command ----------------------------------------------------------------------------------------------------

// Gradients are wanted for every f32 input but the cotangent.
static void want_input_gradients(Pipeline *p, const Graph *graph) {
  const char **names = arena_array(p->session->arena, graph->n_nodes, sizeof *names);
  for (size_t k = 0; k < graph->n_nodes; k++) {
    const Node *node = &graph->nodes[k];
    if (node->op == OP_input && node->type == DT_F32 && strcmp(node->name, "cotangent") != 0 &&
        !memory_is_input(node->name))
      names[p->n_grad_inputs++] = node->name;
  }
  p->grad_inputs = names;
}

// The batch is that of the files, which are read against the inputs of the graph before anything is compiled for it.
static bool find_rows(GradRun *g) {
  const char *text = g->session->options.input;
  NamedFiles files = bindings_parse(g->session->arena, text ? text : "");
  g->p->batch = 1;
  for (int k = 0; k < files.n_items; k++) {
    NpyArray array;
    if (!npy_read(g->session->arena, g->session->sink, g->session->io, files.items[k].path, &array)) return false;
    if (array.rank > 0 && array.dim[0] > g->p->batch) g->p->batch = array.dim[0];
  }
  return true;
}

static int grad_files(GradRun *g, Team *team) {
  g->runner = runner_new(g->session->arena, g->unit, team, NULL);
  if (!load_weights(g) || !read_inputs(g) || !check_labels(g)) return STATUS_DATA;
  fill_inputs(g);
  if (g->session->options.oracle) {
    if (!run_oracle(g)) return STATUS_WRONG;
  } else {
    runner_step(g->runner, g->rows, g->p->seed, 0, NULL);
  }
  collect(g);
  return write_found(g);
}

int command_grad(Session *session) {
  GradRun g = {.session = session, .p = pipeline_open(session)};
  if (!g.p) return STATUS_WRONG;
  if (session->options.at) return grad_at(g.p);
  if (!find_rows(&g)) return STATUS_DATA;
  g.p->opens_data = true;
  g.unit = pipeline_lower(g.p, MODE_TRAIN, g.p->train ? LOWER_GRAD : LOWER_COTANGENT);
  if (!g.unit) return STATUS_WRONG;
  want_input_gradients(g.p, g.unit->graph);
  if (!pipeline_passes(g.p, g.unit, NULL) || !pipeline_plan(g.p, g.unit) || !pipeline_codegen(g.p, g.unit))
    return STATUS_WRONG;
  Team *team = team_new(g.p->codegen.threads);
  int status = team ? grad_files(&g, team) : STATUS_RESOURCE;
  team_free(team);
  pipeline_release(g.unit);
  return status;
}
