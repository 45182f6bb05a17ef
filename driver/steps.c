// Running and timing steps on data in memory.
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data_bind.h"
#include "random.h"

enum { WARM_UP = 3, LEAST_STEPS = 5, MOST_STEPS = 20000 };

static double now(const Session *s) { return s->clock.seconds(s->clock.state); }

// ---- data in memory -------------------------------------------------------------------------------------------------

typedef struct Fill {
  const DlcTensor *input;
  int64_t classes;
  char *to;
} Fill;

static void fill_part(void *state, int64_t begin, int64_t end) {
  const Fill *f = state;
  uint64_t stream = random_stream(f->input->name);
  for (int64_t k = begin; k < end; k++) {
    if (f->input->type == DT_F32)
      ((float *)f->to)[k] = (float)random_normal(0, stream, (uint64_t)k);
    else if (f->input->type == DT_I32)
      ((int32_t *)f->to)[k] = (int32_t)random_below(0, stream, (uint64_t)k, (uint64_t)f->classes);
    else
      f->to[k] = (char)(random_bits(0, stream, (uint64_t)k) & 1);
  }
}

static void fill_inputs(Steps *b) {
  int64_t classes = data_classes(b->p);  // labels are drawn below the width of the model's result
  if (classes < 1) classes = 2;
  for (int k = 0; k < b->runner->step->n_inputs; k++) {
    Fill fill = {&b->runner->step->inputs[k], classes, b->runner->inputs[k]};
    team_for(b->runner->team, runner_elements(fill.input, b->p->batch), 1024, fill_part, &fill);
  }
}

// ---- steps ----------------------------------------------------------------------------------------------------------

static void one_step(Steps *b, bool profiles) {
  Runner *r = b->runner;
  runner_step(r, b->p->batch, b->p->seed, b->step++, profiles ? &b->profile : NULL);
  if (!b->trains) return;
  runner_accept(r);
  double start = profiles ? now(b->session) : 0;
  optimizer_update(&b->optimizer, r->team, r->params, r->param, r->grad, b->optimizer.spec.lr);
  if (profiles) b->update_ns += 1e9 * (now(b->session) - start);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void steps_time(Steps *b, double seconds) {
  Arena *arena = b->arena;
  size_t launches = (size_t)b->runner->step->n_launches, threads = (size_t)team_size(b->runner->team);
  b->times = arena_array(arena, MOST_STEPS, sizeof *b->times);
  b->profile = (StepProfile){.nanoseconds = arena_array(arena, launches, sizeof(double)),
                             .items_by_thread = arena_array(arena, threads, sizeof(int64_t)),
                             .busy = arena_array(arena, launches * threads, sizeof(double))};
  for (int k = 0; k < WARM_UP; k++) one_step(b, false);
  double end = now(b->session) + seconds;
  while ((now(b->session) < end || b->n_times < LEAST_STEPS) && b->n_times < MOST_STEPS) {
    double start = now(b->session);
    one_step(b, b->profiles);
    b->times[b->n_times++] = 1e3 * (now(b->session) - start);
  }
  qsort(b->times, (size_t)b->n_times, sizeof *b->times, by_size);
}

double steps_median(const Steps *b) { return (b->times[(b->n_times - 1) / 2] + b->times[b->n_times / 2]) / 2; }

// ---- memory ---------------------------------------------------------------------------------------------------------

// Linux tells how many pages of the process are in memory; 0 elsewhere.
static int64_t resident_bytes(const Session *s) {
  char text[128] = "";
  long long pages = 0;
  int fd;
  int64_t length;
  if (io_open_read(s->io, "/proc/self/statm", &fd, &length)) return 0;
  int64_t got = s->io.ops->pread(s->io.state, fd, text, sizeof text - 1, 0);
  io_close(s->io, fd);
  return got > 0 && sscanf(text, "%*s %lld", &pages) == 1 ? pages * sysconf(_SC_PAGESIZE) : 0;
}

int64_t steps_resident(const Steps *b) {
  int64_t bytes = b->resident_before ? resident_bytes(b->session) - b->resident_before : 0;
  return bytes > 0 ? bytes : 0;
}

// ---- beginning and end ----------------------------------------------------------------------------------------------

bool steps_begin(Steps *b, Pipeline *p) {
  Session *s = p->session;
  Mode mode = pipeline_mode(p);
  double start = now(s);
  *b = (Steps){.session = s, .p = p, .trains = mode == MODE_TRAIN};
  b->unit = pipeline_build(p, mode, pipeline_what(p, mode));
  b->compile_s = now(s) - start;
  Team *team = b->unit ? team_new(p->codegen.threads) : NULL;
  if (!team) return false;
  b->resident_before = resident_bytes(s);
  b->arena = arena_beside(s->arena);
  b->runner = runner_new(b->arena, b->unit, team, NULL);
  runner_init(b->runner, p->seed);
  fill_inputs(b);
  OptimizerSpec sgd = {.kind = OPTIMIZER_sgd, .lr = 1e-3};
  optimizer_init(&b->optimizer, p->train ? &p->train->optimizer : &sgd, b->runner->params, b->arena);
  one_step(b, false);
  b->first_step_s = now(s) - s->started;
  return true;
}

void steps_end(Steps *b) {
  if (b->runner) team_free(b->runner->team);
  arena_free(b->arena);
  pipeline_release(b->unit);
}
