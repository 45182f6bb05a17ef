// What data and train blocks say, as the plain values that the runtime obeys; fields as graphs; what --set replaces.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "program.h"

typedef struct Fixture {
  Guard guard;
  Arena *arena;
  DiagSink *sink;
} Fixture;

static int setup(void **state) {
  Fixture *f = test_calloc(1, sizeof *f);
  f->arena = arena_new(allocator_system(), &f->guard);
  f->sink = diag_sink_new(f->arena);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  arena_free(f->arena);
  test_free(f);
  return 0;
}

#define MODEL "model m(x: f32[N, 4]; k = 3) { x |> dense(k) }\n"
#define DATA "data d { train { x = npy(\"x.npy\")  y = npy(\"y.npy\") } }\n"

static Program *open_with(Fixture *f, const char *text, const Setting *settings, int n) {
  Program *program = program_from_text(f->arena, f->sink, io_system(), "test.dl", text, settings, n);
  if (f->sink->n_errors) {
    Text out = text_new(f->arena);
    diag_render(f->sink, false, &out);
    print_error("%s", out.bytes);
  }
  assert_int_equal(f->sink->n_errors, 0);
  return program;
}

static Program *open_text(Fixture *f, const char *text) { return open_with(f, text, NULL, 0); }

static const TrainSpec *train_of(Fixture *f, const char *keys, const Setting *settings, int n) {
  const char *text = arena_printf(f->arena, MODEL DATA "train m on d { loss = mse(m(x), y) %s }", keys);
  return program_train(open_with(f, text, settings, n), 0);
}

// ---- train blocks ---------------------------------------------------------------------------------------------------

static void train_block_has_defaults(void **state) {
  const TrainSpec *spec = train_of(*state, "", NULL, 0);
  assert_string_equal(spec->model, "m");
  assert_string_equal(spec->data, "d");
  assert_int_equal(spec->optimizer.kind, OPTIMIZER_sgd);
  assert_true(spec->optimizer.lr == 0.01);
  assert_int_equal(spec->schedule.n, 0);
  assert_int_equal(spec->batch, 32);
  assert_int_equal(spec->epochs, 1);
  assert_int_equal(spec->steps, 0);
  assert_int_equal(spec->seed, 0);
  assert_true(spec->shuffle);
  assert_int_equal(spec->checkpoint_epochs, 1);
  assert_int_equal(spec->checkpoint_steps, 0);
  assert_int_equal(spec->checkpoint_keep, 3);
  assert_false(spec->fast);
}

static void keys_fill_the_spec(void **state) {
  const TrainSpec *spec = train_of(*state,
                                   "size = 16  batch = size * 2  epochs = 5  steps = 700  seed = 9  shuffle = false "
                                   "checkpoint = every(steps = 50, keep = 2)  numerics = fast",
                                   NULL, 0);
  assert_int_equal(spec->batch, 32);
  assert_int_equal(spec->epochs, 5);
  assert_int_equal(spec->steps, 700);
  assert_int_equal(spec->seed, 9);
  assert_false(spec->shuffle);
  assert_int_equal(spec->checkpoint_epochs, 0);
  assert_int_equal(spec->checkpoint_steps, 50);
  assert_int_equal(spec->checkpoint_keep, 2);
  assert_true(spec->fast);
}

static void optimizers_take_their_options_and_defaults(void **state) {
  const struct {
    const char *text;
    OptimizerSpec want;
  } cases[] = {
      {"sgd(0.5)", {.kind = OPTIMIZER_sgd, .lr = 0.5}},
      {"momentum(0.5)", {.kind = OPTIMIZER_momentum, .lr = 0.5, .mu = 0.9}},
      {"momentum(0.5, 0.8, true)", {.kind = OPTIMIZER_momentum, .lr = 0.5, .mu = 0.8, .nesterov = true}},
      {"momentum(nesterov = true, lr = 1)", {.kind = OPTIMIZER_momentum, .lr = 1, .mu = 0.9, .nesterov = true}},
      {"adagrad(lr = 0.5)", {.kind = OPTIMIZER_adagrad, .lr = 0.5, .eps = 1e-10}},
      {"rmsprop(0.5, decay = 0.99)", {.kind = OPTIMIZER_rmsprop, .lr = 0.5, .decay = 0.99, .eps = 1e-8}},
      {"adam(1e-3)", {.kind = OPTIMIZER_adam, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8}},
      {"adamw(1e-3, decay = 0.1)",
       {.kind = OPTIMIZER_adamw, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0.1}},
  };
  Fixture *f = *state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const OptimizerSpec *want = &cases[k].want;
    const OptimizerSpec *got =
        &train_of(f, arena_printf(f->arena, "optimizer = %s", cases[k].text), NULL, 0)->optimizer;
    assert_int_equal(got->kind, want->kind);
    assert_true(got->lr == want->lr && got->mu == want->mu && got->decay == want->decay && got->eps == want->eps);
    assert_true(got->beta1 == want->beta1 && got->beta2 == want->beta2 && got->nesterov == want->nesterov);
  }
}

static const SchedulePiece *only_piece(Fixture *f, const char *key) {
  const ScheduleSpec *s = &train_of(f, key, NULL, 0)->schedule;
  assert_int_equal(s->n, 1);
  return &s->piece[0];
}

static void schedules_take_their_options(void **state) {
  const SchedulePiece *s = only_piece(*state, "schedule = step(5, 0.1)");
  assert_int_equal(s->kind, SCHEDULE_STEP);
  assert_true(s->every.count == 5 && !s->every.in_steps && s->factor == 0.1 && s->length.count == 0);
  s = only_piece(*state, "schedule = step(steps = 200, factor = 0.5)");
  assert_true(s->kind == SCHEDULE_STEP && s->every.count == 200 && s->every.in_steps && s->factor == 0.5);
  s = only_piece(*state, "schedule = cosine(to = 0.25)");
  assert_true(s->kind == SCHEDULE_COSINE && s->to == 0.25);
  s = only_piece(*state, "schedule = cosine");
  assert_true(s->kind == SCHEDULE_COSINE && s->to == 0);
  s = only_piece(*state, "schedule = constant");
  assert_true(s->kind == SCHEDULE_CONSTANT);
  s = only_piece(*state, "schedule = exponential(0.9)");
  assert_true(s->kind == SCHEDULE_EXPONENTIAL && s->factor == 0.9);
  const TrainSpec *t = train_of(*state, "schedule = plateau(3, 0.5)", NULL, 0);
  assert_true(t->schedule.piece[0].kind == SCHEDULE_PLATEAU && t->schedule.piece[0].factor == 0.5);
  assert_true(t->plateau.patience == 3 && !t->plateau.maximize);
  assert_string_equal(t->plateau.score, "train.loss");
}

static void schedules_are_joined(void **state) {
  const ScheduleSpec *s =
      &train_of(*state, "schedule = warmup(5) >> linear(to = 0.5, steps = 70) >> cosine(to = 0)", NULL, 0)->schedule;
  assert_int_equal(s->n, 3);
  assert_true(s->piece[0].kind == SCHEDULE_WARMUP && s->piece[0].length.count == 5 && !s->piece[0].length.in_steps);
  assert_true(s->piece[1].kind == SCHEDULE_LINEAR && s->piece[1].length.count == 70 && s->piece[1].length.in_steps);
  assert_true(s->piece[1].to == 0.5 && s->piece[2].kind == SCHEDULE_COSINE && s->piece[2].length.count == 0);
}

static void bounds_and_early_stopping(void **state) {
  const TrainSpec *t = train_of(*state, "clip = norm(1.5) constrain = max_norm(3) memory = \"2 MB\"", NULL, 0);
  assert_true(t->clip_norm == 1.5 && t->clip_value == 0 && t->max_norm == 3 && t->memory_bytes == 2 << 20);
  assert_true(train_of(*state, "clip = value(0.5)", NULL, 0)->clip_value == 0.5);
  t = train_of(*state, "early_stop = stall(train.loss, 5)", NULL, 0);
  assert_string_equal(t->early_stop.score, "train.loss");
  assert_true(t->early_stop.patience == 5 && !t->early_stop.maximize);
  t = train_of(*state, "metric right = mean(f32(y > 0)) early_stop = stall(train.right, patience = 2)", NULL, 0);
  assert_true(t->early_stop.patience == 2 && t->early_stop.maximize);
  t = train_of(*state, "early_stop = stall(train.loss, 5, maximize = true)", NULL, 0);
  assert_true(t->early_stop.maximize);
}

static void settings_replace_keys_names_and_options(void **state) {
  const char *keys = "size = 8  batch = size  optimizer = momentum(0.1)";
  Setting key = {"batch", "4"}, name = {"size", "2"}, option = {"mu", "0.5"}, new_key = {"epochs", "7"};
  assert_int_equal(train_of(*state, keys, NULL, 0)->batch, 8);
  assert_int_equal(train_of(*state, keys, &key, 1)->batch, 4);
  assert_int_equal(train_of(*state, keys, &name, 1)->batch, 2);
  assert_int_equal(train_of(*state, keys, &new_key, 1)->epochs, 7);
  const OptimizerSpec *o = &train_of(*state, keys, &option, 1)->optimizer;
  assert_true(o->kind == OPTIMIZER_momentum && o->lr == 0.1 && o->mu == 0.5);
  Setting rate = {"lr", "0.3"};
  assert_true(train_of(*state, keys, &rate, 1)->optimizer.lr == 0.3);
  o = &train_of(*state, "", &rate, 1)->optimizer;
  assert_true(o->kind == OPTIMIZER_sgd && o->lr == 0.3);
  Setting whole = {"optimizer", "adam(lr = 1e-2)"};
  assert_int_equal(train_of(*state, keys, &whole, 1)->optimizer.kind, OPTIMIZER_adam);
}

static void settings_reach_hyperparameters(void **state) {
  Setting k = {"k", "[6, 7][1]"};
  Program *program = open_with(*state, MODEL, &k, 1);
  Lowered *lowered = program_lower(program, 0, MODE_INFER, LOWER_OUTPUT);
  assert_non_null(lowered);
  assert_int_equal(lowered->params.items[0].dim[1], 7);
}

static void a_model_without_a_block_has_no_spec(void **state) {
  Program *program = open_text(*state, MODEL);
  assert_null(program_train(program, 0));
  assert_null(program_data(program, 0));
}

// ---- data blocks ----------------------------------------------------------------------------------------------------

static const DataSpec *data_of(Fixture *f, const char *items) {
  const char *text = arena_printf(f->arena, MODEL "data d { %s }\ntrain m on d { loss = mean(m(image)) }", items);
  return program_data(open_text(f, text), 0);
}

static void a_field_names_its_file(void **state) {
  const DataSpec *data = data_of(*state, "train { image = idx(\"a.gz\") / 255  label = idx(\"b.gz\") }");
  assert_string_equal(data->name, "d");
  assert_int_equal(data->n_splits, 1);
  const SplitSpec *train = &data->splits[0];
  assert_string_equal(train->name, "train");
  assert_int_equal(train->n_fields, 2);
  assert_false(train->part.is_part);
  assert_string_equal(train->fields[0].name, "image");
  assert_int_equal(train->fields[0].leaves[0].source.kind, SOURCE_IDX);
  assert_int_equal(train->fields[0].leaves[0].source.n_files, 1);
  assert_string_equal(train->fields[0].leaves[0].source.files[0], "a.gz");
  assert_null(train->fields[0].leaves[0].source.field);
  assert_non_null(train->fields[0].expression);
  assert_null(train->fields[1].expression);
}

static void parts_of_a_set_are_its_splits(void **state) {
  const DataSpec *data =
      data_of(*state, "all = cifar10(\"dir\")  train, valid = split(all.train, 0.9, seed = 7)  test = all.test");
  assert_int_equal(data->n_splits, 3);
  const SplitSpec *train = &data->splits[0], *valid = &data->splits[1], *test = &data->splits[2];
  assert_true(train->part.is_part && train->part.from == 0 && train->part.to == 0.9 && train->part.seed == 7);
  assert_true(valid->part.is_part && valid->part.from == 0.9 && valid->part.to == 1 && valid->part.seed == 7);
  assert_false(test->part.is_part);
  assert_string_equal(train->fields[0].leaves[0].source.split, "train");
  assert_string_equal(train->fields[0].leaves[0].source.field, "image");
  assert_string_equal(train->fields[1].leaves[0].source.field, "label");
  assert_string_equal(test->fields[0].leaves[0].source.split, "test");
}

static void parts_of_parts_are_parts_of_the_whole(void **state) {
  const DataSpec *data =
      data_of(*state, "all = cifar10(\"dir\")  train, rest = split(all.train, 0.5, seed = 3)  a, b = split(rest, 0.5)");
  assert_true(data->splits[2].part.from == 0.5 && data->splits[2].part.to == 0.75 && data->splits[2].part.seed == 3);
  assert_true(data->splits[3].part.from == 0.75 && data->splits[3].part.to == 1 && data->splits[3].part.seed == 3);
}

static void a_list_of_files_is_one_split(void **state) {
  const DataSpec *data = data_of(*state, "train = cifar10([\"a.bin\", \"b.bin\"])");
  assert_int_equal(data->splits[0].fields[0].leaves[0].source.n_files, 2);
  assert_string_equal(data->splits[0].fields[0].leaves[0].source.files[1], "b.bin");
  assert_null(data->splits[0].fields[0].leaves[0].source.split);
  data = data_of(*state, "train = cifar10([\"a.bin\"])  test = cifar10(\"b.bin\")");
  assert_int_equal(data->n_splits, 2);
  assert_string_equal(data->splits[1].fields[1].leaves[0].source.files[0], "b.bin");
}

static void digits_have_a_count(void **state) {
  const DataSpec *data = data_of(*state, "train = digits(\"train\", count = 50, seed = 4)  test = digits(test)");
  const SourceSpec *train = &data->splits[0].fields[0].leaves[0].source,
                   *test = &data->splits[1].fields[0].leaves[0].source;
  assert_int_equal(train->kind, SOURCE_DIGITS);
  assert_int_equal(train->count, 50);
  assert_int_equal(train->seed, 4);
  assert_string_equal(test->split, "test");
  assert_int_equal(test->count, 0);
}

// ---- fields as graphs -----------------------------------------------------------------------------------------------

static bool bytes_source(void *state, const Node *node, double *data, int64_t count) {
  (void)state;
  (void)node;
  for (int64_t k = 0; k < count; k++) data[k] = (double)(51 * k);
  return true;
}

static const double *evaluate(Fixture *f, const Graph *g, int64_t batch) {
  EvalEnv env = {.symbol_values = &batch, .source = bytes_source};
  EvalTensor *values = arena_array(f->arena, g->n_nodes, sizeof *values);
  const char *why = NULL;
  assert_true(graph_eval(g, &env, f->arena, values, &why));
  return values[g->outputs[0].value].data;
}

static void a_field_is_a_graph_from_the_files_type(void **state) {
  Fixture *f = *state;
  const char *text = MODEL
      "data d { half = 0.5  train { image = (npy(\"x.npy\") / 255 - half) * 2.0 } }\n"
      "train m on d { loss = mean(m(image)) }";
  Program *program = open_text(f, text);
  const FieldSpec *field = &program_data(program, 0)->splits[0].fields[0];
  FieldInput input = {field->leaves[0].name, DT_U8, true, {.rank = 1, .dim = {dim_const(2)}}};
  Graph *g = program_lower_field(program, field, &input, 1);
  assert_non_null(g);
  Text why = text_new(f->arena);
  assert_true(graph_verify(g, &why));
  assert_int_equal(g->n_outputs, 1);
  assert_string_equal(g->outputs[0].name, "field");
  assert_int_equal(g->nodes[0].type, DT_U8);
  assert_string_equal(g->nodes[0].name, "the source");
  const Node *result = graph_node(g, g->outputs[0].value);
  assert_int_equal(result->type, DT_F32);
  assert_int_equal(result->shape.rank, 2);
  const double *values = evaluate(f, g, 3);  // bytes 0, 51, .. 255
  for (int k = 0; k < 6; k++) assert_true(values[k] - (0.4 * k - 1) < 1e-6 && (0.4 * k - 1) - values[k] < 1e-6);
}

static void a_field_without_an_expression_is_whole_numbers(void **state) {
  Fixture *f = *state;
  Program *program = open_text(
      f, MODEL "data d { train { image = npy(\"x.npy\")  y = idx(\"y\") } }\ntrain m on d { loss = mean(m(image)) }");
  const FieldSpec *field = &program_data(program, 0)->splits[0].fields[1];
  FieldInput input = {field->leaves[0].name, DT_U8, true, {0}};
  Graph *g = program_lower_field(program, field, &input, 1);
  assert_int_equal(graph_node(g, g->outputs[0].value)->type, DT_I32);
}

static void a_field_that_loses_its_rows_is_refused(void **state) {
  Fixture *f = *state;
  Program *program = open_text(f, MODEL
                               "data d { train { image = transpose(npy(\"x.npy\"), [1, 0]) } }\n"
                               "train m on d { loss = mean(m(image)) }");
  const FieldSpec *field = &program_data(program, 0)->splits[0].fields[0];
  FieldInput input = {field->leaves[0].name, DT_F32, true, {.rank = 1, .dim = {dim_const(4)}}};
  assert_null(program_lower_field(program, field, &input, 1));
  assert_int_equal(f->sink->n_errors, 1);
  assert_int_equal(f->sink->items[0]->code, DIAG_E0155);
}

// ---- lowering -------------------------------------------------------------------------------------------------------

static const Node *input_named(const Graph *g, const char *name) {
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k].op == OP_input && strcmp(g->nodes[k].name, name) == 0) return &g->nodes[k];
  return NULL;
}

static void fields_get_their_types_from_their_use(void **state) {
  Program *program = open_text(*state, MODEL
                               "data d { train = digits(\"train\") }\n"
                               "train m on d { loss = cross_entropy(m(image), label) }");
  Lowered *lowered = program_lower(program, 0, MODE_TRAIN, LOWER_LOSS);
  const Node *image = input_named(lowered->graph, "image"), *label = input_named(lowered->graph, "label");
  assert_int_equal(image->type, DT_F32);
  assert_int_equal(image->shape.rank, 2);
  assert_int_equal(image->shape.dim[1].scale, 4);
  assert_int_equal(label->type, DT_I32);
  assert_int_equal(label->shape.rank, 1);
  assert_false(dim_is_const(label->shape.dim[0]));
}

static void a_cotangent_has_its_outputs_shape(void **state) {
  Program *program = open_text(*state, MODEL);
  const Graph *g = program_lower(program, 0, MODE_TRAIN, LOWER_COTANGENT)->graph;
  const Node *cotangent = input_named(g, "cotangent");
  assert_non_null(cotangent);
  assert_int_equal(cotangent->shape.dim[1].scale, 3);
  bool result = false, loss = false;
  for (size_t k = 0; k < g->n_outputs; k++) {
    result |= g->outputs[k].kind == OUT_RESULT;
    loss |= g->outputs[k].kind == OUT_LOSS;
  }
  assert_true(result && loss);
}

static void results_have_the_names_that_return_gives(void **state) {
  Program *program =
      open_text(*state, "model two(x: f32[N, 4]) { a = relu(x)  return a, x * 2.0 }\nmodel one(x: f32[N]) { x }");
  const Graph *g = program_lower(program, 0, MODE_INFER, LOWER_OUTPUT)->graph;
  assert_string_equal(g->outputs[0].name, "a");
  assert_string_equal(g->outputs[1].name, "two_2");
  g = program_lower(program, 1, MODE_INFER, LOWER_OUTPUT)->graph;
  assert_string_equal(g->outputs[0].name, "one");
}

static void the_standard_library_can_be_read(void **state) {
  Fixture *f = *state;
  const char *all = program_std_text(f->arena, NULL), *dense = program_std_text(f->arena, "dense");
  assert_non_null(strstr(all, "fn conv2d("));
  assert_true(dense[0] == '#');
  assert_non_null(strstr(dense, "\nfn dense("));
  assert_null(strstr(dense, "fn conv2d("));
  assert_null(program_std_text(f->arena, "dence"));
}

// ---- memory ---------------------------------------------------------------------------------------------------------

typedef struct Failing {
  int left;   // requests until one fails
  int alive;  // blocks not yet given back
  Allocator allocator;
  Guard guard;
} Failing;

static void *failing_alloc(void *state, size_t bytes, size_t align) {
  Failing *f = state;
  if (f->left-- == 0) return NULL;
  f->alive++;
  const Allocator *system = allocator_system();
  return system->alloc(system->state, bytes, align);
}

static void failing_release(void *state, void *block, size_t bytes) {
  Failing *f = state;
  f->alive--;
  const Allocator *system = allocator_system();
  system->release(system->state, block, bytes);
}

// Opens and lowers a program with request number `n` failing; true where all went well.
static bool survives(int n, Failing *failing, Arena **arena) {
  *failing = (Failing){.left = n, .allocator = {failing_alloc, failing_release, failing, NULL}};
  *arena = NULL;
  if (setjmp(failing->guard.jump)) return false;
  *arena = arena_new(&failing->allocator, &failing->guard);
  if (!*arena) return false;
  DiagSink *sink = diag_sink_new(*arena);
  Program *program = program_from_text(*arena, sink, io_system(), "test.dl",
                                       MODEL DATA "train m on d { loss = mse(m(x), y) }", NULL, 0);
  return program_lower(program, 0, MODE_TRAIN, LOWER_LOSS) != NULL;
}

static void memory_running_out_reaches_the_guard(void **state) {
  (void)state;
  bool done = false;
  int n = 0;
  for (; !done && n < 10000; n++) {
    Failing failing;
    Arena *arena;
    done = survives(n, &failing, &arena);
    arena_free(arena);
    assert_int_equal(failing.alive, 0);
  }
  assert_true(done && n > 3);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(train_block_has_defaults),
      TEST(keys_fill_the_spec),
      TEST(optimizers_take_their_options_and_defaults),
      TEST(schedules_take_their_options),
      TEST(schedules_are_joined),
      TEST(bounds_and_early_stopping),
      TEST(settings_replace_keys_names_and_options),
      TEST(settings_reach_hyperparameters),
      TEST(a_model_without_a_block_has_no_spec),
      TEST(a_field_names_its_file),
      TEST(parts_of_a_set_are_its_splits),
      TEST(parts_of_parts_are_parts_of_the_whole),
      TEST(a_list_of_files_is_one_split),
      TEST(digits_have_a_count),
      TEST(a_field_is_a_graph_from_the_files_type),
      TEST(a_field_without_an_expression_is_whole_numbers),
      TEST(a_field_that_loses_its_rows_is_refused),
      TEST(fields_get_their_types_from_their_use),
      TEST(a_cotangent_has_its_outputs_shape),
      TEST(results_have_the_names_that_return_gives),
      TEST(the_standard_library_can_be_read),
      TEST(memory_running_out_reaches_the_guard),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
