// exp, log, tanh, sigmoid, erf and pow as they are compiled, against the C library in double, on a dense sample of all
// 2^32 floats; and bit for bit on other instruction sets and in scalar code.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "codegen.h"
#include "math_function.h"
#include "plan.h"

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

static Function function(Fixture *f, Op op, const char *cpu, int64_t count) {
  Function fn = function_new(f->arena, f->sink, op, cpu, count);
  assert_non_null(fn.compiled);
  return fn;
}

static const float *call(const Function *fn, const float *x, const float *b) {
  memcpy(function_input(fn, 0), x, (size_t)fn->count * sizeof *x);
  if (b && fn->run.step->n_inputs > 1) memcpy(function_input(fn, 1), b, (size_t)fn->count * sizeof *b);
  return function_results(fn);
}

// ---- accuracy -----------------------------------------------------------------------------------------------------

enum { BLOCK = 4096, STRIDE = 509 };  // a prime, so that all low bits occur

typedef double (*Reference)(double x);

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static void check_accuracy(Fixture *f, Op op, Reference reference, double allowed) {
  Function fn = function(f, op, "native", BLOCK);
  double worst = 0;
  float worst_at = 0, x[BLOCK];
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32;) {
    for (int k = 0; k < BLOCK; k++, bits += STRIDE)
      x[k] = float_of_bits((uint32_t)(bits < (uint64_t)1 << 32 ? bits : 0));
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
  Function fn = function(*state, OP_pow, "native", BLOCK);
  double worst = 0;
  float a[BLOCK] = {0}, b[BLOCK] = {0};
  for (uint32_t round = 0; round < 500; round++) {
    for (uint32_t k = 0; k < BLOCK; k++) {
      uint32_t n = round * BLOCK + k;
      a[k] = round ? float_of_bits(n * 2654435761u) : special[k / N % N];
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
    Function fn = function(*state, rows[k].op, "native", 1);
    float y = *call(&fn, &rows[k].x, NULL), want = rows[k].y;
    function_free(&fn);
    bool same = (isnan(y) && isnan(want)) || (y == want && !signbit(y) == !signbit(want));
    if (!same) fail_msg("%s(%a) = %a, not %a", op_info(rows[k].op)->name, (double)rows[k].x, (double)y, (double)want);
  }
}

// ---- bits ---------------------------------------------------------------------------------------------------------

static void check_same(const Function *a, const Function *b, int64_t step, const char *name) {
  float x[BLOCK], y[BLOCK];
  for (uint32_t k = 0; k < BLOCK; k++) x[k] = y[k] = float_of_bits(k * 1048583u);
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
    Function native = function(*state, ops[k], "native", BLOCK), scalar = function(*state, ops[k], "native", 1);
    check_same(&native, &scalar, 1, op_info(ops[k])->name);
    for (int level = 2; level <= 3; level++) {
      Function other = function(*state, ops[k], level == 2 ? "x86-64-v2" : "x86-64-v3", BLOCK);
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
