// What this machine can do at most, for shares of it: FMA throughput in f32 and bandwidth of reading, with as many
// threads as asked for. Prints one line of JSON. Build: cc -O3 -march=native peak.c -lpthread.
//
//   peak [THREADS [SECONDS [gflops|cache_gb_s|read_gb_s]]]
//
// gflops: all threads together, in registers. read_gb_s: each thread reads its own part of a block of 512 MiB, again
// and again; cache_gb_s: of a block of 16 MiB, which is larger than two L2 caches and smaller than most L3 caches.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __AVX512F__
enum { LANES = 16, CHAINS = 24 };
#else
enum { LANES = 8, CHAINS = 12 };
#endif
typedef float Vector __attribute__((vector_size(LANES * 4)));

enum { MOST_THREADS = 64, STEPS = 2000 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// STEPS fused multiply-adds in each of CHAINS independent chains. Returns something that depends on all of them.
static float multiply_add(float seed) {
  Vector acc[CHAINS], x = (Vector){0} + seed, y = (Vector){0} + 1e-9f;
#pragma GCC unroll 24
  for (int c = 0; c < CHAINS; c++) acc[c] = x + (float)c;
  for (int k = 0; k < STEPS; k++) {
#pragma GCC unroll 24
    for (int c = 0; c < CHAINS; c++) acc[c] = acc[c] * x + y;
  }
  Vector sum = acc[0];
#pragma GCC unroll 24
  for (int c = 1; c < CHAINS; c++) sum += acc[c];
  return sum[0];
}

static float read_all(const Vector *from, size_t n) {
  Vector sum[8] = {{0}};
  for (size_t k = 0; k + 8 <= n; k += 8)
    for (int c = 0; c < 8; c++) sum[c] += from[k + (size_t)c];
  for (int c = 1; c < 8; c++) sum[0] += sum[c];
  return sum[0][0];
}

typedef struct Worker {
  pthread_t thread;
  pthread_barrier_t *start;
  double seconds, best;  // per round
  const Vector *block;   // NULL: multiply_add
  size_t n;
  volatile float sink;
} Worker;

static void *work(void *state) {
  Worker *w = state;
  pthread_barrier_wait(w->start);
  double end = now() + w->seconds;
  w->best = 1e9;
  for (double from = now(); from < end;) {
    w->sink += w->block ? read_all(w->block, w->n) : multiply_add(0.5f);
    double to = now();
    if (to - from < w->best) w->best = to - from;
    from = to;
  }
  return NULL;
}

// Rounds per second of all threads together, each at its best.
static double measure(int threads, double seconds, const Vector *block, size_t n) {
  Worker workers[MOST_THREADS];
  pthread_barrier_t start;
  pthread_barrier_init(&start, NULL, (unsigned)threads);
  for (int t = 0; t < threads; t++) {
    size_t part = n / (size_t)threads;
    workers[t] =
        (Worker){.start = &start, .seconds = seconds, .block = block ? block + (size_t)t * part : NULL, .n = part};
    if (pthread_create(&workers[t].thread, NULL, work, &workers[t])) exit(1);
  }
  double rate = 0;
  for (int t = 0; t < threads; t++) {
    pthread_join(workers[t].thread, NULL);
    rate += 1 / workers[t].best;
  }
  pthread_barrier_destroy(&start);
  return rate;
}

static double bandwidth(int threads, double seconds, size_t bytes) {
  Vector *block = aligned_alloc(4096, bytes);
  if (!block) exit(1);
  size_t n = bytes / sizeof *block;
  for (size_t k = 0; k < n; k++) block[k] = (Vector){0} + 1e-3f;
  double rate = measure(threads, seconds, block, n) / threads * (double)bytes;
  free(block);
  return rate / 1e9;
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 1;
  double seconds = argc > 2 ? atof(argv[2]) : 0.5;
  const char *only = argc > 3 ? argv[3] : NULL;
  if (threads < 1 || threads > MOST_THREADS) return 2;
  printf("{\"threads\": %d", threads);
  if (!only || !strcmp(only, "gflops"))
    printf(", \"gflops\": %.1f", measure(threads, seconds, NULL, 0) * 2 * CHAINS * LANES * STEPS / 1e9);
  if (!only || !strcmp(only, "cache_gb_s"))
    printf(", \"cache_gb_s\": %.1f", bandwidth(threads, seconds, (size_t)16 << 20));
  if (!only || !strcmp(only, "read_gb_s"))
    printf(", \"read_gb_s\": %.1f", bandwidth(threads, seconds, (size_t)512 << 20));
  printf("}\n");
  return 0;
}
