// Fields of batches: statistics over many rows, augmentation as a function of seed, epoch and row, scaling, parts.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data_inside.h"
#include "random.h"

enum { ROWS = 200, SIDE = 4, CHANNELS = 2, ELEMENTS = SIDE * SIDE * CHANNELS };

static Guard guard;
static Arena *arena;

static int set_up(void **state) {
  (void)state;
  arena = arena_new(allocator_system(), &guard);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  arena_free(arena);
  return 0;
}

// Element e of row r of the floats is 100 r + e; of the bytes (r + e) % 251.
static DataSource *pixels_of(int type) {
  DataSource *source = arena_alloc(arena, sizeof *source);
  int64_t size = type == DATA_F32 ? 4 : 1;
  *source = (DataSource){{type, 3, {SIDE, SIDE, CHANNELS}, ROWS, ELEMENTS * size},
                         .rows = arena_array(arena, ROWS * ELEMENTS, (size_t)size)};
  for (int k = 0; k < ROWS * ELEMENTS; k++) {
    if (type == DATA_F32) ((float *)(void *)source->rows)[k] = (float)(k / ELEMENTS * 100 + k % ELEMENTS);
    if (type == DATA_U8) source->rows[k] = (char)((k / ELEMENTS + k % ELEMENTS) % 251);
  }
  return source;
}

typedef struct Field {
  BatchField field;
  DataSource *source;
  FieldAugment augment;
  AugmentStep steps[3];
} Field;

static Field *new_field(int from, int to, const AugmentOp *ops, int n_ops, bool training) {
  Field *f = arena_alloc(arena, sizeof *f);
  f->source = pixels_of(from);
  f->augment = (FieldAugment){f->steps, n_ops, SIDE, SIDE, CHANNELS, training};
  for (int k = 0; k < n_ops; k++) f->steps[k] = (AugmentStep){&ops[k], 1000 + (uint64_t)k};
  f->field = (BatchField){.name = "x", .sources = &f->source, .n_sources = 1, .type = to, .row_elements = ELEMENTS};
  int64_t height = SIDE, width = SIDE;
  assert_true(augment_size(&f->augment, &height, &width));
  f->field.row_elements = height * width * CHANNELS;
  if (n_ops) f->field.augment = &f->augment;
  return f;
}

// Row `row` as it is made.
static const float *made(const Field *f, uint64_t seed, int64_t epoch, int64_t row) {
  float *to = arena_array(arena, (size_t)f->field.row_elements, sizeof *to);
  field_make(field_maker_new(arena, &f->field, 1), seed, epoch, &row, 1, to);
  return to;
}

static void integers_widen(void **state) {
  (void)state;
  const Field *f = new_field(DATA_U8, DATA_F32, NULL, 0, true), *i = new_field(DATA_U8, DATA_I32, NULL, 0, true);
  const float *floats = made(f, 0, 0, 7);
  const int32_t *integers = (const int32_t *)(const void *)made(i, 0, 0, 7);
  for (int e = 0; e < ELEMENTS; e++) assert_true(floats[e] == (float)(7 + e) && integers[e] == 7 + e);
}

static void flips_mirror_half_of_the_rows(void **state) {
  (void)state;
  static const AugmentKind kinds[] = {AUGMENT_FLIP_HORIZONTAL, AUGMENT_FLIP_VERTICAL};
  for (int kind = 0; kind < 2; kind++) {
    AugmentOp op = {.kind = kinds[kind], .amount = 0.5};
    const Field *f = new_field(DATA_F32, DATA_F32, &op, 1, true);
    int flipped = 0;
    for (int64_t row = 0; row < ROWS; row++) {
      const float *x = made(f, 3, 1, row);
      bool changed = x[0] != (float)(100 * row);
      for (int e = 0; e < ELEMENTS; e++) {
        int c = e % CHANNELS, column = e / CHANNELS % SIDE, line = e / CHANNELS / SIDE;
        if (changed && kind == 0) column = SIDE - 1 - column;
        if (changed && kind == 1) line = SIDE - 1 - line;
        assert_true(x[e] == (float)(100 * row + (line * SIDE + column) * CHANNELS + c));
      }
      flipped += changed;
    }
    assert_in_range(flipped, ROWS * 35 / 100, ROWS * 65 / 100);
  }
}

static void crops_come_from_everywhere(void **state) {
  (void)state;
  AugmentOp op = {.kind = AUGMENT_CROP, .height = SIDE, .width = SIDE - 1, .pad = 1};
  const Field *f = new_field(DATA_F32, DATA_F32, &op, 1, true);
  assert_int_equal(f->field.row_elements, SIDE * (SIDE - 1) * CHANNELS);
  bool seen[3][4] = {{false}};
  for (int64_t row = 0; row < ROWS; row++) {
    const float *x = made(f, 3, 1, row);
    int top = 9, left = 9;  // found from a pixel that is always inside
    float inside = x[(1 * (SIDE - 1) + 1) * CHANNELS] - (float)(100 * row);
    top = (int)inside / (SIDE * CHANNELS) - 1;
    left = (int)inside / CHANNELS % SIDE - 1;
    assert_true(top >= -1 && top <= 1 && left >= -1 && left <= 2);
    seen[top + 1][left + 1] = true;
    for (int y = 0; y < SIDE; y++)
      for (int k = 0; k < SIDE - 1; k++) {
        bool outside = top + y < 0 || top + y >= SIDE || left + k < 0 || left + k >= SIDE;
        float wanted = outside ? 0 : (float)(100 * row + ((top + y) * SIDE + left + k) * CHANNELS);
        assert_true(x[(y * (SIDE - 1) + k) * CHANNELS] == wanted);
      }
  }
  for (int k = 0; k < 12; k++) assert_true(seen[k / 4][k % 4]);
  // Without training: the middle.
  const float *middle = made(new_field(DATA_F32, DATA_F32, &op, 1, false), 3, 1, 5);
  assert_true(middle[0] == 500);
}

static void a_crop_too_large_is_seen(void **state) {
  (void)state;
  AugmentOp op = {.kind = AUGMENT_CROP, .height = SIDE + 3, .width = SIDE, .pad = 1};
  AugmentStep step = {&op, 1};
  FieldAugment augment = {&step, 1, SIDE, SIDE, CHANNELS, true};
  int64_t height, width;
  assert_false(augment_size(&augment, &height, &width));
}

// By 0 degrees nothing changes; floats lie between their neighbours, integers are some pixel's or 0.
static void rotation_turns_about_the_middle(void **state) {
  (void)state;
  AugmentOp none = {.kind = AUGMENT_ROTATION, .amount = 0}, some = {.kind = AUGMENT_ROTATION, .amount = 90};
  const float *still = made(new_field(DATA_F32, DATA_F32, &none, 1, true), 1, 1, 3);
  for (int e = 0; e < ELEMENTS; e++) assert_true(still[e] == (float)(300 + e));
  const Field *integers = new_field(DATA_U8, DATA_I32, &some, 1, true);
  for (int64_t row = 1; row < 50; row++) {
    const int32_t *x = (const int32_t *)(const void *)made(integers, 1, 1, row);
    for (int e = 0; e < ELEMENTS; e++) {
      bool pixel = x[e] >= row && x[e] < row + ELEMENTS && (x[e] - row) % CHANNELS == e % CHANNELS;
      assert_true(x[e] == 0 || pixel);
    }
  }
}

static void turns_are_those_of_the_library(void **state) {
  (void)state;
  for (int k = -180; k <= 180; k++) {
    double angle = k * 3.14159265358979323846 / 180, c, s;
    data_turn(angle, &c, &s);
    assert_true(fabs(c - cos(angle)) < 1e-11 && fabs(s - sin(angle)) < 1e-11);
  }
}

static void brightness_and_contrast_keep_to_their_bounds(void **state) {
  (void)state;
  AugmentOp bright = {.kind = AUGMENT_BRIGHTNESS, .amount = 0.2}, contrast = {.kind = AUGMENT_CONTRAST, .amount = 0.2};
  const Field *b = new_field(DATA_F32, DATA_F32, &bright, 1, true);
  const Field *c = new_field(DATA_F32, DATA_F32, &contrast, 1, true);
  float least = 2, most = 0;
  for (int64_t row = 1; row < ROWS; row++) {
    const float *x = made(b, 1, 1, row), *y = made(c, 1, 1, row);
    float factor = x[1] / (float)(100 * row + 1), middle = (float)(100 * row) + (ELEMENTS - 1) * 0.5f, mean = 0;
    assert_true(factor >= 0.8f && factor <= 1.2f);
    least = factor < least ? factor : least;
    most = factor > most ? factor : most;
    for (int e = 0; e < ELEMENTS; e++) mean += y[e] / ELEMENTS;
    assert_true(fabsf(mean - middle) < 0.01f * middle);
    assert_true(fabsf(y[0] - middle) <= 1.21f * (ELEMENTS - 1) * 0.5f);
  }
  assert_true(least < 0.85f && most > 1.15f);
}

static void chance_follows_from_seed_epoch_and_row(void **state) {
  (void)state;
  AugmentOp ops[] = {{.kind = AUGMENT_CROP, .height = SIDE, .width = SIDE, .pad = 2},
                     {.kind = AUGMENT_FLIP_HORIZONTAL, .amount = 0.5},
                     {.kind = AUGMENT_BRIGHTNESS, .amount = 0.5}};
  const Field *f = new_field(DATA_F32, DATA_F32, ops, 3, true), *again = new_field(DATA_F32, DATA_F32, ops, 3, true);
  int64_t rows[] = {9, 4, 9, 30};
  float *batch = arena_array(arena, 4 * ELEMENTS, sizeof *batch);
  field_make(field_maker_new(arena, &f->field, 7), 5, 2, rows, 4, batch);
  size_t bytes = ELEMENTS * sizeof *batch;
  for (int k = 0; k < 4; k++) assert_memory_equal(batch + k * ELEMENTS, made(again, 5, 2, rows[k]), bytes);
  assert_memory_not_equal(made(f, 5, 2, 9), made(f, 5, 3, 9), bytes);
  assert_memory_not_equal(made(f, 5, 2, 9), made(f, 6, 2, 9), bytes);
}

static void statistics_are_those_of_the_textbook(void **state) {
  (void)state;
  const Field *f = new_field(DATA_F32, DATA_F32, NULL, 0, false);
  int32_t group[ELEMENTS];
  for (int e = 0; e < ELEMENTS; e++) group[e] = e % CHANNELS;
  const int64_t some[] = {3, 10, 50, 4, 199};
  RowSet rows = {5, some};
  for (int64_t batch = 1; batch < 8; batch++) {
    FieldStats s = field_statistics(arena, &f->field, &rows, batch, group, CHANNELS);
    for (int c = 0; c < CHANNELS; c++) {
      double sum = 0, square = 0;
      for (int r = 0; r < 5; r++)
        for (int e = c; e < ELEMENTS; e += CHANNELS) sum += (double)(some[r] * 100 + e);
      double n = 5 * ELEMENTS / CHANNELS, mean = sum / n;
      for (int r = 0; r < 5; r++)
        for (int e = c; e < ELEMENTS; e += CHANNELS) square += pow((double)(some[r] * 100 + e) - mean, 2);
      assert_true(fabs(s.mean[c] - mean) < 1e-8 && fabs(s.sum[c] - sum) < 1e-6);
      assert_true(fabs(s.variance[c] - square / n) < 1e-6 * square / n);
      assert_true(s.min[c] == 300 + c && s.max[c] == 19900 + ELEMENTS - CHANNELS + c);
    }
  }
}

// A mean a million times the deviation: squares about 0 would leave nothing of the variance.
static void a_large_mean_does_not_drown_the_variance(void **state) {
  (void)state;
  enum { COUNT = 1000 };
  DataSource source = {{DATA_F32, 0, {0}, COUNT, 4}, .rows = arena_array(arena, COUNT, 4)};
  DataSource *sources = &source;
  for (int k = 0; k < COUNT; k++) ((float *)(void *)source.rows)[k] = 1e6f + (float)(k % 2);
  BatchField field = {.name = "x", .sources = &sources, .n_sources = 1, .type = DATA_F32, .row_elements = 1};
  RowSet rows = {.count = COUNT};
  int32_t group = 0;
  FieldStats s = field_statistics(arena, &field, &rows, 64, &group, 1);
  assert_true(fabs(s.mean[0] - 1000000.5) < 1e-6 && fabs(s.variance[0] - 0.25) < 1e-9);
}

static void scaling_subtracts_and_divides(void **state) {
  (void)state;
  Field *f = new_field(DATA_U8, DATA_F32, NULL, 0, true);
  float mean[ELEMENTS], deviation[ELEMENTS];
  for (int e = 0; e < ELEMENTS; e++) mean[e] = (float)e, deviation[e] = 2;
  FieldScale scale = {mean, deviation};
  f->field.scale = &scale;
  const float *x = made(f, 0, 0, 8);
  for (int e = 0; e < ELEMENTS; e++) assert_true(x[e] == 4);
}

// A part cut again with a seed of its own: its rows are among the part's, each once.
static void parts_of_parts_are_shuffled_anew(void **state) {
  (void)state;
  SplitPart base = {.is_part = true, .from = 0.25, .to = 0.75, .seed = 1};
  SplitPart halves[] = {{.is_part = true, .to = 0.5, .seed = 2, .base = &base},
                        {.is_part = true, .from = 0.5, .to = 1, .seed = 2, .base = &base}};
  RowSet whole = rows_of_part(arena, &base, 100);
  bool in_base[100] = {false}, seen[100] = {false};
  for (int64_t k = 0; k < whole.count; k++) in_base[whole.rows[k]] = true;
  int64_t n = 0;
  for (int h = 0; h < 2; h++) {
    RowSet half = rows_of_part(arena, &halves[h], 100);
    for (int64_t k = 0; k < half.count; k++, n++) {
      assert_true(in_base[half.rows[k]] && !seen[half.rows[k]]);
      seen[half.rows[k]] = true;
    }
  }
  assert_int_equal(n, 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(integers_widen),
      cmocka_unit_test(flips_mirror_half_of_the_rows),
      cmocka_unit_test(crops_come_from_everywhere),
      cmocka_unit_test(a_crop_too_large_is_seen),
      cmocka_unit_test(rotation_turns_about_the_middle),
      cmocka_unit_test(turns_are_those_of_the_library),
      cmocka_unit_test(brightness_and_contrast_keep_to_their_bounds),
      cmocka_unit_test(chance_follows_from_seed_epoch_and_row),
      cmocka_unit_test(statistics_are_those_of_the_textbook),
      cmocka_unit_test(a_large_mean_does_not_drown_the_variance),
      cmocka_unit_test(scaling_subtracts_and_divides),
      cmocka_unit_test(parts_of_parts_are_shuffled_anew),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
