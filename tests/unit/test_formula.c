// Formulas mean what they say: each is lowered, evaluated in double and compared with numbers worked out by
// hand-written loops. Element k of every f32 input is (7 k mod 11) - 4, of every i32 input 2 k mod 3; the batch is 2.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "program.h"

enum { BATCH = 2, MOST = 16 };

typedef struct Case {
  const char *text;
  int n;
  double expected[MOST];
} Case;

static const Case cases[] = {
    {"model m(a: f32[N, 3], b: f32[3, 2]) { c[i, j] = sum(k) a[i, k] * b[k, j] }", 4, {11, 8, -30, 34}},
    // windows, strides, quotients; what lies outside is 0, or left out of a maximum
    {"model m(x: f32[N, 4]) { y[n, i] = sum(r) x[n, i + r - 1] * (r + 1) where i in 4, r in 3 }",
     8,
     {1, -1, 19, 11, -2, 13, 11, 7}},
    {"model m(x: f32[N, 4]) { y[n, i] = max(r) x[n, 2 * i + r - 1] where i in 2, r in 3 }", 4, {3, 6, 2, 5}},
    {"model m(x: f32[N, 4]) { y[n, i] = x[n, i // 2 + 1] where i in 8 }",
     16,
     {3, 3, -1, -1, 6, 6, 0, 0, -2, -2, 5, 5, 1, 1, 0, 0}},
    {"model m(x: f32[N, 4]) { y[n, i] = x[n, (i // 2 - 1) // 2] where i in 8 }",
     16,
     {0, 0, -4, -4, -4, -4, 3, 3, 0, 0, 2, 2, 2, 2, -2, -2}},
    {"model m(x: f32[N, 4]) { y[n, i] = x[n, 3 - i] * N where i in 4 }", 8, {12, -2, 6, -8, 2, 10, -4, 4}},
    // ranges that do not start at 0
    {"model m(x: f32[N, 4]) { y[n] = sum(j) x[n, j] * j where j in 1..3 }", 2, {1, 8}},
    {"model m(x: f32[N, 4]) { y[n] = sum(j) x[n, j + 1] * j where j in -1..2 }", 2, {3, 3}},
    // reductions beside and inside each other
    {"model m(x: f32[N, 4]) { y[k] = mean(n) x[n, k] ** 2 }", 4, {10, 6.5, 13, 18.5}},
    {"model m(x: f32[N, 4]) { e[n, k] = exp(x[n, k] - max(j) x[n, j])  y[n, k] = e[n, k] / sum(j) e[n, j] }",
     8,
     {4.320739840391574e-05, 0.047382665779162864, 0.0008678437959967296, 0.9517062830264365, 0.046572861464959536,
      0.0008530117126072424, 0.9354409285729488, 0.01713319824948431}},
    {"model m(x: f32[N, 4], z: f32[4, 3]) { y[n] = sum(j) x[n, j] / (1 + sum(k) z[j, k] ** 2) }",
     2,
     {0.07255892255892257, 0.19882154882154882}},
    {"model m(x: f32[N, 4]) { y[n, i] = (sum(k) x[n, k]) * (sum(k) x[n, k] ** 2) + x[n, i] }",
     8,
     {244, 251, 247, 254, 206, 202, 209, 205}},
    {"model m(x: f32[N, 4]) { y[n] = prod(i) x[n, i] - min(i) x[n, i] }", 2, {76, -18}},
    // values of indices, truths, sizes
    {"model m(x: f32[N, 4]) { y[n, i] = i * i - x[n, i] }", 8, {4, -2, 5, 3, -2, 3, -1, 8}},
    {"model m(x: f32[N, 4]) { y[n] = sum(i) (x[n, i] > 0) }", 2, {2, 3}},
    {"model m(x: f32[N, 4]) { y[n, i] = x[n, i] / (N * 4) }", 8, {-.5, .375, -.125, .75, .25, -.25, .625, .125}},
    // tensors as subscripts
    {"model m(t: f32[3, 2], id: i32[N]) { y[n, d] = t[id[n], d] }", 4, {-4, 3, 2, -2}},
    {"model m(t: f32[2, 3], id: i32[N]) { y[n, d] = t[d, id[n]] }", 4, {-4, 6, -1, -2}},
    {"model m(x: f32[N, 4], id: i32[N]) { y[n] = sum(c) where(id[n] == c, x[n, c], 0) }", 2, {-4, 5}},
    {"model m(x: f32[N, 4]) { y[n, i] = x[n, i % 2] where i in 4 }", 8, {-4, 3, -4, 3, 2, -2, 2, -2}},
    {"model m(x: f32[2, 4]) { y[i] = x[i, i] where i in 2 }", 2, {-4, -2}},
};

static bool input_data(void *state, const Node *node, double *data, int64_t count) {
  (void)state;
  for (int64_t k = 0; k < count; k++) data[k] = (double)(node->type == DT_I32 ? 2 * k % 3 : 7 * k % 11 - 4);
  return true;
}

static void run_case(const Case *c) {
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  assert_non_null(arena);
  DiagSink *sink = diag_sink_new(arena);
  Program *program = program_from_text(arena, sink, io_system(), "t.dl", c->text, NULL, 0);
  Lowered *lowered = sink->n_errors ? NULL : program_lower(program, 0, MODE_INFER, LOWER_OUTPUT);
  if (!lowered) {
    Text out = text_new(arena);
    diag_render(sink, false, &out);
    fail_msg("%s", out.bytes);
  }
  const Graph *g = lowered->graph;
  Text why = text_new(arena);
  if (!graph_verify(g, &why)) fail_msg("%s: %s", c->text, why.bytes);
  int64_t batch[] = {BATCH, BATCH, BATCH, BATCH};
  EvalEnv env = {.symbol_values = batch, .source = input_data};
  EvalTensor *values = arena_array(arena, g->n_nodes, sizeof *values);
  const char *problem;
  assert_true(graph_eval(g, &env, arena, values, &problem));
  const EvalTensor *y = &values[g->outputs[0].value];
  assert_int_equal(shape_count(&y->shape, batch), c->n);
  for (int k = 0; k < c->n; k++)
    if (!(fabs(y->data[k] - c->expected[k]) <= 1e-7)) fail_msg("%s: element %d is %.17g", c->text, k, y->data[k]);
  arena_free(arena);
}

static void formulas_mean_what_they_say(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) run_case(&cases[k]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(formulas_mean_what_they_say)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
