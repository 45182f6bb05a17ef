// Memory for a compiled step, and the step itself.
#include "runner.h"

#include <string.h>

#include "checkpoint.h"
#include "memory.h"

static char *aligned_block(Arena *arena, int64_t bytes, int64_t *total) {
  *total += bytes;
  return arena_pages(arena, (size_t)bytes);
}

static float *aligned_floats(Arena *arena, const TensorTable *table, int64_t *total) {
  return (float *)aligned_block(arena, table->block_floats * (int64_t)sizeof(float), total);
}

int64_t runner_dim(const DlcTensor *tensor, int d, int64_t rows) {
  return tensor->scale[d] * (tensor->symbol[d] ? rows : 1);
}

int64_t runner_elements(const DlcTensor *tensor, int64_t rows) {
  int64_t count = 1;
  for (int d = 0; d < tensor->rank; d++) count *= runner_dim(tensor, d, rows);
  return count;
}

bool runner_is_batched(const DlcTensor *tensor) { return tensor->rank > 0 && tensor->symbol[0] != 0; }

int64_t runner_held_dim(const Runner *r, const DlcTensor *tensor, int d, int64_t rows) {
  int symbol = tensor->symbol[d];
  int64_t held = symbol ? r->symbols[symbol - 1] : 0;
  return held ? tensor->scale[d] * held : runner_dim(tensor, d, rows);
}

int64_t runner_held_elements(const Runner *r, const DlcTensor *tensor, int64_t rows) {
  int64_t count = 1;
  for (int d = 0; d < tensor->rank; d++) count *= runner_held_dim(r, tensor, d, rows);
  return count;
}

bool runner_held_is_batched(const Runner *r, const DlcTensor *tensor) {
  return runner_is_batched(tensor) && r->symbols[tensor->symbol[0] - 1] == 0;
}

void runner_keep_rows(const Runner *r, const DlcTensor *tensor, const void *batch, int64_t first, int64_t rows,
                      char *whole) {
  int64_t size = dtype_size((DType)tensor->type);
  int64_t at = runner_held_is_batched(r, tensor) ? runner_held_elements(r, tensor, first) : 0;
  memcpy(whole + at * size, batch, (size_t)(runner_held_elements(r, tensor, rows) * size));
}

bool weights_of_option(Session *s, const TensorTable *params, float *param, const TensorTable *states, float *state) {
  if (s->options.weights)
    return weights_load(s->arena, s->sink, s->io, s->options.weights, params, param, states, state);
  if (params->n_items + states->n_items == 0) return true;
  Diag *diag = diag_error(s->sink, DIAG_E0605, SPAN_NONE, "the model has parameters: --weights is missing");
  diag_line(s->sink, diag, DIAG_HELP, "dlc train writes them, dlc init gives initial ones");
  return false;
}

bool runner_load_weights(Session *s, Runner *r) {
  return weights_of_option(s, r->params, r->param, r->states, r->state);
}

Runner *runner_new(Arena *arena, const Unit *unit, Team *team, const Runner *shared) {
  Runner *r = arena_alloc(arena, sizeof *r);
  r->step = codegen_step(unit->compiled);
  r->team = team;
  r->params = &unit->lowered->params;
  r->states = &unit->lowered->states;
  r->param = shared ? shared->param : aligned_floats(arena, r->params, &r->bytes);
  r->state = shared ? shared->state : aligned_floats(arena, r->states, &r->bytes);
  r->state_next = aligned_floats(arena, r->states, &r->bytes);
  if (unit->mode == MODE_TRAIN)
    r->grad = shared && shared->grad ? shared->grad : aligned_floats(arena, r->params, &r->bytes);
  r->inputs = arena_array(arena, (size_t)r->step->n_inputs, sizeof *r->inputs);
  for (int k = 0; k < r->step->n_inputs; k++) {
    const DlcTensor *input = &r->step->inputs[k];
    if (memory_find(unit->memory, input->name)) continue;
    r->inputs[k] =
        aligned_block(arena, runner_elements(input, r->step->capacity[0]) * dtype_size((DType)input->type), &r->bytes);
  }
  r->scratch = arena_array(arena, (size_t)r->step->n_args, sizeof *r->scratch);
  r->binding.base[DLC_ARENA] = aligned_block(arena, r->step->arena_bytes, &r->bytes);
  if (r->step->local_bytes) r->binding.local = aligned_block(arena, team_size(team) * r->step->local_bytes, &r->bytes);
  r->binding.base[DLC_PARAM] = (char *)r->param;
  r->binding.base[DLC_GRAD] = (char *)r->grad;
  r->binding.base[DLC_STATE] = (char *)r->state;
  r->binding.base[DLC_STATE_NEXT] = (char *)r->state_next;
  r->binding.inputs = r->inputs;
  runner_hold(r, unit->memory);
  return r;
}

void runner_hold(Runner *r, const Memory *memory) {
  for (int k = 0; k < r->step->n_inputs; k++) {
    const MemoryField *field = memory_find(memory, r->step->inputs[k].name);
    if (!field) continue;
    r->inputs[k] = field->data;
    r->symbols[field->symbol] = field->rows;
  }
  runner_weights_changed(r);
}

void runner_take(Runner *r, void *const *fields) {
  for (int k = 0; k < r->step->n_inputs; k++)
    if (!memory_is_input(r->step->inputs[k].name)) r->inputs[k] = *fields++;
}

typedef struct Draws {
  const TensorTable *table;
  uint64_t seed;
  float *block;
} Draws;

static void draw(void *state, int64_t begin, int64_t end) {
  const Draws *d = state;
  tensors_draw(d->table, d->seed, d->block, begin, end);
}

static void init_block(const Runner *r, const TensorTable *table, uint64_t seed, float *block) {
  Draws d = {table, seed, block};
  team_for(r->team, table->block_floats, 1024, draw, &d);
  tensors_finish(table, block);
}

void runner_init(Runner *r, uint64_t seed) {
  runner_weights_changed(r);
  init_block(r, r->params, seed, r->param);
  init_block(r, r->states, seed, r->state);
}

void runner_step(Runner *r, int64_t rows, uint64_t seed, uint64_t step_number, StepProfile *profile) {
  DlcRt rt = {.seed = seed, .step = step_number};
  for (int k = 0; k < DLC_MAX_SYMBOLS; k++) rt.symbol[k] = r->symbols[k] ? r->symbols[k] : rows;
  if (r->states->block_floats) memcpy(r->state_next, r->state, (size_t)r->states->block_floats * sizeof *r->state);
  step_run(r->team, r->step, &r->binding, &rt, r->scratch, profile);
  r->binding.prepared = true;
}

void runner_weights_changed(Runner *r) { r->binding.prepared = false; }

void runner_accept(Runner *r) {
  if (r->states->block_floats) memcpy(r->state, r->state_next, (size_t)r->states->block_floats * sizeof *r->state);
}

int runner_find_output(const Runner *r, OutputKind kind, const char *name) {
  for (int k = 0; k < r->step->n_outputs; k++) {
    const DlcTensor *output = &r->step->outputs[k];
    if (output->kind == (int)kind && (!name || !strcmp(name, output->name))) return k;
  }
  return -1;
}

const void *runner_output(const Runner *r, int output) {
  const DlcArg *at = &r->step->outputs[output].at;
  char *base = at->region == DLC_INPUT ? r->inputs[at->input] : r->binding.base[at->region];
  return base + at->offset;
}

int runner_find_input(const Runner *r, const char *name) {
  for (int k = 0; k < r->step->n_inputs; k++)
    if (!strcmp(r->step->inputs[k].name, name)) return k;
  return -1;
}
