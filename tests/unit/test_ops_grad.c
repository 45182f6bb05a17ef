// Gradients of every case of op_cases.h that has them, against central differences of the double evaluator; then the
// gradients of those gradients. Each is checked before and after `tidy`.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "op_cases.h"
#include "passes.h"

// ---- points on a line through the case's values ---------------------------------------------------------------------

typedef struct Line {  // EvalEnv.state: inputs at x + t * direction
  const OpCase *c;
  double t;
} Line;

static double spread(const OpCase *c, const Node *input, int64_t k, uint64_t seed) {
  if (input->type != DT_F32) return 0;
  return 2 * (double)random_uniform(random_stream(c->name) ^ seed, random_stream(input->name), (uint64_t)k) - 1;
}

static double direction(const OpCase *c, const Node *input, int64_t k) { return spread(c, input, k, 7); }

// The case's smooth values stand at even distances, so that their differences and quotients meet; these do not.
static double jitter(const OpCase *c, const Node *input, int64_t k) { return 1e-3 * spread(c, input, k, 11); }

static bool line_source(void *state, const Node *input, double *data, int64_t count) {
  const Line *line = state;
  op_case_fill(line->c, input, FILL_SMOOTH, data, count);
  for (int64_t k = 0; k < count; k++) data[k] += jitter(line->c, input, k) + line->t * direction(line->c, input, k);
  return true;
}

static EvalTensor *evaluate(const OpCase *c, const Graph *g, double t) {
  static const int64_t n[IR_MAX_SYMBOLS] = {OP_CASE_N, OP_CASE_N, OP_CASE_N, OP_CASE_N};
  Line line = {c, t};
  EvalEnv env = {.symbol_values = n, .source = line_source, .state = &line, .seed = 1};
  EvalTensor *values = arena_array(g->arena, g->n_nodes, sizeof *values);
  const char *why = NULL;
  if (!graph_eval(g, &env, g->arena, values, &why)) fail_msg("%s: %s", c->name, why);
  return values;
}

static double loss_at(const OpCase *c, const Graph *g, double t) {
  return evaluate(c, g, t)[graph_find_output(g, OUT_LOSS, NULL)->value].data[0];
}

// The fourth-order central difference of the loss along the line at 0.
static double difference(const OpCase *c, const Graph *g) {
  const double h = 1e-5;
  double one = loss_at(c, g, h) - loss_at(c, g, -h), two = loss_at(c, g, 2 * h) - loss_at(c, g, -2 * h);
  return (8 * one - two) / (12 * h);
}

// The same from the graph's gradients. *size: the sum of the absolute values that were added up.
static double slope(const OpCase *c, const Graph *g, double *size) {
  EvalTensor *values = evaluate(c, g, 0);
  double sum = 0;
  *size = 0;
  for (size_t k = 0; k < g->n_outputs; k++) {
    if (g->outputs[k].kind != OUT_GRAD) continue;
    const Node *input = graph_node(g, graph_find_source(g, OP_input, g->outputs[k].name));
    const EvalTensor *d = &values[g->outputs[k].value];
    for (int64_t i = 0; i < shape_count(&d->shape, NULL); i++) {
      sum += d->data[i] * direction(c, input, i);
      *size += fabs(d->data[i] * direction(c, input, i));
    }
  }
  return sum;
}

// ---- one case -------------------------------------------------------------------------------------------------------

static PassContext context_of(const Graph *g) {
  PassContext ctx = {.arena = g->arena, .sink = diag_sink_new(g->arena), .verify = true};
  const char **names = arena_array(g->arena, g->n_nodes, sizeof *names);
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k].op == OP_input && g->nodes[k].type == DT_F32) names[ctx.n_grad_inputs++] = g->nodes[k].name;
  ctx.grad_inputs = names;
  return ctx;
}

static void check(const OpCase *c, const Graph *g, double expected, const char *what) {
  double size, found = slope(c, g, &size);
  if (fabs(found - expected) <= 1e-6 * (size + fabs(expected)) + 1e-9) return;
  Text text = text_new(g->arena);
  graph_print(g, &text);
  fail_msg("%s, %s: the gradient gives %.12g, differences %.12g\n%s", c->name, what, found, expected, text.bytes);
}

// The graph with its gradients, which must agree with differences of its loss; those of the tidied graph as well.
static Graph *differentiate(const OpCase *c, const Graph *g, const char *what) {
  PassContext ctx = context_of(g);
  double expected = difference(c, g);
  Graph *d = passes_run(&ctx, g, PASS_TRAIN, "autodiff", NULL);
  if (!d) {
    Text report = text_new(g->arena);
    diag_render(ctx.sink, false, &report);
    fail_msg("%s, %s: %s", c->name, what, report.bytes);
  }
  check(c, d, expected, what);
  Graph *tidy = passes_run(&ctx, d, PASS_TRAIN, "tidy", NULL);
  assert_non_null(tidy);
  check(c, tidy, expected, what);
  return tidy;
}

// A new loss: the sum over all gradients of gradient * weight, the weights being new inputs.
static Graph *loss_of_gradients(const Graph *g) {
  static const bool every[IR_MAX_RANK] = {true, true, true, true, true, true, true, true};
  Builder b = {.graph = graph_like(g)};
  NodeId *map = arena_array(g->arena, g->n_nodes, sizeof *map), loss = NODE_NONE;
  for (size_t k = 0; k < g->n_nodes; k++) map[k] = build_copy(&b, g, (NodeId)k, map);
  for (size_t k = 0; k < g->n_outputs; k++) {
    if (g->outputs[k].kind != OUT_GRAD) continue;
    NodeId gradient = map[g->outputs[k].value];
    Shape shape = graph_node(b.graph, gradient)->shape;
    const char *name = arena_printf(g->arena, "weight.%s", g->outputs[k].name);
    NodeId product = build_binary(&b, OP_mul, gradient, build_input(&b, name, DT_F32, &shape));
    NodeId sum = build_reduce(&b, COMBINE_SUM, product, every, false);
    loss = loss == NODE_NONE ? sum : build_binary(&b, OP_add, loss, sum);
  }
  if (loss != NODE_NONE) graph_output(b.graph, OUT_LOSS, "loss", loss);
  return b.graph;
}

enum { MOST_FLOPS = 300000 };  // of a graph whose gradients are differentiated again: the evaluator is slow

static bool is_small(const Graph *g) {
  static const int64_t n[IR_MAX_SYMBOLS] = {OP_CASE_N, OP_CASE_N, OP_CASE_N, OP_CASE_N};
  int64_t flops = 0;
  for (size_t k = 0; k < g->n_nodes && flops < MOST_FLOPS; k++) flops += node_flops(g, (NodeId)k, n);
  return flops < MOST_FLOPS;
}

typedef struct Count {
  int once, twice;
} Count;

static void check_case(void *state, const OpCase *c) {
  Count *count = state;
  if (!c->smooth) return;
  Graph *loss = op_case_with_loss(c);
  if (!graph_find_output(loss, OUT_LOSS, NULL)) return;
  Graph *twice = loss_of_gradients(differentiate(c, loss, "gradient"));
  count->once++;
  if (!graph_find_output(twice, OUT_LOSS, NULL) || !is_small(twice)) return;
  differentiate(c, twice, "gradient of the gradient");
  count->twice++;
}

// At least so many cases must have had gradients, and gradients of gradients.
static void run_group(int group, int once, int twice) {
  Count count = {0};
  op_cases_each(group, check_case, &count);
  assert_in_range(count.once, once, 10000);
  assert_in_range(count.twice, twice, 10000);
}

static void pointwise_gradients(void **state) {
  (void)state;
  run_group(OP_CASES_POINTWISE, 18, 18);
}
static void index_gradients(void **state) {
  (void)state;
  run_group(OP_CASES_INDEX, 60, 40);
}
static void move_gradients(void **state) {
  (void)state;
  run_group(OP_CASES_MOVE, 10, 10);
}
static void mixed_gradients(void **state) {
  (void)state;
  run_group(OP_CASES_MIX, 2, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pointwise_gradients), cmocka_unit_test(index_gradients),
                                     cmocka_unit_test(move_gradients), cmocka_unit_test(mixed_gradients)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
