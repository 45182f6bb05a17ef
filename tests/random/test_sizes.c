// Every op over the sizes at which vectors end: the bits of reference.h on each instruction set, with tensors that end
// right before a page that may not be touched, and that begin right behind one; nothing is written behind a result.
// Sizes of the batch and sizes that are compiled in; special values where no sum makes NaN of them in another place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check_graph.h"
#include "run_graph.h"

static const int64_t sizes[] = {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65};
enum { SIZES = sizeof sizes / sizeof *sizes, LARGEST = 65 };

typedef struct Fixture {
  Arena *shared;
  Guard guard;
  Functions *functions;
  int64_t runs;
} Fixture;

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->shared = arena_new(allocator_system(), &f->guard);
  f->functions = functions_new(f->shared);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  functions_free(f->functions);
  arena_free(f->shared);
  free(f);
  return 0;
}

// ---- one graph, compiled for each instruction set -------------------------------------------------------------------

static void compare(const Graph *g, const EvalTensor *want, const EvalTensor *got, const char *name, const How *how,
                    int64_t n) {
  for (size_t k = 0; k < g->n_outputs; k++)
    for (int64_t i = 0; i < shape_count(&want[k].shape, NULL); i++)
      if (!same_number(want[k].data[i], got[k].data[i]))
        fail_msg("%s, N = %lld, %s, %s: element %lld of %s is %.9g, not %.9g", name, (long long)n, how->cpu,
                 how->front ? "front" : "back", (long long)i, g->outputs[k].name, got[k].data[i], want[k].data[i]);
}

static void run_at(Fixture *f, Arena *arena, const BuiltGraph *built, const char *name, How how, int64_t n, bool wild) {
  Fill fill = {.seed = 1, .symbol = n, .wild = wild};
  int64_t symbols[IR_MAX_SYMBOLS];
  const Graph *g = built->graph;
  EvalEnv env = fill_env(&fill, symbols);
  EvalTensor *values = arena_array(arena, g->n_nodes, sizeof *values);
  EvalTensor *want = arena_array(arena, g->n_outputs, sizeof *want),
             *got = arena_array(arena, g->n_outputs, sizeof *got);
  Text why = text_new(arena);
  reference_eval(f->functions, g, &env, arena, values, NULL);
  for (size_t k = 0; k < g->n_outputs; k++) want[k] = values[g->outputs[k].value];
  for (int front = 0; front < 2; front++) {
    how.front = front;
    if (!graph_execute(arena, built, &fill, &how, got, &why)) fail_msg("%s: %s", name, why.bytes);
    compare(g, want, got, name, &how, n);
    f->runs++;
  }
}

// `batch`: the sizes are those of N; else they are compiled in.
static void check(Fixture *f, const Graph *raw, const char *name, bool batch, bool wild) {
  static const How hows[] = {{.cpu = "native", .plan = {.no_reuse = true}, .parts = 1},
                             {.cpu = "x86-64-v3", .plan = {.no_reuse = true}, .parts = 2},
                             {.cpu = "x86-64", .plan = {.no_reuse = true}, .parts = 1}};
  Arena *arena = raw->arena;
  Text why = text_new(arena);
  PassContext ctx = {.arena = arena, .sink = diag_sink_new(arena), .verify = true, .direct = true};
  const Graph *g = passes_run(&ctx, raw, PASS_INFER, NULL, NULL);
  assert_non_null(g);
  for (int h = 0; h < 3; h++) {
    BuiltGraph built;
    if (!graph_build(arena, g, batch ? LARGEST : 1, &hows[h], &built, &why)) fail_msg("%s: %s", name, why.bytes);
    for (int k = 0; k < (batch ? SIZES : 1); k++) run_at(f, arena, &built, name, hows[h], batch ? sizes[k] : 1, wild);
    graph_unbuild(&built);
  }
}

static Graph *parse(Arena *arena, const char *name, const char *statements) {
  DiagSink *sink = diag_sink_new(arena);
  const char *text = arena_printf(arena, "graph g (N) { %s }", statements);
  Graph *g = graph_parse(arena, sink, diag_add_source(sink, name, text, strlen(text)));
  Text why = text_new(arena);
  diag_render(sink, false, &why);
  if (!g) fail_msg("%s: %s", name, why.bytes);
  return g;
}

static void check_text(Fixture *f, const char *name, bool batch, bool wild, const char *format, ...) {
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(arena, format, args);
  va_end(args);
  check(f, parse(arena, name, text), arena_printf(arena, "%s: %s", name, text), batch, wild);
  arena_free(arena);
}

// ---- pointwise ops --------------------------------------------------------------------------------------------------

// Every suitable combination of operand types, one output each.
static Graph *pointwise_graph(Arena *arena, Op op) {
  static const DType types[] = {DT_F32, DT_I32, DT_BOOL, DT_U8};
  Builder b = {.graph = graph_new(arena, op_info(op)->name)};
  Shape shape = {1, {{1, graph_symbol(b.graph, "N")}}};
  int outputs = 0, arity = op_info(op)->arity;
  for (int t = 0; t < 16; t++) {
    DType in[3] = {types[t % 4], types[t / 4], types[t / 4]}, result;
    if (arity < 3) in[1] = in[0];
    if ((arity < 3 && t >= 4) || !op_result_type(op, in, &result)) continue;
    NodeId id[3];
    for (int a = 0; a < arity; a++) id[a] = build_input(&b, arena_printf(arena, "%c%d", "abc"[a], t), in[a], &shape);
    graph_output(b.graph, OUT_RESULT, arena_printf(arena, "y%d", outputs++), build_pointwise(&b, op, arity, id));
  }
  assert_true(outputs > 0);
  return b.graph;
}

static void pointwise_ops(void **state) {
  for (int op = 0; op < OP_COUNT; op++) {
    if (op_info((Op)op)->class != OPC_POINTWISE) continue;
    Guard guard;
    Arena *arena = arena_new(allocator_system(), &guard);
    check(*state, pointwise_graph(arena, (Op)op), op_info((Op)op)->name, true, true);
    arena_free(arena);
  }
}

// ---- the general node -----------------------------------------------------------------------------------------------

static void reductions(void **state) {
  for (int c = COMBINE_SUM; c < COMBINE_COUNT; c++) {
    const char *name = combine_name((Combine)c), *type = c == COMBINE_ARGMAX || c == COMBINE_ARGMIN ? "i32" : "f32";
    bool wild = c != COMBINE_SUM && c != COMBINE_PROD;
    check_text(
        *state, name, true, wild,
        "%%0 = input \"x\" : f32[N,3] %%1 = input \"k\" : i32[N,3]"
        "%%2 = index %s [j:3 | i:N] { %%0[i, j] } : %s[3] %%3 = index %s [i:N | j:3] { %%0[i, j] } : %s[N]"
        "%%4 = index %s [| i:N, j:3] { %%0[i, j] } : %s[] %%5 = index %s [i:N | j:3] { %%1[i, j] } : i32[N]"
        "return result \"a\" = %%2 return result \"b\" = %%3 return result \"c\" = %%4 return result \"d\" = %%5",
        name, type, name, type, name, type, name);
    for (int k = 0; k < SIZES; k++) {
      int n = (int)sizes[k];
      check_text(*state, name, false, wild,
                 "%%0 = input \"x\" : f32[3,%d] %%2 = index %s [j:%d | i:3] { %%0[i, j] } : %s[%d]"
                 "%%3 = index %s [i:3 | j:%d] { %%0[i, j] } : %s[3]"
                 "return result \"a\" = %%2 return result \"b\" = %%3",
                 n, name, n, type, n, name, n, type);
    }
  }
}

static void products(void **state) {
  check_text(*state, "rows of the batch", true, false,
             "%%0 = input \"a\" : f32[N,17] %%1 = input \"b\" : f32[17,33]"
             "%%2 = index sum [i:N, j:33 | k:17] { mul(%%0[i, k], %%1[k, j]) } : f32[N,33] return result \"y\" = %%2");
  check_text(*state, "summed over the batch", true, false,
             "%%0 = input \"a\" : f32[N,7] %%1 = input \"b\" : f32[N,33]"
             "%%2 = index sum [i:7, j:33 | k:N] { mul(%%0[k, i], %%1[k, j]) } : f32[7,33] return result \"y\" = %%2");
  for (int way = 0; way < 3; way++)
    for (int k = 0; k < SIZES; k++) {
      int n[3] = {9, 17, 7};
      n[way] = (int)sizes[k];
      check_text(*state, "matrix product", false, false,
                 "%%0 = input \"a\" : f32[%d,%d] %%1 = input \"b\" : f32[%d,%d] %%2 = input \"c\" : f32[%d,%d]"
                 "%%3 = index sum [i:%d, j:%d | k:%d] { mul(%%0[i, k], %%1[k, j]) } : f32[%d,%d]"
                 "%%4 = index sum [i:%d, j:%d | k:%d] { mul(%%0[i, k], %%2[j, k]) } : f32[%d,%d]"
                 "return result \"y\" = %%3 return result \"z\" = %%4",
                 n[0], n[2], n[2], n[1], n[1], n[2], n[0], n[1], n[2], n[0], n[1], n[0], n[1], n[2], n[0], n[1]);
    }
}

static void windows(void **state) {
  for (int k = 0; k < SIZES; k++) {
    int n = (int)sizes[k];
    check_text(*state, "convolution, channels", false, false,
               "%%0 = input \"x\" : f32[2,5,4,3] %%1 = input \"w\" : f32[3,3,3,%d]"
               "%%2 = index sum [n:2, i:5, j:4, o:%d | r:3, s:3, c:3]"
               "{ mul(%%0[n, i + r - 1, j + s - 1, c], %%1[r, s, c, o]) } : f32[2,5,4,%d] return result \"y\" = %%2",
               n, n, n);
    check_text(*state, "convolution, places", false, false,
               "%%0 = input \"x\" : f32[1,%d,2] %%1 = input \"w\" : f32[3,2,9]"
               "%%2 = index sum [n:1, i:%d, o:9 | r:3, c:2] { mul(%%0[n, i + r - 1, c], %%1[r, c, o]) } : f32[1,%d,9]"
               "%%3 = index max [n:1, i:%d, c:2 | r:3] { %%0[n, i + r - 1, c] } : f32[1,%d,2]"
               "%%4 = index map [n:1, i:%d, c:2] { %%0[n, i // 2, c] } : f32[1,%d,2]"
               "return result \"y\" = %%2 return result \"z\" = %%3 return result \"u\" = %%4",
               n, n, n, n, n, 2 * n, 2 * n);
    check_text(
        *state, "transposed convolution", false, false,
        "%%0 = input \"x\" : f32[1,%d,2] %%1 = input \"w\" : f32[3,2,9]"
        "%%2 = index sum [n:1, i:%d, o:9 | r:3, c:2] { mul(%%0[n, (i - r) /! 2, c], %%1[r, c, o]) } : f32[1,%d,9]"
        "return result \"y\" = %%2",
        n, 2 * n + 1, 2 * n + 1);
  }
}

// ---- movements ------------------------------------------------------------------------------------------------------

static void movements(void **state) {
  check_text(
      *state, "rows", true, true,
      "%%0 = input \"x\" : f32[N,3] %%1 = input \"k\" : i32[N] %%2 = gather %%0, %%1 : f32[N,3]"
      "%%3 = concat %%0, %%2, %%0 axis 0 : f32[3*N,3] %%4 = concat %%0, %%2 axis 1 : f32[N,6]"
      "%%5 = reshape %%0 : f32[3*N] %%6 = random stream 3 : f32[N,3] %%7 = index map [j:3, i:N] { %%0[i, j] } : f32[3,N]"
      "return result \"a\" = %%2 return result \"b\" = %%3 return result \"c\" = %%4 return result \"d\" = %%5"
      " return result \"e\" = %%6 return result \"f\" = %%7");
  check_text(
      *state, "scattered rows", true, false,
      "%%0 = input \"x\" : f32[N,3] %%1 = input \"k\" : i32[N] %%2 = scatter_add %%1, %%0 rows 5 : f32[5,3]"
      "%%3 = input \"u\" : u8[N] %%4 = input \"p\" : bool[N] %%5 = concat %%3, %%3 axis 0 : u8[2*N]"
      "%%6 = gather %%4, %%1 : bool[N] return result \"a\" = %%2 return result \"b\" = %%5 return result \"c\" = %%6");
  for (int k = 0; k < SIZES; k++) {
    int n = (int)sizes[k];
    check_text(
        *state, "columns", false, true,
        "%%0 = input \"x\" : f32[3,%d] %%1 = input \"k\" : i32[2] %%2 = gather %%0, %%1 : f32[2,%d]"
        "%%3 = concat %%0, %%0 axis 1 : f32[3,%d] %%4 = index map [j:%d, i:3] { %%0[i, j] } : f32[%d,3]"
        "%%5 = index map [i:3, j:%d] { %%0[i, %d - j] } : f32[3,%d] %%6 = index map [i:5, j:%d] { %%0[i - 1, j - 2] } : f32[5,%d]"
        "%%7 = random stream 9 : f32[3,%d] return result \"a\" = %%2 return result \"b\" = %%3"
        " return result \"c\" = %%4 return result \"d\" = %%5 return result \"e\" = %%6 return result \"f\" = %%7",
        n, n, 2 * n, n, n, n, n - 1, n, n + 3, n + 3, n);
  }
}

static void enough_was_run(void **state) { assert_in_range(((Fixture *)*state)->runs, 3000, 100000); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pointwise_ops), cmocka_unit_test(reductions),
                                     cmocka_unit_test(products),      cmocka_unit_test(windows),
                                     cmocka_unit_test(movements),     cmocka_unit_test(enough_was_run)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
