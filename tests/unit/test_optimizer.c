// Optimizers against the textbook's formulas in double, schedules against their definitions, the same bits for any
// team.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "constrain.h"
#include "optimizer.h"
#include "random.h"
#include "schedule.h"

enum { COUNT = 40000, STEPS = 5 };

static TensorTable table_of(Arena *arena) {
  TensorTable table = {0};
  TensorInfo a = {.path = "a", .rank = 1, .dim = {COUNT - 64}, .decay = true},
             b = {.path = "b", .rank = 1, .dim = {50}};
  assert_true(tensor_add(arena, &table, &a) && tensor_add(arena, &table, &b));
  return table;
}

static OptimizerSpec spec_of(OptimizerKind kind) {
  return (OptimizerSpec){.kind = kind,
                         .lr = 0.01,
                         .mu = 0.9,
                         .decay = kind == OPTIMIZER_adamw ? 0.01 : 0.9,
                         .beta1 = 0.9,
                         .beta2 = 0.999,
                         .eps = 1e-8};
}

static double root(const OptimizerSpec *s, double squares) {
  return s->eps_inside ? sqrt(squares + s->eps) : sqrt(squares) + s->eps;
}

// One element's path in double.
static double reference(const OptimizerSpec *s, double w, const double *g) {
  double m = 0, v = 0;
  for (int t = 1; t <= STEPS; t++) {
    double x = g[t - 1];
    switch (s->kind) {
      case OPTIMIZER_sgd:
        w -= s->lr * x;
        break;
      case OPTIMIZER_momentum:
        m = s->mu * m + x;
        w -= s->lr * (s->nesterov ? x + s->mu * m : m);
        break;
      case OPTIMIZER_adagrad:
        v += x * x;
        w -= s->lr * x / root(s, v);
        break;
      case OPTIMIZER_rmsprop:
        v = s->decay * v + (1 - s->decay) * x * x;
        w -= s->lr * x / root(s, v);
        break;
      case OPTIMIZER_adamw:
        w -= s->lr * s->decay * w; /* fall through */
      case OPTIMIZER_adam:
        m = s->beta1 * m + (1 - s->beta1) * x;
        v = s->beta2 * v + (1 - s->beta2) * x * x;
        w -= s->lr * (m / (1 - pow(s->beta1, t))) / root(s, v / (1 - pow(s->beta2, t)));
        break;
      default:
        fail_msg("optimizer %d has no reference here", s->kind);
    }
  }
  return w;
}

static float gradient(int step, int64_t element) { return random_uniform(9, (uint64_t)step, (uint64_t)element) - 0.5f; }

static void run(const OptimizerSpec *spec, int threads, Arena *arena, const TensorTable *table, float *w) {
  float *g = arena_array(arena, (size_t)table->block_floats, sizeof *g);
  Optimizer o;
  optimizer_init(&o, spec, table, arena);
  Team *team = team_new(threads);
  for (int step = 0; step < STEPS; step++) {
    for (int k = 0; k < table->n_items; k++)
      for (int64_t e = 0; e < table->items[k].count; e++) g[table->items[k].offset + e] = gradient(step, e);
    optimizer_update(&o, team, table, w, g, spec->lr);
  }
  team_free(team);
}

static void check_kind(OptimizerSpec spec) {
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  TensorTable table = table_of(arena);
  float *w[2];
  for (int team = 0; team < 2; team++) {
    w[team] = arena_array(arena, (size_t)table.block_floats, sizeof(float));
    for (int64_t e = 0; e < table.items[0].count; e++) w[team][e] = 1;
    run(&spec, team ? 3 : 1, arena, &table, w[team]);
  }
  assert_memory_equal(w[0], w[1], (size_t)table.block_floats * sizeof(float));
  for (int64_t e = 0; e < 100; e++) {
    double g[STEPS];
    for (int step = 0; step < STEPS; step++) g[step] = (double)gradient(step, e);
    double expect = reference(&spec, 1, g);
    assert_true(fabs((double)w[0][e] - expect) < 2e-6);
  }
  for (int64_t gap = table.items[1].offset + 50; gap < table.block_floats; gap++) assert_true(w[0][gap] == 0);
  arena_free(arena);
}

static void every_optimizer_follows_its_formula(void **state) {
  (void)state;
  for (int kind = 0; kind < OPTIMIZER_COUNT; kind++) check_kind(spec_of((OptimizerKind)kind));
  OptimizerSpec nesterov = spec_of(OPTIMIZER_momentum);
  nesterov.nesterov = true;
  check_kind(nesterov);
}

// As in some lectures: at an eps of the size of the squares the place shows.
static void eps_may_stand_inside_the_root(void **state) {
  (void)state;
  const OptimizerKind kinds[] = {OPTIMIZER_adagrad, OPTIMIZER_rmsprop, OPTIMIZER_adam, OPTIMIZER_adamw};
  for (int k = 0; k < 4; k++) {
    OptimizerSpec spec = spec_of(kinds[k]);
    spec.eps = 0.01;
    spec.eps_inside = true;
    check_kind(spec);
  }
}

static void frozen_parameters_stay(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  TensorTable table = table_of(arena);
  table.items[0].frozen = true;
  float *w = arena_array(arena, (size_t)table.block_floats, sizeof *w);
  OptimizerSpec spec = spec_of(OPTIMIZER_adam);
  run(&spec, 2, arena, &table, w);
  for (int64_t e = 0; e < table.items[0].count; e++) assert_true(w[e] == 0);
  assert_true(w[table.items[1].offset] != 0);
  arena_free(arena);
}

// Biases and norms say decay = false: AdamW moves them as Adam does.
static void adamw_decays_only_what_decays(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  TensorTable table = table_of(arena);
  OptimizerSpec adamw = spec_of(OPTIMIZER_adamw), adam = spec_of(OPTIMIZER_adam);
  adamw.decay = 0.5;
  float *w[2];
  for (int k = 0; k < 2; k++) {
    w[k] = arena_array(arena, (size_t)table.block_floats, sizeof(float));
    for (int64_t e = 0; e < table.block_floats; e++) w[k][e] = 2;
    run(k ? &adam : &adamw, 2, arena, &table, w[k]);
  }
  assert_true(w[0][0] < w[1][0] - 0.01f);
  assert_memory_equal(w[0] + table.items[1].offset, w[1] + table.items[1].offset, 50 * sizeof(float));
  arena_free(arena);
}

static double rate_of(const ScheduleSpec *s, int64_t step) { return schedule_rate(s, 1, step, 10, 100, 1); }

static void assert_rate(const ScheduleSpec *s, int64_t step, double want) {
  double is = rate_of(s, step);
  if (fabs(is - want) > 1e-12) fail_msg("at step %d: %.17g is not %.17g", (int)step, is, want);
}

static void schedules_are_as_defined(void **state) {
  (void)state;
  ScheduleSpec none = {0}, constant = {{{.kind = SCHEDULE_CONSTANT}}, 1};
  ScheduleSpec step = {{{.kind = SCHEDULE_STEP, .every = {2, false}, .factor = 0.1}}, 1};
  assert_true(schedule_rate(&none, 0.5, 77, 10, 100, 1) == 0.5);
  assert_true(schedule_rate(&constant, 0.5, 77, 10, 100, 1) == 0.5);
  assert_true(rate_of(&step, 19) == 1);
  assert_rate(&step, 20, 0.1);
  step.piece[0].every = (RunLength){5, true};
  assert_rate(&step, 5, 0.1);
  assert_rate(&step, 14, 0.01);
  ScheduleSpec cosine = {{{.kind = SCHEDULE_COSINE, .to = 0.1}}, 1};
  assert_rate(&cosine, 0, 1);
  assert_rate(&cosine, 50, 0.55);
  assert_rate(&cosine, 100, 0.1);
  ScheduleSpec linear = {{{.kind = SCHEDULE_LINEAR, .to = 0.2, .length = {4, false}}}, 1};
  assert_rate(&linear, 10, 0.8);
  assert_rate(&linear, 40, 0.2);
  assert_rate(&linear, 90, 0.2);  // past its length it stays
  ScheduleSpec exponential = {{{.kind = SCHEDULE_EXPONENTIAL, .factor = 0.25}}, 1};
  assert_rate(&exponential, 10, 0.25);
  assert_rate(&exponential, 5, 0.5);
  ScheduleSpec plateau = {{{.kind = SCHEDULE_PLATEAU, .factor = 0.5, .patience = 2}}, 1};
  assert_true(schedule_rate(&plateau, 2, 77, 10, 100, 0.25) == 0.5);
}

// warmup(2) >> linear(to = 0.5, steps = 20) >> constant(1) >> cosine(to = 0)
static void pieces_go_on_from_where_the_last_ended(void **state) {
  (void)state;
  ScheduleSpec s = {{{.kind = SCHEDULE_WARMUP, .length = {2, false}},
                     {.kind = SCHEDULE_LINEAR, .to = 0.5, .length = {20, true}},
                     {.kind = SCHEDULE_CONSTANT, .length = {1, false}},
                     {.kind = SCHEDULE_COSINE}},
                    4};
  assert_rate(&s, 0, 0.05);
  assert_rate(&s, 19, 1);
  assert_rate(&s, 20, 1);
  assert_rate(&s, 30, 0.75);
  assert_rate(&s, 40, 0.5);
  assert_rate(&s, 50, 0.5);
  assert_rate(&s, 75, 0.25);
  assert_rate(&s, 100, 0);
  assert_int_equal(schedule_piece(&s, 49, 10), 2);
  assert_int_equal(schedule_piece(&s, 50, 10), 3);
}

static void watches_count_epochs_without_improvement(void **state) {
  (void)state;
  WatchSpec least = {"valid.loss", 2, false}, greatest = {"valid.accuracy", 1, true};
  Watch w = watch_new(&least);
  assert_false(watch_take(&w, &least, 1.0));
  assert_false(watch_take(&w, &least, 1.0));  // equal is no improvement
  assert_false(watch_take(&w, &least, 0.5));
  assert_false(watch_take(&w, &least, NAN));
  assert_true(watch_take(&w, &least, 0.7));
  assert_true(w.best == 0.5 && w.since == 2);
  w = watch_new(&greatest);
  assert_false(watch_take(&w, &greatest, 0.1));
  assert_true(watch_take(&w, &greatest, 0.05));
}

// ---- clipping and max-norm ------------------------------------------------------------------------------------------

static double norm_of(const float *values, int64_t count) {
  double sum = 0;
  for (int64_t k = 0; k < count; k++) sum += (double)values[k] * (double)values[k];
  return sqrt(sum);
}

static void clipping_keeps_the_direction_and_the_frozen(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  TensorTable table = table_of(arena);
  float *one = arena_array(arena, (size_t)table.block_floats, sizeof *one),
        *three = arena_array(arena, (size_t)table.block_floats, sizeof *three);
  for (int64_t k = 0; k < table.items[0].count; k++) one[k] = three[k] = (float)(k % 7) - 3;
  double *squares = arena_array(arena, (size_t)clip_pieces(&table), sizeof *squares);
  Team *team = team_new(3);
  TrainSpec by_norm = {.clip_norm = 2}, by_value = {.clip_value = 1.5}, loose = {.clip_norm = 1e9};
  gradient_clip(&loose, NULL, &table, one, squares);
  assert_memory_equal(one, three, (size_t)table.block_floats * sizeof *one);
  gradient_clip(&by_norm, NULL, &table, one, squares);
  gradient_clip(&by_norm, team, &table, three, squares);
  assert_memory_equal(one, three, (size_t)table.block_floats * sizeof *one);
  assert_true(fabs(norm_of(one, table.block_floats) - 2) < 1e-5);
  assert_true(fabsf(one[0] / one[2] - 3) < 1e-6f);
  for (int64_t k = 0; k < 7; k++) one[k] = (float)k - 3;
  gradient_clip(&by_value, team, &table, one, squares);
  assert_true(one[0] == -1.5f && one[2] == -1 && one[6] == 1.5f);
  table.items[0].frozen = true;
  one[0] = 100;
  gradient_clip(&by_value, team, &table, one, squares);
  assert_true(one[0] == 100);
  team_free(team);
  arena_free(arena);
}

static void max_norm_shortens_long_units_only(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  TensorTable table = {0};
  TensorInfo w = {.path = "w", .rank = 2, .dim = {2, 3}, .decay = true}, b = {.path = "b", .rank = 1, .dim = {3}};
  assert_true(tensor_add(arena, &table, &w) && tensor_add(arena, &table, &b));
  float *block = arena_array(arena, (size_t)table.block_floats, sizeof *block);
  const float weights[] = {3, 0, 1, 4, 0, 1};  // units (3, 4), (0, 0), (1, 1)
  memcpy(block, weights, sizeof weights);
  block[table.items[1].offset] = 100;
  TrainSpec spec = {.max_norm = 2};
  weights_constrain(&spec, NULL, &table, block);
  assert_true(fabsf(block[0] - 1.2f) < 1e-6f && fabsf(block[3] - 1.6f) < 1e-6f);
  assert_true(block[1] == 0 && block[2] == 1 && block[5] == 1 && block[table.items[1].offset] == 100);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_optimizer_follows_its_formula),
                                     cmocka_unit_test(frozen_parameters_stay),
                                     cmocka_unit_test(adamw_decays_only_what_decays),
                                     cmocka_unit_test(eps_may_stand_inside_the_root),
                                     cmocka_unit_test(schedules_are_as_defined),
                                     cmocka_unit_test(pieces_go_on_from_where_the_last_ended),
                                     cmocka_unit_test(watches_count_epochs_without_improvement),
                                     cmocka_unit_test(clipping_keeps_the_direction_and_the_frozen),
                                     cmocka_unit_test(max_norm_shortens_long_units_only)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
