// The named tensors of a model: their places, their initial values in whole and in parts; and which parts of a split
// are the same rows.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spec.h"
#include "tensors.h"

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

typedef struct Filled {
  float *w;
  int64_t count;
  double mean, deviation, least, greatest;
} Filled;

static Filled fill(TensorInfo info) {
  TensorTable table = {0};
  info.path = "w";
  assert_true(tensor_add(arena, &table, &info));
  const TensorInfo *placed = &table.items[0];
  Filled f = {.w = arena_array(arena, (size_t)table.block_floats, sizeof(float)), .count = placed->count};
  f.least = INFINITY, f.greatest = -INFINITY;
  tensor_init(placed, 7, f.w);
  f.w += placed->offset;
  for (int64_t k = 0; k < f.count; k++) {
    f.mean += (double)f.w[k] / (double)f.count;
    f.least = fmin(f.least, (double)f.w[k]);
    f.greatest = fmax(f.greatest, (double)f.w[k]);
  }
  for (int64_t k = 0; k < f.count; k++) f.deviation += pow((double)f.w[k] - f.mean, 2) / (double)f.count;
  f.deviation = sqrt(f.deviation);
  return f;
}

static TensorInfo matrix(InitKind kind, double a, double b) {
  return (TensorInfo){.rank = 2, .dim = {100, 50}, .init = {.kind = kind, .a = a, .b = b}};
}

static bool near(double a, double b, double by) { return fabs(a - b) <= by; }

// Mean, deviation and bounds by the formulas of tensors.h, for 100 inputs and 50 outputs.
static void initial_values_follow_their_formulas(void **state) {
  (void)state;
  double x = sqrt(6.0 / 150), k = sqrt(6.0 / 100);
  Filled f = fill(matrix(INIT_ZEROS, 9, 9));
  assert_true(f.least == 0 && f.greatest == 0);
  f = fill(matrix(INIT_ONES, 9, 9));
  assert_true(f.least == 1 && f.greatest == 1);
  f = fill(matrix(INIT_CONSTANT, 0.25, 9));
  assert_true(f.least == 0.25 && f.greatest == 0.25);
  f = fill(matrix(INIT_NORMAL, 3, 0.5));
  assert_true(near(f.mean, 3, 0.03) && near(f.deviation, 0.5, 0.02));
  f = fill(matrix(INIT_UNIFORM, -1, 3));
  assert_true(near(f.mean, 1, 0.06) && f.least >= -1 && f.greatest < 3 && f.greatest > 2.98);
  f = fill(matrix(INIT_XAVIER_UNIFORM, 0, 0));
  assert_true(f.least >= -x && f.greatest <= x && f.greatest > 0.99 * x && near(f.deviation, x / sqrt(3), 0.01));
  f = fill(matrix(INIT_XAVIER_NORMAL, 0, 0));
  assert_true(near(f.mean, 0, 0.01) && near(f.deviation, sqrt(2.0 / 150), 0.01));
  f = fill(matrix(INIT_KAIMING_UNIFORM, 0, 0));
  assert_true(f.least >= -k && f.greatest <= k && f.greatest > 0.99 * k);
  f = fill(matrix(INIT_KAIMING_NORMAL, 0, 0));
  assert_true(near(f.mean, 0, 0.01) && near(f.deviation, sqrt(2.0 / 100), 0.01));
}

// Fans that are given; those of a filter, [kh, kw, in, out], of a vector, a number, and of nothing.
static void fans_are_given_or_of_the_shape(void **state) {
  (void)state;
  TensorInfo given = matrix(INIT_KAIMING_NORMAL, 0, 0), filter = given, vector = given, number = given, none = given;
  given.init.fan_in = given.init.fan_out = 10000;
  assert_true(near(fill(given).deviation, sqrt(2.0 / 10000), 0.001));
  filter.rank = 4;
  memcpy(filter.dim, (const int64_t[]){3, 3, 50, 20}, 4 * sizeof *filter.dim);
  assert_true(near(fill(filter).deviation, sqrt(2.0 / 450), 0.005));
  vector.rank = 1;
  vector.dim[0] = 5000;
  assert_true(near(fill(vector).deviation, sqrt(2.0), 0.05));
  number.rank = 0;
  assert_int_equal(fill(number).count, 1);
  none.dim[0] = 0;
  none.init.kind = INIT_XAVIER_UNIFORM;
  assert_int_equal(fill(none).count, 0);
  none.dim[1] = 0;
  assert_int_equal(fill(none).count, 0);
  none.init.kind = number.init.kind = INIT_ORTHOGONAL;
  assert_int_equal(fill(none).count, 0);
  assert_int_equal(fill(number).count, 1);
}

// The rows of a wide matrix, the columns of a tall one.
static void orthogonal_matrices_are(void **state) {
  (void)state;
  for (int tall = 0; tall < 2; tall++) {
    int64_t rows = tall ? 12 : 5, columns = tall ? 5 : 12;
    Filled f = fill((TensorInfo){.rank = 2, .dim = {rows, columns}, .init = {.kind = INIT_ORTHOGONAL}});
    for (int a = 0; a < 5; a++)
      for (int b = 0; b < 5; b++) {
        double dot = 0;
        for (int64_t k = 0; k < 12; k++)
          dot += (double)f.w[tall ? k * columns + a : a * columns + k] *
                 (double)f.w[tall ? k * columns + b : b * columns + k];
        assert_true(near(dot, a == b, 1e-5));
      }
  }
}

// Any cut of the block gives the bits of the whole.
static void parts_have_the_bits_of_the_whole(void **state) {
  (void)state;
  TensorTable table = {0};
  TensorInfo a = {.path = "a", .rank = 1, .dim = {21}, .init = {.kind = INIT_NORMAL, .b = 1}};
  TensorInfo b = {.path = "b", .rank = 2, .dim = {4, 3}, .init = {.kind = INIT_ORTHOGONAL}};
  assert_true(tensor_add(arena, &table, &a) && tensor_add(arena, &table, &b));
  assert_false(tensor_add(arena, &table, &(TensorInfo){.path = "c", .rank = 2, .dim = {INT64_MAX, 2}}));
  assert_false(tensor_add(arena, &table, &(TensorInfo){.path = "c", .rank = 1, .dim = {INT64_MAX}}));
  assert_false(tensor_add(arena, &table, &(TensorInfo){.path = "c", .rank = 1, .dim = {INT64_MAX / 4}}));
  size_t bytes = (size_t)table.block_floats * sizeof(float);
  float *whole = arena_alloc(arena, bytes), *parts = arena_alloc(arena, bytes);
  for (int k = 0; k < 2; k++) tensor_init(&table.items[k], 3, whole);
  for (int64_t cut = 0; cut <= table.block_floats; cut++) {
    memset(parts, 0, bytes);
    tensors_draw(&table, 3, parts, cut, table.block_floats);
    tensors_draw(&table, 3, parts, 0, cut);
    tensors_finish(&table, parts);
    assert_memory_equal(whole, parts, bytes);
  }
}

static void parts_of_splits_are_compared_to_the_root(void **state) {
  (void)state;
  SplitPart all = {0}, base = {.is_part = true, .to = 0.5, .seed = 1}, same = base, other = base;
  SplitPart from = base, to = base, seed = base, on = base, on_same = base, on_other = base;
  from.from = 0.25, to.to = 0.75, seed.seed = 2, other.seed = 3;
  on.base = &base, on_same.base = &same, on_other.base = &other;
  assert_true(split_part_equal(&all, &all) && split_part_equal(&base, &same) && split_part_equal(&on, &on_same));
  assert_false(split_part_equal(&all, &base) || split_part_equal(&base, &all) || split_part_equal(&base, &from));
  assert_false(split_part_equal(&base, &to) || split_part_equal(&base, &seed) || split_part_equal(&on, &on_other));
  assert_false(split_part_equal(&base, &on) || split_part_equal(&on, &base));
  assert_int_equal(source_find_field(SOURCE_SHAPES, "depth"), 3);
  assert_int_equal(source_find_field(SOURCE_SHAPES, "width"), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(initial_values_follow_their_formulas),
      cmocka_unit_test(fans_are_given_or_of_the_shape),
      cmocka_unit_test(orthogonal_matrices_are),
      cmocka_unit_test(parts_have_the_bits_of_the_whole),
      cmocka_unit_test(parts_of_splits_are_compared_to_the_root),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
