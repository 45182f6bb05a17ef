// The loader: every row of every epoch once, the last batch partial, the same batches wherever it starts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "data.h"

enum { ROWS = 23, WIDTH = 3 };

static Guard guard;
static Arena *arena;
static char folder[] = "/tmp/dlc-loader-XXXXXX";
static DataSource *floats, *bytes;

static DataSource *source_of(const char *name, int type, int rank, const void *data) {
  const int64_t dim[] = {ROWS, WIDTH};
  const char *path = arena_printf(arena, "%s/%s", folder, name);
  assert_int_equal(npy_write(io_system(), arena, path, type, rank, dim, data), 0);
  SourceSpec spec = {.kind = SOURCE_NPY, .files = &path, .n_files = 1};
  return data_open(data_store_new(arena, io_system()), diag_sink_new(arena), NULL, &spec);
}

// Row r of the floats is r, r + 0.25, r + 0.5; of the bytes 200 + r.
static int set_up(void **state) {
  (void)state;
  arena = arena_new(allocator_system(), &guard);
  if (!mkdtemp(folder)) return 1;
  float f[ROWS * WIDTH];
  uint8_t b[ROWS];
  for (int r = 0; r < ROWS; r++) {
    b[r] = (uint8_t)(200 + r);
    for (int k = 0; k < WIDTH; k++) f[r * WIDTH + k] = (float)r + 0.25f * (float)k;
  }
  floats = source_of("floats.npy", DATA_F32, 2, f);
  bytes = source_of("bytes.npy", DATA_U8, 1, b);
  return !floats || !bytes;
}

static int tear_down(void **state) {
  (void)state;
  int result = system(arena_printf(arena, "rm -rf '%s'", folder));
  arena_free(arena);
  return result;
}

static const BatchField *plain_fields(void) {
  BatchField *fields = arena_array(arena, 2, sizeof *fields);
  fields[0] = (BatchField){.name = "x", .sources = &floats, .n_sources = 1, .type = DATA_F32, .row_elements = WIDTH};
  fields[1] = (BatchField){.name = "y", .sources = &bytes, .n_sources = 1, .type = DATA_I32, .row_elements = 1};
  return fields;
}

static Loader *start(int64_t batch, bool shuffle, int64_t epoch, int64_t index) {
  RowSet all = {.count = ROWS};
  Loader *loader = loader_new(arena, plain_fields(), 2, &all, batch, shuffle, 5, epoch, index);
  assert_non_null(loader);
  return loader;
}

// The rows of a batch, after checking that its fields belong together.
static void rows_of(const Batch *batch, int64_t *rows) {
  const float *x = batch->fields[0];
  const int32_t *y = batch->fields[1];
  for (int64_t k = 0; k < batch->count; k++) {
    rows[k] = y[k] - 200;
    for (int n = 0; n < WIDTH; n++) assert_true(x[k * WIDTH + n] == (float)rows[k] + 0.25f * (float)n);
  }
}

static void every_row_comes_once_an_epoch(void **state) {
  (void)state;
  static const int64_t sizes[] = {1, 2, 5, 22, 23, 24, 1000};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int shuffle = 0; shuffle < 2; shuffle++) {
      int64_t batch = sizes[s];
      Loader *loader = start(batch, shuffle, 0, 0);
      for (int64_t epoch = 0; epoch < 3; epoch++) {
        int seen[ROWS] = {0};
        for (int64_t index = 0, at = 0; index < loader_batches(ROWS, batch); index++) {
          const Batch *b = loader_next(loader);
          int64_t rows[ROWS], left = ROWS - at;
          assert_int_equal(b->epoch, epoch);
          assert_int_equal(b->index, index);
          assert_int_equal(b->count, left < batch ? left : batch);
          rows_of(b, rows);
          for (int64_t k = 0; k < b->count; k++, at++) {
            if (!shuffle) assert_int_equal(rows[k], at);
            seen[rows[k]]++;
          }
        }
        for (int r = 0; r < ROWS; r++) assert_int_equal(seen[r], 1);
      }
      loader_free(loader);
    }
}

static void a_batch_is_the_same_wherever_the_loader_starts(void **state) {
  (void)state;
  enum { BATCH = 4, TOTAL = 18 };
  int64_t expect[TOTAL][BATCH], rows[BATCH];
  Loader *loader = start(BATCH, true, 0, 0);
  for (int k = 0; k < TOTAL; k++) rows_of(loader_next(loader), expect[k]);
  loader_free(loader);
  int64_t per_epoch = loader_batches(ROWS, BATCH);
  for (int first = 0; first < TOTAL; first++) {
    loader = start(BATCH, true, first / per_epoch, first % per_epoch);
    for (int k = first; k < TOTAL; k++) {
      const Batch *batch = loader_next(loader);
      rows_of(batch, rows);
      assert_memory_equal(rows, expect[k], (size_t)batch->count * sizeof *rows);
    }
    loader_free(loader);
  }
}

static void a_batch_stays_while_the_next_is_made(void **state) {
  (void)state;
  Loader *loader = start(5, true, 0, 0);
  for (int k = 0; k < 30; k++) {
    const Batch *batch = loader_next(loader);
    int64_t before[5], after[5];
    rows_of(batch, before);
    usleep(500);
    rows_of(batch, after);
    assert_memory_equal(before, after, (size_t)batch->count * sizeof *before);
  }
  loader_free(loader);
}

static void only_the_rows_of_the_set_come(void **state) {
  (void)state;
  const int64_t some[] = {20, 3, 9, 14};
  RowSet set = {4, some};
  Loader *loader = loader_new(arena, plain_fields(), 2, &set, 3, false, 0, 0, 0);
  int64_t rows[3];
  rows_of(loader_next(loader), rows);
  assert_memory_equal(rows, some, sizeof rows);
  const Batch *last = loader_next(loader);
  assert_int_equal(last->count, 1);
  rows_of(last, rows);
  assert_int_equal(rows[0], 14);
  loader_free(loader);
}

static void a_loader_that_is_not_used_ends(void **state) {
  (void)state;
  for (int k = 0; k < 50; k++) loader_free(start(3, true, 0, 0));
  loader_free(NULL);
}

// A converting step as compiled code would be: args[0] the raw bytes, args[1] its result, b / 2.
static void halve(char *const *args, const DlcRt *rt, int64_t begin, int64_t end) {
  (void)rt;
  for (int64_t k = begin; k < end; k++) ((float *)args[1])[k] = (float)((const uint8_t *)args[0])[k] / 2;
}

static void fields_pass_through_their_step(void **state) {
  (void)state;
  enum { CAPACITY = 6, OFFSET = 64 };
  DlcLaunch launch = {.fn = halve, .items = {.scale = 1, .symbol = 1, .divisor = 1}, .n_args = 2, .item_cost = 1};
  DlcArg args[] = {{DLC_INPUT, 0, 0}, {DLC_ARENA, 0, OFFSET}};
  DlcTensor input = {.name = "source", .type = DATA_U8, .rank = 1, .scale = {1}, .symbol = {1}, .at = args[0]};
  DlcTensor output = {.name = "field", .type = DATA_F32, .rank = 1, .scale = {1}, .symbol = {1}, .at = args[1]};
  DlcStep step = {.launches = &launch,
                  .n_launches = 1,
                  .args = args,
                  .n_args = 2,
                  .inputs = &input,
                  .n_inputs = 1,
                  .outputs = &output,
                  .n_outputs = 1,
                  .arena_bytes = OFFSET + 4 * CAPACITY,
                  .capacity = {CAPACITY}};
  BatchField field = {
      .name = "x", .sources = &bytes, .n_sources = 1, .convert = &step, .type = DATA_F32, .row_elements = 1};
  RowSet all = {.count = ROWS};
  Loader *loader = loader_new(arena, &field, 1, &all, CAPACITY, false, 0, 0, 0);
  for (int at = 0; at < ROWS;) {
    const Batch *batch = loader_next(loader);
    for (int64_t k = 0; k < batch->count; k++, at++)
      assert_true(((const float *)batch->fields[0])[k] == (float)(200 + at) / 2);
  }
  loader_free(loader);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_comes_once_an_epoch),
      cmocka_unit_test(a_batch_is_the_same_wherever_the_loader_starts),
      cmocka_unit_test(a_batch_stays_while_the_next_is_made),
      cmocka_unit_test(only_the_rows_of_the_set_come),
      cmocka_unit_test(a_loader_that_is_not_used_ends),
      cmocka_unit_test(fields_pass_through_their_step),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
