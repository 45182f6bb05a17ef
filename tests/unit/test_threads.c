// The team: every item of every launch is done exactly once, in order of launches, with any number of threads.
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "threads.h"

enum { N = 6000, LAUNCHES = 12 };

// Kernels on two arrays of N int64: out[i] = 2*in[(i + 1) % N] + i. A launch that starts before the one before it has
// ended reads an old number.
static void kernel(char *const *args, const DlcRt *rt, int64_t begin, int64_t end) {
  const int64_t *in = (const int64_t *)args[0];
  int64_t *out = (int64_t *)args[1];
  int64_t n = rt->symbol[0];
  for (int64_t i = begin; i < end; i++) out[i] = (int64_t)(2 * (uint64_t)in[(i + 1) % n] + (uint64_t)i);
}

// Adds to what is there: an item done twice shows.
static void add_one(char *const *args, const DlcRt *rt, int64_t begin, int64_t end) {
  (void)rt;
  int64_t *out = (int64_t *)args[0];
  for (int64_t i = begin; i < end; i++) out[i]++;
}

typedef struct Fixture {
  int64_t a[N], b[N];
  DlcLaunch launches[LAUNCHES];
  DlcArg args[2 * LAUNCHES];
  DlcStep step;
  char *scratch[2 * LAUNCHES];
  char *inputs[2];
  StepBinding binding;
} Fixture;

static Fixture *fixture(int64_t item_cost) {
  Fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  for (int k = 0; k < LAUNCHES; k++) {
    f->launches[k] =
        (DlcLaunch){.fn = kernel, .items = {1, 1, 1, 0}, .first_arg = 2 * k, .n_args = 2, .item_cost = item_cost};
    f->args[2 * k] = (DlcArg){DLC_INPUT, k % 2, 0};
    f->args[2 * k + 1] = (DlcArg){DLC_INPUT, 1 - k % 2, 0};
  }
  f->step = (DlcStep){.launches = f->launches, .n_launches = LAUNCHES, .args = f->args, .n_args = 2 * LAUNCHES};
  f->inputs[0] = (char *)f->a;
  f->inputs[1] = (char *)f->b;
  f->binding.inputs = f->inputs;
  return f;
}

static void run(Team *team, Fixture *f, int64_t n, StepProfile *profile) {
  DlcRt rt = {.symbol = {n}};
  step_run(team, &f->step, &f->binding, &rt, f->scratch, profile);
}

static void any_number_of_threads_gives_the_same(void **state) {
  (void)state;
  static const int64_t costs[] = {0, 1, 7, 100, 100000};
  for (size_t c = 0; c < sizeof costs / sizeof *costs; c++) {
    Fixture *alone = fixture(costs[c]);
    for (int turn = 0; turn < 5; turn++) run(NULL, alone, N - turn, NULL);
    static const int sizes[] = {1, 2, 3, 8, 33};
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
      Team *team = team_new(sizes[t]);
      assert_non_null(team);
      assert_int_equal(team_size(team), sizes[t]);
      Fixture *f = fixture(costs[c]);
      for (int turn = 0; turn < 5; turn++) run(team, f, N - turn, NULL);
      assert_memory_equal(f->a, alone->a, sizeof f->a);
      assert_memory_equal(f->b, alone->b, sizeof f->b);
      team_free(team);
      free(f);
    }
    free(alone);
  }
}

static void every_item_is_done_once(void **state) {
  (void)state;
  Team *team = team_new(4);
  for (int64_t n = 0; n < 200; n = n < 20 ? n + 1 : n + 13) {
    Fixture *f = fixture(50000);
    for (int k = 0; k < LAUNCHES; k++) {
      f->launches[k].fn = add_one;
      f->args[2 * k] = (DlcArg){DLC_INPUT, 0, 0};
    }
    run(team, f, n, NULL);
    for (int64_t i = 0; i < N; i++) assert_int_equal(f->a[i], i < n ? LAUNCHES : 0);
    free(f);
  }
  team_free(team);
}

// What is marked `once` is left out where it has been done, alone and together; the others never.
static void launches_marked_once_are_done_once(void **state) {
  (void)state;
  Team *team = team_new(3);
  for (int t = 0; t < 2; t++) {
    Fixture *f = fixture(50000);
    for (int k = 0; k < LAUNCHES; k++) {
      f->launches[k].fn = add_one;
      f->launches[k].once = k % 3 != 1;
      f->args[2 * k] = (DlcArg){DLC_INPUT, k % 3 == 1, 0};
    }
    for (int turn = 0; turn < 4; turn++) {
      f->binding.prepared = turn > 0;
      run(t ? team : NULL, f, 100, NULL);
    }
    int64_t each_time = (LAUNCHES + 1) / 3;
    assert_int_equal(f->a[99], LAUNCHES - each_time);
    assert_int_equal(f->b[99], 4 * each_time);
    free(f);
  }
  team_free(team);
}

// A thread's working memory is its own.
static void use_local(char *const *args, const DlcRt *rt, int64_t begin, int64_t end) {
  int64_t *local = (int64_t *)rt->local, *out = (int64_t *)args[0];
  for (int64_t i = begin; i < end; i++) {
    for (int k = 0; k < 8; k++) local[k] = i + k;
    for (int k = 0; k < 8; k++) out[i] += local[k];
  }
}

static void threads_do_not_share_their_memory(void **state) {
  (void)state;
  static _Alignas(64) char local[4][64];
  Team *team = team_new(4);
  Fixture *f = fixture(50000);
  f->step.n_launches = 1;
  f->step.local_bytes = sizeof *local;
  f->launches[0].fn = use_local;
  f->binding.local = *local;
  for (int turn = 0; turn < 20; turn++) run(team, f, N, NULL);
  for (int64_t i = 0; i < N; i++) assert_int_equal(f->a[i], 20 * (8 * i + 28));
  free(f);
  team_free(team);
}

// times * ceil(scale * symbol / divisor)
static void items_follow_the_symbols(void **state) {
  (void)state;
  Fixture *f = fixture(1);
  f->step.n_launches = 1;
  f->launches[0].fn = add_one;
  f->launches[0].items = (DlcCount){.scale = 3, .symbol = 2, .divisor = 4, .times = 5};
  DlcRt rt = {.symbol = {1000, 7}};
  step_run(NULL, &f->step, &f->binding, &rt, f->scratch, NULL);
  int64_t done = 0;
  while (done < N && f->a[done]) done++;
  assert_int_equal(done, 5 * 6);  // ceil(21 / 4) = 6
  f->launches[0].items = (DlcCount){.scale = 9};
  step_run(NULL, &f->step, &f->binding, &rt, f->scratch, NULL);
  assert_int_equal(f->a[8], 2);
  assert_int_equal(f->a[9], 1);
  free(f);
}

static void arguments_are_resolved_per_region(void **state) {
  (void)state;
  Fixture *f = fixture(1);
  int64_t param[4] = {0}, arena[8] = {0};
  f->step.n_launches = 2;
  f->launches[0].fn = f->launches[1].fn = add_one;
  f->args[0] = (DlcArg){DLC_PARAM, 0, 8};
  f->args[2] = (DlcArg){DLC_ARENA, 0, 16};
  f->binding.base[DLC_PARAM] = (char *)param;
  f->binding.base[DLC_ARENA] = (char *)arena;
  run(NULL, f, 2, NULL);
  assert_int_equal(param[0], 0);
  assert_int_equal(param[1] + param[2], 2);
  assert_int_equal(arena[2] + arena[3], 2);
  free(f);
}

static void a_profile_counts_every_item(void **state) {
  (void)state;
  for (int threads = 1; threads <= 3; threads++) {
    Team *team = team_new(threads);
    Fixture *f = fixture(1000);
    double nanoseconds[LAUNCHES] = {0};
    int64_t items[3] = {0};
    StepProfile profile = {nanoseconds, items, NULL};
    for (int turn = 0; turn < 3; turn++) run(team, f, N, &profile);
    assert_int_equal(items[0] + items[1] + items[2], 3 * LAUNCHES * N);
    for (int k = 0; k < LAUNCHES; k++) assert_true(nanoseconds[k] > 0);
    team_free(team);
    free(f);
  }
}

static void pairs(void *state, int64_t begin, int64_t end) {
  int64_t *marks = state;
  assert_int_equal(begin % 16, 0);
  for (int64_t k = begin; k < end; k++) marks[k]++;
}

static void team_for_covers_the_range_in_whole_grains(void **state) {
  (void)state;
  static const int64_t counts[] = {0, 1, 15, 16, 17, 4000, 100000, 100001};
  Team *team = team_new(3);
  for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
    int64_t *marks = calloc((size_t)counts[c] + 1, sizeof *marks);
    team_for(team, counts[c], 16, pairs, marks);
    for (int64_t k = 0; k < counts[c]; k++) assert_int_equal(marks[k], 1);
    assert_int_equal(marks[counts[c]], 0);
    free(marks);
  }
  team_free(team);
}

// A team that has gone to sleep wakes up again, and one that is thrown away unused ends.
static void a_sleeping_team_wakes(void **state) {
  (void)state;
  Team *team = team_new(3);
  Fixture *f = fixture(100000), *alone = fixture(100000);
  for (int turn = 0; turn < 10; turn++) {
    usleep(2000);
    run(team, f, N, NULL);
    run(NULL, alone, N, NULL);
  }
  assert_memory_equal(f->a, alone->a, sizeof f->a);
  team_free(team);
  team_free(team_new(5));
  team_free(NULL);
  free(f);
  free(alone);
}

// All threads on one CPU: slow, but it ends.
static void one_cpu_is_enough(void **state) {
  (void)state;
  cpu_set_t before, one;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  Team *team = team_new(4);
  Fixture *f = fixture(1000), *alone = fixture(1000);
  for (int turn = 0; turn < 50; turn++) {
    run(team, f, N, NULL);
    run(NULL, alone, N, NULL);
  }
  assert_memory_equal(f->a, alone->a, sizeof f->a);
  team_free(team);
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
  free(f);
  free(alone);
}

static void *a_run_of_its_own(void *unused) {
  (void)unused;
  Team *team = team_new(2);
  Fixture *f = fixture(1000);
  for (int turn = 0; turn < 50; turn++) run(team, f, N, NULL);
  team_free(team);
  return f;
}

static void two_teams_do_not_disturb_each_other(void **state) {
  (void)state;
  Fixture *alone = fixture(1000);
  for (int turn = 0; turn < 50; turn++) run(NULL, alone, N, NULL);
  pthread_t threads[2];
  for (int k = 0; k < 2; k++) assert_int_equal(pthread_create(&threads[k], NULL, a_run_of_its_own, NULL), 0);
  for (int k = 0; k < 2; k++) {
    void *f;
    pthread_join(threads[k], &f);
    assert_memory_equal(((Fixture *)f)->a, alone->a, sizeof alone->a);
    free(f);
  }
  free(alone);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_number_of_threads_gives_the_same),
      cmocka_unit_test(every_item_is_done_once),
      cmocka_unit_test(launches_marked_once_are_done_once),
      cmocka_unit_test(threads_do_not_share_their_memory),
      cmocka_unit_test(items_follow_the_symbols),
      cmocka_unit_test(arguments_are_resolved_per_region),
      cmocka_unit_test(a_profile_counts_every_item),
      cmocka_unit_test(team_for_covers_the_range_in_whole_grains),
      cmocka_unit_test(a_sleeping_team_wakes),
      cmocka_unit_test(one_cpu_is_enough),
      cmocka_unit_test(two_teams_do_not_disturb_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
