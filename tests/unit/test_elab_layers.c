// What the standard library's layers compute: lowered, evaluated in double, compared with plain loops and known values.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "program.h"

// ---- running a program ---------------------------------------------------------------------------------------------

typedef struct Given {  // what an input, a parameter or a state holds; repeated where the tensor is longer
  const char *name;
  const double *data;
  int64_t count;
} Given;

typedef struct Run {
  Guard guard;
  Arena *arena;
  const Given *given;  // ends with a NULL name
  Graph *graph;
  EvalTensor *values;
} Run;

static bool give(void *state, const Node *node, double *data, int64_t count) {
  const Run *run = state;
  for (const Given *g = run->given; g->name; g++) {
    if (strcmp(g->name, node->name)) continue;
    for (int64_t k = 0; k < count; k++) data[k] = g->data[k % g->count];
    return true;
  }
  return false;
}

// Lowers `text`'s model and evaluates it for a batch of `batch`.
static void run_program(Run *run, const char *text, Mode mode, int64_t batch, const Given *given) {
  run->arena = arena_new(allocator_system(), &run->guard);
  run->given = given;
  DiagSink *sink = diag_sink_new(run->arena);
  Program *program = program_from_text(run->arena, sink, io_system(), "test.dl", text, NULL, 0);
  LowerWhat what = mode == MODE_TRAIN ? LOWER_BENCH : LOWER_OUTPUT;
  Lowered *lowered = sink->n_errors ? NULL : program_lower(program, 0, mode, what);
  if (!lowered) {
    Text out = text_new(run->arena);
    diag_render(sink, false, &out);
    fail_msg("%s", out.bytes);
  }
  int64_t symbols[IR_MAX_SYMBOLS] = {batch};
  EvalEnv env = {.symbol_values = symbols, .source = give, .state = run};
  const char *why = "";
  run->graph = lowered->graph;
  run->values = arena_array(run->arena, run->graph->n_nodes, sizeof *run->values);
  if (!graph_eval(run->graph, &env, run->arena, run->values, &why)) fail_msg("%s", why);
}

static const EvalTensor *output(const Run *run, OutputKind kind, int nth) {
  for (size_t k = 0; k < run->graph->n_outputs; k++)
    if (run->graph->outputs[k].kind == kind && nth-- == 0) return &run->values[run->graph->outputs[k].value];
  fail_msg("no such output");
  return NULL;
}

static void assert_near(double is, double want) {
  if (fabs(is - want) > 1e-6 * (1 + fabs(want))) fail_msg("%.9g is not %.9g", is, want);
}

static void assert_values(const EvalTensor *t, const double *want, int64_t count) {
  assert_int_equal(shape_count(&t->shape, NULL), count);
  for (int64_t k = 0; k < count; k++) assert_near(t->data[k], want[k]);
}

// The one result of a one-line model.
static void check(const char *text, int64_t batch, const Given *given, const double *want, int64_t count) {
  Run run;
  run_program(&run, text, MODE_INFER, batch, given);
  assert_values(output(&run, OUT_RESULT, 0), want, count);
  arena_free(run.arena);
}

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))
#define CHECK(text, batch, given, ...) \
  check(text, batch, given, (const double[]){__VA_ARGS__}, COUNT(((const double[]){__VA_ARGS__})))

// ---- convolutions and pools against plain loops --------------------------------------------------------------------

typedef struct Window {
  int n, h, w, c, o, kh, kw, sh, sw, top, bottom, left, right, dh, dw, groups;
} Window;

static double noise(int64_t k) { return (double)((k * 7919 + 13) % 101) / 50 - 1; }

static double *noise_array(int64_t count, int64_t seed) {
  double *data = calloc((size_t)count, sizeof *data);
  for (int64_t k = 0; k < count; k++) data[k] = noise(k + seed);
  return data;
}

// y[n, i, j, o] += x[n, i*s + r*d - p, .., group(o)*C/G + c] * w[r, s, c, o]
static double conv_at(const Window *v, const double *x, const double *w, int n, int i, int j, int o) {
  int per_group = v->c / v->groups, group = o / (v->o / v->groups);
  double sum = 0;
  for (int r = 0; r < v->kh; r++)
    for (int s = 0; s < v->kw; s++)
      for (int c = 0; c < per_group; c++) {
        int a = i * v->sh + r * v->dh - v->top, b = j * v->sw + s * v->dw - v->left;
        if (a < 0 || b < 0 || a >= v->h || b >= v->w) continue;
        sum += x[((n * v->h + a) * v->w + b) * v->c + group * per_group + c] *
               w[((r * v->kw + s) * per_group + c) * v->o + o];
      }
  return sum;
}

static void check_conv(const Window *v, const char *text) {
  int oh = (v->h + v->top + v->bottom - v->dh * (v->kh - 1) - 1) / v->sh + 1;
  int ow = (v->w + v->left + v->right - v->dw * (v->kw - 1) - 1) / v->sw + 1;
  int64_t nx = (int64_t)v->n * v->h * v->w * v->c, nw = (int64_t)v->kh * v->kw * (v->c / v->groups) * v->o;
  double *x = noise_array(nx, 1), *w = noise_array(nw, 50), *bias = noise_array(v->o, 9);
  const Given given[] = {{"x", x, nx}, {"m.conv2d_1.w", w, nw}, {"m.conv2d_1.b", bias, v->o}, {0}};
  Run run;
  run_program(&run, text, MODE_INFER, v->n, given);
  const EvalTensor *y = output(&run, OUT_RESULT, 0);
  assert_int_equal(shape_count(&y->shape, NULL), (int64_t)v->n * oh * ow * v->o);
  int64_t at = 0;
  for (int n = 0; n < v->n; n++)
    for (int i = 0; i < oh; i++)
      for (int j = 0; j < ow; j++)
        for (int o = 0; o < v->o; o++) assert_near(y->data[at++], conv_at(v, x, w, n, i, j, o) + bias[o]);
  arena_free(run.arena);
  free(x);
  free(w);
  free(bias);
}

static void convolutions(void **state) {
  (void)state;
  check_conv(&(Window){2, 7, 6, 3, 4, 3, 2, 1, 1, 0, 0, 0, 0, 1, 1, 1},
             "model m(x: f32[N, 7, 6, 3]) { x |> conv2d(4, [3, 2]) }");
  check_conv(&(Window){1, 9, 8, 2, 3, 3, 3, 2, 3, 1, 1, 2, 2, 1, 1, 1},
             "model m(x: f32[N, 9, 8, 2]) { x |> conv2d(3, 3, stride = [2, 3], pad = [1, 2]) }");
  check_conv(&(Window){1, 9, 9, 4, 6, 3, 3, 1, 1, 2, 1, 0, 3, 2, 1, 2},
             "model m(x: f32[N, 9, 9, 4]) { x |> conv2d(6, 3, pad = [2, 1, 0, 3], dilation = [2, 1], groups = 2) }");
  check_conv(&(Window){1, 5, 5, 3, 3, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 3},
             "model m(x: f32[N, 5, 5, 3]) { x |> conv2d(3, 3, stride = 2, pad = same, groups = 3) }");
  check_conv(&(Window){1, 8, 8, 1, 2, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1},
             "model m(x: f32[N, 8, 8, 1]) { x |> conv2d(2, 3, stride = 2, pad = 1, round = floor) }");
  check_conv(&(Window){1, 6, 6, 1, 1, 4, 4, 3, 3, 0, 1, 0, 1, 1, 1, 1},
             "model m(x: f32[N, 6, 6, 1]) { x |> conv2d(1, 4, stride = 3, pad = same) }");
}

static void pools(void **state) {
  (void)state;
  const double x[] = {1, 2, 3, 4, -5, -6, -7, -8, 9, 1, 2, 3};  // 3 x 4
  const Given given[] = {{"x", x, 12}, {0}};
  CHECK("model m(x: f32[N, 3, 4, 1]) { x |> max_pool([3, 2]) }", 1, given, 9, 4);
  CHECK("model m(x: f32[N, 3, 4, 1]) { x |> max_pool(2, stride = 1) }", 1, given, 2, 3, 4, 9, 2, 3);
  CHECK("model m(x: f32[N, 3, 4, 1]) { x |> max_pool(2, round = ceil) }", 1, given, 2, 4, 9, 3);
  CHECK("model m(x: f32[N, 3, 4, 1]) { x |> max_pool(2, pad = [1, 0, 0, 0]) }", 1, given, 2, 4, 9, 3);
  CHECK("model m(x: f32[N, 3, 4, 1]) { x |> avg_pool([1, 2]) }", 1, given, 1.5, 3.5, -5.5, -7.5, 5, 2.5);
  CHECK("model m(x: f32[N, 3, 4, 1]) { x |> avg_pool(2, pad = [1, 0, 0, 0]) }", 1, given, .75, 1.75, -.25, -2.5);
  CHECK("model m(x: f32[N, 3, 4, 1]) { x |> global_avg_pool }", 1, given, -1.0 / 12);
  CHECK("model m(x: f32[N, 3, 4, 1]) { x |> global_max_pool }", 1, given, 9);
}

// A maximum with padding never sees the padding's zeros.
static void max_pool_leaves_the_padding_out(void **state) {
  (void)state;
  const double x[] = {-3, -4, -5, -6};
  const Given given[] = {{"x", x, 4}, {0}};
  CHECK("model m(x: f32[N, 2, 2, 1]) { x |> max_pool(2, pad = 1) }", 1, given, -3, -4, -5, -6);
}

// ---- norms ---------------------------------------------------------------------------------------------------------

static void batch_norm_trains_and_infers(void **state) {
  (void)state;
  const double x[] = {1, 10, 2, 10, 3, 10, 6, 14};  // [4, 2]; means 3, 11; variances over n 3.5, 3
  const double gamma[] = {2, 1}, beta[] = {0.5, -1}, mean[] = {1, 2}, var[] = {4, 9};
  const Given given[] = {{"x", x, 8},
                         {"m.batch_norm_1.gamma", gamma, 2},
                         {"m.batch_norm_1.beta", beta, 2},
                         {"m.batch_norm_1.mean", mean, 2},
                         {"m.batch_norm_1.var", var, 2},
                         {0}};
  const char *text = "model m(x: f32[N, 2]) { x |> batch_norm(momentum = 0.25, eps = 0.5) }";
  Run run;
  run_program(&run, text, MODE_TRAIN, 4, given);
  const double new_mean[] = {0.75 * 1 + 0.25 * 3, 0.75 * 2 + 0.25 * 11};
  const double new_var[] = {0.75 * 4 + 0.25 * 3.5 * 4 / 3, 0.75 * 9 + 0.25 * 3 * 4 / 3};
  assert_values(output(&run, OUT_STATE, 0), new_mean, 2);
  assert_values(output(&run, OUT_STATE, 1), new_var, 2);
  double loss = 0;
  for (int k = 0; k < 8; k++) {
    double y = (x[k] - (k % 2 ? 11 : 3)) / sqrt((k % 2 ? 3 : 3.5) + 0.5) * gamma[k % 2] + beta[k % 2];
    loss += y * y / 8;
  }
  assert_near(output(&run, OUT_LOSS, 0)->data[0], loss);
  arena_free(run.arena);
  double inferred[8];
  for (int k = 0; k < 8; k++) inferred[k] = (x[k] - mean[k % 2]) / sqrt(var[k % 2] + 0.5) * gamma[k % 2] + beta[k % 2];
  check(text, 4, given, inferred, 8);
}

static void a_batch_of_one_keeps_batch_norm_finite(void **state) {
  (void)state;
  const double one[] = {3}, zero[] = {0};
  const Given given[] = {{"x", one, 1},
                         {"m.batch_norm_1.gamma", one, 1},
                         {"m.batch_norm_1.beta", one, 1},
                         {"m.batch_norm_1.mean", zero, 1},
                         {"m.batch_norm_1.var", one, 1},
                         {0}};
  Run run;
  run_program(&run, "model m(x: f32[N, 1]) { x |> batch_norm(momentum = 0.5) }", MODE_TRAIN, 1, given);
  assert_near(output(&run, OUT_STATE, 0)->data[0], 1.5);
  assert_near(output(&run, OUT_STATE, 1)->data[0], 1.5);
  arena_free(run.arena);
}

static void layer_norm_is_over_the_last_axis(void **state) {
  (void)state;
  const double x[] = {1, 2, 3, 6}, gamma[] = {1, 2, 3, 4}, beta[] = {0};
  const Given given[] = {{"x", x, 4}, {"m.layer_norm_1.gamma", gamma, 4}, {"m.layer_norm_1.beta", beta, 1}, {0}};
  double s = sqrt(3.5 + 1e-5);
  CHECK("model m(x: f32[N, 4]) { x |> layer_norm }", 1, given, -2 / s, -2 / s, 0, 12 / s);
}

// ---- activations ---------------------------------------------------------------------------------------------------

static void activations(void **state) {
  (void)state;
  const double x[] = {-2, 0, 3};
  const Given given[] = {{"x", x, 3}, {0}};
  CHECK("model m(x: f32[N]) { x |> relu }", 3, given, 0, 0, 3);
  CHECK("model m(x: f32[N]) { x |> leaky_relu }", 3, given, -0.02, 0, 3);
  CHECK("model m(x: f32[N]) { x |> elu(alpha = 2) }", 3, given, 2 * (exp(-2) - 1), 0, 3);
  CHECK("model m(x: f32[N]) { x |> sigmoid }", 3, given, 1 / (1 + exp(2)), 0.5, 1 / (1 + exp(-3)));
  CHECK("model m(x: f32[N]) { x |> tanh }", 3, given, tanh(-2), 0, tanh(3));
  CHECK("model m(x: f32[N]) { x |> silu }", 3, given, -2 / (1 + exp(2)), 0, 3 / (1 + exp(-3)));
  CHECK("model m(x: f32[N]) { x |> softplus }", 3, given, log(1 + exp(-2)), log(2), log(1 + exp(3)));
  CHECK("model m(x: f32[N]) { x |> gelu }", 3, given, -1 - erf(-M_SQRT2), 0, 1.5 * (1 + erf(3 * M_SQRT1_2)));
  CHECK("model m(x: f32[N]) { x |> selu }", 3, given, 1.0507009873554805 * 1.6732632423543772 * (exp(-2) - 1), 0,
        3 * 1.0507009873554805);
}

// No value of any size overflows on its way through the stable forms.
static void stable_forms_stay_finite(void **state) {
  (void)state;
  const double x[] = {1e4, -1e4, 0, 1e4};
  const Given given[] = {{"x", x, 4}, {0}};
  CHECK("model m(x: f32[N, 2]) { x |> softmax }", 2, given, 1, 0, 0, 1);
  CHECK("model m(x: f32[N, 2]) { x |> log_softmax }", 2, given, 0, -2e4, -1e4, 0);
  CHECK("model m(x: f32[N]) { x |> softplus }", 4, given, 1e4, 0, log(2), 1e4);
  CHECK("model m(x: f32[N]) { x |> elu }", 4, given, 1e4, -1, 0, 1e4);
}

// ---- losses --------------------------------------------------------------------------------------------------------

static void losses(void **state) {
  (void)state;
  const double s[] = {1, 2, 3, 4, 0, -4}, label[] = {2, 1}, y[] = {0, 2, -1, 1.25}, t[] = {0, 0.5, -1.25, 3.25};
  const Given scores[] = {{"s", s, 6}, {"label", label, 2}, {0}};
  const Given pairs[] = {{"y", y, 4}, {"t", t, 4}, {0}};
  double first = log(exp(-2) + exp(-1) + 1), second = log(exp(4) + 1 + exp(-4));
  CHECK("model m(s: f32[N, 3], label: i32[N]) { cross_entropy(s, label) }", 2, scores, (first + second) / 2);
  CHECK("model m(s: f32[N, 3], label: i32[N]) { nll(log_softmax(s), label) }", 2, scores, (first + second) / 2);
  CHECK("model m(s: f32[N, 3], label: i32[N]) { hinge(s, label) }", 2, scores, (0 + 0 + 5 + 0) / 2.0);
  CHECK("model m(s: f32[N, 3], label: i32[N]) { mean(argmax(s) == label) }", 2, scores, 0.5);
  CHECK("model m(y: f32[N], t: f32[N]) { mse(y, t) }", 4, pairs, (1.5 * 1.5 + 0.25 * 0.25 + 4) / 4);
  CHECK("model m(y: f32[N], t: f32[N]) { mae(y, t) }", 4, pairs, (1.5 + 0.25 + 2) / 4);
  CHECK("model m(y: f32[N], t: f32[N]) { huber(y, t) }", 4, pairs, (1 + 0.03125 + 1.5) / 4);
  CHECK("model m(y: f32[N], t: f32[N]) { smooth_l1(y, t, beta = 0.5) }", 4, pairs, (1.25 + 0.0625 + 1.75) / 4);
  CHECK("model m(y: f32[N], t: f32[N]) { binary_cross_entropy(y, t) }", 4, pairs,
        (log(2) + log(1 + exp(2)) - 1 + log(1 + exp(-1)) - 1.25 + log(1 + exp(1.25)) - 1.25 * 3.25) / 4);
}

static void cross_entropy_takes_a_label_for_every_pixel(void **state) {
  (void)state;
  const double s[] = {0, 0, 1, 0, 0, 1, 0, 0}, label[] = {0, 0, 0, 1};
  const Given given[] = {{"s", s, 8}, {"label", label, 4}, {0}};
  double even = log(2), right = log(1 + exp(-1)), wrong = log(1 + exp(1));
  CHECK("model m(s: f32[N, 2, 2, 2], label: i32[N, 2, 2]) { cross_entropy(s, label) }", 1, given,
        (even + right + wrong + even) / 4);
}

// ---- moving and reducing -------------------------------------------------------------------------------------------

static void moving_elements(void **state) {
  (void)state;
  const double x[] = {1, 2, 3, 4, 5, 6};
  const Given given[] = {{"x", x, 6}, {0}};
  CHECK("model m(x: f32[2, 3]) { transpose(x) }", 2, given, 1, 4, 2, 5, 3, 6);
  CHECK("model m(x: f32[N, 3]) { concat([x, x * 10]) }", 2, given, 1, 2, 3, 10, 20, 30, 4, 5, 6, 40, 50, 60);
  CHECK("model m(x: f32[N, 2]) { a, b = split(x, 2) return b - a }", 3, given, 1, 1, 1);
  CHECK("model m(x: f32[N, 1, 2, 1]) { x |> upsample(2) }", 1, given, 1, 1, 2, 2, 1, 1, 2, 2);
  CHECK("model m(x: f32[N, 1, 1, 4]) { x |> depth_to_space(2) }", 1, given, 1, 2, 3, 4);
  CHECK("model m(x: f32[N, 1, 2, 1]) { x |> pad([0, 1, 1, 0]) }", 1, given, 0, 1, 2, 0, 0, 0);
  CHECK("model m(x: f32[N, 3]) { param w: f32[3, 1] = ones   x @ w }", 2,
        ((const Given[]){{"x", x, 6}, {"m.w", x, 3}, {0}}), 14, 32);
}

static void reductions(void **state) {
  (void)state;
  const double x[] = {1, 2, 3, 4, 4, 6};
  const Given given[] = {{"x", x, 6}, {0}};
  CHECK("model m(x: f32[N, 3]) { sum(x, axis = 0) }", 2, given, 5, 6, 9);
  CHECK("model m(x: f32[N, 3]) { mean(x, axis = 1) }", 2, given, 2, 14.0 / 3);
  CHECK("model m(x: f32[N, 3]) { max(x, axis = -1) - min(x, axis = 1) }", 2, given, 2, 2);
  CHECK("model m(x: f32[N, 3]) { var(x) }", 2, given,
        (49.0 / 9 + 16.0 / 9 + 1.0 / 9 + 4.0 / 9 + 4.0 / 9 + 64.0 / 9) / 6);
  CHECK("model m(x: f32[N, 3]) { prod(x, axis = 1) }", 2, given, 6, 96);
  CHECK("model m(x: f32[N, 3]) { norm(x, axis = 0) }", 2, given, sqrt(17), sqrt(20), sqrt(45));
  CHECK("model m(x: f32[N, 3]) { argmax(x, axis = 0) + argmin(x, axis = 0) }", 2, given, 1, 1, 1);
  CHECK("model m(x: f32[N, 3]) { sum(x) / N }", 2, given, 10);
}

// ---- dropout -------------------------------------------------------------------------------------------------------

static void dropout_keeps_the_mean(void **state) {
  (void)state;
  const double one[] = {1};
  const Given given[] = {{"x", one, 1}, {0}};
  Run run;
  run_program(&run, "model m(x: f32[N]) { x |> dropout(0.75) }", MODE_TRAIN, 4000, given);
  // Each square is 16 with probability 1/4: the loss, their mean, is near 4.
  double loss = output(&run, OUT_LOSS, 0)->data[0];
  assert_true(loss > 3.6 && loss < 4.4);
  arena_free(run.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(convolutions),
      cmocka_unit_test(pools),
      cmocka_unit_test(max_pool_leaves_the_padding_out),
      cmocka_unit_test(batch_norm_trains_and_infers),
      cmocka_unit_test(a_batch_of_one_keeps_batch_norm_finite),
      cmocka_unit_test(layer_norm_is_over_the_last_axis),
      cmocka_unit_test(activations),
      cmocka_unit_test(stable_forms_stay_finite),
      cmocka_unit_test(losses),
      cmocka_unit_test(cross_entropy_takes_a_label_for_every_pixel),
      cmocka_unit_test(moving_elements),
      cmocka_unit_test(reductions),
      cmocka_unit_test(dropout_keeps_the_mean),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
