// Every case of op_cases.h compiled and run: against the evaluator in double, and bit for bit against itself on other
// instruction sets, at other batches, with other fusion.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "codegen.h"
#include "op_cases.h"
#include "passes.h"
#include "plan.h"
#include "run_step.h"

typedef struct Build {
  Arena *arena;
  Guard guard;
  DiagSink *sink;
  const Graph *graph;
  Plan *plan;
  Compiled *compiled;
} Build;

static void fail_with(const Build *b, const char *name) {
  Text out = text_new(b->arena);
  diag_render(b->sink, false, &out);
  fail_msg("%s: %s", name, out.bytes);
}

// The graph as it is compiled; with `gradients`, of a loss with respect to every f32 input.
static const Graph *prepare(Build *b, const OpCase *c, bool gradients) {
  const char **names = arena_array(b->arena, c->graph->n_nodes, sizeof *names);
  PassContext ctx = {.arena = b->arena, .sink = b->sink, .verify = true, .grad_inputs = names};
  for (size_t k = 0; k < c->graph->n_nodes && gradients; k++) {
    const Node *node = &c->graph->nodes[k];
    if (node->op == OP_input && node->type == DT_F32) names[ctx.n_grad_inputs++] = node->name;
  }
  const Graph *g = gradients ? op_case_with_loss(c) : c->graph;
  const char *rows = gradients ? "autodiff,tidy,halo,layout,order,outputs" : "halo,layout,order,outputs";
  g = passes_run(&ctx, g, gradients ? PASS_TRAIN : PASS_INFER, rows, NULL);
  if (!g) fail_with(b, c->name);
  return g;
}

static void build(Build *b, const OpCase *c, bool gradients, const PlanOptions *options, const CodegenOptions *how) {
  *b = (Build){0};
  b->arena = arena_new(allocator_system(), &b->guard);
  assert_non_null(b->arena);
  b->sink = diag_sink_new(b->arena);
  b->graph = prepare(b, c, gradients);
  static const TensorTable none;
  b->plan = plan_make(b->arena, b->sink, b->graph, &none, &none, op_case_symbols(), options);
  if (!b->plan) fail_with(b, c->name);
  b->compiled = codegen_jit(b->arena, b->sink, b->plan, how);
  if (!b->compiled) fail_with(b, c->name);
}

static void unbuild(Build *b) {
  codegen_free(b->compiled);
  arena_free(b->arena);
}

static StepRun execute(const Build *b, const OpCase *c, OpFill fill, int parts) {
  const DlcStep *step = codegen_step(b->compiled);
  StepRun run = step_run_new(step, op_case_symbols(), 0, 0);
  for (NodeId id = 0; (size_t)id < b->graph->n_nodes; id++) {
    const Node *node = graph_node(b->graph, id);
    if (node->op != OP_input) continue;
    int64_t count = shape_count(&node->shape, op_case_symbols());
    void *data = run.inputs[b->plan->place[id].input].base;
    for (int64_t k = 0; k < count; k++) step_put(node->type, data, k, op_case_value(c, node, fill, (uint64_t)k));
  }
  step_execute(&run, parts);
  return run;
}

// ---- against the evaluator ------------------------------------------------------------------------------------------

static double ulp(double x) {
  int exponent;
  frexp(x, &exponent);
  return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

// Functions are right to 2 ulp, whatever else a case says.
static bool uses_functions(const Graph *g) {
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    Op op = graph_node(g, id)->op;
    if (op == OP_exp || op == OP_log || op == OP_tanh || op == OP_sigmoid || op == OP_erf || op == OP_pow) return true;
  }
  return false;
}

// `loose`: what sums may be off, relative to 1 and to the value.
static bool agrees(const OpCase *c, DType type, double got, double want, double loose) {
  if (type != DT_F32) return got == want;
  float rounded = (float)want;
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
  if (got == (double)rounded) return true;
  if (c->exact && !uses_functions(c->graph)) return false;
  if (isinf(rounded) || isinf(got)) return fabs(got) >= 3.4028e38 && fabs(want) >= 3.4028e38;
  double allowed = c->special ? 2 * ulp(want) : loose * (1 + fabs(want));
  return fabs(got - want) <= allowed;
}

// The number of elements that are wrong; the first of each output is printed.
static int compare(const Build *b, const OpCase *c, const StepRun *run, OpFill fill, double loose) {
  const EvalTensor *values = op_case_eval(c, b->graph, fill, b->arena);
  int wrong = 0;
  for (int o = 0; o < run->step->n_outputs; o++) {
    const DlcTensor *t = &run->step->outputs[o];
    const EvalTensor *want = &values[b->graph->outputs[o].value];
    const void *got = step_address(run, t->at);
    int before = wrong;
    for (int64_t k = 0; k < step_tensor_count(t, op_case_symbols()); k++) {
      double value = step_get((DType)t->type, got, k);
      if (agrees(c, (DType)t->type, value, want->data[k], loose) || wrong++ > before) continue;
      print_error("%s (fill %d), output %s, element %lld: %.9g, not %.9g\n", c->name, (int)fill, t->name, (long long)k,
                  value, want->data[k]);
    }
  }
  return wrong;
}

static const CodegenOptions native = {.cpu = "native", .threads = 1, .no_contract = true};

static void check_values(void *state, const OpCase *c) {
  int *wrong = state;
  if (getenv("DLC_CASE") && strcmp(getenv("DLC_CASE"), c->name)) return;
  if (getenv("DLC_VERBOSE")) fprintf(stderr, "%s\n", c->name);
  static const PlanOptions options;
  Build b;
  build(&b, c, false, &options, &native);
  for (int fill = FILL_PLAIN; fill <= (c->special ? FILL_SPECIAL : FILL_PLAIN); fill += FILL_SPECIAL) {
    StepRun run = execute(&b, c, (OpFill)fill, 1);
    *wrong += compare(&b, c, &run, (OpFill)fill, 1e-5);
    step_run_free(&run);
  }
  unbuild(&b);
}

static void test_values(void **state) {
  (void)state;
  int wrong = 0;
  assert_true(op_cases_each(OP_CASES_ALL, check_values, &wrong) > 50);
  assert_int_equal(wrong, 0);
}

// ---- gradients ------------------------------------------------------------------------------------------------------

// Which of two nearly equal computed values is the largest, doubles and floats may answer differently.
static bool compares_sums(const Graph *g) {
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const IndexDef *def = graph_node(g, id)->index;
    if (def && (def->combine == COMBINE_MAX || def->combine == COMBINE_MIN) && def->n_body > 2) return true;
  }
  return false;
}

static void check_gradients(void *state, const OpCase *c) {
  int *wrong = state;
  if (!c->smooth || compares_sums(c->graph)) return;
  static const PlanOptions options;
  static const CodegenOptions how = {.cpu = "native", .threads = 1};
  Build b;
  build(&b, c, true, &options, &how);
  StepRun run = execute(&b, c, FILL_SMOOTH, 2);
  OpCase as_sums = *c;  // a gradient adds up
  as_sums.exact = as_sums.special = false;
  *wrong += compare(&b, &as_sums, &run, FILL_SMOOTH, 1e-4);
  step_run_free(&run);
  unbuild(&b);
}

static void test_gradients(void **state) {
  (void)state;
  int wrong = 0;
  op_cases_each(OP_CASES_ALL, check_gradients, &wrong);
  assert_int_equal(wrong, 0);
}

// ---- bit for bit ----------------------------------------------------------------------------------------------------

static void compare_bits(const OpCase *c, const StepRun *a, const StepRun *b, const char *what) {
  assert_int_equal(a->step->n_outputs, b->step->n_outputs);
  for (int o = 0; o < a->step->n_outputs; o++) {
    const DlcTensor *t = &a->step->outputs[o];
    const void *x = step_address(a, t->at), *y = step_address(b, b->step->outputs[o].at);
    for (int64_t k = 0; k < step_tensor_count(t, op_case_symbols()); k++) {
      double p = step_get((DType)t->type, x, k), q = step_get((DType)t->type, y, k);
      bool same = (isnan(p) && isnan(q)) || (p == q && !signbit(p) == !signbit(q));
      if (!same) fail_msg("%s, %s: element %lld of %s is %.9g, not %.9g", c->name, what, (long long)k, t->name, q, p);
    }
  }
}

typedef struct Variant {
  const char *name;
  CodegenOptions how;
  PlanOptions plan;
  int parts;
} Variant;

static const Variant variants[] = {
    {"native, in three parts, not fused", {.cpu = "native", .threads = 2, .no_contract = true}, {.no_fuse = true}, 3},
    {"x86-64-v3", {.cpu = "x86-64-v3", .threads = 1, .no_contract = true}, {.no_reuse = true}, 1},
    {"native, with the micro-kernel", {.cpu = "native", .threads = 1}, {0}, 2},
    {"x86-64-v3, with the micro-kernel", {.cpu = "x86-64-v3", .threads = 1}, {.no_fuse = true}, 1},
    {"x86-64-v2", {.cpu = "x86-64-v2", .threads = 1, .no_contract = true}, {0}, 2},
};

static void check_variant(const OpCase *c, const Variant *v, const StepRun *reference, OpFill fill) {
  Build b;
  build(&b, c, false, &v->plan, &v->how);
  StepRun run = execute(&b, c, fill, v->parts);
  compare_bits(c, reference, &run, v->name);
  step_run_free(&run);
  unbuild(&b);
}

static void check_bits(void *state, const OpCase *c) {
  (void)state;
  if (getenv("DLC_CASE") && strcmp(getenv("DLC_CASE"), c->name)) return;
  if (getenv("DLC_VERBOSE")) fprintf(stderr, "%s\n", c->name);
  static const PlanOptions options;
  Build b;
  build(&b, c, false, &options, &native);
  OpFill fill = c->special ? FILL_SPECIAL : FILL_PLAIN;
  StepRun run = execute(&b, c, fill, 1);
  for (size_t k = 0; k < sizeof variants / sizeof *variants; k++) check_variant(c, &variants[k], &run, fill);
  step_run_free(&run);
  unbuild(&b);
}

static void test_bits(void **state) {
  (void)state;
  op_cases_each(OP_CASES_ALL, check_bits, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_gradients),
                                     cmocka_unit_test(test_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
