// exp, log, tanh, sigmoid, erf and pow as they are compiled, against the C library in double, on a dense sample of all
// 2^32 floats; and bit for bit on other instruction sets and in scalar code.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "codegen.h"
#include "plan.h"
#include "run_step.h"

typedef struct Fixture {
  Arena *arena;
  Guard guard;
  DiagSink *sink;
} Fixture;

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->arena = arena_new(allocator_system(), &f->guard);
  f->sink = diag_sink_new(f->arena);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  arena_free(((Fixture *)*state)->arena);
  free(*state);
  return 0;
}

// y = op(x, b) on `count` elements: compiled for the CPU and run. count 1 is scalar code.
static Compiled *compile(Fixture *f, Op op, const char *cpu, int64_t count) {
  Graph *g = graph_new(f->arena, "f");
  Builder b = {.graph = g};
  Shape shape = {1, {dim_const(count)}};
  NodeId in[2] = {build_input(&b, "x", DT_F32, &shape), NODE_NONE};
  if (op_info(op)->arity == 2) in[1] = build_input(&b, "b", DT_F32, &shape);
  graph_output(g, OUT_RESULT, "y", build_pointwise(&b, op, op_info(op)->arity, in));
  static const int64_t symbols[IR_MAX_SYMBOLS] = {1, 1, 1, 1};
  static const TensorTable none;
  static const PlanOptions plain;
  Plan *plan = plan_make(f->arena, f->sink, g, &none, &none, symbols, &plain);
  assert_non_null(plan);
  CodegenOptions how = {.cpu = cpu, .threads = 1};
  Compiled *c = codegen_jit(f->arena, f->sink, plan, &how);
  assert_non_null(c);
  return c;
}

typedef struct Function {
  Compiled *compiled;
  StepRun run;
  int64_t count;
} Function;

static Function function_new(Fixture *f, Op op, const char *cpu, int64_t count) {
  Function fn = {.compiled = compile(f, op, cpu, count), .count = count};
  static const int64_t symbols[DLC_MAX_SYMBOLS] = {1, 1, 1, 1};
  fn.run = step_run_new(codegen_step(fn.compiled), symbols, 0, 0);
  return fn;
}

static void function_free(Function *fn) {
  step_run_free(&fn->run);
  codegen_free(fn->compiled);
}

static const float *call(const Function *fn, const float *x, const float *b) {
  memcpy(fn->run.inputs[0].base, x, (size_t)fn->count * sizeof *x);
  if (b && fn->run.step->n_inputs > 1) memcpy(fn->run.inputs[1].base, b, (size_t)fn->count * sizeof *b);
  step_execute(&fn->run, 1);
  return (const float *)step_address(&fn->run, fn->run.step->outputs[0].at);
}

// ---- accuracy -----------------------------------------------------------------------------------------------------

static double unit(double want) {
  int exponent;
  frexp(want, &exponent);
  return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

// Units in the last place by which got is off; infinite where it is NaN or infinite and the truth is not.
static double ulps(float got, double want) {
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
  if (got == (float)want) return isinf(got) ? 0 : fabs((double)got - want) / unit(want);
  if (isinf(got)) return fabs(want) / 0x1p128 > 1 - 0x1p-23 ? 1 : INFINITY;
  return fabs((double)got - want) / unit(want);
}

static float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

enum { BLOCK = 4096, STRIDE = 509 };  // a prime, so that all low bits occur

typedef double (*Reference)(double x);

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static void check_accuracy(Fixture *f, Op op, Reference reference, double allowed) {
  Function fn = function_new(f, op, "native", BLOCK);
  double worst = 0;
  float worst_at = 0, x[BLOCK];
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32;) {
    for (int k = 0; k < BLOCK; k++, bits += STRIDE) x[k] = from_bits((uint32_t)(bits < (uint64_t)1 << 32 ? bits : 0));
    const float *y = call(&fn, x, NULL);
    for (int k = 0; k < BLOCK; k++) {
      double error = ulps(y[k], reference((double)x[k]));
      if (error > worst) worst = error, worst_at = x[k];
    }
  }
  function_free(&fn);
  print_message("%s: %.3f ulp at %a\n", op_info(op)->name, worst, (double)worst_at);
  assert_true(worst <= allowed);
}

static void test_exp(void **state) { check_accuracy(*state, OP_exp, exp, 1); }
static void test_log(void **state) { check_accuracy(*state, OP_log, log, 1); }
static void test_tanh(void **state) { check_accuracy(*state, OP_tanh, tanh, 2); }
static void test_sigmoid(void **state) { check_accuracy(*state, OP_sigmoid, sigmoid, 2); }
static void test_erf(void **state) { check_accuracy(*state, OP_erf, erf, 2); }

// Every pair of some special numbers, and pairs spread over all floats.
static void test_pow(void **state) {
  static const float special[] = {
      0.0f,          -0.0f,           1,        -1,        2,   -2,        3,          -3,       0.5f,      -0.5f,
      0x1.000002p0f, -0x1.fffffep-1f, INFINITY, -INFINITY, NAN, 0x1p-149f, -0x1p-149f, 0x1p127f, -0x1p127f, 1e10f,
      16777215,      33554432};
  enum { N = sizeof special / sizeof *special };
  Function fn = function_new(*state, OP_pow, "native", BLOCK);
  double worst = 0;
  float a[BLOCK] = {0}, b[BLOCK] = {0};
  for (uint32_t round = 0; round < 500; round++) {
    for (uint32_t k = 0; k < BLOCK; k++) {
      uint32_t n = round * BLOCK + k;
      a[k] = round ? from_bits(n * 2654435761u) : special[k / N % N];
      b[k] = round ? (float)((int32_t)(n * 40503u % 40001u) - 20000) / (float)(1 + n % 977) : special[k % N];
    }
    const float *y = call(&fn, a, b);
    for (int k = 0; k < BLOCK; k++) {
      double want = pow((double)a[k], (double)b[k]), error = ulps(y[k], want);
      bool sign = isnan(want) || !signbit(want) == !signbit(y[k]);
      if (error > 1 || !sign) fail_msg("pow(%a, %a) = %a, not %a", (double)a[k], (double)b[k], (double)y[k], want);
      if (error > worst) worst = error;
    }
  }
  print_message("pow: %.3f ulp\n", worst);
  function_free(&fn);
}

// ---- special values -------------------------------------------------------------------------------------------------

typedef struct Row {
  Op op;
  float x, y;
} Row;

static void test_special(void **state) {
  static const Row rows[] = {
      {OP_exp, 0, 1},
      {OP_exp, -0.0f, 1},
      {OP_exp, INFINITY, INFINITY},
      {OP_exp, -INFINITY, 0},
      {OP_exp, 89, INFINITY},
      {OP_exp, -104, 0},
      {OP_exp, -103, 0x1p-149f},
      {OP_exp, NAN, NAN},
      {OP_log, 0, -INFINITY},
      {OP_log, -0.0f, -INFINITY},
      {OP_log, 1, 0},
      {OP_log, INFINITY, INFINITY},
      {OP_log, -1, NAN},
      {OP_log, -INFINITY, NAN},
      {OP_log, NAN, NAN},
      {OP_tanh, -0.0f, -0.0f},
      {OP_tanh, INFINITY, 1},
      {OP_tanh, -INFINITY, -1},
      {OP_tanh, NAN, NAN},
      {OP_tanh, 0x1p-149f, 0x1p-149f},
      {OP_sigmoid, 0, 0.5f},
      {OP_sigmoid, INFINITY, 1},
      {OP_sigmoid, -INFINITY, 0},
      {OP_sigmoid, NAN, NAN},
      {OP_erf, -0.0f, -0.0f},
      {OP_erf, INFINITY, 1},
      {OP_erf, -INFINITY, -1},
      {OP_erf, NAN, NAN},
  };
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    Function fn = function_new(*state, rows[k].op, "native", 1);
    float y = *call(&fn, &rows[k].x, NULL), want = rows[k].y;
    function_free(&fn);
    bool same = (isnan(y) && isnan(want)) || (y == want && !signbit(y) == !signbit(want));
    if (!same) fail_msg("%s(%a) = %a, not %a", op_info(rows[k].op)->name, (double)rows[k].x, (double)y, (double)want);
  }
}

// ---- bits ---------------------------------------------------------------------------------------------------------

static void check_same(const Function *a, const Function *b, int64_t step, const char *name) {
  float x[BLOCK], y[BLOCK];
  for (uint32_t k = 0; k < BLOCK; k++) x[k] = y[k] = from_bits(k * 1048583u);
  float first[BLOCK];
  memcpy(first, call(a, x, y), sizeof first);
  for (int64_t at = 0; at < BLOCK; at += step) {
    const float *second = call(b, x + at, y + at);
    for (int64_t k = 0; k < step; k++) {
      bool nans = isnan(first[at + k]) && isnan(second[k]);
      if (!nans && memcmp(&first[at + k], &second[k], sizeof *second))
        fail_msg("%s(%a): %a and %a", name, (double)x[at + k], (double)first[at + k], (double)second[k]);
    }
  }
}

static void test_same_bits(void **state) {
  static const Op ops[] = {OP_exp, OP_log, OP_tanh, OP_sigmoid, OP_erf, OP_pow, OP_sqrt, OP_rsqrt};
  for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
    Function native = function_new(*state, ops[k], "native", BLOCK), scalar = function_new(*state, ops[k], "native", 1);
    check_same(&native, &scalar, 1, op_info(ops[k])->name);
    for (int level = 2; level <= 3; level++) {
      Function other = function_new(*state, ops[k], level == 2 ? "x86-64-v2" : "x86-64-v3", BLOCK);
      check_same(&native, &other, BLOCK, op_info(ops[k])->name);
      function_free(&other);
    }
    function_free(&native);
    function_free(&scalar);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_exp, setup, teardown),
      cmocka_unit_test_setup_teardown(test_log, setup, teardown),
      cmocka_unit_test_setup_teardown(test_tanh, setup, teardown),
      cmocka_unit_test_setup_teardown(test_sigmoid, setup, teardown),
      cmocka_unit_test_setup_teardown(test_erf, setup, teardown),
      cmocka_unit_test_setup_teardown(test_pow, setup, teardown),
      cmocka_unit_test_setup_teardown(test_special, setup, teardown),
      cmocka_unit_test_setup_teardown(test_same_bits, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
