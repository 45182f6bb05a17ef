// Gradients at a point, in double by the evaluator: of all nodes at once, by probes (probe.h).
#include "grad_at.h"

#include <math.h>
#include <string.h>

#include "graphviz.h"
#include "grad_inside.h"
#include "probe.h"

enum { MOST_NUMBERS = 64, MOST_CHECKED = 256, VALUE_COLUMN = 28 };

// ---- evaluation -----------------------------------------------------------------------------------------------------

// Parameters and states: as training with this seed would start.
static bool stored_source(const AtRun *run, const Node *node, double *data, int64_t count) {
  const TensorTable *table = node->op == OP_param ? &run->lowered->params : &run->lowered->states;
  int at = tensor_find(table, node->name);
  if (at < 0) return false;
  Arena *arena = arena_beside(run->p->session->arena);
  float *block = arena_array(arena, (size_t)table->block_floats, sizeof *block);
  tensor_init(&table->items[at], run->p->seed, block);
  for (int64_t k = 0; k < count; k++) data[k] = (double)block[table->items[at].offset + k];
  arena_free(arena);
  return true;
}

static bool source(void *state, const Node *node, double *data, int64_t count) {
  const AtRun *run = state;
  if (node->op != OP_input) return stored_source(run, node, data, count);
  if (probe_is_name(node->name)) return true;  // zeros
  const Point *point = grad_point_find(run, node->name);
  if (point) {
    memcpy(data, point->data, (size_t)count * sizeof *data);
    return true;
  }
  for (int64_t k = 0; k < count; k++) data[k] = run->hot ? 0 : 1;  // a cotangent
  if (run->hot && !strcmp(run->hot, node->name)) data[run->hot_at] = 1;
  return true;
}

EvalTensor *grad_evaluate(AtRun *run, Arena *arena, const Graph *g) {
  int64_t symbols[IR_MAX_SYMBOLS];
  for (int k = 0; k < IR_MAX_SYMBOLS; k++) symbols[k] = run->rows;
  EvalEnv env = {.symbol_values = symbols, .source = source, .state = run, .seed = run->p->seed, .all = true};
  EvalTensor *values = arena_array(arena, g->n_nodes, sizeof *values);
  const char *why;
  if (graph_eval(g, &env, arena, values, &why)) return values;
  diag_error(run->p->session->sink, DIAG_E0451, SPAN_NONE, "the evaluator cannot run this: %s", why);
  return NULL;
}

// The derivatives of the loss by every f32 node that it needs, and by every input.
static bool find_slopes(AtRun *run) {
  const Graph *g = run->lowered->graph;
  Arena *arena = run->p->session->arena;
  bool *wanted = arena_array(arena, g->n_nodes, sizeof *wanted);
  for (size_t k = 0; k < g->n_nodes; k++) wanted[k] = g->nodes[k].type == DT_F32 && g->nodes[k].op != OP_const;
  Probes probes = probe_graph(g, wanted, NULL);
  PassContext context = {.arena = arena, .sink = run->p->session->sink};
  const char **names = arena_array(arena, g->n_nodes, sizeof *names);
  for (size_t k = 0; k < g->n_nodes; k++)
    if (probes.names[k]) names[context.n_grad_inputs++] = probes.names[k];
  context.grad_inputs = names;
  const Graph *joint = pass_autodiff(&context, probes.graph);
  EvalTensor *values = joint ? grad_evaluate(run, arena, joint) : NULL;
  run->slopes = arena_array(arena, g->n_nodes, sizeof *run->slopes);
  for (size_t k = 0; values && k < g->n_nodes; k++) {
    const Output *output = probes.names[k] ? graph_find_output(joint, OUT_GRAD, probes.names[k]) : NULL;
    if (output) run->slopes[k] = values[output->value];
  }
  return values != NULL;
}

static NodeId loss_of(const Graph *g) { return graph_find_output(g, OUT_LOSS, NULL)->value; }

// ---- printing -------------------------------------------------------------------------------------------------------

const char *grad_name_of(const AtRun *run, NodeId id) {
  const Graph *g = run->lowered->graph;
  const char *name = NULL;
  for (int k = 0; k < run->lowered->n_named; k++)
    if (run->lowered->named[k] == id) name = run->lowered->names[k];
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_RESULT && g->outputs[k].value == id) name = g->outputs[k].name;
  const Node *node = graph_node(g, id);
  return node->op == OP_input || node->op == OP_param || node->op == OP_state ? node->name : name;
}

int64_t grad_count(const EvalTensor *value) {
  static const int64_t none[IR_MAX_SYMBOLS] = {1, 1, 1, 1};
  return value->data ? shape_count(&value->shape, none) : 0;
}

void grad_add_number(Text *out, double value) { text_printf(out, "%.6g", value == 0 ? 0 : value); }

static void add_nested(Text *out, const EvalTensor *value, int d, int64_t *at) {
  if (d == value->shape.rank) {
    grad_add_number(out, value->data[(*at)++]);
    return;
  }
  text_add(out, "[");
  for (int64_t k = 0; k < value->shape.dim[d].scale; k++) {
    if (k) text_add(out, ", ");
    add_nested(out, value, d + 1, at);
  }
  text_add(out, "]");
}

static void add_summary(Text *out, const EvalTensor *value, int64_t count) {
  double least = value->data[0], greatest = least, sum = 0;
  for (int64_t k = 0; k < count; k++) {
    least = fmin(least, value->data[k]);
    greatest = fmax(greatest, value->data[k]);
    sum += value->data[k];
  }
  text_add(out, "[");
  for (int d = 0; d < value->shape.rank; d++)
    text_printf(out, "%s%lld", d ? ", " : "", (long long)value->shape.dim[d].scale);
  if (least == greatest)
    text_printf(out, "] all %.6g", least);
  else
    text_printf(out, "] from %.6g to %.6g, mean %.6g", least, greatest, sum / (double)count);
}

void grad_add_value(Text *out, const EvalTensor *value, int64_t most) {
  int64_t at = 0, count = grad_count(value);
  if (!value->data)
    text_add(out, "0");
  else if (count > most)
    add_summary(out, value, count);
  else
    add_nested(out, value, 0, &at);
}

static void print_line(AtRun *run, const char *name, const EvalTensor *value, const EvalTensor *slope) {
  Text *out = &run->p->session->out;
  size_t begin = out->length;
  text_printf(out, "%s = ", name);
  grad_add_value(out, value, MOST_NUMBERS);
  if (slope) {
    int used = (int)(out->length - begin);
    text_printf(out, "%*sd%s/d%s = ", used < VALUE_COLUMN ? VALUE_COLUMN - used : 2, "", run->p->model_name, name);
    grad_add_value(out, slope, MOST_NUMBERS);
  }
  text_add(out, "\n");
}

// ---- central differences --------------------------------------------------------------------------------------------

static double loss_at(AtRun *run) {
  Arena *arena = arena_beside(run->p->session->arena);
  const Graph *g = run->lowered->graph;
  const EvalTensor *values = grad_evaluate(run, arena, g);
  double loss = values ? values[loss_of(g)].data[0] : NAN;
  arena_free(arena);
  return loss;
}

// The largest difference between the gradient and (f(x + h) - f(x - h)) / 2h, relative to the largest element seen.
// Of a large input only every n-th element is looked at.
static double check_gradient(AtRun *run, const char *name, const EvalTensor *slope, int64_t stride) {
  Point *point = grad_point_find(run, name);
  double worst = 0, largest = 1e-30;
  for (int64_t k = 0; k < point->count; k += stride) {
    double kept = point->data[k], h = 1e-5 * fmax(1, fabs(kept));
    point->data[k] = kept + h;
    double above = loss_at(run);
    point->data[k] = kept - h;
    double below = loss_at(run);
    point->data[k] = kept;
    double expected = (above - below) / (2 * h), found = slope->data ? slope->data[k] : 0;
    worst = fmax(worst, fabs(found - expected));
    largest = fmax(largest, fmax(fabs(found), fabs(expected)));
  }
  return worst / largest;
}

static void print_check(AtRun *run, const char *name, const EvalTensor *slope) {
  int64_t count = grad_point_find(run, name)->count, stride = (count + MOST_CHECKED - 1) / MOST_CHECKED;
  double off = check_gradient(run, name, slope, stride < 1 ? 1 : stride);
  Text *out = &run->p->session->out;
  text_printf(out, "  central differences agree within %.1e%s", off, off < 1e-6 ? "" : ": WRONG");
  if (stride > 1) text_printf(out, " (every %lldth of %lld elements)", (long long)stride, (long long)count);
  text_add(out, "\n");
}

// ---- the command ----------------------------------------------------------------------------------------------------

// Has the result its line already, as a value of the same name?
static bool is_named(const AtRun *run, const Output *output) {
  for (int k = 0; k < run->lowered->n_named; k++)
    if (run->lowered->named[k] == output->value && !strcmp(run->lowered->names[k], output->name)) return true;
  return false;
}

static void show_lines(AtRun *run) {
  const Graph *g = run->lowered->graph;
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    if (node->op != OP_input || node->type != DT_F32 || grad_is_cotangent(node->name)) continue;
    print_line(run, node->name, &run->values[k], &run->slopes[k]);
    if (run->p->session->options.check) print_check(run, node->name, &run->slopes[k]);
  }
  for (int k = 0; k < run->lowered->n_named; k++) {
    NodeId id = run->lowered->named[k];
    if (run->values[id].type == DT_F32 && graph_node(g, id)->op != OP_input)
      print_line(run, run->lowered->names[k], &run->values[id], &run->slopes[id]);
  }
  for (size_t k = 0; k < g->n_outputs; k++) {
    const Output *output = &g->outputs[k];
    if (output->kind == OUT_RESULT && !is_named(run, output))
      print_line(run, output->name, &run->values[output->value], NULL);
  }
}

static int draw(AtRun *run) {
  Session *s = run->p->session;
  if (!s->options.output) {
    grad_draw_dot(run, &s->out);
    return STATUS_DONE;
  }
  Text dot = text_new(s->arena);
  grad_draw_dot(run, &dot);
  return graphviz_write(s, s->options.output, dot.bytes) ? STATUS_DONE : STATUS_WRITE;
}

static int show_all(AtRun *run) {
  const Options *o = &run->p->session->options;
  run->values = grad_evaluate(run, run->p->session->arena, run->lowered->graph);
  if (!run->values || !find_slopes(run)) return STATUS_WRONG;
  if (o->dot && !o->output) return draw(run);
  show_lines(run);
  if (!o->quiet) grad_draw_text(run, &run->p->session->out);
  if (o->jacobian && !grad_jacobians(run)) return STATUS_WRONG;
  return o->output ? draw(run) : STATUS_DONE;
}

int grad_at(Pipeline *p) {
  AtRun run = {.p = p, .lowered = program_lower(p->program, p->model, MODE_TRAIN, LOWER_COTANGENT)};
  if (!run.lowered || p->session->sink->n_errors) return STATUS_WRONG;
  return grad_points_read(&run) ? show_all(&run) : STATUS_USAGE;
}
