// Steps: launches one after the other, each cut into parts for the host's threads; predictions of any number of rows.
#include <string.h>

#include "context.h"

enum { PART_NS = 20000 };  // below this a part of a launch is not worth another thread

// ---- the team -------------------------------------------------------------------------------------------------------

int team_size(const Team *team) { return team ? (int)team->threads : 1; }

typedef struct Sweep {
  void (*body)(void *state, int64_t begin, int64_t end);
  void *state;
  int64_t count, share;
} Sweep;

static void sweep_part(void *job, int64_t part) {
  const Sweep *s = job;
  int64_t begin = part * s->share, end = begin + s->share;
  uint64_t before = embed_strict();
  s->body(s->state, begin, end < s->count ? end : s->count);
  embed_restore(before);
}

void team_for(Team *team, int64_t count, int64_t grain, void (*body)(void *state, int64_t begin, int64_t end),
              void *state) {
  if (count <= 0) return;
  int64_t grains = (count + grain - 1) / grain, parts = count / PART_NS < 1 ? 1 : count / PART_NS;
  if (parts > team->threads) parts = team->threads;
  if (parts <= 1 || !team->run) {
    body(state, 0, count);
    return;
  }
  Sweep sweep = {body, state, count, (grains + parts - 1) / parts * grain};
  team->run(team->host, (count + sweep.share - 1) / sweep.share, sweep_part, &sweep);
}

// ---- a launch -------------------------------------------------------------------------------------------------------

typedef struct Launch {
  DlcKernelFn fn;
  char *const *args;
  DlcRt rt;
  char *locals;
  int64_t local_bytes;
  int64_t items, parts;
} Launch;

static int64_t part_begin(const Launch *l, int64_t part) {
  int64_t longer = l->items % l->parts;
  return l->items / l->parts * part + (part < longer ? part : longer);
}

static void launch_part(void *job, int64_t part) {
  const Launch *l = job;
  DlcRt rt = l->rt;
  rt.local = l->locals + part * l->local_bytes;
  uint64_t before = embed_strict();
  l->fn(l->args, &rt, part_begin(l, part), part_begin(l, part + 1));
  embed_restore(before);
}

// dlc_abi.h, DlcCount.
static int64_t count_items(const EmbedLaunch *launch, const DlcRt *rt) {
  int64_t n = launch->scale * (launch->symbol ? rt->symbol[launch->symbol - 1] : 1);
  if (launch->divisor > 1) n = n / launch->divisor + (n % launch->divisor > 0);
  return launch->times ? n * launch->times : n;
}

static int64_t parts_of(const EmbedContext *c, int64_t items, int64_t cost) {
  if (!c->team.run || c->team.threads < 2) return 1;
  int64_t most = items < c->team.threads ? items : c->team.threads;
  double worth = (double)items * (double)(cost > 0 ? cost : 1) / PART_NS;
  if (worth < (double)most) most = (int64_t)worth;
  return most < 1 ? 1 : most;
}

static void run_launch(const EmbedContext *c, const EmbedLaunch *launch, const DlcRt *rt) {
  Launch l = {.fn = c->library->functions[launch->function],
              .args = c->args + launch->first_arg,
              .rt = *rt,
              .locals = c->locals,
              .local_bytes = c->model->thread_bytes,
              .items = count_items(launch, rt)};
  l.parts = parts_of(c, l.items, launch->cost);
  if (l.items < 1) return;
  if (l.parts > 1)
    c->team.run(c->team.host, l.parts, launch_part, &l);
  else
    l.fn(l.args, &l.rt, 0, l.items);
}

// ---- a step ---------------------------------------------------------------------------------------------------------

static char *resolve(const EmbedContext *c, const EmbedArg *arg, const char *const *inputs) {
  char *base = arg->region == DLC_INPUT ? (char *)(uintptr_t)inputs[arg->input] : c->base[arg->region];
  return base + arg->offset;
}

const char *embed_output(const EmbedContext *c, const EmbedValue *output, const char *const *inputs) {
  return resolve(c, &output->at, inputs);
}

void embed_run(EmbedContext *c, const EmbedStep *step, const char *const *inputs, int64_t rows, uint64_t seed,
               uint64_t number, int once) {
  const EmbedArg *args = embed_word(c, step->args);
  const EmbedLaunch *launches = embed_word(c, step->launches);
  for (int64_t k = 0; k < step->n_args; k++) c->args[k] = resolve(c, &args[k], inputs);
  DlcRt rt = {.seed = seed, .step = number, .local = c->locals};
  for (int k = 0; k < DLC_MAX_SYMBOLS; k++) rt.symbol[k] = rows;
  for (int64_t k = 0; k < step->n_launches; k++)
    if (once || !launches[k].once) run_launch(c, &launches[k], &rt);
}

int64_t embed_value_bytes(const EmbedValue *value, int64_t rows) {
  int64_t bytes = value->element_bytes * value->elements;
  for (int64_t k = 0; k < value->power; k++) bytes *= rows;
  return bytes;
}

int embed_check_values(const EmbedContext *c, int64_t values, int64_t n, const void *const *pointers) {
  const EmbedValue *value = embed_word(c, values);
  for (int64_t k = 0; k < n; k++) {
    if (!pointers[k]) return EMBED_NULL;
    if ((uintptr_t)pointers[k] % (uintptr_t)value[k].element_bytes) return EMBED_UNALIGNED;
  }
  return EMBED_OK;
}

// ---- predictions ----------------------------------------------------------------------------------------------------

static void predict_chunk(EmbedContext *c, const void *const *inputs, void *const *outputs, int64_t first,
                          int64_t rows) {
  const EmbedStep *step = &c->variant->infer;
  const EmbedValue *input = embed_word(c, step->inputs), *output = embed_word(c, step->outputs);
  const char **at = (const char **)(void *)(c->args + step->n_args);
  for (int64_t k = 0; k < step->n_inputs; k++)
    at[k] = (const char *)inputs[k] + (input[k].power ? first * embed_value_bytes(&input[k], 1) : 0);
  embed_run(c, step, at, rows, 0, 0, !c->prepared);
  c->prepared = 1;
  for (int64_t k = 0; k < step->n_outputs; k++) {
    int64_t skip = output[k].power ? first * embed_value_bytes(&output[k], 1) : 0;
    memcpy((char *)outputs[k] + skip, embed_output(c, &output[k], at), (size_t)embed_value_bytes(&output[k], rows));
  }
}

int embed_predict(EmbedContext *c, const void *const *inputs, void *const *outputs, int64_t rows) {
  int status = embed_check(c);
  if (status) return status;
  const EmbedModel *m = c->model;
  const EmbedStep *step = &c->variant->infer;
  if (rows < 0 || (m->mixes && rows > m->rows)) return EMBED_BAD_ROWS;
  if (!c->has_weights) return EMBED_NO_WEIGHTS;
  if (rows == 0) return EMBED_OK;
  status = embed_check_values(c, step->inputs, step->n_inputs, inputs);
  if (!status) status = embed_check_values(c, step->outputs, step->n_outputs, (const void *const *)outputs);
  if (status) return status;
  uint64_t before = embed_strict();
  for (int64_t first = 0; first < rows; first += m->rows)
    predict_chunk(c, inputs, outputs, first, rows - first < m->rows ? rows - first : m->rows);
  embed_restore(before);
  return EMBED_OK;
}
