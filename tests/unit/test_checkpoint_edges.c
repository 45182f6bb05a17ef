// safetensors files and run directories at their edges: headers and positions that lie, files of other models, calls
// that fail.
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "checkpoint.h"
#include "data.h"
#include "fault_io.h"

static Guard guard;
static Arena *arena;
static char folder[] = "/tmp/dlc-checkpoint-edges-XXXXXX";
static TensorTable params, states;
enum { ROWS = 300, COLUMNS = 1000 };  // more than any buffer

static void add(TensorTable *table, const char *path, int rank, int64_t rows, int64_t columns) {
  TensorInfo info = {.path = path, .rank = rank, .dim = {rows, columns}};
  assert_true(tensor_add(arena, table, &info));
}

static int set_up(void **state) {
  (void)state;
  arena = arena_new(allocator_system(), &guard);
  add(&params, "m.w", 2, ROWS, COLUMNS);
  add(&params, "m.scale", 0, 0, 0);
  add(&states, "m.mean", 1, 2, 0);
  return !mkdtemp(folder);
}

static int tear_down(void **state) {
  (void)state;
  int result = system(arena_printf(arena, "rm -rf '%s'", folder));
  arena_free(arena);
  return result;
}

static const char *in_folder(const char *name) { return arena_printf(arena, "%s/%s", folder, name); }

static float *block_of(const TensorTable *table) {
  return arena_array(arena, (size_t)table->block_floats, sizeof(float));
}

static void put(const char *path, const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  fclose(f);
}

static void assert_says(const DiagSink *sink, const char *says) {
  Text text = text_new(arena);
  diag_render(sink, false, &text);
  if (!strstr(text.bytes, says)) fail_msg("'%s' lacks '%s'", text.bytes, says);
}

// ---- headers --------------------------------------------------------------------------------------------------------

#define ENTRY(shape, offsets) "{\"a\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define EMPTY(name) "\"" name "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}"
#define FULL(name) "\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void headers_that_lie_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *header, *says;  // NULL: a good one
  } cases[] = {
      {ENTRY("[\"2\"]", "[0,8]"), "the shape of 'a' cannot be read"},
      {ENTRY("[1,1,1,1,1,1,1,1,2]", "[0,8]"), "the shape of 'a' cannot be read"},
      {ENTRY("[2]", "8"), "the place of 'a' does not fit"},
      {ENTRY("[2]", "[0,8,8]"), "the place of 'a' does not fit"},
      {ENTRY("[2]", "[\"0\",8]"), "the place of 'a' does not fit"},
      {ENTRY("[2]", "[0,\"8\"]"), "the place of 'a' does not fit"},
      {ENTRY("[2]", "[0,9]"), "the place of 'a' does not fit"},
      {ENTRY("[2]", "[8,0]"), "the place of 'a' does not fit"},
      {"{\"a\":{\"dtype\":3,\"shape\":[2],\"data_offsets\":[0,8]}}", "'a' is neither F32 nor I32"},
      {"{\"__metadata__\":3," FULL("a") "}", "its metadata are no object of strings"},
      {"{\"__metadata__\":{\"b\":3}," FULL("a") "}", "its metadata are no object of strings"},
      {"{\"__metadata__\":{},\"__metadata__\":{}," FULL("a") "}", "two __metadata__"},
      {"{\"__metadata__\":{\"dlc.crc32\":\"", "its header is no JSON"},
      {"{" EMPTY("b") "," FULL("a") "," EMPTY("c") "}", NULL},
      {"{\"__metadata__\":{\"b\":\"3\"}," FULL("a") "}", NULL},
  };
  const char *path = in_folder("header.safetensors");
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    size_t length = strlen(cases[k].header);
    char file[512] = {(char)length};
    memcpy(file + 8, cases[k].header, length);
    put(path, file, 8 + length + 8);
    SafeFile read;
    DiagSink *sink = diag_sink_new(arena);
    bool good = safetensors_read(arena, sink, io_system(), path, &read);
    if (good != !cases[k].says) fail_msg("%s", cases[k].header);
    if (!good) assert_says(sink, cases[k].says);
  }
}

// ---- weights --------------------------------------------------------------------------------------------------------

static void write_tensors(const char *name, const NamedTensor *tensors, int n, const char *const *metadata) {
  assert_int_equal(safetensors_write(io_system(), arena, in_folder(name), tensors, n, metadata), 0);
}

static void weights_of_other_models_are_named(void **state) {
  (void)state;
  static const float numbers[4] = {1, 2, 3, 4};
  NamedTensor others[12];
  for (int k = 0; k < 12; k++)
    others[k] = (NamedTensor){.name = arena_printf(arena, "other%d", k), .rank = 1, .dim = {1}, .data = numbers};
  others[9] = (NamedTensor){.name = "m.mean", .type = DATA_I32, .rank = 1, .dim = {2}, .data = numbers};
  others[10] = (NamedTensor){.name = "m.scale", .rank = 1, .dim = {1}, .data = numbers};
  others[11] = (NamedTensor){.name = "m.w", .rank = 2, .dim = {1, 4}, .data = numbers};
  write_tensors("other.safetensors", others, 12, NULL);
  const char *path = in_folder("other.safetensors");
  for (int start = 0; start < 2; start++) {
    DiagSink *sink = diag_sink_new(arena);
    assert_false((start ? weights_start : weights_load)(arena, sink, io_system(), path, &params, block_of(&params),
                                                        &states, block_of(&states)));
    assert_int_equal(sink->n_errors, 1);
    assert_says(sink, "does not fit the model");
    assert_says(sink, "'m.w' is [300, 1000] in the model, [1, 4] in the file");
    assert_says(sink, "'m.scale' is [] in the model, [1] in the file");
    assert_says(sink, "'m.mean' is [2] in the model, [2] of integers in the file");
    assert_says(sink, "and 4 more differences");
    sink = diag_sink_new(arena);
    assert_false((start ? weights_start : weights_load)(arena, sink, io_system(), in_folder("no.safetensors"), &params,
                                                        block_of(&params), &states, block_of(&states)));
    assert_says(sink, "No such file");
  }
}

static void some_weights_are_a_start(void **state) {
  (void)state;
  static const float number = 5;
  NamedTensor scale = {.name = "m.scale", .rank = 0, .data = &number};
  write_tensors("some.safetensors", &scale, 1, NULL);
  DiagSink *sink = diag_sink_new(arena);
  float *block = block_of(&params);
  assert_true(weights_start(arena, sink, io_system(), in_folder("some.safetensors"), &params, block, &states,
                            block_of(&states)));
  assert_true(sink->n_errors == 0 && block[params.items[1].offset] == 5);
  assert_says(sink, "gives 1 of the model's 3 tensors; the others start anew");
  sink = diag_sink_new(arena);
  assert_int_equal(
      weights_save(io_system(), arena, in_folder("all.safetensors"), &params, block, &states, block_of(&states)), 0);
  assert_true(weights_start(arena, sink, io_system(), in_folder("all.safetensors"), &params, block, &states,
                            block_of(&states)));
  assert_int_equal(sink->n_items, 0);
}

static void weights_are_written_whole_or_not(void **state) {
  (void)state;
  const char *path = in_folder("whole.safetensors");
  float *w = block_of(&params), *s = block_of(&states);
  assert_int_equal(weights_save(io_system(), arena, path, &params, w, &states, s), 0);
  for (int at = 1;; at++) {
    FaultIo faults = {.fail_at = at, .error = -ENOSPC, .fail_on = at % 2};
    int error = weights_save(fault_io(&faults), arena, path, &params, w, &states, s);
    assert_true(error == 0 || error == -ENOSPC);
    assert_true(weights_load(arena, diag_sink_new(arena), io_system(), path, &params, w, &states, s));
    if (faults.calls < at) break;
    assert_true(at < 100);
  }
  FaultIo faults = {.interrupted = true};
  assert_int_equal(weights_save(fault_io(&faults), arena, path, &params, w, &states, s), 0);
  assert_true(weights_load(arena, diag_sink_new(arena), io_system(), path, &params, w, &states, s));
}

// ---- run directories ------------------------------------------------------------------------------------------------

static Optimizer optimizer(OptimizerKind kind) {
  Optimizer o;
  OptimizerSpec spec = {.kind = kind, .lr = 0.1, .mu = 0.9};
  optimizer_init(&o, &spec, &params, arena);
  return o;
}

static int save(RunDir *run, int64_t step, const Optimizer *o, int64_t keep) {
  double sums[1] = {0.5};
  RunState s = {.step = step, .batch_rows = 4, .sums = sums, .n_sums = 1};
  return run_save(run, &s, &params, block_of(&params), &states, block_of(&states), o, keep);
}

typedef struct Back {
  RunLoaded loaded;
  int64_t step;
  DiagSink *sink;
} Back;

static Back load(RunDir *run, OptimizerKind kind) {
  double sums[1] = {0};
  RunState s = {.sums = sums, .n_sums = 1};
  Optimizer o = optimizer(kind);
  Back back = {.sink = diag_sink_new(arena)};
  back.loaded = run_load(run, back.sink, &s, &params, block_of(&params), &states, block_of(&states), &o);
  back.step = s.step;
  return back;
}

static RunDir *open_run(const char *name, bool resume) {
  DiagSink *sink = diag_sink_new(arena);
  RunDir *run = run_open(arena, sink, io_system(), in_folder(name), resume);
  assert_non_null(run);
  assert_string_equal(run_path(run), in_folder(name));
  return run;
}

static void write_run(const char *name, const char *format, const char *kind, const char *position,
                      const NamedTensor *slots, int n_slots) {
  const char *metadata[] = {"format", format, "optimizer", kind, "position", position, NULL};
  write_tensors(name, slots, n_slots, metadata);
}

// What a .run file says, and what is then said of it; the weights file is not there.
static void positions_that_lie_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *format, *position, *says;
  } cases[] = {
      {"dlc-run-2", "", "is damaged"},
      {"dlc-run-1", "", "is of a run with other metrics"},
      {"dlc-run-1", "step 1 updates 1 epoch 0 batch 1 batch_rows 4 seed 0 weights 0 rows 4 sums 2 0x1p+0 0x1p+0",
       "is of a run with other metrics"},
      {"dlc-run-1", "step 1 updates 1 epoch 0 batch 1 batch_rows 4 seed 0 weights 0 rows 4 sums 1 x",
       "is of a run with other metrics"},
#define TAIL "seed 0 weights 0 rows 4 sums 1 0x1p+0 watch 0x1p+0 inf 0 inf 0"
      {"dlc-run-1", "step 1 updates 1 epoch 0 batch 1 batch_rows 4 " TAIL " x", "is of a run with other metrics"},
      {"dlc-run-1", "step 1 updates 1 epoch 0 batch 1 batch_rows 4 seed 0 weights 0 rows 4 sums 1 0x1p+0 watch 0x1p+0",
       "is of a run with other metrics"},
      {"dlc-run-1", "step -1 updates 1 epoch 0 batch 1 batch_rows 4 " TAIL, "is of a run with other metrics"},
      {"dlc-run-1", "step 1 updates 1 epoch -1 batch 1 batch_rows 4 " TAIL, "is of a run with other metrics"},
      {"dlc-run-1", "step 1 updates 1 epoch 0 batch -1 batch_rows 4 " TAIL, "is of a run with other metrics"},
      {"dlc-run-1", "step 1 updates 1 epoch 0 batch 1 batch_rows 0 " TAIL, "is of a run with other metrics"},
      {"dlc-run-1", "step 1 updates 1 epoch 0 batch 1 batch_rows 4 " TAIL, "No such file"},
  };
  RunDir *run = open_run("lies", false);
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    write_run("lies/step-00000001.run", cases[k].format, "sgd", cases[k].position, NULL, 0);
    Back back = load(run, OPTIMIZER_sgd);
    assert_int_equal(back.loaded, RUN_UNUSABLE);
    assert_int_equal(back.sink->n_errors, 1);
    assert_says(back.sink, cases[k].says);
  }
  run_close(run);
}

static void slots_of_another_size_are_refused(void **state) {
  (void)state;
  static const float numbers[4] = {0};
  NamedTensor slots[] = {{.name = "other", .rank = 1, .dim = {4}, .data = numbers},
                         {.name = "momentum", .rank = 1, .dim = {4}, .data = numbers},
                         {.name = "momentum", .rank = 2, .dim = {2, 2}, .data = numbers},
                         {.name = "momentum", .type = DATA_I32, .rank = 1, .dim = {4}, .data = numbers}};
  RunDir *run = open_run("slots", false);
  for (int k = 0; k < 4; k++) {
    write_run("slots/step-00000001.run", "dlc-run-1", "momentum", "step 1 updates 1 epoch 0 batch 1 batch_rows 4 " TAIL,
              &slots[k], 1);
    Back back = load(run, OPTIMIZER_momentum);
    assert_int_equal(back.loaded, RUN_UNUSABLE);
    assert_says(back.sink, "is of another model: its optimizer's state has another size");
  }
  run_close(run);
}

static void other_names_are_no_generations(void **state) {
  (void)state;
  static const char *const names[] = {"step-x.run", "step-:.run", "step-99999999999999999999.run",
                                      "step-1.txt", "step-.run",  "step-2.safetensors",
                                      "steps"};
  RunDir *run = open_run("names", false);
  for (size_t k = 0; k < sizeof names / sizeof *names; k++)
    put(in_folder(arena_printf(arena, "names/%s", names[k])), "", 0);
  assert_int_equal(load(run, OPTIMIZER_sgd).loaded, RUN_EMPTY);
  Optimizer o = optimizer(OPTIMIZER_sgd);
  for (int64_t step = 3; step <= 6; step++) assert_int_equal(save(run, step, &o, 1), 0);  // two are kept at least
  assert_int_equal(load(run, OPTIMIZER_sgd).step, 6);
  assert_int_equal(access(in_folder("names/step-00000005.run"), F_OK), 0);
  assert_int_not_equal(access(in_folder("names/step-00000004.run"), F_OK), 0);
  run_close(run);
}

// The generation is of another model: its differences are said with the error.
static void weights_that_misfit_are_named(void **state) {
  (void)state;
  RunDir *run = open_run("misfit", false);
  Optimizer o = optimizer(OPTIMIZER_sgd);
  TensorTable none = {0};
  double sums[1] = {0};
  RunState s = {.step = 1, .batch_rows = 4, .sums = sums, .n_sums = 1};
  assert_int_equal(run_save(run, &s, &params, block_of(&params), &none, NULL, &o, 2), 0);
  Back back = load(run, OPTIMIZER_sgd);
  assert_int_equal(back.loaded, RUN_UNUSABLE);
  assert_says(back.sink, "'m.mean' [2] is missing");
  run_close(run);
}

// ---- calls that fail ------------------------------------------------------------------------------------------------

static void any_failing_call_of_a_load_is_said(void **state) {
  (void)state;
  RunDir *run = open_run("reads", false);
  Optimizer o = optimizer(OPTIMIZER_momentum);
  assert_int_equal(save(run, 1, &o, 2), 0);
  assert_int_equal(save(run, 2, &o, 2), 0);
  assert_int_equal(run_log(run, "{\"step\":2}"), 0);
  run_close(run);
  for (int at = 1;; at++) {
    FaultIo faults = {0};
    run = run_open(arena, diag_sink_new(arena), fault_io(&faults), in_folder("reads"), true);
    faults = (FaultIo){.fail_at = at, .error = -EIO, .fail_on = at % 2};
    Back back = load(run, OPTIMIZER_momentum);
    assert_true(back.loaded == RUN_LOADED ? back.sink->n_errors == 0 : back.loaded == RUN_EMPTY || back.sink->n_errors);
    bool done = faults.calls < at;
    faults = (FaultIo){0};
    run_close(run);
    if (done) break;
    assert_true(at < 100);
  }
}

static void logs_that_cannot_be_written(void **state) {
  (void)state;
  FaultIo faults = {0};
  RunDir *run = run_open(arena, diag_sink_new(arena), fault_io(&faults), in_folder("full"), false);
  assert_non_null(run);
  faults = (FaultIo){.fail_at = 1, .error = -ENOSPC, .fail_on = true};
  assert_int_equal(run_log(run, "{}"), -ENOSPC);
  assert_int_equal(run_scalar(run, "loss", 1, 1000, 1), -ENOSPC);
  assert_int_equal(run_put(run, "program.dl", "x"), -ENOSPC);
  faults = (FaultIo){.interrupted = true};
  faults.turns = 1;
  assert_int_equal(run_log(run, "{}"), 0);
  assert_int_equal(run_scalar(run, "loss", 1, 1000, 1), 0);
  faults = (FaultIo){.fail_at = 1, .error = -ENOSPC};
  assert_int_equal(run_log(run, "{}"), -ENOSPC);
  char *text = arena_alloc(arena, 100001);
  memset(text, 'x', 100000);
  for (int at = 1; at < 10; at++) {
    faults = (FaultIo){.fail_at = at, .error = -ENOSPC};
    int error = run_put(run, "program.dl", text);
    assert_true(error == 0 || error == -ENOSPC);
  }
  faults = (FaultIo){0};
  run_close(run);
}

static int no_open(void *state, const char *path, int flags, int mode) {
  return (void)state, (void)path, (void)flags, (void)mode, 1 << 20;  // no file is of this number
}

static void a_lock_that_cannot_be_had(void **state) {
  (void)state;
  IoOps ops = *io_system().ops;
  ops.open = no_open;
  DiagSink *sink = diag_sink_new(arena);
  assert_null(run_open(arena, sink, (Io){&ops, NULL}, in_folder("lock"), false));
  assert_says(sink, "Bad file descriptor");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(headers_that_lie_are_refused),       cmocka_unit_test(weights_of_other_models_are_named),
      cmocka_unit_test(some_weights_are_a_start),           cmocka_unit_test(weights_are_written_whole_or_not),
      cmocka_unit_test(positions_that_lie_are_refused),     cmocka_unit_test(slots_of_another_size_are_refused),
      cmocka_unit_test(other_names_are_no_generations),     cmocka_unit_test(weights_that_misfit_are_named),
      cmocka_unit_test(any_failing_call_of_a_load_is_said), cmocka_unit_test(logs_that_cannot_be_written),
      cmocka_unit_test(a_lock_that_cannot_be_had),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
