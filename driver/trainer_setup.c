// Everything that must be there before the first step, in the order in which a mistake is cheapest to find.
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>

#include "checked.h"
#include "constrain.h"
#include "report.h"
#include "trainer.h"
#include "trainer_inside.h"

const char *trainer_sum_name(const Trainer *t, int k) {
  return k ? t->train->step->outputs[t->outputs[k]].name : "loss";
}

// ---- the program
// ------------------------------------------------------------------------------------------------------

static bool compile(Trainer *t) {
  t->train_unit = pipeline_build(t->p, MODE_TRAIN, LOWER_LOSS);
  if (t->train_unit) t->test_unit = pipeline_build(t->p, MODE_INFER, LOWER_LOSS);
  if (t->test_unit) t->team = team_new(t->p->codegen.threads);
  if (t->test_unit && !t->team)
    diag_error(t->session->sink, DIAG_E0602, SPAN_NONE, "%d threads cannot be had", t->p->codegen.threads);
  return t->team != NULL;
}

// --freeze: a glob over parameters' paths.
bool trainer_freeze(Session *session, TensorTable *params) {
  const char *pattern = session->options.freeze;
  if (!pattern) return true;
  int frozen = 0;
  for (int k = 0; k < params->n_items; k++) {
    params->items[k].frozen = fnmatch(pattern, params->items[k].path, 0) == 0;
    frozen += params->items[k].frozen;
  }
  if (frozen) return true;
  Diag *diag = diag_error(session->sink, DIAG_E0605, SPAN_NONE, "--freeze: no parameter is named like '%s'", pattern);
  if (params->n_items) diag_line(session->sink, diag, DIAG_NOTE, "the first is '%s'", params->items[0].path);
  return false;
}

static void count_work(Trainer *t) {
  t->work = arena_alloc(t->arena, sizeof *t->work);
  t->work->nanoseconds = arena_array(t->arena, (size_t)t->train->step->n_launches, sizeof(double));
  t->work->items_by_thread = arena_array(t->arena, (size_t)team_size(t->team), sizeof(int64_t));
}

static bool make_runners(Trainer *t) {
  Arena *arena = t->arena;
  t->train = runner_new(arena, t->train_unit, t->team, NULL);
  t->test = runner_new(arena, t->test_unit, t->team, t->train);
  if (t->run && t->session->counts_work) count_work(t);
  const Runner *r = t->train;
  optimizer_init(&t->optimizer, &t->spec->optimizer, r->params, arena);
  t->squares = arena_array(arena, (size_t)clip_pieces(r->params), sizeof *t->squares);
  t->outputs = arena_array(arena, (size_t)r->step->n_outputs, sizeof *t->outputs);
  t->state.sums = arena_array(arena, (size_t)r->step->n_outputs, sizeof *t->state.sums);
  t->outputs[t->state.n_sums++] = runner_find_output(r, OUT_LOSS, NULL);
  for (int k = 0; k < r->step->n_outputs; k++)
    if (r->step->outputs[k].kind == OUT_METRIC) t->outputs[t->state.n_sums++] = k;
  return trainer_freeze(t->session, &t->train_unit->lowered->params);
}

// ---- data
// -------------------------------------------------------------------------------------------------------------

static bool open_data(Trainer *t) {
  const DataSpec *data = program_data(t->p->program, t->p->model);
  Arena *arena = t->session->arena;
  t->store = data_store_new(arena, t->session->io);
  t->split = data_bind_training(t->p, t->store, data, "train", t->train->step);
  if (!t->split) return false;
  t->others = arena_array(arena, (size_t)data->n_splits, sizeof *t->others);
  for (int k = 0; k < data->n_splits; k++) {
    if (data->splits[k].is_origin || strcmp(data->splits[k].name, "train") == 0) continue;
    BoundSplit *split = data_bind(t->p, t->store, data, data->splits[k].name, t->test->step);
    if (!split) return false;
    t->others[t->n_others++] = split;
  }
  return true;
}

static bool count_steps(Trainer *t) {
  t->batches = loader_batches(t->split->rows.count, t->p->batch);
  t->steps = t->spec->steps;
  if (t->steps || checked_mul(t->batches, t->spec->epochs, &t->steps)) return true;
  diag_error(t->session->sink, DIAG_E0605, SPAN_NONE, "%lld epochs are more steps than can be counted",
             (long long)t->spec->epochs);
  return false;
}

// ---- where the run begins
// ---------------------------------------------------------------------------------------------

static bool start_anew(Trainer *t) {
  Runner *r = t->train;
  t->state.batch_rows = t->p->batch;
  t->state.seed = t->p->seed;
  t->state.plateau_level = 1;
  t->state.plateau = watch_new(&t->spec->plateau);
  t->state.stall = watch_new(&t->spec->early_stop);
  t->unsaved = true;
  runner_init(r, t->p->seed);
  const char *weights = t->session->options.weights;
  return !weights || weights_start(t->session->arena, t->session->sink, t->session->io, weights, r->params, r->param,
                                   r->states, r->state);
}

// The position of a checkpoint means the same only with the run's own seed and batch.
static bool check_resumed(Trainer *t) {
  const Options *options = &t->session->options;
  const RunState *s = &t->state;
  const char *path = run_path(t->run);
  if (options->has_seed && options->seed != s->seed)
    diag_error(t->session->sink, DIAG_E0413, SPAN_NONE, "the run in '%s' has the seed %llu, not %llu", path,
               (unsigned long long)s->seed, (unsigned long long)options->seed);
  else if (s->batch_rows != t->p->batch)
    diag_error(t->session->sink, DIAG_E0413, SPAN_NONE, "the run in '%s' has batches of %lld rows, not %lld", path,
               (long long)s->batch_rows, (long long)t->p->batch);
  else if (s->batch > t->batches)
    diag_error(t->session->sink, DIAG_E0413, SPAN_NONE, "the run in '%s' is of more rows than there are now", path);
  else
    return true;
  return false;
}

static bool go_on(Trainer *t) {
  Runner *r = t->train;
  RunLoaded loaded =
      run_load(t->run, t->session->sink, &t->state, r->params, r->param, r->states, r->state, &t->optimizer);
  if (loaded == RUN_UNUSABLE) return false;
  if (loaded == RUN_EMPTY) {
    progress_say(&t->progress, "%s: no checkpoint yet; starting at step 0", run_path(t->run));
    return start_anew(t);
  }
  session_show_diagnostics(t->session);
  progress_say(&t->progress, "%s: going on at step %lld", run_path(t->run), (long long)t->state.step);
  return check_resumed(t);
}

static bool open_log(Trainer *t) {
  const char *path = t->session->options.log;
  if (!path) return true;
  Io io = t->session->io;
  t->log = io.ops->open(io.state, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (t->log >= 0) return true;
  diag_error(t->session->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-t->log));
  return false;
}

static bool start_loader(Trainer *t) {
  int64_t epoch = t->state.epoch, index = t->state.batch;
  if (index == t->batches) {  // trained, not yet reported: the next batch is of the next epoch
    epoch++;
    index = 0;
  }
  t->loader = loader_new(t->arena, t->split->fields, t->split->n_fields, &t->split->rows, t->p->batch, t->spec->shuffle,
                         t->state.seed, epoch, index);
  if (!t->loader) diag_error(t->session->sink, DIAG_E0602, SPAN_NONE, "a thread for the data cannot be had");
  return t->loader != NULL;
}

static void say_beginning(Trainer *t) {
  Text parameters = text_new(t->session->arena), rows = text_new(t->session->arena),
       bytes = text_new(t->session->arena);
  report_number(report_parameters(t->train->params), &parameters);
  report_number(t->split->rows.count, &rows);
  report_bytes((int64_t)arena_bytes(t->session->arena), &bytes);
  progress_say(&t->progress, "%s: %s parameters; %s rows, %lld batches of %lld; %d thread%s, %s; run in %s",
               t->p->model_name, parameters.bytes, rows.bytes, (long long)t->batches, (long long)t->p->batch,
               team_size(t->team), team_size(t->team) == 1 ? "" : "s", bytes.bytes, run_path(t->run));
}

bool trainer_open(Trainer *t, bool resume) {
  bool ready = open_log(t) && compile(t) && make_runners(t) && open_data(t) && count_steps(t) &&
               (resume ? go_on(t) : start_anew(t)) && start_loader(t);
  if (ready) t->insight = insight_new(t->p, t->run, t->train, t->team);
  if (ready) say_beginning(t);
  return ready;
}

bool trainer_open_fold(Trainer *t) { return make_runners(t) && count_steps(t) && start_anew(t) && start_loader(t); }

void trainer_release(Trainer *t) {
  loader_free(t->loader);
  data_release(t->split);
  for (int k = 0; k < t->n_others; k++) data_release(t->others[k]);
  insight_release(t->insight);
  team_free(t->team);
  pipeline_release(t->train_unit);
  pipeline_release(t->test_unit);
  if (t->log >= 0) io_close(t->session->io, t->log);
}
