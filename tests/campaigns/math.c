// exp, log, tanh, sigmoid and erf as they are compiled, for all 2^32 floats: how far from the C library's results in
// double, and whether every instruction set gives the same bits.
//   campaign_math THREADS [NAME..]
// A line for each function: the largest error in units in the last place, where it is, the error that is allowed, a
// hash of all results and the CPU time. Exit status 1 where an error is larger or a hash differs.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "../unit/math_function.h"

enum { BLOCK = 1 << 16, BLOCKS = 1 << 16, MAX_THREADS = 64, N_CPUS = 3 };

static const char *const cpus[N_CPUS] = {"native", "x86-64-v3", "x86-64"};

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

typedef struct Row {
  Op op;
  double (*reference)(double);
  double allowed;
} Row;

static const Row rows[] = {
    {OP_exp, exp, 1}, {OP_log, log, 1}, {OP_tanh, tanh, 2}, {OP_sigmoid, sigmoid, 2}, {OP_erf, erf, 2}};

// What all threads do together; each takes the next block of floats until none is left.
typedef struct Work {
  const Row *row;
  const Function *functions;  // [N_CPUS]
  atomic_uint next;
} Work;

typedef struct Found {
  pthread_t thread;
  Work *work;
  double worst;
  float worst_at;
  uint64_t hash[N_CPUS];  // sums over blocks, whose order does not matter
  double cpu_seconds;
} Found;

// Every NaN is the same result.
static uint64_t hash_block(const float *y, uint32_t block) {
  uint64_t hash = 0xcbf29ce484222325u ^ block;
  for (int k = 0; k < BLOCK; k++) {
    uint32_t bits;
    memcpy(&bits, &y[k], sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) bits = 0x7fc00000;
    hash = (hash ^ bits) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

static void judge(Found *found, const float *x, const float *y) {
  for (int k = 0; k < BLOCK; k++) {
    double error = ulps(y[k], found->work->row->reference((double)x[k]));
    if (error > found->worst) found->worst = error, found->worst_at = x[k];
  }
}

// Memory of the thread's own for one compiled function.
static Function own(const Function *shared) {
  static const int64_t symbols[DLC_MAX_SYMBOLS] = {1, 1, 1, 1};
  Function fn = *shared;
  fn.run = step_run_new(codegen_step(fn.compiled), symbols, 0, 0);
  return fn;
}

static void *search(void *state) {
  Found *found = state;
  Function fn[N_CPUS];
  for (int c = 0; c < N_CPUS; c++) fn[c] = own(&found->work->functions[c]);
  uint32_t block;
  while ((block = atomic_fetch_add(&found->work->next, 1)) < BLOCKS)
    for (int c = 0; c < N_CPUS; c++) {
      float *x = function_input(&fn[c], 0);
      for (uint32_t k = 0; k < BLOCK; k++) x[k] = float_of_bits(block * BLOCK + k);
      const float *y = function_results(&fn[c]);
      if (c == 0) judge(found, x, y);
      found->hash[c] += hash_block(y, block);
    }
  for (int c = 0; c < N_CPUS; c++) step_run_free(&fn[c].run);
  struct timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  found->cpu_seconds = (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
  return NULL;
}

// The threads' findings as one.
static Found search_all(Work *work, int threads) {
  Found all[MAX_THREADS] = {{.work = work}};
  int started = 0;
  for (int t = 1; t < threads; t++, started++) {
    all[t].work = work;
    if (pthread_create(&all[t].thread, NULL, search, &all[t]) != 0) break;
  }
  pthread_create(&all[0].thread, NULL, search, &all[0]);
  pthread_join(all[0].thread, NULL);
  for (int t = 1; t <= started; t++) {
    pthread_join(all[t].thread, NULL);
    if (all[t].worst > all[0].worst) all[0].worst = all[t].worst, all[0].worst_at = all[t].worst_at;
    for (int c = 0; c < N_CPUS; c++) all[0].hash[c] += all[t].hash[c];
    all[0].cpu_seconds += all[t].cpu_seconds;
  }
  return all[0];
}

static bool check(const Row *row, int threads) {
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  DiagSink *sink = diag_sink_new(arena);
  Function functions[N_CPUS];
  bool ok = true;
  for (int c = 0; c < N_CPUS; c++) {
    functions[c] = function_new(arena, sink, row->op, cpus[c], BLOCK);
    if (!functions[c].compiled) ok = false;
  }
  if (ok) {
    Work work = {.row = row, .functions = functions};
    Found found = search_all(&work, threads);
    bool same = found.hash[1] == found.hash[0] && found.hash[2] == found.hash[0];
    ok = found.worst <= row->allowed && same;
    printf("%-8s %.4f ulp at %-16a (allowed %g)  %016llx %s  %.0f CPU s\n", op_info(row->op)->name, found.worst,
           (double)found.worst_at, row->allowed, (unsigned long long)found.hash[0],
           same ? "on native, x86-64-v3, x86-64" : "DIFFERS between instruction sets", found.cpu_seconds);
    fflush(stdout);
  }
  for (int c = 0; c < N_CPUS; c++) function_free(&functions[c]);
  arena_free(arena);
  return ok;
}

static bool is_chosen(const Row *row, int n, char **names) {
  for (int k = 0; k < n; k++)
    if (!strcmp(names[k], op_info(row->op)->name)) return true;
  return n == 0;
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 1;
  if (threads < 1 || threads > MAX_THREADS) threads = 1;
  bool ok = true;
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
    if (is_chosen(&rows[k], argc - 2, argv + 2)) ok &= check(&rows[k], threads);
  return !ok;
}
