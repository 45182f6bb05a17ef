// safetensors files, weights by name, run directories: damage is found, misfits are named, generations fall back.
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "checkpoint.h"
#include "data.h"

static Guard guard;
static Arena *arena;
static char folder[] = "/tmp/dlc-checkpoint-XXXXXX";
static TensorTable params, states;

static int set_up(void **state) {
  (void)state;
  arena = arena_new(allocator_system(), &guard);
  TensorInfo w = {.path = "m.w", .rank = 2, .dim = {3, 5}}, b = {.path = "m.b", .rank = 1, .dim = {5}};
  TensorInfo mean = {.path = "m.mean", .rank = 1, .dim = {2}};
  return !mkdtemp(folder) || !tensor_add(arena, &params, &w) || !tensor_add(arena, &params, &b) ||
         !tensor_add(arena, &states, &mean);
}

static int tear_down(void **state) {
  (void)state;
  char *command = arena_printf(arena, "rm -rf '%s'", folder);
  int result = system(command);
  arena_free(arena);
  return result;
}

static const char *in_folder(const char *name) { return arena_printf(arena, "%s/%s", folder, name); }

static float *filled(const TensorTable *table, float first) {
  float *block = arena_array(arena, (size_t)table->block_floats, sizeof *block);
  for (int k = 0; k < table->n_items; k++)
    for (int64_t e = 0; e < table->items[k].count; e++)
      block[table->items[k].offset + e] = first + (float)e + 100 * (float)k;
  return block;
}

static float *empty(const TensorTable *table) { return arena_array(arena, (size_t)table->block_floats, sizeof(float)); }

static void weights_read_back_by_name(void **state) {
  (void)state;
  const char *path = in_folder("w.safetensors");
  float *w = filled(&params, 1), *s = filled(&states, -1), *w2 = empty(&params), *s2 = empty(&states);
  assert_int_equal(weights_save(io_system(), arena, path, &params, w, &states, s), 0);
  DiagSink *sink = diag_sink_new(arena);
  assert_true(weights_load(arena, sink, io_system(), path, &params, w2, &states, s2));
  assert_memory_equal(w, w2, (size_t)params.block_floats * 4);
  assert_memory_equal(s, s2, (size_t)states.block_floats * 4);
}

static void another_models_weights_are_named(void **state) {
  (void)state;
  const char *path = in_folder("other.safetensors");
  TensorTable other = {0};
  TensorInfo w = {.path = "m.w", .rank = 2, .dim = {3, 4}}, c = {.path = "m.c", .rank = 1, .dim = {5}};
  tensor_add(arena, &other, &w);
  tensor_add(arena, &other, &c);
  assert_int_equal(weights_save(io_system(), arena, path, &other, filled(&other, 0), &states, filled(&states, 0)), 0);
  DiagSink *sink = diag_sink_new(arena);
  assert_false(weights_load(arena, sink, io_system(), path, &params, empty(&params), &states, empty(&states)));
  assert_int_equal(sink->n_errors, 1);
  assert_int_equal(sink->items[0]->code, DIAG_E0412);
  Text text = text_new(arena);
  diag_render(sink, false, &text);
  assert_non_null(strstr(text.bytes, "'m.w' is [3, 5] in the model, [3, 4] in the file"));
  assert_non_null(strstr(text.bytes, "'m.b' [5] is missing"));
  assert_non_null(strstr(text.bytes, "the model has no 'm.c'"));
}

static void put(const char *path, const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  fclose(f);
}

static bool reads(const char *path) {
  SafeFile file;
  return safetensors_read(arena, diag_sink_new(arena), io_system(), path, &file);
}

static void every_flipped_byte_and_every_prefix_is_refused(void **state) {
  (void)state;
  const char *path = in_folder("whole.safetensors"), *bad = in_folder("bad.safetensors");
  assert_int_equal(weights_save(io_system(), arena, path, &params, filled(&params, 3), &states, filled(&states, 4)), 0);
  char *bytes;
  size_t size;
  assert_int_equal(io_read_file(io_system(), arena, path, 1 << 20, &bytes, &size), 0);
  for (size_t k = 0; k < size; k++) {
    put(bad, bytes, k);
    assert_false(reads(bad));
  }
  int survived = 0;
  for (size_t k = 0; k < size; k++) {
    bytes[k] = (char)(bytes[k] ^ 0x10);
    put(bad, bytes, size);
    // Only a change of the checksum's own name can go unseen: the file is then one without a checksum, with good data.
    SafeFile file;
    if (safetensors_read(arena, diag_sink_new(arena), io_system(), bad, &file)) {
      survived++;
      float *w = empty(&params);
      assert_true(weights_load(arena, diag_sink_new(arena), io_system(), bad, &params, w, &states, empty(&states)));
      assert_memory_equal(w, filled(&params, 3), (size_t)params.block_floats * 4);
    }
    bytes[k] = (char)(bytes[k] ^ 0x10);
  }
  assert_true(survived <= 9);
}

static void lying_headers_are_refused(void **state) {
  (void)state;
  static const char *const headers[] = {
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,4]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}}",
      "{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[9007199254740992,9007199254740992],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}",
      "{\"a\":[]}",
      "{\"__metadata__\":{\"x\":1},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "[]",
      "{",
  };
  const char *path = in_folder("lie.safetensors");
  for (size_t k = 0; k < sizeof headers / sizeof *headers; k++) {
    size_t length = strlen(headers[k]);
    char file[1024] = {(char)length};
    memcpy(file + 8, headers[k], length);
    put(path, file, 8 + length + 8);
    assert_false(reads(path));
  }
  const char good[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
  char file[256] = {sizeof good - 1};
  memcpy(file + 8, good, sizeof good - 1);
  put(path, file, 8 + sizeof good - 1 + 8);
  assert_true(reads(path));
  memset(file, 0xff, 8);
  put(path, file, sizeof file);
  assert_false(reads(path));
}

// ---- run directories ------------------------------------------------------------------------------------------------

static Optimizer adam(void) {
  Optimizer o;
  OptimizerSpec spec = {.kind = OPTIMIZER_adam, .lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
  optimizer_init(&o, &spec, &params, arena);
  return o;
}

enum { SUMS = 2 };

static RunState at_step(int64_t step) {
  double *sums = arena_array(arena, SUMS, sizeof *sums);
  sums[0] = 0.1 * (double)step;
  sums[1] = 7;
  return (RunState){.step = step,
                    .epoch = 1,
                    .batch = step % 3,
                    .batch_rows = 64,
                    .seed = UINT64_MAX,
                    .rows = 128,
                    .plateau_level = 0.1,
                    .plateau = {0.3, 2},
                    .stall = {-INFINITY, 4},
                    .sums = sums,
                    .n_sums = SUMS};
}

static int save_through(RunDir *run, int64_t step, const Optimizer *o) {
  RunState s = at_step(step);
  return run_save(run, &s, &params, filled(&params, (float)step), &states, filled(&states, (float)-step), o, 2);
}

static void save(RunDir *run, int64_t step, const Optimizer *o) { assert_int_equal(save_through(run, step, o), 0); }

static RunDir *open_run(const char *name, bool resume) {
  RunDir *run = run_open(arena, diag_sink_new(arena), io_system(), in_folder(name), resume);
  assert_non_null(run);
  return run;
}

// What came back, and whether all of it is what step `state.step` saved.
typedef struct Back {
  RunLoaded loaded;
  RunState state;
  float *w, *s;
  Optimizer o;
  DiagSink *sink;
} Back;

static Back load(RunDir *run) {
  Back b = {.w = empty(&params), .s = empty(&states), .o = adam(), .sink = diag_sink_new(arena)};
  b.state = (RunState){.sums = arena_array(arena, SUMS, sizeof(double)), .n_sums = SUMS};
  b.loaded = run_load(run, b.sink, &b.state, &params, b.w, &states, b.s, &b.o);
  return b;
}

static void assert_whole(const Back *b, int64_t step) {
  assert_int_equal(b->loaded, RUN_LOADED);
  RunState expect = at_step(step);
  assert_int_equal(b->state.step, step);
  assert_int_equal(b->state.epoch, expect.epoch);
  assert_int_equal(b->state.batch, expect.batch);
  assert_int_equal(b->state.batch_rows, expect.batch_rows);
  assert_true(b->state.seed == expect.seed);
  assert_int_equal(b->state.rows, expect.rows);
  assert_memory_equal(b->state.sums, expect.sums, SUMS * sizeof(double));
  assert_true(b->state.plateau_level == 0.1 && b->state.plateau.best == 0.3 && b->state.plateau.since == 2);
  assert_true(b->state.stall.best == -INFINITY && b->state.stall.since == 4);
  assert_memory_equal(b->w, filled(&params, (float)step), (size_t)params.block_floats * 4);
  assert_memory_equal(b->s, filled(&states, (float)-step), (size_t)states.block_floats * 4);
}

static void a_generation_reads_back_whole(void **state) {
  (void)state;
  RunDir *run = open_run("run", false);
  assert_int_equal(load(run).loaded, RUN_EMPTY);
  Optimizer o = adam();
  for (int k = 0; k < 2; k++) memcpy(o.slot[k], filled(&params, 5 + (float)k), (size_t)params.block_floats * 4);
  o.step = 12;
  for (int64_t step = 1; step <= 4; step++) save(run, step, &o);
  assert_int_not_equal(access(in_folder("run/step-00000002.run"), F_OK), 0);  // two generations are kept
  assert_int_not_equal(access(in_folder("run/step-00000002.safetensors"), F_OK), 0);
  assert_int_equal(access(in_folder("run/step-00000003.run"), F_OK), 0);
  Back back = load(run);
  assert_whole(&back, 4);
  assert_int_equal(back.sink->n_items, 0);
  for (int k = 0; k < 2; k++) assert_memory_equal(back.o.slot[k], o.slot[k], (size_t)params.block_floats * 4);
  assert_int_equal(back.o.step, 12);
  run_close(run);
}

static void damage_falls_back_to_the_generation_before(void **state) {
  (void)state;
  RunDir *run = open_run("damaged", false);
  Optimizer o = adam();
  save(run, 1, &o);
  save(run, 2, &o);
  assert_int_equal(truncate(in_folder("damaged/step-00000002.safetensors"), 100), 0);
  Back back = load(run);
  assert_whole(&back, 1);
  assert_int_equal(back.sink->n_errors, 0);
  assert_int_equal(back.sink->n_items, 1);  // the warning that names the damaged file
  assert_non_null(strstr(back.sink->items[0]->message, "step-00000002.safetensors"));
  assert_int_equal(truncate(in_folder("damaged/step-00000001.run"), 100), 0);
  back = load(run);
  assert_int_equal(back.loaded, RUN_UNUSABLE);
  assert_int_equal(back.sink->n_errors, 1);
  run_close(run);
}

// Every byte of both files of the newest generation, changed in turn: it is refused and the one before is used, or what
// was changed means nothing and everything reads back as it was.
static void no_flipped_byte_is_believed(void **state) {
  (void)state;
  static const char *const names[] = {"flipped/step-00000002.safetensors", "flipped/step-00000002.run"};
  RunDir *run = open_run("flipped", false);
  Optimizer o = adam();
  save(run, 1, &o);
  save(run, 2, &o);
  for (int file = 0; file < 2; file++) {
    char *bytes;
    size_t size;
    int fell_back = 0;
    assert_int_equal(io_read_file(io_system(), arena, in_folder(names[file]), 1 << 20, &bytes, &size), 0);
    for (size_t k = 0; k < size; k++) {
      bytes[k] = (char)(bytes[k] ^ (1 << k % 8));
      put(in_folder(names[file]), bytes, size);
      bytes[k] = (char)(bytes[k] ^ (1 << k % 8));
      Back back = load(run);
      assert_whole(&back, back.state.step);
      assert_int_equal(back.sink->n_errors, 0);
      assert_int_equal(back.sink->n_items, back.state.step == 1);
      fell_back += back.state.step == 1;
    }
    assert_true(fell_back >= (int)size - 8);
    put(in_folder(names[file]), bytes, size);
  }
  run_close(run);
}

static void a_misfit_is_no_damage(void **state) {
  (void)state;
  RunDir *run = open_run("misfit", false);
  Optimizer o = adam(), sgd;
  save(run, 1, &o);
  OptimizerSpec spec = {.kind = OPTIMIZER_sgd, .lr = 0.1};
  optimizer_init(&sgd, &spec, &params, arena);
  save(run, 2, &sgd);
  Back back = load(run);
  assert_int_equal(back.loaded, RUN_UNUSABLE);
  assert_int_equal(back.sink->items[0]->code, DIAG_E0413);
  assert_non_null(strstr(back.sink->items[0]->message, "another optimizer"));
  run_close(run);
}

static void what_a_killed_run_was_writing_is_cleared_away(void **state) {
  (void)state;
  RunDir *run = open_run("killed", false);
  Optimizer o = adam();
  save(run, 1, &o);
  run_close(run);
  put(in_folder("killed/step-00000002.safetensors.tmp-99"), "x", 1);
  put(in_folder("killed/step-00000003.safetensors"), "x", 1);  // killed between the two files
  run = open_run("killed", true);
  assert_int_not_equal(access(in_folder("killed/step-00000002.safetensors.tmp-99"), F_OK), 0);
  Back back = load(run);
  assert_whole(&back, 1);
  assert_int_equal(back.sink->n_items, 0);
  run_close(run);
}

// ---- the same with calls that fail
// ------------------------------------------------------------------------------------

typedef struct Faults {
  const IoOps *real;
  int calls, fail_at;
} Faults;

static int fault(void *state) {
  Faults *faults = state;
  return ++faults->calls == faults->fail_at ? -ENOSPC : 0;
}
static int f_open(void *s, const char *path, int flags, int mode) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->open(NULL, path, flags, mode);
}
static ssize_t f_pread(void *s, int fd, void *buffer, size_t count, off_t offset) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->pread(NULL, fd, buffer, count, offset);
}
static ssize_t f_write(void *s, int fd, const void *buffer, size_t count) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->write(NULL, fd, buffer, count);
}
static int f_fsync(void *s, int fd) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->fsync(NULL, fd);
}
static int f_close(void *s, int fd) {
  int e = fault(s), r = ((Faults *)s)->real->close(NULL, fd);
  return e ? e : r;
}
static int f_rename(void *s, const char *a, const char *b) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->rename(NULL, a, b);
}
static int f_unlink(void *s, const char *path) { return ((Faults *)s)->real->unlink(NULL, path); }
static int f_mkdir(void *s, const char *path, int mode) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->mkdir(NULL, path, mode);
}
static int f_size(void *s, int fd, int64_t *size, bool *regular) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->fstat_size(NULL, fd, size, regular);
}
static int f_list(void *s, const char *path, void (*each)(void *, const char *), void *user) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->list(NULL, path, each, user);
}
static const IoOps faulty = {f_open,   f_pread, f_write, f_fsync, f_close, f_rename,
                             f_unlink, f_mkdir, f_size,  f_list,  NULL,    NULL};

static void a_failing_save_leaves_the_generation_before(void **state) {
  (void)state;
  Optimizer o = adam();
  bool failed = true;
  for (int at = 1; failed; at++) {
    const char *name = arena_printf(arena, "fails-%d", at);
    RunDir *run = open_run(name, false);
    save(run, 1, &o);
    run_close(run);
    Faults faults = {io_system().ops, 0, 0};
    run = run_open(arena, diag_sink_new(arena), (Io){&faulty, &faults}, in_folder(name), true);
    faults.fail_at = faults.calls + at;
    int error = save_through(run, 2, &o);
    failed = faults.calls >= faults.fail_at;
    run_close(run);
    run = open_run(name, true);
    Back back = load(run);
    assert_whole(&back, back.state.step);
    if (error) assert_int_equal(error, -ENOSPC);
    if (!error) assert_int_equal(back.state.step, 2);
    run_close(run);
    assert_true(at < 100);
  }
}

static void opening_fails_cleanly_at_every_call(void **state) {
  (void)state;
  for (int at = 1;; at++) {
    Faults faults = {io_system().ops, 0, at};
    DiagSink *sink = diag_sink_new(arena);
    RunDir *run = run_open(arena, sink, (Io){&faulty, &faults}, in_folder("opening/deep"), true);
    if (!run) assert_int_equal(sink->items[0]->code, DIAG_E0604);
    run_close(run);
    if (faults.calls < at) break;
    assert_true(at < 100);
  }
}

static void one_run_a_directory(void **state) {
  (void)state;
  DiagSink *sink = diag_sink_new(arena);
  run_close(open_run("one", false));
  RunDir *run = open_run("one", false);  // a run that wrote nothing is none
  assert_null(run_open(arena, sink, io_system(), in_folder("one"), true));
  assert_int_equal(sink->items[0]->code, DIAG_E0604);
  Optimizer o = adam();
  save(run, 1, &o);
  run_close(run);
  assert_null(run_open(arena, sink, io_system(), in_folder("one"), false));  // it holds a run
  RunDir *again = run_open(arena, sink, io_system(), in_folder("one"), true);
  assert_non_null(again);
  run_close(again);
  assert_null(run_open(arena, sink, io_system(), "/dev/null/no", false));
}

static void logs_are_appended(void **state) {
  (void)state;
  DiagSink *sink = diag_sink_new(arena);
  RunDir *run = run_open(arena, sink, io_system(), in_folder("logs"), false);
  assert_int_equal(run_log(run, "{\"a\":1}"), 0);
  assert_int_equal(run_log(run, "{\"a\":2}"), 0);
  assert_int_equal(run_curve(run, "{\"b\":1}"), 0);
  assert_int_equal(run_scalar(run, "loss", 1, 1000.5, 0.25f), 0);
  const int64_t bins[] = {3, 1};
  const EventHistogram histogram = {
      .least = -1, .greatest = 1, .count = 4, .sum = -2, .sum_of_squares = 4, .bins = bins, .n_bins = 2};
  assert_int_equal(run_histogram(run, "h", 1, 1000.5, &histogram), 0);
  assert_int_equal(run_put(run, "program.dl", "model"), 0);
  run_close(run);
  char *bytes;
  size_t size;
  assert_int_equal(io_read_file(io_system(), arena, in_folder("logs/log.jsonl"), 1000, &bytes, &size), 0);
  assert_string_equal(bytes, "{\"a\":1}\n{\"a\":2}\n");
  assert_int_equal(io_read_file(io_system(), arena, in_folder("logs/curves.jsonl"), 1000, &bytes, &size), 0);
  assert_string_equal(bytes, "{\"b\":1}\n");
  const char *events = in_folder("logs/events.out.tfevents.1000.dlc");
  assert_int_equal(io_read_file(io_system(), arena, events, 1000, &bytes, &size), 0);
  // TFRecord: length 24 of the version record, whose masked CRC-32C is a known constant of every such file.
  assert_int_equal(bytes[0], 24);
  assert_memory_equal(bytes + 8, "\xa3\x7f\x4b\x22", 4);
  // The histogram's record: bucket limits 0 and 1, buckets 3 and 1, as packed doubles of fields 6 and 7.
  static const char buckets[] =
      "\x32\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf0\x3f"
      "\x3a\x10\0\0\0\0\0\0\x08\x40\0\0\0\0\0\0\xf0\x3f";
  assert_non_null(memmem(bytes, size, buckets, sizeof buckets - 1));
}

static void a_resumed_run_forgets_what_it_will_do_again(void **state) {
  (void)state;
  RunDir *run = open_run("again", false);
  Optimizer o = adam();
  save(run, 20, &o);
  run_curve(run, "{\"step\":20}");
  run_curve(run, "{\"step\":21}");
  run_log(run, "{\"epoch\":1,\"step\":10}");
  run_log(run, "{\"epoch\":2,\"step\":20}");
  run_log(run, "{\"epoch\":3,\"step\":30}");
  run_log(run, "{\"epoch\":3,\"ste");  // torn
  run_close(run);
  run = open_run("again", true);
  assert_int_equal(load(run).loaded, RUN_LOADED);
  run_log(run, "{\"epoch\":3,\"step\":31}");
  run_close(run);
  char *bytes;
  size_t size;
  assert_int_equal(io_read_file(io_system(), arena, in_folder("again/log.jsonl"), 1000, &bytes, &size), 0);
  assert_string_equal(bytes, "{\"epoch\":1,\"step\":10}\n{\"epoch\":2,\"step\":20}\n{\"epoch\":3,\"step\":31}\n");
  assert_int_equal(io_read_file(io_system(), arena, in_folder("again/curves.jsonl"), 1000, &bytes, &size), 0);
  assert_string_equal(bytes, "{\"step\":20}\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(weights_read_back_by_name),
      cmocka_unit_test(another_models_weights_are_named),
      cmocka_unit_test(every_flipped_byte_and_every_prefix_is_refused),
      cmocka_unit_test(lying_headers_are_refused),
      cmocka_unit_test(a_generation_reads_back_whole),
      cmocka_unit_test(damage_falls_back_to_the_generation_before),
      cmocka_unit_test(no_flipped_byte_is_believed),
      cmocka_unit_test(a_misfit_is_no_damage),
      cmocka_unit_test(what_a_killed_run_was_writing_is_cleared_away),
      cmocka_unit_test(a_failing_save_leaves_the_generation_before),
      cmocka_unit_test(opening_fails_cleanly_at_every_call),
      cmocka_unit_test(one_run_a_directory),
      cmocka_unit_test(logs_are_appended),
      cmocka_unit_test(a_resumed_run_forgets_what_it_will_do_again),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
