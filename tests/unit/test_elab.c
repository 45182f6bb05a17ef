// The elaborator's parts and what it tells beside the graph: values, scopes, tensors, layers, the standard library's
// text.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "elab.h"
#include "program.h"

typedef struct Fixture {
  Guard guard;
  Arena *arena;
  DiagSink *sink;
  Program *program;
} Fixture;

static void open_text(Fixture *f, const char *text, const Setting *settings, int n) {
  f->arena = arena_new(allocator_system(), &f->guard);
  f->sink = diag_sink_new(f->arena);
  f->program = program_from_text(f->arena, f->sink, io_system(), "test.dl", text, settings, n);
}

static Lowered *lower(Fixture *f, Mode mode) {
  Lowered *lowered = f->sink->n_errors ? NULL : program_lower(f->program, 0, mode, LOWER_OUTPUT);
  if (!lowered) {
    Text out = text_new(f->arena);
    diag_render(f->sink, false, &out);
    fail_msg("%s", out.bytes);
  }
  return lowered;
}

// ---- values and scopes ---------------------------------------------------------------------------------------------

static void compile_time_values_compare(void **state) {
  (void)state;
  Value items[] = {value_int(1), value_float(2.5)}, others[] = {value_int(1), value_float(2.5), value_int(3)};
  Value list = {.kind = VALUE_LIST, .items = items, .n = 2}, longer = {.kind = VALUE_LIST, .items = others, .n = 3};
  Value none = {.kind = VALUE_NONE}, tensor = {.kind = VALUE_TENSOR}, word = {.kind = VALUE_WORD, .text = "same"};
  bool equal;
  assert_true(value_equal(value_int(2), value_float(2), &equal) && equal);
  assert_true(value_equal(value_dim((Dim){2, 1}), value_dim((Dim){2, 1}), &equal) && equal);
  assert_true(value_equal(value_dim((Dim){2, 1}), value_int(2), &equal) && !equal);
  assert_true(value_equal(value_dim((Dim){2, 0}), value_int(2), &equal) && equal);
  assert_true(value_equal(list, list, &equal) && equal);
  assert_true(value_equal(list, longer, &equal) && !equal);
  assert_true(value_equal(word, value_int(2), &equal) && !equal);
  assert_true(value_equal(none, tensor, &equal) && !equal);
  assert_false(value_equal(tensor, value_int(2), &equal));
}

static void assigning_replaces_where_the_name_is(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  Scope *outer = scope_new(arena, NULL), *inner = scope_new(arena, outer);
  scope_define(outer, "x", SPAN_NONE, value_int(1));
  scope_assign(inner, "x", SPAN_NONE, value_int(2));
  scope_assign(inner, "y", SPAN_NONE, value_int(3));
  assert_int_equal(scope_find(outer, "x")->value.integer, 2);
  assert_null(scope_find(outer, "y"));
  scope_define(inner, "x", SPAN_NONE, value_int(4));
  assert_int_equal(scope_find(inner, "x")->value.integer, 4);
  assert_int_equal(scope_find(outer, "x")->value.integer, 2);
  arena_free(arena);
}

// ---- what comes with the graph -------------------------------------------------------------------------------------

static void parameters_are_named_ordered_and_initialised(void **state) {
  (void)state;
  Fixture f;
  open_text(&f, "model m(x: f32[N, 8, 8, 3]) { x |> conv2d(4, 3) |> batch_norm |> flatten |> dense(2, init = zeros) }",
            NULL, 0);
  const Lowered *m = lower(&f, MODE_TRAIN);
  static const struct {
    const char *path;
    bool decay;
    InitKind init;
  } want[] = {
      {"m.conv2d_1.w", true, INIT_KAIMING_NORMAL}, {"m.conv2d_1.b", false, INIT_ZEROS},
      {"m.batch_norm_1.gamma", false, INIT_ONES},  {"m.batch_norm_1.beta", false, INIT_ZEROS},
      {"m.dense_1.w", true, INIT_ZEROS},           {"m.dense_1.b", false, INIT_ZEROS},
  };
  assert_int_equal(m->params.n_items, 6);
  for (int k = 0; k < 6; k++) {
    assert_string_equal(m->params.items[k].path, want[k].path);
    assert_int_equal(m->params.items[k].decay, want[k].decay);
    assert_int_equal(m->params.items[k].init.kind, want[k].init);
  }
  assert_int_equal(m->params.items[0].count, 3 * 3 * 3 * 4);
  assert_int_equal(m->states.n_items, 2);
  assert_string_equal(m->states.items[1].path, "m.batch_norm_1.var");
  arena_free(f.arena);
}

static void layers_are_the_calls_in_the_model(void **state) {
  (void)state;
  Fixture f;
  open_text(&f,
            "fn block(x, n) { x |> dense(n)  |> relu }\n"
            "model m(x: f32[N, 3]) {\n"
            "  x |> block(4)\n"
            "    |> dense( 2,   bias = false ) as head\n"
            "}\n",
            NULL, 0);
  const Lowered *m = lower(&f, MODE_INFER);
  assert_int_equal(m->n_layers, 2);
  assert_string_equal(m->layers[0].name, "block_1");
  assert_string_equal(m->layers[0].text, "block(4)");
  assert_int_equal(m->layers[0].parameters, 16);
  assert_int_equal(m->layers[0].shape.dim[1].scale, 4);
  assert_string_equal(m->layers[1].name, "head");
  assert_string_equal(m->layers[1].text, "dense( 2, bias = false ) as head");
  assert_int_equal(m->layers[1].parameters, 8);
  assert_int_equal(m->layers[1].line, 4);
  assert_int_equal(m->layers[0].last_node, m->layers[1].first_node);
  arena_free(f.arena);
}

static void the_users_own_values_are_named(void **state) {
  (void)state;
  Fixture f;
  open_text(&f, "model f(x: f32, y: f32, z: f32) { k = 2   q = x + y   q * z ** k }", NULL, 0);
  const Lowered *m = lower(&f, MODE_INFER);
  assert_int_equal(m->n_named, 1);
  assert_string_equal(m->names[0], "q");
  assert_int_equal(graph_node(m->graph, m->named[0])->op, OP_add);
  arena_free(f.arena);
}

static void hyperparameters_come_from_outside(void **state) {
  (void)state;
  Fixture f;
  const Setting settings[] = {{"units", "7"}};
  open_text(&f, "model m(x: f32[N, d]; d = 3, units = d + 1) { x |> dense(units) }", settings, 1);
  const Lowered *m = lower(&f, MODE_INFER);
  assert_int_equal(m->params.items[0].dim[0], 3);
  assert_int_equal(m->params.items[0].dim[1], 7);
  arena_free(f.arena);
}

// Two dropouts, and a shared one used twice, all draw different numbers.
static void no_two_uses_share_random_numbers(void **state) {
  (void)state;
  Fixture f;
  open_text(&f,
            "model m(x: f32[N, 3]) {\n"
            "  d = layer dropout(0.5)\n"
            "  x |> d |> d |> dropout(0.5)\n"
            "}\n",
            NULL, 0);
  const Lowered *m = lower(&f, MODE_TRAIN);
  uint64_t streams[3];
  int n = 0;
  for (size_t k = 0; k < m->graph->n_nodes; k++)
    if (m->graph->nodes[k].op == OP_random) streams[n++] = m->graph->nodes[k].stream;
  assert_int_equal(n, 3);
  assert_true(streams[0] != streams[1] && streams[1] != streams[2] && streams[0] != streams[2]);
  arena_free(f.arena);
}

// ---- the standard library ------------------------------------------------------------------------------------------

static void the_library_has_no_loose_ends(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  DiagSink *sink = diag_sink_new(arena);
  const char *text = program_std_text(arena, NULL);
  uint32_t file = diag_add_source(sink, "std", text, strlen(text));
  Globals *library = globals_new(arena, NULL, file);
  globals_add(library, sink, ast_parse(arena, sink, file));
  globals_check(elab_new(arena, sink, library, "values", false));
  Text out = text_new(arena);
  diag_render(sink, false, &out);
  assert_string_equal(out.bytes, "");
  for (size_t k = 0; k < library->n_items; k++) {
    const char *name = library->items[k].decl->name->text, *shown = program_std_text(arena, name);
    if (!library->items[k].decl->doc || !shown || shown[0] != '#') fail_msg("%s has no comment", name);
  }
  arena_free(arena);
}

// Everything that a course needs is there under its name.
static void the_library_has_what_was_promised(void **state) {
  (void)state;
  static const char *const names[] = {"dense",
                                      "conv2d",
                                      "conv1d",
                                      "depthwise_conv2d",
                                      "max_pool",
                                      "avg_pool",
                                      "global_avg_pool",
                                      "global_max_pool",
                                      "batch_norm",
                                      "layer_norm",
                                      "local_response_norm",
                                      "dropout",
                                      "stochastic_depth",
                                      "embedding",
                                      "flatten",
                                      "reshape",
                                      "transpose",
                                      "concat",
                                      "split",
                                      "pad",
                                      "upsample",
                                      "depth_to_space",
                                      "one_hot",
                                      "sigmoid",
                                      "tanh",
                                      "relu",
                                      "leaky_relu",
                                      "elu",
                                      "selu",
                                      "gelu",
                                      "silu",
                                      "softplus",
                                      "softmax",
                                      "log_softmax",
                                      "identity",
                                      "abs",
                                      "exp",
                                      "log",
                                      "sqrt",
                                      "rsqrt",
                                      "square",
                                      "sign",
                                      "floor",
                                      "clip",
                                      "min",
                                      "max",
                                      "where",
                                      "sum",
                                      "mean",
                                      "var",
                                      "prod",
                                      "argmax",
                                      "argmin",
                                      "norm",
                                      "gather",
                                      "cross_entropy",
                                      "binary_cross_entropy",
                                      "nll",
                                      "hinge",
                                      "mse",
                                      "mae",
                                      "huber",
                                      "smooth_l1",
                                      "l1",
                                      "l2",
                                      "elastic_net"};
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  for (size_t k = 0; k < sizeof names / sizeof *names; k++)
    if (!program_std_text(arena, names[k])) fail_msg("%s is missing", names[k]);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(compile_time_values_compare),
      cmocka_unit_test(assigning_replaces_where_the_name_is),
      cmocka_unit_test(parameters_are_named_ordered_and_initialised),
      cmocka_unit_test(layers_are_the_calls_in_the_model),
      cmocka_unit_test(the_users_own_values_are_named),
      cmocka_unit_test(hyperparameters_come_from_outside),
      cmocka_unit_test(no_two_uses_share_random_numbers),
      cmocka_unit_test(the_library_has_no_loose_ends),
      cmocka_unit_test(the_library_has_what_was_promised),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
