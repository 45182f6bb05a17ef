// Optimizers against the textbook's formulas in double, schedules against their definitions, the same bits for any
// team.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "optimizer.h"
#include "random.h"

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
        w -= s->lr * x / (sqrt(v) + s->eps);
        break;
      case OPTIMIZER_rmsprop:
        v = s->decay * v + (1 - s->decay) * x * x;
        w -= s->lr * x / (sqrt(v) + s->eps);
        break;
      case OPTIMIZER_adamw:
        w -= s->lr * s->decay * w; /* fall through */
      case OPTIMIZER_adam:
        m = s->beta1 * m + (1 - s->beta1) * x;
        v = s->beta2 * v + (1 - s->beta2) * x * x;
        w -= s->lr * (m / (1 - pow(s->beta1, t))) / (sqrt(v / (1 - pow(s->beta2, t))) + s->eps);
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

static void schedules_are_as_defined(void **state) {
  (void)state;
  ScheduleSpec constant = {.kind = SCHEDULE_CONSTANT}, step = {.kind = SCHEDULE_STEP, .every = 2, .factor = 0.1};
  ScheduleSpec cosine = {.kind = SCHEDULE_COSINE, .to = 0.1};
  assert_true(schedule_rate(&constant, 0.5, 77, 10, 100) == 0.5);
  assert_true(schedule_rate(&step, 1, 19, 10, 100) == 1);
  assert_true(fabs(schedule_rate(&step, 1, 20, 10, 100) - 0.1) < 1e-12);
  step.in_steps = true;
  assert_true(fabs(schedule_rate(&step, 1, 5, 10, 100) - 0.01) < 1e-12);
  assert_true(schedule_rate(&cosine, 2, 0, 10, 100) == 2);
  assert_true(fabs(schedule_rate(&cosine, 2, 50, 10, 100) - 1.1) < 1e-12);
  assert_true(fabs(schedule_rate(&cosine, 2, 100, 10, 100) - 0.2) < 1e-12);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_optimizer_follows_its_formula), cmocka_unit_test(frozen_parameters_stay),
      cmocka_unit_test(adamw_decays_only_what_decays), cmocka_unit_test(schedules_are_as_defined)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
