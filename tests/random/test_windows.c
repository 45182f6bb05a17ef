// Which windows, groups and empty tensors the language takes: every small parameter of convolutions and pools against a
// rule of ten lines, and what is defined over nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "io.h"
#include "program.h"

// The model's result type, or "" where it is refused.
static void result_of(const char *type, const char *expression, char *out, size_t room) {
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  DiagSink *sink = diag_sink_new(arena);
  const char *text = arena_printf(arena, "model m(x: %s) { return %s }", type, expression);
  Program *program = program_from_text(arena, sink, io_system(), "m.dl", text, NULL, 0);
  Lowered *lowered = sink->n_errors ? NULL : program_lower(program, 0, MODE_INFER, LOWER_OUTPUT);
  Text shape = text_new(arena);
  if (lowered) {
    const Graph *g = lowered->graph;
    shape_print(&graph_node(g, g->outputs[0].value)->shape, g->symbols, &shape);
  }
  snprintf(out, room, "%s", shape.bytes);
  assert_true(lowered || sink->n_errors > 0);  // never refused in silence
  arena_free(arena);
}

// ---- windows --------------------------------------------------------------------------------------------------------

typedef struct Grid {
  int size, k, stride, pad, dilation, round;  // round: exact, floor, ceil
  bool pool;
} Grid;

// The reference rule: how many places a window has along one direction; 0: refused.
static int places_of(const Grid *g) {
  if (g->k < 1 || g->stride < 1 || g->pad < 0 || g->dilation < 1 || (g->pool && g->pad >= g->k)) return 0;
  int free = g->size + 2 * g->pad - g->dilation * (g->k - 1) - 1;
  if (free < 0 || (g->round == 0 && free % g->stride)) return 0;
  int places = (free + (g->round == 2 ? g->stride - 1 : 0)) / g->stride + 1;
  if (g->round == 2 && (places - 1) * g->stride >= g->size + g->pad) places--;  // it would begin behind the input
  return places;
}

static void check_grid(const Grid *g, const char *layer) {
  static const char *const rounds[] = {"exact", "floor", "ceil"};
  char type[64], call[256], got[64], want[64] = "";
  snprintf(type, sizeof type, "f32[2, %d, %d, 4]", g->size, g->size);
  if (!strcmp(layer, "conv2d"))
    snprintf(call, sizeof call, "conv2d(x, 4, %d, stride = %d, pad = %d, dilation = %d, round = %s)", g->k, g->stride,
             g->pad, g->dilation, rounds[g->round]);
  else if (!strcmp(layer, "depthwise_conv2d"))
    snprintf(call, sizeof call, "depthwise_conv2d(x, %d, stride = %d, pad = %d, dilation = %d, round = %s)", g->k,
             g->stride, g->pad, g->dilation, rounds[g->round]);
  else
    snprintf(call, sizeof call, "%s(x, %d, stride = %d, pad = %d, round = %s)", layer, g->k, g->stride, g->pad,
             rounds[g->round]);
  result_of(type, call, got, sizeof got);
  int places = places_of(g);
  if (places) snprintf(want, sizeof want, "[2,%d,%d,4]", places, places);
  if (strcmp(got, want)) fail_msg("%s of %s is '%s', not '%s'", call, type, got, want);
}

static int check_layer(const char *layer, bool pool) {
  static const int sizes[] = {1, 4, 7}, kernels[] = {-1, 0, 1, 2, 3, 5}, strides[] = {-1, 0, 1, 2, 3};
  static const int pads[] = {-1, 0, 1, 2}, dilations[] = {0, 1, 2};
  int n = 0;
  for (int s = 0; s < 3; s++)
    for (int k = 0; k < 6; k++)
      for (int t = 0; t < 5; t++)
        for (int p = 0; p < 4; p++)
          for (int d = pool ? 1 : 0; d < (pool ? 2 : 3); d++)
            for (int r = 0; r < 3; r++, n++)
              check_grid(&(Grid){sizes[s], kernels[k], strides[t], pads[p], dilations[d], r,
                                 pool && !strcmp(layer, "max_pool")},
                         layer);
  return n;
}

static void every_window(void **state) {
  (void)state;
  int n = check_layer("conv2d", false) + check_layer("max_pool", true) + check_layer("avg_pool", true);
  assert_in_range(n, 5000, 10000);
}

static void every_group(void **state) {
  (void)state;
  for (int c = 1; c <= 6; c++)
    for (int filters = -1; filters <= 6; filters++)
      for (int groups = -1; groups <= 6; groups++) {
        char type[64], call[128], got[64], want[64] = "";
        snprintf(type, sizeof type, "f32[2, 3, 3, %d]", c);
        snprintf(call, sizeof call, "conv2d(x, %d, 3, groups = %d)", filters, groups);
        result_of(type, call, got, sizeof got);
        if (filters > 0 && groups > 0 && c % groups == 0 && filters % groups == 0)
          snprintf(want, sizeof want, "[2,1,1,%d]", filters);
        if (strcmp(got, want)) fail_msg("%s of %s is '%s', not '%s'", call, type, got, want);
      }
}

// ---- nothing --------------------------------------------------------------------------------------------------------

typedef struct Row {
  const char *type, *expression, *shape;  // "": refused
} Row;

static const Row rows[] = {
    {"f32[2, 0]", "sum(x, axis = 1)", "[2]"},
    {"f32[2, 0]", "prod(x, axis = 1)", "[2]"},
    {"f32[2, 0]", "sum(x)", "[]"},
    {"f32[0, 3]", "exp(x) + x", "[0,3]"},
    {"f32[0, 3]", "x @ transpose(x)", "[0,0]"},
    {"f32[3, 0]", "x @ transpose(x)", "[3,3]"},
    {"f32[2, 0]", "concat([x, x], axis = 1)", "[2,0]"},
    {"f32[2, 0]", "transpose(x)", "[0,2]"},
    {"f32[2, 0]", "mean(x, axis = 1)", ""},
    {"f32[2, 0]", "var(x, axis = 1)", ""},
    {"f32[2, 0]", "max(x, axis = 1)", ""},
    {"f32[2, 0]", "min(x)", ""},
    {"f32[2, 0]", "argmax(x)", ""},
    {"f32[2, 0]", "argmin(x)", ""},
    {"f32[2, 0]", "softmax(x)", ""},
    {"f32[2, 0]", "log_softmax(x)", ""},
    {"f32[2, 0]", "layer_norm(x)", ""},
    {"f32[2, 0]", "batch_norm(x)", ""},
    {"f32[2, 0]", "dense(x, 3)", ""},
    {"f32[2, 0]", "top_k(x, 1)", ""},
    {"f32[2, 0, 3, 1]", "conv2d(x, 2, 1)", ""},
    {"f32[2, 3, 3, 0]", "conv2d(x, 2, 1)", ""},
    {"f32[2, 0, 3, 1]", "max_pool(x, 1)", ""},
    {"f32[2, 0, 3, 1]", "global_avg_pool(x)", ""},
    {"f32", "exp(x) * x", "[]"},
    {"f32[1, 1, 1, 1, 1, 1, 1, 1]", "sum(x, axis = 3)", "[1,1,1,1,1,1,1]"},
    {"f32[1, 1, 1, 1, 1, 1, 1, 1, 1]", "x", ""},
};

static void over_nothing(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    char got[64];
    result_of(rows[k].type, rows[k].expression, got, sizeof got);
    if (strcmp(got, rows[k].shape))
      fail_msg("%s of %s is '%s', not '%s'", rows[k].expression, rows[k].type, got, rows[k].shape);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_window), cmocka_unit_test(every_group),
                                     cmocka_unit_test(over_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
