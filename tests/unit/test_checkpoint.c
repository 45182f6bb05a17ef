// safetensors files, weights by name, run directories: damage is found, misfits are named, generations fall back.
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

static RunState at_step(int64_t step) {
  return (RunState){.step = step, .epoch = 1, .batch = step % 3, .seed = UINT64_MAX, .loss_sum = 0.1, .loss_count = 7};
}

static int save(RunDir *run, int64_t step, const Optimizer *o) {
  RunState s = at_step(step);
  return run_save(run, &s, &params, filled(&params, (float)step), &states, filled(&states, (float)-step), o, 2);
}

static void a_generation_reads_back_whole(void **state) {
  (void)state;
  DiagSink *sink = diag_sink_new(arena);
  RunDir *run = run_open(arena, sink, io_system(), in_folder("run"), false);
  assert_non_null(run);
  Optimizer o = adam(), o2 = adam();
  for (int k = 0; k < 2; k++) memcpy(o.slot[k], filled(&params, 5 + (float)k), (size_t)params.block_floats * 4);
  o.step = 12;
  for (int64_t step = 1; step <= 4; step++) assert_int_equal(save(run, step, &o), 0);
  assert_int_not_equal(access(in_folder("run/step-00000002.run"), F_OK), 0);  // two generations are kept
  assert_int_equal(access(in_folder("run/step-00000003.run"), F_OK), 0);
  float *w = empty(&params), *s = empty(&states);
  RunState back;
  assert_int_equal(run_load(run, sink, &back, &params, w, &states, s, &o2), 1);
  RunState expect = at_step(4);
  assert_memory_equal(&back, &expect, sizeof back);
  assert_memory_equal(w, filled(&params, 4), (size_t)params.block_floats * 4);
  assert_memory_equal(o2.slot[1], o.slot[1], (size_t)params.block_floats * 4);
  assert_int_equal(o2.step, 12);
  run_close(run);
}

static void damage_falls_back_to_the_generation_before(void **state) {
  (void)state;
  DiagSink *sink = diag_sink_new(arena);
  RunDir *run = run_open(arena, sink, io_system(), in_folder("damaged"), false);
  Optimizer o = adam();
  assert_int_equal(save(run, 1, &o), 0);
  assert_int_equal(save(run, 2, &o), 0);
  assert_int_equal(truncate(in_folder("damaged/step-00000002.safetensors"), 100), 0);
  RunState back;
  assert_int_equal(run_load(run, sink, &back, &params, empty(&params), &states, empty(&states), &o), 1);
  assert_int_equal(back.step, 1);
  assert_int_equal(sink->n_errors, 0);
  assert_int_equal(sink->n_items, 1);  // the warning that names the damaged file
  assert_non_null(strstr(sink->items[0]->message, "step-00000002.safetensors"));
  run_close(run);
}

static void one_run_a_directory(void **state) {
  (void)state;
  DiagSink *sink = diag_sink_new(arena);
  RunDir *run = run_open(arena, sink, io_system(), in_folder("one"), false);
  assert_non_null(run);
  assert_null(run_open(arena, sink, io_system(), in_folder("one"), true));
  assert_int_equal(sink->items[0]->code, DIAG_E0604);
  Optimizer o = adam();
  assert_int_equal(save(run, 1, &o), 0);
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
  assert_int_equal(run_scalar(run, "loss", 1, 1000.5, 0.25f), 0);
  assert_int_equal(run_put(run, "program.dl", "model"), 0);
  run_close(run);
  char *bytes;
  size_t size;
  assert_int_equal(io_read_file(io_system(), arena, in_folder("logs/log.jsonl"), 1000, &bytes, &size), 0);
  assert_string_equal(bytes, "{\"a\":1}\n{\"a\":2}\n");
  const char *events = in_folder("logs/events.out.tfevents.1000.dlc");
  assert_int_equal(io_read_file(io_system(), arena, events, 1000, &bytes, &size), 0);
  // TFRecord: length 24 of the version record, whose masked CRC-32C is a known constant of every such file.
  assert_int_equal(bytes[0], 24);
  assert_memory_equal(bytes + 8, "\xa3\x7f\x4b\x22", 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(weights_read_back_by_name),
      cmocka_unit_test(another_models_weights_are_named),
      cmocka_unit_test(every_flipped_byte_and_every_prefix_is_refused),
      cmocka_unit_test(lying_headers_are_refused),
      cmocka_unit_test(a_generation_reads_back_whole),
      cmocka_unit_test(damage_falls_back_to_the_generation_before),
      cmocka_unit_test(one_run_a_directory),
      cmocka_unit_test(logs_are_appended),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
