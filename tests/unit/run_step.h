// For tests of compiled code: runs a DlcStep in one thread, every region of memory between guard pages, ending right at
// the second (or beginning right behind the first), so that a kernel that reads or writes past a tensor that ends (or
// begins) its region is caught. Fresh memory holds NaNs.
#pragma once
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codegen.h"

typedef struct Guarded {
  char *map, *base;
  size_t mapped;
} Guarded;

static inline Guarded guarded_at(size_t bytes, size_t align, bool front) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (bytes + page - 1) / page * page;
  Guarded g = {.mapped = inside + 2 * page};
  g.map = mmap(NULL, g.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (g.map == MAP_FAILED || (inside && mprotect(g.map + page, inside, PROT_READ | PROT_WRITE))) abort();
  g.base = g.map + page + (front ? 0 : inside - (bytes + align - 1) / align * align);
  if (inside) memset(g.map + page, 0xff, inside);
  return g;
}

static inline Guarded guarded_new(size_t bytes, size_t align) { return guarded_at(bytes, align, false); }

static inline void guarded_free(Guarded *g) { munmap(g->map, g->mapped); }

typedef struct StepRun {
  const DlcStep *step;
  Guarded region[DLC_REGION_COUNT];
  Guarded *inputs, local;
  DlcRt rt;
} StepRun;

static inline int64_t step_tensor_count(const DlcTensor *t, const int64_t *symbols) {
  int64_t count = 1;
  for (int d = 0; d < t->rank; d++) count *= t->scale[d] * (t->symbol[d] ? symbols[t->symbol[d] - 1] : 1);
  return count;
}

static inline size_t step_tensor_bytes(const DlcTensor *t, const int64_t *symbols) {
  return (size_t)step_tensor_count(t, symbols) * (size_t)dtype_size((DType)t->type);
}

// Memory for the step at these symbol values: params and grads of `param_floats`, states of `state_floats`. `front`:
// regions begin behind a guard page; else they end before one.
static inline StepRun step_run_at(const DlcStep *step, const int64_t *symbols, int64_t param_floats,
                                  int64_t state_floats, bool front) {
  StepRun run = {.step = step, .rt = {.seed = 1}};
  for (int k = 0; k < DLC_MAX_SYMBOLS; k++) run.rt.symbol[k] = symbols[k];
  const int64_t bytes[DLC_REGION_COUNT] = {[DLC_ARENA] = step->arena_bytes,
                                           [DLC_PARAM] = param_floats * 4,
                                           [DLC_GRAD] = param_floats * 4,
                                           [DLC_STATE] = state_floats * 4,
                                           [DLC_STATE_NEXT] = state_floats * 4};
  for (int k = 0; k < DLC_REGION_COUNT; k++) run.region[k] = guarded_at((size_t)bytes[k], 64, front);
  run.local = guarded_new((size_t)step->local_bytes, 64);
  run.rt.local = run.local.base;
  run.inputs = calloc((size_t)step->n_inputs + 1, sizeof *run.inputs);
  for (int k = 0; k < step->n_inputs; k++) {
    const DlcTensor *t = &step->inputs[k];
    run.inputs[t->at.input] = guarded_at(step_tensor_bytes(t, symbols), (size_t)dtype_size((DType)t->type), front);
  }
  return run;
}

static inline StepRun step_run_new(const DlcStep *step, const int64_t *symbols, int64_t param_floats,
                                   int64_t state_floats) {
  return step_run_at(step, symbols, param_floats, state_floats, false);
}

static inline void step_run_free(StepRun *run) {
  for (int k = 0; k < DLC_REGION_COUNT; k++) guarded_free(&run->region[k]);
  guarded_free(&run->local);
  for (int k = 0; k < run->step->n_inputs; k++) guarded_free(&run->inputs[k]);
  free(run->inputs);
}

static inline char *step_address(const StepRun *run, DlcArg at) {
  return (at.region == DLC_INPUT ? run->inputs[at.input].base : run->region[at.region].base) + at.offset;
}

static inline int64_t step_items(DlcCount c, const int64_t *symbols) {
  int64_t n = c.scale * (c.symbol ? symbols[c.symbol - 1] : 1);
  return (n + c.divisor - 1) / c.divisor * (c.times ? c.times : 1);
}

// Each launch in `parts` calls, last items first: what an item does may not depend on the others.
static inline void step_execute(const StepRun *run, int parts) {
  for (int k = 0; k < run->step->n_launches; k++) {
    const DlcLaunch *launch = &run->step->launches[k];
    char **args = calloc((size_t)launch->n_args + 1, sizeof *args);
    for (int a = 0; a < launch->n_args; a++) args[a] = step_address(run, run->step->args[launch->first_arg + a]);
    int64_t items = step_items(launch->items, run->rt.symbol);
    for (int p = parts - 1; p >= 0; p--) {
      int64_t begin = items * p / parts, end = items * (p + 1) / parts;
      if (begin < end) launch->fn(args, &run->rt, begin, end);
    }
    free(args);
  }
}

// Element k of a tensor as a double, and back.
static inline double step_get(DType type, const void *data, int64_t k) {
  switch (type) {
    case DT_F32:
      return (double)((const float *)data)[k];
    case DT_I32:
      return (double)((const int32_t *)data)[k];
    default:
      return (double)((const uint8_t *)data)[k];
  }
}

static inline void step_put(DType type, void *data, int64_t k, double value) {
  switch (type) {
    case DT_F32:
      ((float *)data)[k] = (float)value;
      break;
    case DT_I32:
      ((int32_t *)data)[k] = (int32_t)value;
      break;
    default:
      ((uint8_t *)data)[k] = (uint8_t)value;
      break;
  }
}
