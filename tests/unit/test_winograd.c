// Convolutions summed in transformed tiles, and both their gradients: against the evaluator in double over shapes that
// fill their tiles and shapes that do not, with every buffer between guard pages; and bit for bit against themselves on
// other instruction sets, at other batches than the plan's, cut into other pieces, not fused.
#include <math.h>

#include "plan_fixture.h"
#include "random.h"
#include "run_step.h"
#include "winograd.h"

typedef struct Shape3 {
  int height, width, channels, outputs, batch, filter;
  double error[3];  // forward, of the input's gradient, of the weights': root mean square, 1e-7 of that of the values
} Shape3;

// A convolution of the same size, the gradient of its input (the filter turned) and of its weights (over images in
// chunks).
static const char *program(Arena *arena, const Shape3 *s) {
  int h = s->height, w = s->width, c = s->channels, o = s->outputs, f = s->filter, p = f / 2;
  return arena_printf(arena,
                      "graph g (N) {\n"
                      "  %%0 = input \"x\" : f32[N,%d,%d,%d]\n"
                      "  %%1 = input \"w\" : f32[%d,%d,%d,%d]\n"
                      "  %%2 = input \"dy\" : f32[N,%d,%d,%d]\n"
                      "  %%3 = index sum [n:N, i:%d, j:%d, o:%d | r:%d, s:%d, c:%d] "
                      "{ mul(%%0[n, i + r - %d, j + s - %d, c], %%1[r, s, c, o]) } : f32[N,%d,%d,%d]\n"
                      "  %%4 = index sum [n:N, i:%d, j:%d, c:%d | r:%d, s:%d, o:%d] "
                      "{ mul(%%2[n, i - r + %d, j - s + %d, o], %%1[r, s, c, o]) } : f32[N,%d,%d,%d]\n"
                      "  %%5 = index sum [r:%d, s:%d, c:%d, o:%d | n:N, i:%d, j:%d] "
                      "{ mul(%%0[n, i + r - %d, j + s - %d, c], %%2[n, i, j, o]) } : f32[%d,%d,%d,%d]\n"
                      "  return result \"y\" = %%3\n  return result \"dx\" = %%4\n  return result \"dw\" = %%5\n}\n",
                      h, w, c, f, f, c, o, h, w, o, h, w, o, f, f, c, p, p, h, w, o, h, w, c, f, f, o, p, p, h, w, c, f,
                      f, c, o, h, w, p, p, f, f, c, o);
}

static double value(uint64_t input, uint64_t k) { return (double)random_uniform(7, input, k) - 0.4; }

typedef struct Run {
  Plan *plan;
  Compiled *compiled;
  StepRun step;
} Run;

typedef struct Variant {
  int capacity;  // of the batch; 0: the shape's
  CodegenOptions how;
  PlanOptions plan;
  int parts;
} Variant;

static Run run_of(Fixture *f, const Shape3 *s, const Variant *v) {
  Run r = {0};
  const Graph *g = fixture_prepare(f, fixture_parse(f, program(f->arena, s)));
  int marked = 0;
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++)
    if (graph_node(g, id)->op == OP_index) marked += graph_node(g, id)->index->order.winograd == 7 - s->filter;
  assert_int_equal(marked, 3);
  r.plan = fixture_plan(f, g, v->capacity ? v->capacity : s->batch, &v->plan);
  r.compiled = codegen_jit(f->arena, f->sink, r.plan, &v->how);
  if (!r.compiled) fail_msg("%s", fixture_errors(f));
  const int64_t symbols[DLC_MAX_SYMBOLS] = {s->batch, 1, 1, 1};
  r.step = step_run_new(codegen_step(r.compiled), symbols, 0, 0);
  for (int k = 0; k < 3; k++) {
    float *data = (float *)r.step.inputs[k].base;
    int64_t count = step_tensor_count(&r.step.step->inputs[k], symbols);
    for (int64_t e = 0; e < count; e++) data[e] = (float)value((uint64_t)k, (uint64_t)e);
  }
  step_execute(&r.step, v->parts);
  return r;
}

static void run_free(Run *r) {
  step_run_free(&r->step);
  codegen_free(r->compiled);
}

static const float *output_of(const Run *r, int k) {
  return (float *)step_address(&r->step, r->step.step->outputs[k].at);
}

static int64_t output_count(const Run *r, int k) {
  return step_tensor_count(&r->step.step->outputs[k], r->step.rt.symbol);
}

static bool fill_source(void *state, const Node *node, double *data, int64_t count) {
  (void)state;
  uint64_t input = !strcmp(node->name, "x") ? 0 : !strcmp(node->name, "w") ? 1 : 2;
  for (int64_t e = 0; e < count; e++) data[e] = (double)(float)value(input, (uint64_t)e);
  return true;
}

// Root mean square error over the root mean square value.
static double relative_error(const float *got, const double *want, int64_t count) {
  double error = 0, size = 0;
  for (int64_t k = 0; k < count; k++) {
    error += ((double)got[k] - want[k]) * ((double)got[k] - want[k]);
    size += want[k] * want[k];
  }
  return sqrt(error / size);
}

// The errors are those of docs/performance.md; `test_winograd --table` prints its rows.
static const Shape3 shapes[] = {{8, 8, 16, 16, 2, 3, {7.53, 6.69, 6.45}},    {4, 4, 16, 24, 3, 3, {7.70, 6.43, 7.78}},
                                {13, 13, 16, 32, 3, 3, {6.22, 5.77, 5.49}},  {14, 9, 24, 40, 5, 3, {6.01, 6.04, 5.60}},
                                {7, 7, 32, 32, 9, 3, {5.43, 5.44, 4.62}},    {3, 3, 17, 19, 3, 3, {3.18, 3.65, 3.19}},
                                {12, 12, 48, 16, 17, 3, {6.54, 6.64, 3.81}}, {6, 10, 64, 64, 1, 3, {5.89, 5.54, 6.27}},
                                {16, 16, 64, 32, 1, 3, {6.85, 6.45, 5.87}},  {5, 6, 130, 96, 11, 3, {6.46, 6.06, 6.08}},
                                {28, 28, 16, 16, 2, 3, {6.65, 6.26, 5.45}},  {8, 8, 8, 16, 3, 3, {8.03, 7.06, 6.64}},
                                {12, 12, 12, 12, 2, 3, {7.49, 6.42, 5.62}},  {9, 7, 15, 9, 5, 3, {6.58, 5.26, 5.30}},
                                {7, 7, 256, 256, 1, 3, {6.00, 5.99, 5.28}},  {8, 8, 16, 16, 2, 5, {6.01, 5.03, 8.26}},
                                {7, 5, 24, 40, 9, 5, {5.76, 5.47, 10.38}},   {13, 13, 32, 16, 1, 5, {4.95, 5.23, 9.46}},
                                {27, 27, 16, 32, 2, 5, {5.30, 4.90, 10.04}}, {6, 6, 96, 256, 1, 5, {6.76, 7.60, 8.04}}};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static void measure_errors(Fixture *f, const Shape3 *shape, double *error) {
  static const Variant plain = {.how = {.cpu = "native", .threads = 1}, .parts = 1};
  Run r = run_of(f, shape, &plain);
  const int64_t symbols[IR_MAX_SYMBOLS] = {shape->batch};
  EvalEnv env = {.symbol_values = symbols, .source = fill_source};
  EvalTensor *values = arena_array(f->arena, r.plan->graph->n_nodes, sizeof *values);
  const char *why;
  assert_true(graph_eval(r.plan->graph, &env, f->arena, values, &why));
  for (int o = 0; o < 3; o++)
    error[o] = relative_error(output_of(&r, o), values[r.plan->graph->outputs[o].value].data, output_count(&r, o));
  run_free(&r);
}

// Bits are the same everywhere, so errors are.
static void errors_are_as_stated(void **state) {
  for (int s = 0; s < N_SHAPES; s++) {
    double error[3];
    measure_errors(*state, &shapes[s], error);
    for (int o = 0; o < 3; o++) {
      double stated = 1e-7 * shapes[s].error[o];
      if (!(error[o] < 1.01 * stated && error[o] > 0.9 * stated))
        fail_msg("shape %d, output %d: relative error %.3g, stated %.3g", s, o, error[o], stated);
    }
  }
}

// The rows of the documentation's table.
static void print_table(void) {
  void *state;
  fixture_setup(&state);
  for (int k = 0; k < N_SHAPES; k++) {
    const Shape3 *s = &shapes[k];
    double e[3];
    measure_errors(state, s, e);
    printf("| %dx%d, %dx%d, %d to %d, %d | %.2f | %.2f | %.2f |\n", s->filter, s->filter, s->height, s->width,
           s->channels, s->outputs, s->batch, 1e7 * e[0], 1e7 * e[1], 1e7 * e[2]);
  }
  fixture_teardown(&state);
}

static const Variant variants[] = {
    {.how = {.cpu = "native", .threads = 2}, .parts = 3},
    {.capacity = 64, .how = {.cpu = "native", .threads = 1}, .parts = 2},
    {.capacity = 24, .how = {.cpu = "x86-64-v3", .threads = 1}, .plan = {.no_fuse = true}, .parts = 1},
    {.how = {.cpu = "x86-64-v2", .threads = 1, .no_contract = true}, .parts = 1},
};

static void bits_depend_on_nothing_else(void **state) {
  Fixture *f = *state;
  static const Variant plain = {.how = {.cpu = "native", .threads = 1}, .parts = 1};
  for (int s = 0; s < N_SHAPES; s++) {
    Run reference = run_of(f, &shapes[s], &plain);
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
      if (v == 3 && shapes[s].channels > 32) continue;  // fused multiply-adds are calls there: slow
      Run r = run_of(f, &shapes[s], &variants[v]);
      for (int o = 0; o < 3; o++) {
        size_t bytes = (size_t)output_count(&r, o) * sizeof(float);
        if (memcmp(output_of(&r, o), output_of(&reference, o), bytes))
          fail_msg("shape %d, variant %d: output %d has other bits", s, (int)v, o);
      }
      run_free(&r);
    }
    run_free(&reference);
  }
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "--table")) {
    print_table();
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(errors_are_as_stated, fixture_setup, fixture_teardown),
      cmocka_unit_test_setup_teardown(bits_depend_on_nothing_else, fixture_setup, fixture_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
