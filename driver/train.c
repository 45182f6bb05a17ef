// dlc train: runs a model's train block in a run directory.
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "signals.h"
#include "trainer.h"

// runs/lenet5-20260131-235959
static const char *default_directory(const Pipeline *p) {
  Session *s = p->session;
  time_t when = (time_t)s->clock.unix_time(s->clock.state);
  struct tm t;
  gmtime_r(&when, &t);
  return arena_printf(s->arena, "runs/%s-%04d%02d%02d-%02d%02d%02d", p->model_name, t.tm_year + 1900, t.tm_mon + 1,
                      t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
}

static bool options_agree(Session *session) {
  const Options *o = &session->options;
  const char *other = !o->resume ? NULL : o->out ? "--out" : o->weights ? "--weights" : NULL;
  if (!other) return true;
  diag_error(session->sink, DIAG_E0601, SPAN_NONE, "--resume and %s exclude each other", other);
  return false;
}

static void add_whole(Arena *arena, cJSON *object, const char *name, uint64_t value) {
  cJSON_AddRawToObject(object, name, arena_printf(arena, "%llu", (unsigned long long)value));  // beyond 2^53 too
}

// The command line again, as far as it decides what a run does: to read, or to start the same run from.
// Absolute where it exists: dlc report finds the data again from any folder.
static const char *absolute(Arena *arena, const char *path) {
  char *real = realpath(path, NULL);
  const char *kept = arena_strdup(arena, real ? real : path);
  free(real);
  return kept;
}

static const char *options_text(const Pipeline *p) {
  const Options *o = &p->session->options;
  Arena *arena = p->session->arena;
  cJSON *all = cJSON_CreateObject(), *set = cJSON_CreateObject();
  cJSON_AddStringToObject(all, "program", absolute(arena, p->path));
  cJSON_AddStringToObject(all, "model", p->model_name);
  add_whole(arena, all, "seed", p->seed);
  add_whole(arena, all, "batch", (uint64_t)p->batch);
  add_whole(arena, all, "epochs", (uint64_t)p->train->epochs);
  add_whole(arena, all, "steps", (uint64_t)p->train->steps);
  cJSON_AddStringToObject(all, "numerics", p->fast ? "fast" : "strict");
  cJSON_AddStringToObject(all, "cpu", o->cpu);
  for (int k = 0; k < o->n_settings; k++) cJSON_AddStringToObject(set, o->settings[k].name, o->settings[k].value);
  cJSON_AddItemToObject(all, "set", set);
  const char *data = o->data ? o->data : getenv("DLC_DATA");
  if (data && *data) cJSON_AddStringToObject(all, "data", absolute(arena, data));
  char *json = cJSON_PrintUnformatted(all);
  const char *text = arena_printf(arena, "%s\n", json ? json : "{}");
  cJSON_free(json);
  cJSON_Delete(all);
  return text;
}

enum { PROGRAM_MOST = 1 << 26 };

// The program and its options beside what they make.
static bool put_copies(const Pipeline *p, RunDir *run) {
  Session *s = p->session;
  char *program;
  size_t size;
  int error = io_read_file(s->io, s->arena, p->path, PROGRAM_MOST, &program, &size);
  if (!error) error = run_put(run, "program.dl", program);
  if (!error) error = run_put(run, "options.json", options_text(p));
  if (error) diag_error(s->sink, DIAG_E0604, SPAN_NONE, "cannot write into '%s': %s", run_path(run), strerror(-error));
  return !error;
}

int command_train(Session *session) {
  if (!options_agree(session)) return STATUS_USAGE;
  Pipeline *p = pipeline_open(session);
  if (!p) return STATUS_WRONG;
  if (!p->train) {
    diag_error(session->sink, DIAG_E0605, SPAN_NONE, "model '%s' has no train block", p->model_name);
    return STATUS_USAGE;
  }
  p->opens_data = true;
  signals_watch();
  const Options *o = &session->options;
  const char *path = o->resume ? o->resume : o->out ? o->out : default_directory(p);
  RunDir *run = run_open(session->arena, session->sink, session->io, path, o->resume != NULL);
  if (!run) return STATUS_WRITE;
  int status = put_copies(p, run) ? train_run(p, run, o->resume != NULL) : STATUS_WRITE;
  run_close(run);
  return status;
}
