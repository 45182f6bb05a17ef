// Training: first weights, the learning rate, a step. A step does what `dlc train` does, in the same order, by the same
// kernels and the same optimizer, clipping and constraining (runtime/): so its bits are the same.
#include <math.h>
#include <string.h>

#include "constrain.h"
#include "context.h"
#include "finite.h"
#include "schedule.h"

static SchedulePiece read_piece(const EmbedPiece *from) {
  SchedulePiece piece = {.kind = (ScheduleKind)from->kind, .factor = from->factor, .to = from->to};
  piece.patience = from->patience;
  piece.length = (RunLength){from->length, from->length_in_steps != 0};
  piece.every = (RunLength){from->every, from->every_in_steps != 0};
  return piece;
}

static void read_training(EmbedContext *c) {
  const EmbedTraining *from = &c->model->training;
  TrainSpec *to = &c->training;
  memset(to, 0, sizeof *to);
  to->optimizer = (OptimizerSpec){.kind = (OptimizerKind)from->optimizer,
                                  .lr = from->lr,
                                  .mu = from->mu,
                                  .decay = from->decay,
                                  .beta1 = from->beta1,
                                  .beta2 = from->beta2,
                                  .eps = from->eps,
                                  .nesterov = from->nesterov != 0,
                                  .eps_inside = from->eps_inside != 0};
  to->clip_norm = from->clip_norm;
  to->clip_value = from->clip_value;
  to->max_norm = from->max_norm;
  to->schedule.n = (int)from->n_pieces;
  for (int k = 0; k < to->schedule.n; k++) to->schedule.piece[k] = read_piece(&from->piece[k]);
}

// The optimizer at its beginning.
void embed_start_training(EmbedContext *c) {
  const EmbedModel *m = c->model;
  char *memory = (char *)c;
  read_training(c);
  c->squares = (double *)(void *)(memory + m->at_squares);
  c->optimizer = (Optimizer){.spec = c->training.optimizer, .n_slots = optimizer_slots(c->training.optimizer.kind)};
  for (int k = 0; k < c->optimizer.n_slots; k++) {
    c->optimizer.slot[k] = (float *)(void *)(memory + m->at_slots) + (int64_t)k * m->param_floats;
    memset(c->optimizer.slot[k], 0, (size_t)m->param_floats * sizeof(float));
  }
}

int embed_training_is_started(const EmbedContext *c) { return c->squares != NULL; }

// ---- training as tensors --------------------------------------------------------------------------------------------

static void add_block(const EmbedContext *c, TensorTable *table, const char *name, const void *block, int64_t floats) {
  TensorInfo *info = &table->items[table->n_items++];
  memset(info, 0, sizeof *info);
  info->path = name;
  info->rank = 1;
  info->dim[0] = info->count = floats;
  info->offset = (const float *)block - (const float *)(const void *)c;
}

TensorTable embed_training_tensors(const EmbedContext *c, TensorInfo *items) {
  static const char *const slots[OPTIMIZER_MAX_SLOTS] = {"slot.0", "slot.1"};
  const EmbedModel *m = c->model;
  TensorTable table = {.items = items};
  add_block(c, &table, "counters", c->counters, TRAINING_PARTS);
  add_block(c, &table, "parameters", c->base[DLC_PARAM], m->param_floats);
  add_block(c, &table, "states", c->base[DLC_STATE], m->state_floats);
  for (int k = 0; k < c->optimizer.n_slots; k++) add_block(c, &table, slots[k], c->optimizer.slot[k], m->param_floats);
  return table;
}

void embed_put_counters(EmbedContext *c) {
  uint64_t values[TRAINING_COUNTERS] = {(uint64_t)c->optimizer.step, c->seed, 0, (uint64_t)c->steps_per_epoch,
                                        (uint64_t)c->steps};
  memcpy(&values[2], &c->rate, sizeof c->rate);
  for (int k = 0; k < TRAINING_PARTS; k++) c->counters[k] = (float)(values[k / 4] >> 16 * (k % 4) & 0xffff);
}

int embed_take_counters(EmbedContext *c) {
  uint64_t values[TRAINING_COUNTERS] = {0};
  for (int k = 0; k < TRAINING_PARTS; k++)
    if (!(c->counters[k] >= 0 && c->counters[k] <= 0xffff)) return EMBED_DAMAGED;
  for (int k = 0; k < TRAINING_PARTS; k++) values[k / 4] |= ((uint64_t)c->counters[k] & 0xffff) << 16 * (k % 4);
  int64_t steps_per_epoch = (int64_t)values[3], steps = (int64_t)values[4];
  if ((int64_t)values[0] < 0 || steps < 0 || steps_per_epoch < (steps > 0)) return EMBED_DAMAGED;
  c->optimizer.step = (int64_t)values[0];
  c->seed = values[1];
  memcpy(&c->rate, &values[2], sizeof c->rate);
  c->steps_per_epoch = steps_per_epoch;
  c->steps = steps;
  return EMBED_OK;
}

static void draw(const TensorTable *table, uint64_t seed, char *block) {
  tensors_draw(table, seed, (float *)(void *)block, 0, table->block_floats);
  tensors_finish(table, (float *)(void *)block);
}

int embed_init(EmbedContext *c, uint64_t seed) {
  int status = embed_check(c);
  if (status) return status;
  uint64_t before = embed_strict();
  draw(&c->params, seed, c->base[DLC_PARAM]);
  draw(&c->states, seed, c->base[DLC_STATE]);
  embed_restore(before);
  c->seed = seed;
  c->has_weights = 1;
  c->prepared = 0;
  embed_start_training(c);
  return EMBED_OK;
}

// ---- the learning rate ----------------------------------------------------------------------------------------------

int embed_schedule(EmbedContext *c, int64_t steps_per_epoch, int64_t steps) {
  int status = embed_check(c);
  if (status) return status;
  if (steps_per_epoch < 1 || steps < 1) return EMBED_RATE;
  c->steps_per_epoch = steps_per_epoch;
  c->steps = steps;
  return EMBED_OK;
}

int embed_set_rate(EmbedContext *c, double rate) {
  int status = embed_check(c);
  if (status) return status;
  if (!(rate > 0) || !isfinite(rate)) return EMBED_RATE;
  c->rate = rate;
  return EMBED_OK;
}

static double rate_now(const EmbedContext *c) {
  if (c->rate > 0) return c->rate;
  const TrainSpec *t = &c->training;
  if (c->steps == 0) return t->optimizer.lr;
  return schedule_rate(&t->schedule, t->optimizer.lr, c->optimizer.step, c->steps_per_epoch, c->steps, 1);
}

// ---- a step ---------------------------------------------------------------------------------------------------------

static int is_finite(EmbedContext *c, int region, int64_t floats) {
  return finite_first_bad(&c->team, (const float *)(void *)c->base[region], floats) < 0;
}

static int loss_is_finite(const EmbedContext *c, const EmbedStep *step, const char *const *inputs) {
  const EmbedValue *loss = embed_word(c, step->outputs);
  float value;
  memcpy(&value, embed_output(c, loss, inputs), sizeof value);
  return isfinite(value);
}

static void update(EmbedContext *c) {
  float *param = (float *)(void *)c->base[DLC_PARAM], *grad = (float *)(void *)c->base[DLC_GRAD];
  gradient_clip(&c->training, &c->team, &c->params, grad, c->squares);
  optimizer_update(&c->optimizer, &c->team, &c->params, param, grad, rate_now(c));
  weights_constrain(&c->training, &c->team, &c->params, param);
}

static int train(EmbedContext *c, const EmbedStep *step, const char *const *inputs, int64_t rows) {
  const EmbedModel *m = c->model;
  size_t state_bytes = (size_t)m->state_floats * sizeof(float);
  memcpy(c->base[DLC_STATE_NEXT], c->base[DLC_STATE], state_bytes);
  c->prepared = 0;
  embed_run(c, step, inputs, rows, c->seed, (uint64_t)c->optimizer.step, 1);
  if (!loss_is_finite(c, step, inputs) || !is_finite(c, DLC_GRAD, m->param_floats) ||
      !is_finite(c, DLC_STATE_NEXT, m->state_floats))
    return EMBED_NOT_FINITE;
  memcpy(c->base[DLC_STATE], c->base[DLC_STATE_NEXT], state_bytes);
  update(c);
  return EMBED_OK;
}

int embed_train_step(EmbedContext *c, const void *const *inputs, int64_t rows, void *const *outputs) {
  int status = embed_check(c);
  if (status) return status;
  const EmbedStep *step = &c->variant->train;
  const EmbedValue *output = embed_word(c, step->outputs);
  if (rows < 1 || rows > c->model->train_rows) return EMBED_BAD_ROWS;
  if (!c->has_weights) return EMBED_NO_WEIGHTS;
  status = embed_check_values(c, step->inputs, step->n_inputs, inputs);
  if (status) return status;
  for (int64_t k = 0; k < step->n_outputs; k++)
    if ((uintptr_t)outputs[k] % (uintptr_t)output[k].element_bytes) return EMBED_UNALIGNED;
  if (!embed_training_is_started(c)) embed_start_training(c);
  uint64_t before = embed_strict();
  const char *const *at = (const char *const *)(const void *)inputs;
  status = train(c, step, at, rows);
  for (int64_t k = 0; k < step->n_outputs; k++)
    if (outputs[k]) memcpy(outputs[k], embed_output(c, &output[k], at), (size_t)embed_value_bytes(&output[k], rows));
  embed_restore(before);
  return status;
}
