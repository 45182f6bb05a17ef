// Words are gathered struct by struct; a struct says at which word those that belong to it begin.
#include "describe.h"

#include <string.h>

#include "checked.h"

typedef struct Words {
  Arena *arena;
  int64_t *items;
  size_t n, capacity;
} Words;

static int64_t add_words(Words *w, const void *structs, size_t bytes) {
  size_t first = w->n;
  for (size_t k = 0; k < bytes / sizeof(int64_t); k++) {
    w->items = arena_grow(w->arena, w->items, w->n, &w->capacity, sizeof *w->items);
    memcpy(&w->items[w->n++], (const char *)structs + k * sizeof(int64_t), sizeof(int64_t));
  }
  return (int64_t)first;
}

// ---- steps ----------------------------------------------------------------------------------------------------------

static EmbedArg describe_arg(const DlcArg *arg) { return (EmbedArg){arg->region, arg->input, arg->offset}; }

static void add_launches(Words *w, const Launches *all, const DlcStep *step, int first, EmbedStep *out) {
  EmbedLaunch *launches = arena_array(w->arena, (size_t)step->n_launches, sizeof *launches);
  for (int k = 0; k < step->n_launches; k++) {
    const DlcLaunch *l = &step->launches[k];
    launches[k] = (EmbedLaunch){.function = first + all->launches[k].code,
                                .scale = l->items.scale,
                                .symbol = l->items.symbol,
                                .divisor = l->items.divisor,
                                .times = l->items.times,
                                .first_arg = l->first_arg,
                                .n_args = l->n_args,
                                .once = l->once,
                                .cost = l->item_cost};
  }
  out->n_launches = step->n_launches;
  out->launches = add_words(w, launches, (size_t)step->n_launches * sizeof *launches);
}

static void add_args(Words *w, const DlcStep *step, EmbedStep *out) {
  EmbedArg *args = arena_array(w->arena, (size_t)step->n_args, sizeof *args);
  for (int k = 0; k < step->n_args; k++) args[k] = describe_arg(&step->args[k]);
  out->n_args = step->n_args;
  out->args = add_words(w, args, (size_t)step->n_args * sizeof *args);
}

static EmbedValue describe_value(const DlcTensor *tensor) {
  EmbedValue value = {.element_bytes = dtype_size((DType)tensor->type), .elements = 1, .at = describe_arg(&tensor->at)};
  for (int d = 0; d < tensor->rank; d++) {
    value.elements *= tensor->scale[d];
    value.power += tensor->symbol[d] != 0;
  }
  return value;
}

static int64_t add_values(Words *w, const DlcTensor *tensors, int n, int kind, int64_t *count) {
  int64_t first = (int64_t)w->n;
  for (int k = 0; k < n; k++) {
    if (kind >= 0 && tensors[k].kind != kind) continue;
    EmbedValue value = describe_value(&tensors[k]);
    add_words(w, &value, sizeof value);
    ++*count;
  }
  return first;
}

static EmbedStep add_step(Words *w, const Launches *all, int first, bool trains) {
  EmbedStep out = {0};
  if (!all) return out;
  DlcStep step = launches_step(w->arena, all);
  add_launches(w, all, &step, first, &out);
  add_args(w, &step, &out);
  out.inputs = add_values(w, step.inputs, step.n_inputs, -1, &out.n_inputs);
  out.outputs = add_values(w, step.outputs, step.n_outputs, trains ? OUT_LOSS : OUT_RESULT, &out.n_outputs);
  if (trains) add_values(w, step.outputs, step.n_outputs, OUT_METRIC, &out.n_outputs);
  return out;
}

// ---- tensors and training -------------------------------------------------------------------------------------------

static int64_t add_tensors(Words *w, const TensorTable *table, Text *names) {
  EmbedTensor *tensors = arena_array(w->arena, (size_t)table->n_items, sizeof *tensors);
  for (int k = 0; k < table->n_items; k++) {
    const TensorInfo *info = &table->items[k];
    tensors[k] = (EmbedTensor){.name = (int64_t)names->length,
                               .rank = info->rank,
                               .count = info->count,
                               .offset = info->offset,
                               .init = info->init.kind,
                               .fan_in = info->init.fan_in,
                               .fan_out = info->init.fan_out,
                               .decay = info->decay,
                               .frozen = info->frozen,
                               .a = info->init.a,
                               .b = info->init.b};
    memcpy(tensors[k].dim, info->dim, sizeof info->dim);
    text_add_n(names, info->path, strlen(info->path) + 1);
  }
  return add_words(w, tensors, (size_t)table->n_items * sizeof *tensors);
}

static EmbedPiece describe_piece(const SchedulePiece *piece) {
  return (EmbedPiece){.kind = piece->kind,
                      .length_in_steps = piece->length.in_steps,
                      .every_in_steps = piece->every.in_steps,
                      .patience = piece->patience,
                      .length = piece->length.count,
                      .every = piece->every.count,
                      .factor = piece->factor,
                      .to = piece->to};
}

static EmbedTraining describe_training(const TrainSpec *spec) {
  const OptimizerSpec *o = &spec->optimizer;
  EmbedTraining t = {.optimizer = o->kind,
                     .nesterov = o->nesterov,
                     .eps_inside = o->eps_inside,
                     .n_pieces = spec->schedule.n,
                     .lr = o->lr,
                     .mu = o->mu,
                     .decay = o->decay,
                     .beta1 = o->beta1,
                     .beta2 = o->beta2,
                     .eps = o->eps,
                     .clip_norm = spec->clip_norm,
                     .clip_value = spec->clip_value,
                     .max_norm = spec->max_norm};
  for (int k = 0; k < spec->schedule.n; k++) t.piece[k] = describe_piece(&spec->schedule.piece[k]);
  return t;
}

// ---- the caller's memory --------------------------------------------------------------------------------------------

static int64_t place(int64_t *end, int64_t bytes) {
  int64_t at = *end;
  if (!checked_add(at, bytes, end) || *end > INT64_MAX - EMBED_ALIGN) dlc_bug("memory of %lld bytes", (long long)bytes);
  *end = (*end + EMBED_ALIGN - 1) / EMBED_ALIGN * EMBED_ALIGN;
  return at;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static void lay_out(const BuildInput *input, int64_t pointers, int64_t local_bytes, EmbedModel *m) {
  int64_t float_bytes = sizeof(float), end = EMBED_CONTEXT_BYTES;
  int64_t params = m->param_floats * float_bytes, states = m->state_floats * float_bytes;
  bool writes = m->trains || !m->inside;  // weights stand in the memory
  m->at_tensors = place(&end, (m->n_params + m->n_states) * EMBED_TENSOR_BYTES);
  m->at_args = place(&end, pointers * EMBED_POINTER_BYTES);
  m->at_param = place(&end, writes ? params : 0);
  m->at_state = place(&end, writes ? states : 0);
  m->at_state_next = place(&end, m->trains ? states : 0);
  m->at_grad = place(&end, m->trains ? params : 0);
  m->at_slots = place(&end, m->trains ? input->n_slots * params : 0);
  m->at_squares = place(&end, m->trains ? input->n_squares * (int64_t)sizeof(double) : 0);
  m->at_arena = place(&end, larger(input->infer->arena_bytes, m->trains ? input->train->arena_bytes : 0));
  m->at_locals = place(&end, local_bytes);
  m->memory_bytes = end;
  m->thread_bytes = local_bytes;
}

static int64_t pointers_of(const EmbedStep *step) { return step->n_args + step->n_inputs; }

static int64_t local_bytes_of(const Launches *all) { return all ? launches_local_bytes(all) : 0; }

Description describe_model(Arena *arena, const BuildInput *input, const BuildTargets *targets,
                           const VariantCode *code) {
  Description d = {.names = text_new(arena)};
  Words words = {.arena = arena};
  EmbedModel m = {.rows = input->infer->symbol_values[0],
                  .train_rows = input->train ? input->train->symbol_values[0] : 0,
                  .mixes = input->mixes,
                  .n_variants = targets->n,
                  .trains = input->train != NULL,
                  .inside = input->param != NULL,
                  .seed = input->seed};
  add_words(&words, &m, sizeof m);
  EmbedVariant variants[BUILD_MOST_VARIANTS];
  int64_t pointers = 0, local_bytes = 0;
  for (int k = 0; k < targets->n; k++) {
    variants[k].level = targets->items[k].level;
    variants[k].infer = add_step(&words, code[k].infer, code[k].first_infer, false);
    variants[k].train = add_step(&words, code[k].train, code[k].first_train, true);
    pointers = larger(pointers, larger(pointers_of(&variants[k].infer), pointers_of(&variants[k].train)));
    local_bytes = larger(local_bytes, larger(local_bytes_of(code[k].infer), local_bytes_of(code[k].train)));
  }
  m.variants = add_words(&words, variants, (size_t)targets->n * sizeof *variants);
  const TensorTable *params = input->infer->params, *states = input->infer->states;
  m.n_params = params->n_items;
  m.param_floats = params->block_floats;
  m.params = add_tensors(&words, params, &d.names);
  m.n_states = states->n_items;
  m.state_floats = states->block_floats;
  m.states = add_tensors(&words, states, &d.names);
  if (input->training) m.training = describe_training(input->training);
  lay_out(input, pointers, local_bytes, &m);
  memcpy(words.items, &m, sizeof m);
  d.words = words.items;
  d.n_words = words.n;
  d.model = m;
  return d;
}
