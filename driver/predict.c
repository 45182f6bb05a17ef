// dlc predict: the inference version of a model on any number of rows, .npy files or images in and out; over a split:
// predict_split.c.
#include "bindings.h"
#include "commands.h"
#include "memory.h"
#include "pictures.h"
#include "predict_split.h"
#include "runner.h"

enum { ROWS_AT_ONCE = 64 };

typedef struct Prediction {
  Session *session;
  Runner *runner;
  NpyArray *inputs;  // [n_inputs]
  int64_t rows;
  char **results;  // [n_outputs], whole
} Prediction;

static void run_rows(Prediction *p, int64_t first, int64_t rows) {
  Runner *r = p->runner;
  for (int k = 0; k < r->step->n_inputs; k++)
    if (!memory_is_input(r->step->inputs[k].name))
      bindings_copy(&r->step->inputs[k], &p->inputs[k], first, rows, r->inputs[k]);
  runner_step(r, rows, 0, 0, NULL);
  for (int k = 0; k < r->step->n_outputs; k++)
    runner_keep_rows(r, &r->step->outputs[k], runner_output(r, k), first, rows, p->results[k]);
}

// `name` is no output of the model; NULL: none was named, though there are several.
static void report_output(Prediction *p, const char *name) {
  const DlcStep *step = p->runner->step;
  Text names = text_new(p->session->arena), form = text_new(p->session->arena);
  for (int k = 0; k < step->n_outputs; k++) {
    text_printf(&names, "%s'%s'", k ? ", " : "", step->outputs[k].name);
    text_printf(&form, "%s%s=%s.npy", k ? "," : "", step->outputs[k].name, step->outputs[k].name);
  }
  Diag *diag = name ? diag_error(p->session->sink, DIAG_E0450, SPAN_NONE, "the model has no output '%s'", name)
                    : diag_error(p->session->sink, DIAG_E0450, SPAN_NONE,
                                 "--output names one file, the model has %d outputs", step->n_outputs);
  diag_line(p->session->sink, diag, DIAG_NOTE, step->n_outputs > 1 ? "its outputs are %s" : "its output is %s",
            names.bytes);
  diag_line(p->session->sink, diag, DIAG_HELP, "--output %s", form.bytes);
}

// The output that goes into a file of --output: y.npy of a model with one output, or a=a.npy,b=b.npy. -1: none.
static int output_of(const Prediction *p, const NamedFile *file) {
  if (file->name) return runner_find_output(p->runner, OUT_RESULT, file->name);
  return p->runner->step->n_outputs == 1 ? 0 : -1;
}

static bool check_outputs(Prediction *p) {
  NamedFiles files = bindings_parse(p->session->arena, p->session->options.output);
  for (int k = 0; k < files.n_items; k++) {
    if (output_of(p, &files.items[k]) >= 0) continue;
    report_output(p, files.items[k].name);
    return false;
  }
  return true;
}

static int write_outputs(Prediction *p) {
  const DlcStep *step = p->runner->step;
  NamedFiles files = bindings_parse(p->session->arena, p->session->options.output);
  for (int k = 0; k < files.n_items; k++) {
    const NamedFile *file = &files.items[k];
    int output = output_of(p, file);
    int status = tensor_write(p->session, file->path, p->runner, &step->outputs[output], p->rows, p->results[output]);
    if (status != STATUS_DONE) return status;
  }
  return STATUS_DONE;
}

// --input's tensors, for all inputs but those that memory fills.
static bool read_inputs(Prediction *p) {
  const DlcStep *step = p->runner->step;
  Arena *arena = p->session->arena;
  DlcTensor *named = arena_array(arena, (size_t)step->n_inputs, sizeof *named);
  NpyArray *arrays = arena_array(arena, (size_t)step->n_inputs, sizeof *arrays);
  int n = 0;
  for (int k = 0; k < step->n_inputs; k++)
    if (!memory_is_input(step->inputs[k].name)) named[n++] = step->inputs[k];
  if (!bindings_read(p->session, named, n, p->session->options.input, arrays, &p->rows)) return false;
  for (int k = step->n_inputs - 1; k >= 0; k--)
    if (!memory_is_input(step->inputs[k].name)) p->inputs[k] = arrays[--n];
  return true;
}

// Is there a result without rows that depends on the rows? Then it is that of one batch, and more rows have none.
static bool is_of_one_batch(const Session *session, const Unit *unit) {
  const Graph *g = unit->lowered->graph;
  bool *of_rows = arena_array(session->arena, g->n_nodes, sizeof *of_rows);
  for (size_t n = 0; n < g->n_nodes; n++) {
    const Node *node = &g->nodes[n];
    of_rows[n] = node->op == OP_input && node->shape.rank && node->shape.dim[0].symbol == 1;
    for (int k = 0; k < node->n_in; k++) of_rows[n] |= of_rows[node->in[k]];
  }
  for (size_t k = 0; k < g->n_outputs; k++) {
    const Shape *shape = &graph_node(g, g->outputs[k].value)->shape;
    if (of_rows[g->outputs[k].value] && (!shape->rank || shape->dim[0].symbol != 1)) return true;
  }
  return false;
}

static bool fits_batches(const Prediction *p, const Pipeline *pipeline, const Unit *unit) {
  if (p->rows <= pipeline->batch || !is_of_one_batch(p->session, unit)) return true;
  Diag *diag = diag_error(p->session->sink, DIAG_E0450, SPAN_NONE,
                          "the model's result is of a whole batch, but the %lld rows make several of %lld",
                          (long long)p->rows, (long long)pipeline->batch);
  diag_line(p->session->sink, diag, DIAG_HELP, "--batch %lld takes them at once", (long long)p->rows);
  return false;
}

static int predict(Session *session, Pipeline *pipeline, Unit *unit, Team *team) {
  Prediction p = {.session = session, .runner = runner_new(session->arena, unit, team, NULL)};
  const DlcStep *step = p.runner->step;
  p.inputs = arena_array(session->arena, (size_t)step->n_inputs, sizeof *p.inputs);
  if (!check_outputs(&p) || !runner_load_weights(session, p.runner)) return STATUS_DATA;
  if (!read_inputs(&p) || !fits_batches(&p, pipeline, unit)) return STATUS_DATA;
  p.results = arena_array(session->arena, (size_t)step->n_outputs, sizeof *p.results);
  for (int k = 0; k < step->n_outputs; k++) {
    int64_t count = runner_held_elements(p.runner, &step->outputs[k], p.rows);
    p.results[k] = arena_array(session->arena, (size_t)count, (size_t)dtype_size((DType)step->outputs[k].type));
  }
  for (int64_t first = 0; first < p.rows; first += pipeline->batch) {
    int64_t rows = p.rows - first < pipeline->batch ? p.rows - first : pipeline->batch;
    run_rows(&p, first, rows);
  }
  return write_outputs(&p);
}

int command_predict(Session *session) {
  if (!session->options.output) {
    diag_error(session->sink, DIAG_E0601, SPAN_NONE, "dlc predict needs --output FILE.npy");
    return STATUS_USAGE;
  }
  Pipeline *p = pipeline_open(session);
  if (!p) return STATUS_WRONG;
  p->opens_data = true;
  if (session->options.split) return predict_split(session, p);
  if (!session->options.batch) p->batch = ROWS_AT_ONCE;
  Unit *unit = pipeline_build(p, MODE_INFER, LOWER_OUTPUT);
  Team *team = unit ? team_new(p->codegen.threads) : NULL;
  int status = unit && team ? predict(session, p, unit, team) : STATUS_RESOURCE;
  team_free(team);
  pipeline_release(unit);
  return status;
}
