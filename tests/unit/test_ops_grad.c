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

// ---- reads that are hard to solve -----------------------------------------------------------------------------------

static const OpCaseText hard[] = {
    {"conv2d stride 2, padded", 0,
     "%0 = input \"x\" : f32[2,5,5,2] %1 = input \"w\" : f32[3,3,2,2]"
     "%2 = index sum [n:2, i:3, j:3, o:2 | r:3, s:3, c:2] { mul(%0[n, 2*i + r - 1, 2*j + s - 1, c], %1[r, s, c, o]) }"
     " : f32[2,3,3,2] return result \"y\" = %2"},
    {"conv2d stride 3, dilation 2, padded", 0,
     "%0 = input \"x\" : f32[1,7,6,2] %1 = input \"w\" : f32[2,3,2,3]"
     "%2 = index sum [n:1, i:3, j:2, o:3 | r:2, s:3, c:2] { mul(%0[n, 3*i + 2*r - 1, 3*j + 2*s - 1, c], %1[r, s, c, o]) }"
     " : f32[1,3,2,3] return result \"y\" = %2"},
    {"conv2d groups", 0,
     "%0 = input \"x\" : f32[1,4,4,2,3] %1 = input \"w\" : f32[2,2,3,2,2]"
     "%2 = index sum [n:1, i:3, j:3, g:2, o:2 | r:2, s:2, c:3] { mul(%0[n, i + r, j + s, g, c], %1[r, s, c, g, o]) }"
     " : f32[1,3,3,2,2] return result \"y\" = %2"},
    {"conv2d groups in one channel dimension", 0,
     "%0 = input \"x\" : f32[2,4,4,6] %1 = input \"w\" : f32[2,2,3,4]"
     "%2 = index sum [n:2, i:3, j:3, g:2, o:2 | r:2, s:2, c:3] { mul(%0[n, i + r, j + s, 3*g + c], %1[r, s, c, 2*g + o]) }"
     " : f32[2,3,3,2,2] return result \"y\" = %2"},
    {"patches", 0,
     "%0 = input \"x\" : f32[2,8,6,2] %1 = input \"w\" : f32[4,3,2,3]"
     "%2 = index sum [n:2, i:2, j:2, o:3 | r:4, s:3, c:2] { mul(%0[n, 4*i + r, 3*j + s, c], %1[r, s, c, o]) } : f32[2,2,2,3]"
     " return result \"y\" = %2"},
    {"patches of a batch", 0,
     "%0 = input \"x\" : f32[2*N,3] %1 = input \"w\" : f32[2]"
     "%2 = index sum [n:N, c:3 | r:2] { mul(%0[2*n + r, c], %1[r]) } : f32[N,3] return result \"y\" = %2"},
    {"transposed conv", 0,
     "%0 = input \"x\" : f32[2,3,2] %1 = input \"w\" : f32[3,2,2]"
     "%2 = index sum [n:2, u:7, c:2 | r:3, o:2] { mul(%0[n, (u - r + 1) /! 2, o], %1[r, c, o]) } : f32[2,7,2]"
     " return result \"y\" = %2"},
    {"overlapping max pool, padded", 0,
     "%0 = input \"x\" : f32[2,7,7,2] %1 = index max [n:2, i:4, j:4, c:2 | r:3, s:3] { %0[n, 2*i + r - 1, 2*j + s - 1, c] }"
     " : f32[2,4,4,2] return result \"y\" = %1"},
    {"max pool with a remainder", 0,
     "%0 = input \"x\" : f32[N,7,9,2] %1 = index max [n:N, i:3, j:3, c:2 | r:2, s:3] { %0[n, 2*i + r, 3*j + s, c] }"
     " : f32[N,3,3,2] return result \"y\" = %1"},
    {"windows side by side, shifted, with their positions", 0,
     "%0 = input \"x\" : f32[9] %1 = input \"t\" : f32[6]"
     "%2 = index sum [i:5 | r:2] { mul(mul(%0[2*i + r - 1], add(to_f32(add(mul(i, 3), r)), 1.0)), %1[i + 1]) } : f32[5]"
     " return result \"y\" = %2"},
    {"windows side by side, read elsewhere too", 0,
     "%0 = input \"x\" : f32[12] %1 = input \"t\" : f32[6]"
     "%2 = index sum [i:4 | r:3] { mul(%0[3*i + r], %1[2*i + r]) } : f32[4] return result \"y\" = %2"},
    {"windows side by side, halved elsewhere", 0,
     "%0 = input \"x\" : f32[12] %1 = input \"t\" : f32[2]"
     "%2 = index sum [i:4 | r:3] { mul(%0[3*i + r], %1[i // 2]) } : f32[4] return result \"y\" = %2"},
    {"largest of windows side by side, some left out", 0,
     "%0 = input \"x\" : f32[10] %1 = input \"t\" : f32[4] %2 = index max [i:5 | r:2] { mul(%0[2*i + r], %1[i]) } : f32[5]"
     "%3 = const -100.0 : f32[] %4 = max %3, %2 : f32[5] return result \"y\" = %4"},
    {"windows side by side, counted elsewhere with a factor", 0,
     "%0 = input \"x\" : f32[8] %1 = input \"t\" : f32[11]"
     "%2 = index sum [i:4 | r:2] { mul(%0[2*i + r], %1[3*i + 1]) } : f32[4] return result \"y\" = %2"},
    {"windows side by side, counted elsewhere in a sum", 0,
     "%0 = input \"x\" : f32[8] %1 = input \"t\" : f32[6]"
     "%2 = index sum [i:4, j:3 | r:2] { mul(%0[2*i + r], %1[i + j]) } : f32[4,3] return result \"y\" = %2"},
    {"windows side by side along a diagonal", 0,
     "%0 = input \"x\" : f32[8,6] %1 = index sum [i:4 | r:2] { %0[2*i + r, i + 1] } : f32[4] return result \"y\" = %1"},
    {"product of windows side by side", 0,
     "%0 = input \"x\" : f32[8] %1 = index prod [i:4 | r:2] { %0[2*i + r] } : f32[4] return result \"y\" = %1"},
    {"quotient at the border", 0,
     "%0 = input \"x\" : f32[8] %1 = input \"t\" : f32[6]"
     "%2 = index sum [i:6 | r:3] { div(%0[i + r], %1[i]) } : f32[6] return result \"y\" = %2"},
    {"a quotient as a factor at the border", 0,
     "%0 = input \"x\" : f32[8] %1 = input \"w\" : f32[6] %2 = input \"t\" : f32[6]"
     "%3 = index sum [i:6 | r:3] { mul(%0[i + r], div(%1[i], %2[i])) } : f32[6] return result \"y\" = %3"},
    {"quotient at the border of a batch", 0,
     "%0 = input \"x\" : f32[N] %1 = input \"t\" : f32[N]"
     "%2 = index map [n:N] { div(%0[n - 1], add(%1[n], 3.0)) } : f32[N] return result \"y\" = %2"},
    {"quotient with a stride", 0,
     "%0 = input \"x\" : f32[9] %1 = input \"t\" : f32[4]"
     "%2 = index sum [i:4 | r:3] { div(%0[2*i + r], add(%1[i], 2.0)) } : f32[4] return result \"y\" = %2"},
    {"diagonal plane", 0,
     "%0 = input \"x\" : f32[5,6,2] %1 = index map [i:5] { %0[i, i + 1, 1] } : f32[5] return result \"y\" = %1"},
    {"first row in a product", 0,
     "%0 = input \"x\" : f32[N,3,4] %1 = input \"w\" : f32[4,5]"
     "%2 = index sum [n:N, j:5 | d:4] { mul(%0[n, 1, d], %1[d, j]) } : f32[N,5] return result \"y\" = %2"},
    {"one row stretched in a product", 0,
     "%0 = input \"x\" : f32[1,3,4] %1 = input \"w\" : f32[N,4,5]"
     "%2 = index sum [b:N, i:3, j:5 | k:4] { mul(%0[0, i, k], %1[b, k, j]) } : f32[N,3,5] return result \"y\" = %2"},
    {"window over what is repeated", 0,
     "%0 = input \"x\" : f32[5] %1 = input \"w\" : f32[3]"
     "%2 = index sum [i:8 | r:3] { mul(%0[(i + r) // 2], %1[r]) } : f32[8] return result \"y\" = %2"},
    {"two rounded dimensions", 0,
     "%0 = input \"x\" : f32[6,4] %1 = index map [i:12] { %0[i // 2, i // 3] } : f32[12] return result \"y\" = %1"},
    {"a rounded and a plain one", 0,
     "%0 = input \"x\" : f32[4,8] %1 = index map [i:8] { %0[i // 2, i] } : f32[8] return result \"y\" = %1"},
    {"rounded with a factor", 0,
     "%0 = input \"x\" : f32[9] %1 = index map [i:6] { %0[(3*i + 1) // 2] } : f32[6] return result \"y\" = %1"},
    {"a reduced factor, rounded", 0,
     "%0 = input \"x\" : f32[9] %1 = input \"w\" : f32[6]"
     "%2 = index sum [| r:6] { mul(%0[(3*r + 1) // 2], %1[r]) } : f32[] return result \"y\" = %2"},
    {"two equations, one of them with factors", 0,
     "%0 = input \"x\" : f32[7,12] %1 = input \"w\" : f32[3,4]"
     "%2 = index sum [i:3 | r:4] { mul(%0[2*i + r - 1, 3*i + 2*r - 1], %1[i, r]) } : f32[3] return result \"y\" = %2"},
    {"factors without a unit", 0,
     "%0 = input \"x\" : f32[14] %1 = input \"w\" : f32[4,3]"
     "%2 = index sum [| i:4, r:3] { mul(%0[2*i + 3*r], %1[i, r]) } : f32[] return result \"y\" = %2"},
    {"backwards", 0,
     "%0 = input \"x\" : f32[9] %1 = index sum [i:4 | r:3] { %0[8 - 2*i - r] } : f32[4] return result \"y\" = %1"},
    {"product of padded windows with a weight", 0,
     "%0 = input \"x\" : f32[6] %1 = input \"w\" : f32[3]"
     "%2 = index prod [i:4 | r:3] { add(mul(%0[i + r], %1[r]), 1.5) } : f32[4] return result \"y\" = %2"},
    {"product over two indices", 0,
     "%0 = input \"x\" : f32[3,2,3] %1 = index prod [i:3 | j:2, k:3] { %0[i, j, k] } : f32[3] return result \"y\" = %1"},
    {"largest product, both reads padded", 0,
     "%0 = input \"x\" : f32[6] %1 = input \"t\" : f32[5]"
     "%2 = index max [i:7 | r:3] { mul(%0[i + r - 2], %1[i - r]) } : f32[7] %3 = const -100.0 : f32[]"
     "%4 = max %3, %2 : f32[7] return result \"y\" = %4"},
    {"extreme over the batch, batch second", 0,
     "%0 = input \"x\" : f32[N,3] %1 = index min [| c:3, n:N] { %0[n, c] } : f32[] return result \"y\" = %1"},
    {"index values in the body", 0,
     "%0 = input \"x\" : f32[8] %1 = index max [i:5 | r:4] { mul(%0[i + r], add(to_f32(r), 0.5)) } : f32[5]"
     " return result \"y\" = %1"},
    {"scalar operand", 0,
     "%0 = input \"x\" : f32[N,3] %1 = input \"s\" : f32[] %2 = index sum [n:N | c:3] { exp(mul(%0[n, c], %1[])) } : f32[N]"
     "%3 = mul %1, %2 : f32[N] return result \"y\" = %3"},
    {"concat along the batch", 0,
     "%0 = input \"x\" : f32[N,2] %1 = input \"t\" : f32[2*N,2] %2 = concat %0, %1, %0 axis 0 : f32[4*N,2]"
     "%3 = mul %2, %2 : f32[4*N,2] return result \"y\" = %3"},
    {"rows of the batch", 0,
     "%0 = input \"x\" : f32[N,2] %1 = input \"k\" : i32[3] %2 = gather %0, %1 : f32[3,2] %3 = mul %2, %2 : f32[3,2]"
     " return result \"y\" = %3"},
};

static void hard_reads(void **state) {
  (void)state;
  Count count = {0};
  Guard guard;
  const int cases = sizeof hard / sizeof *hard;
  for (int k = 0; k < cases; k++) {
    Arena *arena = arena_new(allocator_system(), &guard);
    OpCase c = op_case_default(hard[k].name, op_case_parse(arena, hard[k].name, hard[k].text));
    c.smooth = true;
    c.low = 0.25;
    c.int_low = -1;
    c.int_high = OP_CASE_N;
    check_case(&count, &c);
    arena_free(arena);
  }
  assert_int_equal(count.once, cases);
  assert_int_equal(count.twice, cases);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pointwise_gradients), cmocka_unit_test(index_gradients),
                                     cmocka_unit_test(move_gradients), cmocka_unit_test(mixed_gradients),
                                     cmocka_unit_test(hard_reads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
