// libdlc: compiling, predicting, training.
//
// True between calls after dlc_compile: both runners share parameters and states; `predicts` is told when they change.
#include <math.h>
#include <setjmp.h>
#include <string.h>

#include "checkpoint.h"
#include "constrain.h"
#include "finite.h"
#include "library_inside.h"
#include "schedule.h"

static int need_code(DlcModel *m) {
  return m->predicts ? DLC_DONE : library_refuse(m, "the model is not compiled yet");
}

// ---- machine code ---------------------------------------------------------------------------------------------------

static bool build(Pipeline *p, Unit *unit) {
  return pipeline_passes(p, unit, NULL) && pipeline_plan(p, unit) && pipeline_codegen(p, unit);
}

static int compile(DlcModel *m) {
  if (!m->infer || (m->options.train && !m->train)) return library_refuse(m, "the program is wrong");
  if (m->predicts) return DLC_DONE;
  Pipeline *p = m->pipeline;
  int64_t train_rows = p->batch;
  p->batch = m->options.batch ? m->options.batch : 1;
  bool ok = m->infer->compiled || build(p, m->infer);
  p->batch = train_rows;
  if (ok && m->train && !m->train->compiled) ok = build(p, m->train);
  if (!ok) return DLC_RESOURCE;
  if (!m->team) m->team = team_new((int)m->session.options.threads);
  if (!m->team) {
    diag_error(m->session.sink, DIAG_E0602, SPAN_NONE, "%lld threads cannot be had",
               (long long)m->session.options.threads);
    return DLC_RESOURCE;
  }
  Arena *arena = m->session.arena;
  Runner *predicts = runner_new(arena, m->infer, m->team, NULL);
  if (m->train) {
    m->trains = runner_new(arena, m->train, m->team, predicts);
    m->loss = runner_find_output(m->trains, OUT_LOSS, NULL);
    m->squares = arena_array(arena, (size_t)clip_pieces(predicts->params), sizeof *m->squares);
    optimizer_init(&m->optimizer, &p->train->optimizer, predicts->params, arena);
  }
  m->predicts = predicts;
  return DLC_DONE;
}

int dlc_compile(DlcModel *model) { LIBRARY_CALL(model, compile(model)); }

// ---- weights --------------------------------------------------------------------------------------------------------

static int init(DlcModel *m, uint64_t seed) {
  if (need_code(m)) return DLC_USAGE;
  runner_init(m->predicts, seed);
  m->seed = seed;
  m->optimizer.step = 0;
  for (int k = 0; k < m->optimizer.n_slots; k++)
    memset(m->optimizer.slot[k], 0, (size_t)m->predicts->params->block_floats * sizeof(float));
  return DLC_DONE;
}

int dlc_init(DlcModel *model, uint64_t seed) { LIBRARY_CALL(model, init(model, seed)); }

// Into blocks of its own first: a file that does not fit changes nothing.
static int load(DlcModel *m, const char *path) {
  if (need_code(m)) return DLC_USAGE;
  if (!path) return library_refuse(m, "the weights have no path");
  Runner *r = m->predicts;
  size_t params = (size_t)r->params->block_floats * sizeof(float),
         states = (size_t)r->states->block_floats * sizeof(float);
  Arena *arena = arena_beside(m->session.arena);
  float *param = arena_pages(arena, params), *state = arena_pages(arena, states);
  bool ok = weights_load(arena, m->session.sink, m->session.io, path, r->params, param, r->states, state);
  if (ok) {
    memcpy(r->param, param, params);
    memcpy(r->state, state, states);
    runner_weights_changed(r);
  }
  arena_free(arena);
  return ok ? DLC_DONE : DLC_DATA;
}

int dlc_load(DlcModel *model, const char *path) { LIBRARY_CALL(model, load(model, path)); }

static int save(DlcModel *m, const char *path) {
  if (need_code(m)) return DLC_USAGE;
  if (!path) return library_refuse(m, "the weights have no path");
  Runner *r = m->predicts;
  Arena *arena = arena_beside(m->session.arena);
  int error = weights_save(m->session.io, arena, path, r->params, r->param, r->states, r->state);
  arena_free(arena);
  if (error) diag_error(m->session.sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-error));
  return error ? DLC_WRITE : DLC_DONE;
}

int dlc_save(DlcModel *model, const char *path) { LIBRARY_CALL(model, save(model, path)); }

static int changed(DlcModel *m) {
  if (need_code(m)) return DLC_USAGE;
  runner_weights_changed(m->predicts);
  return DLC_DONE;
}

int dlc_changed(DlcModel *model) { LIBRARY_CALL(model, changed(model)); }

// ---- tensors of a step ----------------------------------------------------------------------------------------------

static bool is_usable(const void *pointer, int type) {
  return pointer && (uintptr_t)pointer % (uintptr_t)dtype_size((DType)type) == 0;
}

// Are there as many pointers as values of that kind, each aligned?
static int check_pointers(DlcModel *m, int kind, const void *const *pointers) {
  size_t n = dlc_count(m, kind);
  bool ok = pointers || n == 0;
  for (size_t k = 0; ok && k < n; k++) {
    DlcValue value;
    dlc_describe(m, kind, k, &value);
    ok = is_usable(pointers[k], value.type);
  }
  return ok ? DLC_DONE : library_refuse(m, "a tensor is NULL or not aligned to its elements");
}

// Points the step's inputs at the caller's tensors, from row `first` on. A step may have lost inputs that nothing
// reads.
static void take_inputs(DlcModel *m, Runner *r, int kind, const void *const *pointers, int64_t first) {
  for (size_t k = 0; k < dlc_count(m, kind); k++) {
    DlcValue value;
    dlc_describe(m, kind, k, &value);
    int at = runner_find_input(r, value.name);
    if (at < 0) continue;
    const DlcTensor *input = &r->step->inputs[at];
    int64_t row = runner_is_batched(input) ? runner_elements(input, 1) * dtype_size((DType)input->type) : 0;
    r->inputs[at] = (char *)(uintptr_t)pointers[k] + first * row;
  }
}

static void give_outputs(DlcModel *m, void *const *outputs, int64_t first, int64_t rows) {
  const Runner *r = m->predicts;
  for (size_t k = 0; k < dlc_count(m, DLC_OUTPUTS); k++) {
    DlcValue value;
    dlc_describe(m, DLC_OUTPUTS, k, &value);
    int at = runner_find_output(r, OUT_RESULT, value.name);
    const DlcTensor *output = &r->step->outputs[at];
    int64_t size = dtype_size((DType)output->type);
    int64_t skip = runner_is_batched(output) ? first * runner_elements(output, 1) * size : 0;
    memcpy((char *)outputs[k] + skip, runner_output(r, at), (size_t)(runner_elements(output, rows) * size));
  }
}

// ---- predictions ----------------------------------------------------------------------------------------------------

static int predict(DlcModel *m, const void *const *inputs, void *const *outputs, int64_t rows) {
  if (need_code(m)) return DLC_USAGE;
  if (rows < 0) return library_refuse(m, "the number of rows is negative");
  if (rows == 0) return DLC_DONE;
  if (check_pointers(m, DLC_INPUTS, inputs) || check_pointers(m, DLC_OUTPUTS, (const void *const *)outputs))
    return DLC_USAGE;
  int64_t most = m->predicts->step->capacity[0];
  for (int64_t first = 0; first < rows; first += most) {
    int64_t n = rows - first < most ? rows - first : most;
    take_inputs(m, m->predicts, DLC_INPUTS, inputs, first);
    runner_step(m->predicts, n, 0, 0, NULL);
    give_outputs(m, outputs, first, n);
  }
  return DLC_DONE;
}

int dlc_predict(DlcModel *model, const void *const *inputs, void *const *outputs, int64_t rows) {
  LIBRARY_CALL(model, predict(model, inputs, outputs, rows));
}

// ---- training -------------------------------------------------------------------------------------------------------

static int need_training(DlcModel *m) {
  if (need_code(m)) return DLC_USAGE;
  return m->trains ? DLC_DONE : library_refuse(m, "the model was not opened for training");
}

static int set_rate(DlcModel *m, double rate) {
  if (need_training(m)) return DLC_USAGE;
  if (!(rate > 0) || !isfinite(rate)) return library_refuse(m, "a learning rate is a number above 0");
  m->rate = rate;
  return DLC_DONE;
}

int dlc_set_rate(DlcModel *model, double rate) { LIBRARY_CALL(model, set_rate(model, rate)); }

static int schedule(DlcModel *m, int64_t steps_per_epoch, int64_t steps) {
  if (need_training(m)) return DLC_USAGE;
  if (steps_per_epoch < 1 || steps < 1) return library_refuse(m, "a run has at least one step");
  m->steps_per_epoch = steps_per_epoch;
  m->steps = steps;
  return DLC_DONE;
}

int dlc_schedule(DlcModel *model, int64_t steps_per_epoch, int64_t steps) {
  LIBRARY_CALL(model, schedule(model, steps_per_epoch, steps));
}

static double rate_now(const DlcModel *m) {
  const TrainSpec *spec = m->pipeline->train;
  if (m->rate > 0) return m->rate;
  if (m->steps == 0) return spec->optimizer.lr;
  return schedule_rate(&spec->schedule, spec->optimizer.lr, m->optimizer.step, m->steps_per_epoch, m->steps, 1);
}

static bool is_finite(DlcModel *m, const TensorTable *table, const float *block) {
  return finite_first_bad(m->team, block, table->block_floats) < 0;
}

static int diverged(DlcModel *m) {
  diag_error(m->session.sink, DIAG_E0640, SPAN_NONE, "the loss, a gradient or a state is not finite");
  return DLC_DIVERGED;
}

// What trainer.c does with a batch.
static int train_step(DlcModel *m, const void *const *fields, int64_t rows, double *loss) {
  if (need_training(m)) return DLC_USAGE;
  Runner *r = m->trains;
  if (rows < 1 || rows > r->step->capacity[0])
    return library_refuse(m, "a training step takes from one row to the batch that it was compiled for");
  if (check_pointers(m, DLC_FIELDS, fields)) return DLC_USAGE;
  take_inputs(m, r, DLC_FIELDS, fields, 0);
  runner_step(r, rows, m->seed, (uint64_t)m->optimizer.step, NULL);
  runner_weights_changed(m->predicts);
  double value = (double)*(const float *)runner_output(r, m->loss);
  if (loss) *loss = value;
  if (!isfinite(value) || !is_finite(m, r->params, r->grad) || !is_finite(m, r->states, r->state_next))
    return diverged(m);
  runner_accept(r);
  const TrainSpec *spec = m->pipeline->train;
  gradient_clip(spec, m->team, r->params, r->grad, m->squares);
  optimizer_update(&m->optimizer, m->team, r->params, r->param, r->grad, rate_now(m));
  weights_constrain(spec, m->team, r->params, r->param);
  return DLC_DONE;
}

int dlc_train_step(DlcModel *model, const void *const *fields, int64_t rows, double *loss) {
  LIBRARY_CALL(model, train_step(model, fields, rows, loss));
}
