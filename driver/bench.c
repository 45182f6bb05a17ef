// dlc bench: times steps on data in memory (steps.h), and shows where the time goes.
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "commands.h"
#include "profile.h"
#include "report.h"

// ---- results --------------------------------------------------------------------------------------------------------

static double round_to(double value, double unit) { return (double)(int64_t)(value / unit + 0.5) * unit; }

// To six significant digits: a step of a small network takes less than a microsecond.
static double round_digits(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.6g", value);
  return strtod(text, NULL);
}

static void print_json(const Steps *b, const Profile *profile) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double middle = steps_median(b);
  cJSON *line = cJSON_CreateObject();
  cJSON_AddStringToObject(line, "workload", b->p->model_name);
  cJSON_AddStringToObject(line, "mode", b->trains ? "train" : "infer");
  cJSON_AddNumberToObject(line, "batch", (double)b->p->batch);
  cJSON_AddNumberToObject(line, "threads", team_size(b->runner->team));
  cJSON_AddNumberToObject(line, "ms_median", round_digits(middle));
  cJSON_AddNumberToObject(line, "ms_min", round_digits(b->times[0]));
  cJSON_AddNumberToObject(line, "images_per_s", round_digits((double)b->p->batch * 1e3 / middle));
  cJSON_AddNumberToObject(line, "steps", b->n_times);
  cJSON_AddNumberToObject(line, "compile_s", round_to(b->compile_s, 1e-4));
  cJSON_AddNumberToObject(line, "first_step_s", round_to(b->first_step_s, 1e-4));
  cJSON_AddNumberToObject(line, "rss_mib", (double)(usage.ru_maxrss / 1024));
  if (profile) {
    cJSON_AddNumberToObject(line, "step_bytes", (double)report_step_bytes(b->p, b->unit));
    cJSON_AddNumberToObject(line, "resident_bytes", (double)steps_resident(b));
    cJSON *items = cJSON_AddArrayToObject(line, "items_by_thread");
    for (int t = 0; t < team_size(b->runner->team); t++)
      cJSON_AddItemToArray(items, cJSON_CreateNumber((double)b->profile.items_by_thread[t]));
    profile_json(profile, line);
  }
  char *text = cJSON_PrintUnformatted(line);
  cJSON_Delete(line);
  text_printf(&b->session->out, "%s\n", text ? text : "{}");
  cJSON_free(text);
}

static void print_text(const Steps *b) {
  double middle = steps_median(b);
  Text rate = text_new(b->arena);
  report_rate((double)b->p->batch * 1e3 / middle, b->unit->lowered->graph, &rate);
  text_printf(&b->session->out,
              "%s, %s, batch %lld, %d threads: median %.4g ms, least %.4g ms, %s over %d steps\n"
              "compiled in %.3f s; first step done %.3f s after the start\n",
              b->p->model_name, b->trains ? "training" : "inference", (long long)b->p->batch,
              team_size(b->runner->team), middle, b->times[0], rate.bytes, b->n_times, b->compile_s, b->first_step_s);
}

// ---- the command ----------------------------------------------------------------------------------------------------

static void run(Steps *b) {
  const Options *options = &b->session->options;
  b->profiles = options->profile;
  Profile profile = {0};
  Peak peak = {0};
  if (b->profiles) peak = peak_measure(b->session->arena, b->runner->team);
  steps_time(b, options->seconds > 0 ? options->seconds : 2);
  if (b->profiles) profile = profile_make(b, peak_best(peak, peak_measure(b->session->arena, b->runner->team)));
  if (options->json)
    print_json(b, b->profiles ? &profile : NULL);
  else
    print_text(b);
  if (b->profiles && !options->json) profile_print(&profile, &b->session->out);
}

int command_bench(Session *session) {
  Pipeline *p = pipeline_open(session);
  if (!p) return STATUS_WRONG;
  Steps steps;
  bool ok = steps_begin(&steps, p);
  if (ok) run(&steps);
  steps_end(&steps);
  return ok ? STATUS_DONE : STATUS_RESOURCE;
}
