// The loops: independent multiply-adds in registers, and a copy of what no cache holds. The best of a few turns counts,
// since whatever else runs only makes them slower.
#include "peak.h"

#include <math.h>
#include <string.h>

#include "clock.h"

enum { CHAINS = 12, TURNS = 5, GRAIN = 1024, COPY_BYTES = 1 << 25 };
enum { FMA_STEPS = 1 << 18 };  // of a team, each of CHAINS multiply-adds

typedef struct Loop {
  void (*body)(int64_t count, float *out);
  int lanes;
} Loop;

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx512f"))) static void fma_avx512(int64_t count, float *out) {
  __m512 acc[CHAINS], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (int k = 0; k < CHAINS; k++) acc[k] = _mm512_set1_ps((float)k);
  for (int64_t n = 0; n < count; n++)
#pragma GCC unroll 12
    for (int k = 0; k < CHAINS; k++) acc[k] = _mm512_fmadd_ps(acc[k], a, b);
  for (int k = 0; k < CHAINS; k++) *out += _mm512_cvtss_f32(acc[k]);
}

__attribute__((target("avx2,fma"))) static void fma_avx2(int64_t count, float *out) {
  __m256 acc[CHAINS], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (int k = 0; k < CHAINS; k++) acc[k] = _mm256_set1_ps((float)k);
  for (int64_t n = 0; n < count; n++)
#pragma GCC unroll 12
    for (int k = 0; k < CHAINS; k++) acc[k] = _mm256_fmadd_ps(acc[k], a, b);
  for (int k = 0; k < CHAINS; k++) *out += _mm256_cvtss_f32(acc[k]);
}
#endif

// Vectors of four are what every 64-bit machine has. Without a multiply-add instruction, a product and a sum.
static void fma_plain(int64_t count, float *out) {
  typedef float V __attribute__((vector_size(16)));
  V acc[CHAINS], a = {0.999f, 0.999f, 0.999f, 0.999f}, b = {0.001f, 0.001f, 0.001f, 0.001f};
  for (int k = 0; k < CHAINS; k++) acc[k] = b * (float)k;
  for (int64_t n = 0; n < count; n++)
#pragma GCC unroll 12
    for (int k = 0; k < CHAINS; k++)
#ifdef __FP_FAST_FMAF
      for (int lane = 0; lane < 4; lane++) acc[k][lane] = fmaf(acc[k][lane], a[lane], b[lane]);
#else
      acc[k] = acc[k] * a + b;
#endif
  for (int k = 0; k < CHAINS; k++) *out += acc[k][0];
}

static Loop widest(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return (Loop){fma_avx512, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return (Loop){fma_avx2, 8};
#endif
  return (Loop){fma_plain, 4};
}

static void multiply_add(void *state, int64_t begin, int64_t end) {
  float out = 0;
  ((const Loop *)state)->body(end - begin, &out);
  __asm__ volatile("" : : "r"(&out) : "memory");  // somebody might look at it
}

typedef struct Copy {
  char *from, *to;
} Copy;

static void copy(void *state, int64_t begin, int64_t end) {
  const Copy *c = state;
  memcpy(c->to + begin, c->from + begin, (size_t)(end - begin));
}

static double best_seconds(Team *team, int64_t count, int64_t grain, void (*body)(void *, int64_t, int64_t),
                           void *state) {
  Clock clock = clock_system();
  double best = INFINITY;
  for (int turn = 0; turn < TURNS; turn++) {
    double start = clock.seconds(clock.state);
    team_for(team, count, grain, body, state);
    double taken = clock.seconds(clock.state) - start;
    if (taken < best) best = taken;
  }
  return best > 1e-9 ? best : 1e-9;
}

Peak peak_measure(Arena *arena, Team *team) {
  Loop loop = widest();
  double fma_s = best_seconds(team, (int64_t)FMA_STEPS * team_size(team), GRAIN, multiply_add, &loop);
  Arena *aside = arena_beside(arena);
  Copy c = {arena_pages(aside, COPY_BYTES), arena_pages(aside, COPY_BYTES)};
  memset(c.from, 1, COPY_BYTES);
  double copy_s = best_seconds(team, COPY_BYTES, 1 << 16, copy, &c);
  arena_free(aside);
  return (Peak){.gflops = 2e-9 * loop.lanes * CHAINS * FMA_STEPS * team_size(team) / fma_s,
                .gbytes = 2e-9 * COPY_BYTES / copy_s};
}

Peak peak_best(Peak a, Peak b) {
  return (Peak){.gflops = a.gflops > b.gflops ? a.gflops : b.gflops,
                .gbytes = a.gbytes > b.gbytes ? a.gbytes : b.gbytes};
}
