// The evaluator, the oracle of all other op checks, against references that are written out here: a table of values for
// each pointwise row, plain loops for the general node, and every case of op_cases.h through verifier and evaluator.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "op_cases.h"

typedef struct Fixture {
  Guard guard;
  Arena *arena;
} Fixture;

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  if (setjmp(f->guard.jump)) return -1;
  f->arena = arena_new(allocator_system(), &f->guard);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  arena_free(((Fixture *)*state)->arena);
  free(*state);
  return 0;
}

static bool same(double a, double b) { return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b)); }
static bool near(double a, double b) { return same(a, b) || fabs(a - b) <= 1e-12 * (1 + fabs(b)); }

// ---- pointwise rows -----------------------------------------------------------------------------------------------

#define INF INFINITY
enum { F = DT_F32, I = DT_I32, B = DT_BOOL, U = DT_U8 };

typedef struct Row {
  Op op;
  int type;
  double in[3], out;
} Row;

static const Row rows[] = {{OP_neg, F, {0}, -0.0},
                           {OP_neg, F, {-INF}, INF},
                           {OP_neg, I, {5}, -5},
                           {OP_neg, I, {INT32_MIN}, INT32_MIN},
                           {OP_abs, F, {-0.0}, 0},
                           {OP_abs, F, {NAN}, NAN},
                           {OP_abs, I, {-7}, 7},
                           {OP_abs, I, {INT32_MIN}, INT32_MIN},
                           {OP_sign, F, {-0.0}, 0},
                           {OP_sign, F, {NAN}, NAN},
                           {OP_sign, F, {-1e-45}, -1},
                           {OP_sign, F, {INF}, 1},
                           {OP_sign, I, {-3}, -1},
                           {OP_floor, F, {-0.5}, -1},
                           {OP_floor, F, {2.5}, 2},
                           {OP_floor, F, {-INF}, -INF},
                           {OP_floor, F, {-3}, -3},
                           {OP_exp, F, {0}, 1},
                           {OP_exp, F, {1}, 2.718281828459045},
                           {OP_exp, F, {-INF}, 0},
                           {OP_exp, F, {INF}, INF},
                           {OP_log, F, {1}, 0},
                           {OP_log, F, {0}, -INF},
                           {OP_log, F, {-0.0}, -INF},
                           {OP_log, F, {-1}, NAN},
                           {OP_log, F, {INF}, INF},
                           {OP_sqrt, F, {2.25}, 1.5},
                           {OP_sqrt, F, {-0.0}, -0.0},
                           {OP_sqrt, F, {-1}, NAN},
                           {OP_sqrt, F, {INF}, INF},
                           {OP_rsqrt, F, {4}, 0.5},
                           {OP_rsqrt, F, {0}, INF},
                           {OP_rsqrt, F, {INF}, 0},
                           {OP_rsqrt, F, {-4}, NAN},
                           {OP_tanh, F, {0.5}, 0.46211715726000975},
                           {OP_tanh, F, {-INF}, -1},
                           {OP_tanh, F, {-0.0}, -0.0},
                           {OP_sigmoid, F, {0}, 0.5},
                           {OP_sigmoid, F, {-INF}, 0},
                           {OP_sigmoid, F, {INF}, 1},
                           {OP_sigmoid, F, {2}, 0.8807970779778823},
                           {OP_erf, F, {1}, 0.8427007929497149},
                           {OP_erf, F, {-INF}, -1},
                           {OP_erf, F, {0}, 0},
                           {OP_detach, F, {-1.5}, -1.5},
                           {OP_detach, I, {-3}, -3},
                           {OP_add, F, {1, 0x1p-30}, 1 + 0x1p-30},
                           {OP_add, F, {INF, -INF}, NAN},
                           {OP_add, I, {INT32_MAX, 1}, INT32_MIN},
                           {OP_add, I, {-2, 5}, 3},
                           {OP_sub, F, {1, 3}, -2},
                           {OP_sub, I, {INT32_MIN, 1}, INT32_MAX},
                           {OP_sub, I, {4, 9}, -5},
                           {OP_mul, F, {-2, 0}, -0.0},
                           {OP_mul, F, {INF, 0}, NAN},
                           {OP_mul, I, {65536, 65536}, 0},
                           {OP_mul, I, {INT32_MAX, INT32_MAX}, 1},
                           {OP_div, F, {1, 4}, 0.25},
                           {OP_div, F, {1, -0.0}, -INF},
                           {OP_div, F, {0, 0}, NAN},
                           {OP_pow, F, {2, 10}, 1024},
                           {OP_pow, F, {NAN, 0}, 1},
                           {OP_pow, F, {0, 0}, 1},
                           {OP_pow, F, {-2, 3}, -8},
                           {OP_pow, F, {-2, 2}, 4},
                           {OP_pow, F, {-8, 0.5}, NAN},
                           {OP_pow, F, {4, 0.5}, 2},
                           {OP_floordiv, F, {7, 2}, 3},
                           {OP_floordiv, F, {-7, 2}, -4},
                           {OP_floordiv, F, {7, -2}, -4},
                           {OP_floordiv, F, {1, 0}, INF},
                           {OP_floordiv, I, {7, 2}, 3},
                           {OP_floordiv, I, {-7, 2}, -4},
                           {OP_floordiv, I, {7, -2}, -4},
                           {OP_floordiv, I, {-7, -2}, 3},
                           {OP_floordiv, I, {-8, 2}, -4},
                           {OP_floordiv, I, {5, 0}, 0},
                           {OP_floordiv, I, {INT32_MIN, -1}, INT32_MIN},
                           {OP_mod, F, {7.5, 2}, 1.5},
                           {OP_mod, F, {-7.5, 2}, 0.5},
                           {OP_mod, F, {7.5, -2}, -0.5},
                           {OP_mod, I, {7, 2}, 1},
                           {OP_mod, I, {-7, 2}, 1},
                           {OP_mod, I, {7, -2}, -1},
                           {OP_mod, I, {-7, -2}, -1},
                           {OP_mod, I, {5, 0}, 0},
                           {OP_mod, I, {INT32_MIN, -1}, 0},
                           {OP_max, F, {1, 2}, 2},
                           {OP_max, F, {NAN, 2}, NAN},
                           {OP_max, F, {2, NAN}, NAN},
                           {OP_max, F, {0, -0.0}, 0},
                           {OP_max, F, {-0.0, 0}, -0.0},
                           {OP_max, I, {-3, -4}, -3},
                           {OP_min, F, {1, 2}, 1},
                           {OP_min, F, {NAN, 2}, NAN},
                           {OP_min, F, {2, NAN}, NAN},
                           {OP_min, F, {0, -0.0}, 0},
                           {OP_min, I, {-3, -4}, -4},
                           {OP_eq, F, {0, -0.0}, 1},
                           {OP_eq, F, {NAN, NAN}, 0},
                           {OP_eq, I, {3, 4}, 0},
                           {OP_ne, F, {NAN, NAN}, 1},
                           {OP_ne, I, {3, 3}, 0},
                           {OP_lt, F, {1, 2}, 1},
                           {OP_lt, F, {2, 2}, 0},
                           {OP_lt, F, {NAN, 2}, 0},
                           {OP_lt, I, {-1, 0}, 1},
                           {OP_le, F, {2, 2}, 1},
                           {OP_le, F, {3, 2}, 0},
                           {OP_le, F, {NAN, NAN}, 0},
                           {OP_le, I, {-1, -2}, 0},
                           {OP_and, B, {1, 0}, 0},
                           {OP_and, B, {1, 1}, 1},
                           {OP_or, B, {0, 0}, 0},
                           {OP_or, B, {1, 0}, 1},
                           {OP_not, B, {0}, 1},
                           {OP_not, B, {1}, 0},
                           {OP_select, F, {1, -0.0, NAN}, -0.0},
                           {OP_select, F, {0, NAN, 2}, 2},
                           {OP_select, B, {1, 0, 1}, 0},
                           {OP_select, I, {0, 4, 5}, 5},
                           {OP_to_f32, I, {16777217}, 16777216},
                           {OP_to_f32, I, {16777219}, 16777220},
                           {OP_to_f32, B, {1}, 1},
                           {OP_to_f32, U, {255}, 255},
                           {OP_to_f32, F, {0.1}, 0.1},
                           {OP_to_i32, F, {-2.9}, -2},
                           {OP_to_i32, F, {2.9}, 2},
                           {OP_to_i32, F, {-0.5}, 0},
                           {OP_to_i32, F, {NAN}, 0},
                           {OP_to_i32, F, {1e10}, INT32_MAX},
                           {OP_to_i32, F, {-INF}, INT32_MIN},
                           {OP_to_i32, U, {200}, 200},
                           {OP_to_i32, B, {1}, 1}};

static void pointwise_rows_mean_what_they_say(void **state) {
  (void)state;
  bool seen[OP_COUNT] = {false};
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    double out = eval_pointwise(rows[k].op, (DType)rows[k].type, rows[k].in);
    if (!near(out, rows[k].out))
      fail_msg("%s(%g, %g, %g) is %.17g, not %.17g", op_info(rows[k].op)->name, rows[k].in[0], rows[k].in[1],
               rows[k].in[2], out, rows[k].out);
    if (out == 0 && op_info(rows[k].op)->types == OPT_TO_I) assert_false(signbit(out));
    seen[rows[k].op] = true;
  }
  for (int op = 0; op < OP_COUNT; op++)
    if (op_info((Op)op)->class == OPC_POINTWISE && !seen[op])
      fail_msg("no value of %s is known here", op_info((Op)op)->name);
}

// ---- graphs with given values -------------------------------------------------------------------------------------

typedef struct Given {
  const char *name;
  const double *data;
} Given;

static bool given_source(void *state, const Node *node, double *data, int64_t count) {
  for (const Given *given = state; given->name; given++)
    if (!strcmp(given->name, node->name)) {
      memcpy(data, given->data, (size_t)count * sizeof *data);
      return true;
    }
  return false;
}

// The output "y" of a text, N being n.
static const double *evaluate(Fixture *f, const char *text, const Given *given, int64_t n, int64_t *count) {
  const Graph *g = op_case_parse(f->arena, "given", text);
  EvalEnv env = {.symbol_values = &n, .source = given_source, .state = (void *)(uintptr_t)given, .seed = 3, .step = 2};
  EvalTensor *values = arena_array(f->arena, g->n_nodes, sizeof *values);
  const char *why = NULL;
  if (!graph_eval(g, &env, f->arena, values, &why)) fail_msg("%s", why);
  const EvalTensor *y = &values[graph_find_output(g, OUT_RESULT, "y")->value];
  *count = shape_count(&y->shape, NULL);
  return y->data;
}

static void assert_result(Fixture *f, const char *text, const Given *given, const double *expected,
                          int64_t expected_count) {
  int64_t count;
  const double *y = evaluate(f, text, given, 3, &count);
  assert_int_equal(count, expected_count);
  for (int64_t k = 0; k < count; k++)
    if (!near(y[k], expected[k])) fail_msg("%s\nelement %d is %.17g, not %.17g", text, (int)k, y[k], expected[k]);
}
#define ASSERT_RESULT(text, given, ...) \
  assert_result(*state, text, given, (const double[]){__VA_ARGS__}, \
                sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static const double five[] = {1, -2, 3, 3, -5};
static const Given with_five[] = {{"x", five}, {NULL, NULL}};
#define X5 "%0 = input \"x\" : f32[5] "
#define Y " return result \"y\" = "

static void reads_outside_are_zero_or_left_out(void **state) {
  ASSERT_RESULT(X5 "%1 = index map [i:7] { %0[i - 1] } : f32[7]" Y "%1", with_five, 0, 1, -2, 3, 3, -5, 0);
  ASSERT_RESULT(X5 "%1 = index map [i:2] { add(%0[5*i], 1.0) } : f32[2]" Y "%1", with_five, 2, 1);
  ASSERT_RESULT(X5 "%1 = index max [i:4 | r:2] { %0[2*i + r - 3] } : f32[4]" Y "%1", with_five, -INF, 1, 3, 3);
  ASSERT_RESULT(X5 "%1 = index min [i:4 | r:2] { %0[2*i + r - 3] } : f32[4]" Y "%1", with_five, INF, 1, -2, -5);
  ASSERT_RESULT(X5 "%1 = index prod [i:3 | r:2] { %0[i + r + 2] } : f32[3]" Y "%1", with_five, 9, -15, 0);
  ASSERT_RESULT(X5 "%1 = index argmin [i:3 | r:2] { %0[i + r - 2] } : i32[3]" Y "%1", with_five, 0, 1, 1);
  ASSERT_RESULT(X5 "%1 = index max [i:2 | r:2] { add(%0[r], %0[r + 4*i]) } : f32[2]" Y "%1", with_five, 2, -4);
  ASSERT_RESULT("%0 = input \"b\" : bool[1] %1 = index map [i:2] { not(%0[i]) } : bool[2]" Y "%1",
                ((const Given[]){{"b", five}, {NULL, NULL}}), 0, 1);
}

static void divisions_are_exact_or_floors(void **state) {
  ASSERT_RESULT(X5 "%1 = index map [i:7] { %0[(i - 1) /! 2] } : f32[7]" Y "%1", with_five, 0, 1, 0, -2, 0, 3, 0);
  ASSERT_RESULT(X5 "%1 = index map [i:7] { %0[(i - 2) // 2] } : f32[7]" Y "%1", with_five, 0, 0, 1, 1, -2, -2, 3);
  ASSERT_RESULT(X5 "%1 = index max [i:2 | r:2] { %0[(i + r) /! 2] } : f32[2]" Y "%1", with_five, 1, -2);
}

static void extremes_take_the_first_and_nan(void **state) {
  static const double values[] = {1, 3, 3, NAN, NAN, 9};
  static const Given given[] = {{"x", values}, {NULL, NULL}};
#define X23 "%0 = input \"x\" : f32[2,3] "
  ASSERT_RESULT(X5 "%1 = index argmax [| i:5] { %0[i] } : i32[]" Y "%1", with_five, 2);
  ASSERT_RESULT(X23 "%1 = index argmax [i:2 | j:3] { %0[i, j] } : i32[2]" Y "%1", given, 1, 0);
  ASSERT_RESULT(X23 "%1 = index argmin [i:2 | j:3] { %0[i, j] } : i32[2]" Y "%1", given, 0, 0);
  ASSERT_RESULT(X23 "%1 = index argmax [| i:2, j:3] { %0[i, j] } : i32[]" Y "%1", given, 3);
  ASSERT_RESULT(X23 "%1 = index max [i:2 | j:3] { %0[i, j] } : f32[2]" Y "%1", given, 3, NAN);
  ASSERT_RESULT(X23 "%1 = index min [j:3 | i:2] { %0[i, j] } : f32[3]" Y "%1", given, NAN, NAN, 3);
}

static void nothing_has_a_value_too(void **state) {
#define EMPTY "%0 = input \"x\" : f32[2,0] %1 = input \"i\" : i32[2,0] "
  static const Given given[] = {{"x", five}, {"i", five}, {NULL, NULL}};
  ASSERT_RESULT(EMPTY "%2 = index sum [i:2 | k:0] { %0[i, k] } : f32[2]" Y "%2", given, 0, 0);
  ASSERT_RESULT(EMPTY "%2 = index prod [i:2 | k:0] { %0[i, k] } : f32[2]" Y "%2", given, 1, 1);
  ASSERT_RESULT(EMPTY "%2 = index max [i:2 | k:0] { %0[i, k] } : f32[2]" Y "%2", given, -INF, -INF);
  ASSERT_RESULT(EMPTY "%2 = index min [i:2 | k:0] { %1[i, k] } : i32[2]" Y "%2", given, INT32_MAX, INT32_MAX);
  ASSERT_RESULT(EMPTY "%2 = index max [i:2 | k:0] { %1[i, k] } : i32[2]" Y "%2", given, INT32_MIN, INT32_MIN);
  ASSERT_RESULT(EMPTY "%2 = index argmax [i:2 | k:0] { %0[i, k] } : i32[2]" Y "%2", given, 0, 0);
  assert_result(*state, EMPTY "%2 = exp %0 : f32[2,0]" Y "%2", given, NULL, 0);
  assert_result(*state, EMPTY "%2 = index sum [k:0 | i:2] { %0[i, k] } : f32[0]" Y "%2", given, NULL, 0);
}

static void movement_keeps_every_element(void **state) {
  static const double table[] = {10, 11, 20, 21, 30, 31}, id[] = {2, 0, -1, 3, 2}, id4[] = {1, 0, 1, 9};
  static const Given given[] = {{"t", table}, {"i", id}, {"j", id4}, {"x", five}, {NULL, NULL}};
#define T "%0 = input \"t\" : f32[3,2] "
  ASSERT_RESULT(T "%1 = input \"i\" : i32[5] %2 = gather %0, %1 : f32[5,2]" Y "%2", given, 30, 31, 10, 11, 0, 0, 0, 0,
                30, 31);
  ASSERT_RESULT(T "%1 = input \"j\" : i32[3] %2 = scatter_add %1, %0 rows 3 : f32[3,2]" Y "%2", given, 20, 21, 40, 42,
                0, 0);
  ASSERT_RESULT("%0 = input \"x\" : f32[2,2] %1 = input \"j\" : i32[2,2] %2 = scatter_add %1, %0 rows 2 : f32[2]" Y
                "%2",
                given, -2, 4);
  ASSERT_RESULT(T "%1 = concat %0, %0 axis 1 : f32[3,4]" Y "%1", given, 10, 11, 10, 11, 20, 21, 20, 21, 30, 31, 30, 31);
  ASSERT_RESULT(T "%1 = input \"x\" : f32[1,2] %2 = concat %1, %0 axis 0 : f32[4,2]" Y "%2", given, 1, -2, 10, 11, 20,
                21, 30, 31);
  ASSERT_RESULT(T "%1 = reshape %0 : f32[1,6] %2 = index map [i:6] { %1[0, i] } : f32[6]" Y "%2", given, 10, 11, 20, 21,
                30, 31);
}

static void indices_and_constants_are_values(void **state) {
  ASSERT_RESULT("%0 = index map [i:2, j:3] { add(mul(i, 10), j) } : i32[2,3]" Y "%0", with_five, 0, 1, 2, 10, 11, 12);
  ASSERT_RESULT("%0 = index sum [i:2 | n:N] { select(lt(n, add(i, 1)), 0.5, 4.0) } : f32[2]" Y "%0", with_five, 8.5, 5);
  ASSERT_RESULT("%0 = const 0.1 : f32[]" Y "%0", with_five, (double)0.1f);
}

static void integers_wrap_in_sums(void **state) {
  static const double large[] = {INT32_MAX, INT32_MAX, 2};
  static const Given given[] = {{"x", large}, {NULL, NULL}};
  ASSERT_RESULT("%0 = input \"x\" : i32[3] %1 = index sum [| i:3] { %0[i] } : i32[]" Y "%1", given, 0);
  ASSERT_RESULT("%0 = input \"x\" : i32[3] %1 = index prod [| i:3] { %0[i] } : i32[]" Y "%1", given, 2);
}

static void random_numbers_are_of_seed_stream_and_step(void **state) {
  int64_t count;
  const double *y = evaluate(*state, "%0 = random stream 77 : f32[N,2]" Y "%0", with_five, 3, &count);
  uint64_t stream = 77 ^ (2 * 0x9E3779B97F4A7C15u);
  assert_int_equal(count, 6);
  for (uint64_t k = 0; k < 6; k++) assert_true(y[k] == (double)random_uniform(3, stream, k));
}

// ---- the general node against plain loops
// ----------------------------------------------------------------------------

static double *numbers(Fixture *f, uint64_t stream, int64_t count) {
  double *data = arena_array(f->arena, (size_t)count, sizeof *data);
  for (int64_t k = 0; k < count; k++) data[k] = 4 * (double)random_uniform(1, stream, (uint64_t)k) - 2;
  return data;
}

// One output of a convolution, written out: x [N,H,W,C], w [k,k,C/g,O].
static double conv_at(const OpConv *c, const double *x, const double *w, int n, int i, int j, int o) {
  int in = c->in / c->groups, group = o / (c->out / c->groups);
  double sum = 0;
  for (int r = 0; r < c->kernel; r++)
    for (int s = 0; s < c->kernel; s++) {
      int row = i * c->stride + r * c->dilation - c->pad, column = j * c->stride + s * c->dilation - c->pad;
      if (row < 0 || row >= c->height || column < 0 || column >= c->width) continue;
      for (int k = 0; k < in; k++)
        sum += x[((n * c->height + row) * c->width + column) * c->in + group * in + k] *
               w[((r * c->kernel + s) * in + k) * c->out + o];
    }
  return sum;
}

static void convolutions_are_what_loops_say(void **state) {
  static const OpConv convs[] = {
      {"", 7, 6, 3, 5, 3, 1, 1, 1, 1}, {"", 9, 8, 4, 6, 3, 2, 2, 2, 2}, {"", 5, 5, 3, 3, 2, 3, 1, 1, 3}};
  Fixture *f = *state;
  for (size_t k = 0; k < sizeof convs / sizeof *convs; k++) {
    const OpConv *c = &convs[k];
    int batch = 2, h = op_conv_extent(c, c->height), width = op_conv_extent(c, c->width);
    const double *x = numbers(f, 1, (int64_t)batch * c->height * c->width * c->in);
    const double *w = numbers(f, 2, (int64_t)c->kernel * c->kernel * (c->in / c->groups) * c->out);
    const Given given[] = {{"x", x}, {"w", w}, {NULL, NULL}};
    int64_t count;
    const double *y = evaluate(f, op_conv_text(f->arena, c), given, batch, &count);
    assert_int_equal(count, (int64_t)batch * h * width * c->out);
    for (int at = 0; at < count; at++) {
      int o = at % c->out, j = at / c->out % width, i = at / c->out / width % h, n = at / c->out / width / h;
      assert_true(near(y[at], conv_at(c, x, w, n, i, j, o)));
    }
  }
}

static void products_are_what_loops_say(void **state) {
  Fixture *f = *state;
  const double *a = numbers(f, 3, 7 * 9), *b = numbers(f, 4, 9 * 5);
  const Given given[] = {{"a", a}, {"b", b}, {NULL, NULL}};
  int64_t count;
  const double *y = evaluate(f,
                             "%0 = input \"a\" : f32[7,9] %1 = input \"b\" : f32[9,5]"
                             "%2 = index sum [j:5, i:7 | k:9] { mul(%1[k, j], %0[i, k]) } : f32[5,7]" Y "%2",
                             given, 1, &count);
  for (int j = 0; j < 5; j++)
    for (int i = 0; i < 7; i++) {
      double sum = 0;
      for (int k = 0; k < 9; k++) sum += a[i * 9 + k] * b[k * 5 + j];
      assert_true(near(y[j * 7 + i], sum));
    }
}

// ---- what does not evaluate ---------------------------------------------------------------------------------------

static bool evaluates(Fixture *f, const char *text, int64_t n, bool all, const char **why, EvalTensor **values) {
  const Graph *g = op_case_parse(f->arena, "given", text);
  EvalEnv env = {.symbol_values = &n, .source = given_source, .state = (void *)(uintptr_t)with_five, .all = all};
  *values = arena_array(f->arena, g->n_nodes, sizeof **values);
  return graph_eval(g, &env, f->arena, *values, why);
}

static void only_what_is_needed_is_evaluated_unless_asked(void **state) {
  const char *text = X5 "%1 = exp %0 : f32[5] %2 = neg %0 : f32[5]" Y "%2", *why;
  EvalTensor *values;
  assert_true(evaluates(*state, text, 1, false, &why, &values));
  assert_null(values[1].data);
  assert_non_null(values[2].data);
  assert_true(evaluates(*state, text, 1, true, &why, &values));
  assert_non_null(values[1].data);
}

static void missing_data_and_sizes_beyond_63_bits_are_said(void **state) {
  const char *why = NULL;
  EvalTensor *values;
  assert_false(evaluates(*state, "%0 = param \"w\" : f32[5]" Y "%0", 1, false, &why, &values));
  assert_string_equal(why, "no data for param 'w'");
  assert_true(evaluates(*state, X5 "%1 = param \"w\" : f32[5]" Y "%0", 1, false, &why, &values));  // not needed
  assert_false(evaluates(*state, "%0 = random stream 1 : f32[N,N]" Y "%0", (int64_t)1 << 40, false, &why, &values));
  assert_string_equal(why, "%0 does not fit 63 bits");
  assert_false(
      evaluates(*state, "%0 = index sum [| i:N, j:N] { 1.0 } : f32[]" Y "%0", (int64_t)1 << 40, false, &why, &values));
}

// ---- the cases ----------------------------------------------------------------------------------------------------

enum { MOST_CASES = 1000 };
typedef struct Seen {
  const char *names[MOST_CASES];
  Arena *arena;  // of the names
  int count;
  bool op[OP_COUNT], combine[COMBINE_COUNT], division[DIV_FLOOR + 1];
} Seen;

static void note_features(Seen *seen, const Graph *g) {
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    seen->op[node->op] = true;
    if (node->op != OP_index) continue;
    seen->combine[node->index->combine] = true;
    for (int r = 0; r < node->n_in; r++)
      for (int d = 0; d < node->index->reads[r].rank; d++) seen->division[node->index->reads[r].at[d].kind] = true;
  }
}

static void assert_smooth_inputs_differ(const OpCase *c, Arena *arena) {
  double nearest = c->high - c->low, *all = NULL;
  size_t count = 0, capacity = 0;
  for (size_t k = 0; k < c->graph->n_nodes; k++) {
    const Node *node = &c->graph->nodes[k];
    if (node->op != OP_input || node->type != DT_F32) continue;
    for (int64_t e = 0; e < shape_count(&node->shape, op_case_symbols()); e++) {
      all = arena_grow(arena, all, count, &capacity, sizeof *all);
      all[count++] = op_case_value(c, node, FILL_SMOOTH, (uint64_t)e);
    }
  }
  for (size_t a = 0; a < count && count < 3000; a++)
    for (size_t b = 0; b < a; b++) nearest = fmin(nearest, fabs(all[a] - all[b]));
  for (size_t a = 0; a < count; a++) assert_true(all[a] >= c->low && all[a] <= c->high && fabs(all[a]) > 1e-3);
  if (count && nearest < 1e-4) fail_msg("%s: two inputs are %g apart", c->name, nearest);
}

static void check_case(void *state, const OpCase *c) {
  Seen *seen = state;
  void *fixture;
  assert_int_equal(setup(&fixture), 0);
  Fixture *f = fixture;
  Text why = text_new(f->arena);
  if (!graph_verify(c->graph, &why)) fail_msg("%s: %s", c->name, why.bytes);
  for (int k = 0; k < seen->count; k++) assert_string_not_equal(seen->names[k], c->name);
  seen->names[seen->count++] = arena_strdup(seen->arena, c->name);
  note_features(seen, c->graph);
  const EvalTensor *plain = op_case_eval(c, c->graph, FILL_PLAIN, f->arena);
  for (size_t k = 0; k < c->graph->n_outputs; k++) {
    const EvalTensor *y = &plain[c->graph->outputs[k].value];
    assert_non_null(y->data);
    for (int64_t e = 0; c->smooth && e < shape_count(&y->shape, NULL); e++)
      if (!isfinite(y->data[e]))
        fail_msg("%s: element %d of '%s' is %g", c->name, (int)e, c->graph->outputs[k].name, y->data[e]);
  }
  if (c->special) op_case_eval(c, c->graph, FILL_SPECIAL, f->arena);
  if (c->smooth) assert_smooth_inputs_differ(c, f->arena);
  if (c->smooth) assert_non_null(graph_find_output(op_case_with_loss(c), OUT_LOSS, NULL));
  teardown(&fixture);
}

static void cases_evaluate_and_use_everything(void **state) {
  Seen seen = {.arena = ((Fixture *)*state)->arena};
  assert_true(op_cases_each(OP_CASES_ALL, check_case, &seen) <= MOST_CASES);
  for (int op = 0; op < OP_COUNT; op++)
    if (!seen.op[op] && op != OP_param && op != OP_state) fail_msg("no case uses %s", op_info((Op)op)->name);
  for (int k = 0; k < COMBINE_COUNT; k++) assert_true(seen.combine[k]);
  for (int k = 0; k <= DIV_FLOOR; k++) assert_true(seen.division[k]);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(pointwise_rows_mean_what_they_say),
      TEST(reads_outside_are_zero_or_left_out),
      TEST(divisions_are_exact_or_floors),
      TEST(extremes_take_the_first_and_nan),
      TEST(nothing_has_a_value_too),
      TEST(movement_keeps_every_element),
      TEST(indices_and_constants_are_values),
      TEST(integers_wrap_in_sums),
      TEST(random_numbers_are_of_seed_stream_and_step),
      TEST(convolutions_are_what_loops_say),
      TEST(products_are_what_loops_say),
      TEST(only_what_is_needed_is_evaluated_unless_asked),
      TEST(missing_data_and_sizes_beyond_63_bits_are_said),
      TEST(cases_evaluate_and_use_everything),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
