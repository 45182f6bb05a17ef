// dlc bench: times steps on data in memory. Opens no data: normal inputs, uniform labels. A model without a train block
// takes mean(out^2) as its loss and plain SGD.
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "commands.h"
#include "data_bind.h"
#include "random.h"
#include "runner.h"

enum { WARM_UP = 3, LEAST_STEPS = 5, MOST_STEPS = 20000 };

typedef struct Bench {
  Session *session;
  Pipeline *p;
  Unit *unit;
  Runner *runner;
  Optimizer optimizer;
  bool trains;
  uint64_t step;
  double *times;  // [MOST_STEPS] milliseconds
  int n_times;
  double first_step_s, compile_s;
} Bench;

static double now(const Session *s) { return s->clock.seconds(s->clock.state); }

// ---- data in memory -------------------------------------------------------------------------------------------------

static void fill_input(const DlcTensor *input, int64_t rows, int64_t classes, char *to) {
  uint64_t stream = random_stream(input->name);
  int64_t count = runner_elements(input, rows);
  for (int64_t k = 0; k < count; k++) {
    if (input->type == DT_F32)
      ((float *)to)[k] = (float)random_normal(0, stream, (uint64_t)k);
    else if (input->type == DT_I32)
      ((int32_t *)to)[k] = (int32_t)random_below(0, stream, (uint64_t)k, (uint64_t)classes);
    else
      to[k] = (char)(random_bits(0, stream, (uint64_t)k) & 1);
  }
}

static void fill_inputs(Bench *b) {
  int64_t classes = data_classes(b->p);  // labels are drawn below the width of the model's result
  if (classes < 1) classes = 2;
  for (int k = 0; k < b->runner->step->n_inputs; k++)
    fill_input(&b->runner->step->inputs[k], b->p->batch, classes, b->runner->inputs[k]);
}

// ---- steps ----------------------------------------------------------------------------------------------------------

static void one_step(Bench *b, StepProfile *profile) {
  Runner *r = b->runner;
  runner_step(r, b->p->batch, b->p->seed, b->step++, profile);
  if (!b->trains) return;
  runner_accept(r);
  optimizer_update(&b->optimizer, r->team, r->params, r->param, r->grad, b->optimizer.spec.lr);
}

static void time_steps(Bench *b, StepProfile *profile) {
  double seconds = b->session->options.seconds > 0 ? b->session->options.seconds : 2;
  for (int k = 0; k < WARM_UP; k++) one_step(b, NULL);
  double end = now(b->session) + seconds;
  while ((now(b->session) < end || b->n_times < LEAST_STEPS) && b->n_times < MOST_STEPS) {
    double start = now(b->session);
    one_step(b, profile);
    b->times[b->n_times++] = 1e3 * (now(b->session) - start);
  }
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(Bench *b) {
  qsort(b->times, (size_t)b->n_times, sizeof *b->times, by_size);
  return (b->times[(b->n_times - 1) / 2] + b->times[b->n_times / 2]) / 2;
}

// ---- results --------------------------------------------------------------------------------------------------------

static double round_to(double value, double unit) { return (double)(int64_t)(value / unit + 0.5) * unit; }

static void print_json(Bench *b) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double middle = median(b);
  cJSON *line = cJSON_CreateObject();
  cJSON_AddStringToObject(line, "workload", b->p->model_name);
  cJSON_AddStringToObject(line, "mode", b->trains ? "train" : "infer");
  cJSON_AddNumberToObject(line, "batch", (double)b->p->batch);
  cJSON_AddNumberToObject(line, "threads", team_size(b->runner->team));
  cJSON_AddNumberToObject(line, "ms_median", round_to(middle, 1e-4));
  cJSON_AddNumberToObject(line, "ms_min", round_to(b->times[0], 1e-4));
  cJSON_AddNumberToObject(line, "images_per_s", round_to((double)b->p->batch * 1e3 / middle, 0.1));
  cJSON_AddNumberToObject(line, "steps", b->n_times);
  cJSON_AddNumberToObject(line, "compile_s", round_to(b->compile_s, 1e-4));
  cJSON_AddNumberToObject(line, "first_step_s", round_to(b->first_step_s, 1e-4));
  cJSON_AddNumberToObject(line, "rss_mib", (double)(usage.ru_maxrss / 1024));
  char *text = cJSON_PrintUnformatted(line);
  cJSON_Delete(line);
  text_printf(&b->session->out, "%s\n", text ? text : "{}");
  cJSON_free(text);
}

static void print_text(Bench *b) {
  double middle = median(b);
  text_printf(&b->session->out,
              "%s, %s, batch %lld, %d threads: median %.4g ms, least %.4g ms, %.6g rows/s over %d steps\n"
              "compiled in %.3f s; first step done %.3f s after the start\n",
              b->p->model_name, b->trains ? "training" : "inference", (long long)b->p->batch,
              team_size(b->runner->team), middle, b->times[0], (double)b->p->batch * 1e3 / middle, b->n_times,
              b->compile_s, b->first_step_s);
}

static int64_t kernel_flops(const Bench *b, const Kernel *kernel) {
  int64_t flops = 0;
  for (int k = 0; k < kernel->n_nodes; k++)
    flops += node_flops(b->unit->plan->graph, kernel->nodes[k], b->unit->plan->symbol_values);
  return flops;
}

// A line per kernel, the slowest first: time of a step, share, GFLOP/s, name, source line.
static void print_profile(Bench *b, const StepProfile *profile) {
  const Plan *plan = b->unit->plan;
  const DlcStep *step = b->runner->step;
  double *time = arena_array(b->session->arena, (size_t)plan->n_kernels, sizeof *time), total = 0;
  for (int k = 0; k < step->n_launches; k++) time[step->launches[k].kernel] += profile->nanoseconds[k] / b->n_times;
  for (int k = 0; k < plan->n_kernels; k++) total += time[k];
  Text *out = &b->session->out;
  text_printf(out, "%10s %6s %9s  kernel\n", "us", "share", "GFLOP/s");
  for (int shown = 0; shown < plan->n_kernels; shown++) {
    int slowest = 0;
    for (int k = 1; k < plan->n_kernels; k++)
      if (time[k] > time[slowest]) slowest = k;
    if (time[slowest] < 0) break;
    double flops = (double)kernel_flops(b, &plan->kernels[slowest]);
    text_printf(out, "%10.2f %5.1f%% %9.2f  %s\n", time[slowest] * 1e-3, total > 0 ? 100 * time[slowest] / total : 0,
                time[slowest] > 0 ? flops / time[slowest] : 0, plan->kernels[slowest].name);
    time[slowest] = -1;
  }
  text_printf(out, "%10.2f        all kernels\n", total * 1e-3);
}

// ---- the command ----------------------------------------------------------------------------------------------------

static void run(Bench *b, Team *team) {
  Session *s = b->session;
  b->runner = runner_new(s->arena, b->unit, team, NULL);
  runner_init(b->runner, b->p->seed);
  fill_inputs(b);
  OptimizerSpec sgd = {.kind = OPTIMIZER_sgd, .lr = 1e-3};
  optimizer_init(&b->optimizer, b->p->train ? &b->p->train->optimizer : &sgd, b->runner->params, s->arena);
  one_step(b, NULL);
  b->first_step_s = now(s) - s->started;
  b->times = arena_array(s->arena, MOST_STEPS, sizeof *b->times);
  StepProfile profile = {
      .nanoseconds = arena_array(s->arena, (size_t)b->runner->step->n_launches, sizeof(double)),
      .items_by_thread = arena_array(s->arena, (size_t)team_size(team), sizeof(int64_t)),
  };
  time_steps(b, s->options.profile ? &profile : NULL);
  if (s->options.json)
    print_json(b);
  else
    print_text(b);
  if (s->options.profile) print_profile(b, &profile);
}

int command_bench(Session *session) {
  Bench b = {.session = session, .p = pipeline_open(session)};
  if (!b.p) return STATUS_WRONG;
  Mode mode = pipeline_mode(b.p);
  b.trains = mode == MODE_TRAIN;
  double start = now(session);
  b.unit = pipeline_build(b.p, mode, pipeline_what(b.p, mode));
  b.compile_s = now(session) - start;
  Team *team = b.unit ? team_new(b.p->codegen.threads) : NULL;
  if (team) run(&b, team);
  team_free(team);
  pipeline_release(b.unit);
  return team ? STATUS_DONE : STATUS_RESOURCE;
}
