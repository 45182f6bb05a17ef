// The training loop.
//
// True between two steps: the parameters, states and optimizer slots are those after state.step updates, and
// state.epoch, state.batch say which batch comes next; a checkpoint taken here and resumed gives the bits of the
// uninterrupted run. state.batch == batches means that an epoch is trained but not yet reported.
// Nothing that is not finite enters the parameters: loss, gradients and new states are looked at before the update.
#include "trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "constrain.h"
#include "finite.h"
#include "report.h"
#include "signals.h"
#include "train_report.h"
#include "trainer_inside.h"

enum { WRITES_TRIED = 3 };  // checkpoints that may fail one after the other before the run gives up

static double now(const Trainer *t) { return t->session->clock.seconds(t->session->clock.state); }

static bool should_stop(void *unused) { return (void)unused, signals_caught() != 0; }

// ---- numbers that are none
// --------------------------------------------------------------------------------------------

static Outcome diverged(Trainer *t, const char *what) {
  if (!t->run) return DIVERGED;
  Diag *diag = diag_error(t->session->sink, DIAG_E0640, SPAN_NONE, "%s is not finite in epoch %lld, step %lld", what,
                          (long long)t->state.epoch + 1, (long long)t->state.step + 1);
  diag_line(t->session->sink, diag, DIAG_HELP, "the learning rate is %g there; a smaller one is what most often helps",
            t->lr);
  return DIVERGED;
}

// The tensor of the table that element `at` of its block belongs to.
static const char *tensor_at(const TensorTable *table, int64_t at) {
  const char *path = "?";
  for (int k = 0; k < table->n_items && table->items[k].offset <= at; k++) path = table->items[k].path;
  return path;
}

static Outcome check_block(Trainer *t, const char *what, const TensorTable *table, const float *block) {
  int64_t bad = block ? finite_first_bad(t->team, block, table->block_floats) : -1;
  if (bad < 0) return GOES_ON;
  return diverged(t, arena_printf(t->session->arena, "%s'%s'", what, tensor_at(table, bad)));
}

static double output_value(const Runner *runner, int output) {
  const void *at = runner_output(runner, output);
  return runner->step->outputs[output].type == DT_F32 ? (double)*(const float *)at : (double)*(const int32_t *)at;
}

static Outcome check_step(Trainer *t) {
  const Runner *r = t->train;
  if (!isfinite(output_value(r, t->outputs[0]))) return diverged(t, "the loss");
  Outcome outcome = check_block(t, "the gradient of ", r->params, r->grad);
  return outcome == GOES_ON ? check_block(t, "", r->states, r->state_next) : outcome;
}

// ---- one step
// ---------------------------------------------------------------------------------------------------------

static void show_progress(Trainer *t) {
  if (!t->run) return;
  double spent = now(t) - t->epoch_start, rate = spent > 0 ? (double)t->epoch_rows / spent : 0;
  if (spent < 0.5 && t->epoch_rate > 0) rate = t->epoch_rate;  // a few steps say little
  double rows_left = (double)(t->steps - t->state.step) * (double)t->state.batch_rows;
  text_clear(&t->line);
  for (int k = 0; k < t->state.n_sums; k++)
    text_printf(&t->line, "%s%s %.4f", k ? "  " : "", trainer_sum_name(t, k), t->state.sums[k] / (double)t->state.rows);
  text_clear(&t->speed);
  report_rate(rate, t->train_unit->lowered->graph, &t->speed);
  ProgressPoint point = {.epoch = t->state.epoch + 1,
                         .epochs = t->spec->steps ? 0 : t->spec->epochs,
                         .step = t->state.step,
                         .steps = t->steps,
                         .text = t->line.bytes,
                         .rate = t->speed.bytes,
                         .seconds_left = rate > 0 ? rows_left / rate : 0};
  progress_show(&t->progress, &point);
}

static void advance(Trainer *t, const Batch *batch) {
  RunState *s = &t->state;
  for (int k = 0; k < s->n_sums; k++) s->sums[k] += (double)batch->count * output_value(t->train, t->outputs[k]);
  s->rows += batch->count;
  t->epoch_rows += batch->count;
  t->last_rows = batch->count;
  s->step++;
  s->batch = batch->index + 1;
  t->unsaved = true;
}

static Outcome train_batch(Trainer *t) {
  const Batch *batch = loader_next(t->loader);
  Runner *r = t->train;
  runner_take(r, batch->fields);
  if (t->state.step == 0) insight_look(t->insight, 0, 0, batch->count);
  t->lr = schedule_rate(&t->spec->schedule, t->spec->optimizer.lr, t->state.step, t->batches, t->steps,
                        t->state.plateau_level);
  runner_step(r, batch->count, t->state.seed, (uint64_t)t->state.step, t->work);
  Outcome outcome = check_step(t);
  if (outcome != GOES_ON) return outcome;
  runner_accept(r);
  gradient_clip(t->spec, t->team, r->params, r->grad, t->squares);
  insight_before(t->insight, t->state.step, t->steps, output_value(r, t->outputs[0]));
  optimizer_update(&t->optimizer, t->team, r->params, r->param, r->grad, t->lr);
  weights_constrain(t->spec, t->team, r->params, r->param);
  insight_after(t->insight, t->state.step, t->lr);
  advance(t, batch);
  if (progress_is_due(&t->progress)) show_progress(t);
  return GOES_ON;
}

// ---- checkpoints
// ------------------------------------------------------------------------------------------------------

// Writes one; a failure is a warning until it is the last of too many in a row, or `last`.
static Outcome save(Trainer *t, bool last) {
  const Runner *r = t->train;
  Outcome outcome = check_block(t, "parameter ", r->params, r->param);
  if (outcome != GOES_ON || !t->run) return outcome;
  int error =
      run_save(t->run, &t->state, r->params, r->param, r->states, r->state, &t->optimizer, t->spec->checkpoint_keep);
  if (!error) {
    t->unsaved = false;
    t->failed_writes = 0;
    return GOES_ON;
  }
  const char *why = strerror(-error);
  if (last || ++t->failed_writes >= WRITES_TRIED) {
    diag_error(t->session->sink, DIAG_E0641, SPAN_NONE, "the checkpoint of step %lld cannot be written to '%s': %s",
               (long long)t->state.step, run_path(t->run), why);
    return CANNOT_WRITE;
  }
  diag_warning(t->session->sink, DIAG_E0641, SPAN_NONE,
               "the checkpoint of step %lld cannot be written to '%s': %s; training goes on", (long long)t->state.step,
               run_path(t->run), why);
  progress_clear(&t->progress);
  session_show_diagnostics(t->session);
  return GOES_ON;
}

// ---- the end of an epoch
// ----------------------------------------------------------------------------------------------

static Scores train_scores(const Trainer *t, Arena *arena) {
  Scores scores = {.items = arena_array(arena, (size_t)t->state.n_sums, sizeof *scores.items)};
  for (int k = 0; k < t->state.n_sums && t->state.rows; k++)
    scores.items[scores.n_items++] = (Score){trainer_sum_name(t, k), t->state.sums[k] / (double)t->state.rows};
  return scores;
}

// Evaluates the other splits. False when a signal came meanwhile.
static bool make_report(Trainer *t, Arena *arena, EpochReport *report) {
  double spent = now(t) - t->epoch_start;
  *report = epoch_report_new(arena, t->state.n_sums * (1 + t->n_others));
  report->epoch = t->state.epoch + 1;
  report->step = t->state.step;
  report->lr = t->lr;
  report->images_per_s = t->epoch_rate = spent > 0 ? (double)t->epoch_rows / spent : 0;
  Scores scores = train_scores(t, arena);
  epoch_report_add(arena, report, "train", &scores);
  for (int k = 0; k < t->n_others; k++) {
    scores = evaluate_split(arena, t->test, t->others[k], t->p->batch, should_stop, NULL);
    if (scores.n_items == 0) return false;
    epoch_report_add(arena, report, t->others[k]->name, &scores);
  }
  return true;
}

// A log that cannot be written never stops a run.
static void log_report(Trainer *t, Arena *arena, const EpochReport *report) {
  Text json = text_new(arena);
  epoch_report_json(report, &json);
  (void)run_log(t->run, json.bytes);
  text_add(&json, "\n");
  if (t->log >= 0) (void)!t->session->io.ops->write(t->session->io.state, t->log, json.bytes, json.length);
  double unix_seconds = (double)t->session->clock.unix_time(t->session->clock.state);
  for (int k = 0; k < report->n_items; k++)
    (void)run_scalar(t->run, report->items[k].name, report->step, unix_seconds, (float)report->items[k].value);
}

static void say_report(Trainer *t, Arena *arena, const EpochReport *report) {
  Text line = text_new(arena), rate = text_new(arena), time = text_new(arena);
  epoch_report_line(report, &line);
  report_rate(report->images_per_s, t->train_unit->lowered->graph, &rate);
  progress_time(now(t) - t->epoch_start, &time);
  progress_say(&t->progress, "epoch %lld  step %lld  %s  %s  %s", (long long)report->epoch, (long long)report->step,
               line.bytes, rate.bytes, time.bytes);
}

// What the run ends with, for standard output.
static void print_report(Trainer *t, const EpochReport *report) {
  text_clear(&t->session->out);
  for (int k = 0; k < report->n_items; k++)
    text_printf(&t->session->out, "%s %.6g\n", report->items[k].name, report->items[k].value);
}

static void begin_epoch(Trainer *t) {
  t->epoch_start = now(t);
  t->epoch_rows = 0;
}

static double score_of(const EpochReport *report, const char *name) {
  for (int k = 0; k < report->n_items; k++)
    if (!strcmp(report->items[k].name, name)) return report->items[k].value;
  return NAN;
}

// What a complete epoch's scores mean for the schedule and for the run's end.
static void take_scores(Trainer *t, const EpochReport *report) {
  RunState *s = &t->state;
  const ScheduleSpec *schedule = &t->spec->schedule;
  int piece = schedule_piece(schedule, s->step, t->batches);
  const WatchSpec *plateau = &t->spec->plateau, *stop = &t->spec->early_stop;
  if (piece >= 0 && schedule->piece[piece].kind == SCHEDULE_PLATEAU &&
      watch_take(&s->plateau, plateau, score_of(report, plateau->score))) {
    s->plateau_level *= schedule->piece[piece].factor;
    s->plateau.since = 0;
  }
  if (stop->score) watch_take(&s->stall, stop, score_of(report, stop->score));
}

static bool has_stalled(const Trainer *t) {
  return t->spec->early_stop.score && t->state.stall.since >= t->spec->early_stop.patience;
}

static void say_stalled(Trainer *t) {
  const WatchSpec *stop = &t->spec->early_stop;
  progress_say(&t->progress, "stopped early: %s has not improved on %.4g for %lld epoch%s", stop->score,
               t->state.stall.best, (long long)t->state.stall.since, t->state.stall.since == 1 ? "" : "s");
}

// Reports; then, where the epoch is complete, the next one begins.
static Outcome report_epoch(Trainer *t) {
  Arena *arena = arena_beside(t->session->arena);
  EpochReport report;
  bool done = make_report(t, arena, &report);
  if (done) {
    if (t->state.rows && t->run) {
      log_report(t, arena, &report);
      say_report(t, arena, &report);
    }
    if (t->run) print_report(t, &report);
    if (t->state.batch == t->batches) take_scores(t, &report);
  }
  arena_free(arena);
  if (!done) return signals_caught() ? STOPPED : NO_MEMORY;
  RunState *s = &t->state;
  if (s->batch == t->batches) {
    s->epoch++;
    s->batch = s->rows = 0;
    memset(s->sums, 0, (size_t)s->n_sums * sizeof *s->sums);
    t->unsaved = true;
  }
  begin_epoch(t);
  return GOES_ON;
}

// ---- the loop
// ---------------------------------------------------------------------------------------------------------

static bool is_due(int64_t every, int64_t count) { return every > 0 && count % every == 0; }

// What follows a step: the epoch's report where it ends or the run does, a checkpoint where one is due.
static Outcome after_step(Trainer *t) {
  bool epoch_ends = t->state.batch == t->batches, run_ends = t->state.step >= t->steps;
  if (epoch_ends || run_ends) insight_look(t->insight, t->state.step, t->state.epoch + 1, t->last_rows);
  Outcome outcome = epoch_ends || run_ends ? report_epoch(t) : GOES_ON;
  if (outcome != GOES_ON || run_ends) return outcome;
  bool due = is_due(t->spec->checkpoint_steps, t->state.step) ||
             (epoch_ends && is_due(t->spec->checkpoint_epochs, t->state.epoch));
  return due ? save(t, false) : GOES_ON;
}

Outcome trainer_loop(Trainer *t) {
  begin_epoch(t);
  Outcome outcome = GOES_ON;
  if (t->state.batch == t->batches || t->state.step >= t->steps || has_stalled(t)) outcome = report_epoch(t);
  while (outcome == GOES_ON && t->state.step < t->steps && !has_stalled(t)) {
    outcome = signals_caught() ? STOPPED : train_batch(t);
    if (outcome == GOES_ON) outcome = after_step(t);
  }
  if (outcome == GOES_ON && has_stalled(t) && t->run) say_stalled(t);
  return outcome;
}

// To standard error, --quiet or not: it was asked for.
static void say_work(const Trainer *t) {
  if (!t->work) return;
  Text line = text_new(t->session->arena);
  for (int k = 0; k < team_size(t->team); k++) text_printf(&line, " %lld", (long long)t->work->items_by_thread[k]);
  fprintf(stderr, "work items by thread:%s\n", line.bytes);
}

// Every run that ends leaves its last state behind, however it ended.
static int finish(Trainer *t, Outcome outcome) {
  progress_clear(&t->progress);
  say_work(t);
  Outcome saved = t->unsaved && outcome != CANNOT_WRITE ? save(t, true) : GOES_ON;
  if (saved == CANNOT_WRITE || outcome == CANNOT_WRITE) return STATUS_WRITE;
  if (outcome == STOPPED) {
    progress_say(&t->progress, "stopped at step %lld of %lld; --resume %s goes on", (long long)t->state.step,
                 (long long)t->steps, run_path(t->run));
    text_clear(&t->session->out);
    return 128 + signals_caught();
  }
  if (outcome == DIVERGED || saved == DIVERGED) return STATUS_DIVERGED;
  return outcome == GOES_ON ? STATUS_DONE : STATUS_RESOURCE;
}

static int train(Trainer *t, bool resume) {
  int status = trainer_open(t, resume) ? finish(t, trainer_loop(t)) : STATUS_RESOURCE;
  trainer_release(t);
  return status;
}

// Out of memory jumps to the session's guard, which frees the arena: on the way there the loader's thread, which reads
// and writes it, is ended.
int train_run(Pipeline *p, RunDir *run, bool resume) {
  Session *session = p->session;
  Trainer *t = arena_alloc(session->arena, sizeof *t);
  *t = (Trainer){.session = session, .arena = session->arena, .p = p, .spec = p->train, .run = run, .log = -1};
  t->progress = progress_new(session);
  t->line = text_new(session->arena);
  t->speed = text_new(session->arena);
  jmp_buf outer;
  memcpy(&outer, &session->guard.jump, sizeof outer);
  if (setjmp(session->guard.jump)) {
    loader_free(t->loader);
    longjmp(outer, 1);
  }
  int status = train(t, resume);
  memcpy(&session->guard.jump, &outer, sizeof outer);
  return status;
}
