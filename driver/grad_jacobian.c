// Jacobians at a point. One that couples each element of the result with the same element of the input alone is
// diagonal whatever the values are: that is read off the graph, and its diagonal is the gradient of the result's sum.
// Any other is made row by row, each a backward run with a cotangent that is 1 at one element.
#include <math.h>
#include <string.h>

#include "grad_inside.h"
#include "report.h"

enum { MOST_PRINTED = 400, MOST_MADE = 1 << 24, MOST_KINDS = 4 };

typedef struct Jacobian {
  AtRun *run;
  const Output *output;
  NodeId input;
  int64_t rows, columns;
} Jacobian;

// ---- is it diagonal? ------------------------------------------------------------------------------------------------

// How a node hangs on the input: not at all; each element on the input's element of the same number; otherwise.
typedef enum Coupling { APART, ELEMENTWISE, MIXED } Coupling;

static bool keeps_elements(const Graph *g, const Node *node, int operand) {
  const Node *from = graph_node(g, node->in[operand]);
  OpClass class = op_info(node->op)->class;
  if (class == OPC_VIEW) return true;
  if (class == OPC_POINTWISE) return shape_equal(&from->shape, &node->shape);
  return node->op == OP_index && node->index->combine == COMBINE_MAP && shape_equal(&from->shape, &node->shape) &&
         read_is_identity(node->index, &node->index->reads[operand]);
}

static Coupling coupling_of(const Jacobian *j) {
  const Graph *g = j->run->lowered->graph;
  Coupling *all = arena_array(j->run->p->session->arena, g->n_nodes, sizeof *all);
  all[j->input] = ELEMENTWISE;
  for (size_t k = (size_t)j->input + 1; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    for (int i = 0; i < node->n_in; i++) {
      Coupling operand = all[node->in[i]];
      if (operand == ELEMENTWISE && !keeps_elements(g, node, i)) operand = MIXED;
      if (operand > all[k]) all[k] = operand;
    }
  }
  return all[j->output->value];
}

// ---- a backward run -------------------------------------------------------------------------------------------------

// The joint graph's gradient by the input, as an output of its own.
static const Graph *differentiate(const Jacobian *j) {
  Session *s = j->run->p->session;
  const char *name = graph_node(j->run->lowered->graph, j->input)->name;
  PassContext context = {.arena = s->arena, .sink = s->sink, .grad_inputs = &name, .n_grad_inputs = 1};
  return pass_autodiff(&context, j->run->lowered->graph);
}

static const char *cotangent_name(const Jacobian *j) {
  const Graph *g = j->run->lowered->graph;
  const char *own = arena_printf(j->run->p->session->arena, "cotangent.%s", j->output->name);
  return graph_find_source(g, OP_input, own) != NODE_NONE ? own : "cotangent";
}

// Row `at` of the Jacobian into row[columns].
static bool make_row(const Jacobian *j, const Graph *joint, int64_t at, double *row) {
  Arena *arena = arena_beside(j->run->p->session->arena);
  j->run->hot = cotangent_name(j);
  j->run->hot_at = at;
  const EvalTensor *values = grad_evaluate(j->run, arena, joint);
  j->run->hot = NULL;
  const Output *found = graph_find_output(joint, OUT_GRAD, graph_node(j->run->lowered->graph, j->input)->name);
  for (int64_t k = 0; values && k < j->columns; k++) row[k] = found ? values[found->value].data[k] : 0;
  arena_free(arena);
  return values != NULL;
}

// ---- printing -------------------------------------------------------------------------------------------------------

static void print_title(const Jacobian *j, const char *more) {
  Text *out = &j->run->p->session->out;
  text_printf(out, "\nJacobian of %s by %s, ", j->output->name, graph_node(j->run->lowered->graph, j->input)->name);
  report_number(j->rows, out);
  text_add(out, " x ");
  report_number(j->columns, out);
  text_printf(out, "%s:\n", more);
}

// The different values and how often each is there; -1 where there are more than MOST_KINDS.
static int find_kinds(const double *values, int64_t count, double *kind, int64_t *times) {
  int n = 0;
  for (int64_t k = 0; k < count; k++) {
    int at = 0;
    while (at < n && kind[at] != values[k]) at++;
    if (at == MOST_KINDS) return -1;
    if (at == n) kind[n++] = values[k];
    times[at]++;
  }
  return n;
}

// "204,788 are 0, 204,812 are 1" where there are few different ones, else their range.
static void print_kinds(const double *values, int64_t count, Text *out) {
  double kind[MOST_KINDS], least = values[0], greatest = values[0], sum = 0;
  int64_t times[MOST_KINDS] = {0};
  int n = find_kinds(values, count, kind, times);
  for (int k = 0; k < n; k++) {
    text_add(out, k ? ", " : "");
    report_number(times[k], out);
    text_printf(out, times[k] == 1 ? " is %.6g" : " are %.6g", kind[k] == 0 ? 0 : kind[k]);
  }
  if (n >= 0) return;
  for (int64_t k = 0; k < count; k++) {
    least = fmin(least, values[k]);
    greatest = fmax(greatest, values[k]);
    sum += values[k];
  }
  text_printf(out, "from %.6g to %.6g, mean %.6g", least, greatest, sum / (double)count);
}

static bool print_diagonal(Jacobian *j) {
  Text *out = &j->run->p->session->out;
  const EvalTensor *slope = &j->run->slopes[j->input];
  print_title(j, ", diagonal");
  text_add(out,
           "  each element of the result depends on one element of the input: read off the graph, and never made (");
  report_bytes((int64_t)fmin((double)j->rows * (double)j->columns * 4, 9e18), out);
  text_add(out, " in f32)\n  on the diagonal ");
  double zero = 0;
  print_kinds(slope->data ? slope->data : &zero, slope->data ? grad_count(slope) : 1, out);
  text_add(out, "\n");
  return true;
}

static void print_matrix(const Jacobian *j, const double *entries) {
  Text *out = &j->run->p->session->out;
  int widest = 0;
  for (int64_t k = 0; k < j->rows * j->columns; k++) {
    Text text = text_new(out->arena);
    grad_add_number(&text, entries[k]);
    if ((int)text.length > widest) widest = (int)text.length;
  }
  for (int64_t row = 0; row < j->rows; row++) {
    for (int64_t column = 0; column < j->columns; column++) {
      Text text = text_new(out->arena);
      grad_add_number(&text, entries[row * j->columns + column]);
      text_printf(out, "  %*s", widest, text.bytes);
    }
    text_add(out, "\n");
  }
}

static void print_summary(const Jacobian *j, const double *entries) {
  Text *out = &j->run->p->session->out;
  int64_t zeros = 0, count = j->rows * j->columns;
  for (int64_t k = 0; k < count; k++) zeros += entries[k] == 0;
  text_add(out, "  entries ");
  print_kinds(entries, count, out);
  text_add(out, "; ");
  report_number(zeros, out);
  text_printf(out, " of them 0 (%.1f %%)\n", 100 * (double)zeros / (double)count);
}

static bool refuse(const Jacobian *j) {
  Text entries = text_new(j->run->p->session->arena);
  report_number((int64_t)fmin((double)j->rows * (double)j->columns, 9e18), &entries);
  diag_error(j->run->p->session->sink, DIAG_E0451, SPAN_NONE,
             "the Jacobian of '%s' has %s entries and is not diagonal; a smaller batch or input can be printed",
             j->output->name, entries.bytes);
  return false;
}

static bool print_whole(Jacobian *j, bool diagonal) {
  if ((double)j->rows * (double)j->columns > MOST_MADE) return refuse(j);
  const Graph *joint = differentiate(j);
  if (!joint) return false;
  double *entries = arena_array(j->run->p->session->arena, (size_t)(j->rows * j->columns), sizeof *entries);
  for (int64_t row = 0; row < j->rows; row++)
    if (!make_row(j, joint, row, &entries[row * j->columns])) return false;
  print_title(j, diagonal ? ", diagonal" : "");
  if (j->rows * j->columns <= MOST_PRINTED)
    print_matrix(j, entries);
  else
    print_summary(j, entries);
  return true;
}

static bool print_jacobian(Jacobian *j) {
  bool diagonal = coupling_of(j) == ELEMENTWISE;
  bool large = (double)j->rows * (double)j->columns > MOST_PRINTED;
  return diagonal && large ? print_diagonal(j) : print_whole(j, diagonal);
}

bool grad_jacobians(AtRun *run) {
  const Graph *g = run->lowered->graph;
  for (size_t o = 0; o < g->n_outputs; o++) {
    const Output *output = &g->outputs[o];
    if (output->kind != OUT_RESULT || graph_node(g, output->value)->type != DT_F32) continue;
    for (size_t k = 0; k < g->n_nodes; k++) {
      const Node *node = &g->nodes[k];
      if (node->op != OP_input || node->type != DT_F32 || grad_is_cotangent(node->name)) continue;
      Jacobian j = {run, output, (NodeId)k, grad_count(&run->values[output->value]), grad_count(&run->values[k])};
      if (!print_jacobian(&j)) return false;
    }
  }
  return true;
}
