// Opening a model: the caller's memory becomes a context.
#include <string.h>

#include "context.h"

static int is_aligned(const void *pointer, uintptr_t to) { return (uintptr_t)pointer % to == 0; }

int embed_check(const EmbedContext *c) {
  if (!c) return EMBED_NULL;
  if (!is_aligned(c, EMBED_ALIGN)) return EMBED_UNALIGNED;
  return c->mark == EMBED_MARK ? EMBED_OK : EMBED_NOT_OPEN;
}

// The best code for this CPU; they stand from the lowest level up.
static const EmbedVariant *choose(const EmbedLibrary *library, const EmbedModel *m) {
  const EmbedVariant *all = (const void *)(library->words + m->variants), *best = NULL;
  int64_t level = embed_cpu_level();
  for (int64_t k = 0; k < m->n_variants; k++)
    if (all[k].level <= level) best = &all[k];
  return best;
}

static TensorTable read_table(const EmbedContext *c, int64_t word, int64_t n, int64_t floats, TensorInfo *items) {
  const EmbedTensor *tensors = embed_word(c, word);
  for (int64_t k = 0; k < n; k++) {
    const EmbedTensor *t = &tensors[k];
    TensorInfo info = {.path = c->library->names + t->name, .rank = (int)t->rank};
    memcpy(info.dim, t->dim, sizeof info.dim);
    info.count = t->count;
    info.offset = t->offset;
    info.init.kind = (InitKind)t->init;
    info.init.a = t->a;
    info.init.b = t->b;
    info.init.fan_in = t->fan_in;
    info.init.fan_out = t->fan_out;
    info.decay = t->decay != 0;
    info.frozen = t->frozen != 0;
    items[k] = info;
  }
  return (TensorTable){.items = items, .n_items = (int)n, .block_floats = floats};
}

static void place_regions(EmbedContext *c) {
  const EmbedModel *m = c->model;
  char *memory = (char *)c;
  int inside = m->inside && !m->trains;
  c->base[DLC_ARENA] = memory + m->at_arena;
  c->base[DLC_PARAM] = inside ? (char *)(uintptr_t)c->library->params : memory + m->at_param;
  c->base[DLC_STATE] = inside ? (char *)(uintptr_t)c->library->states : memory + m->at_state;
  c->base[DLC_STATE_NEXT] = memory + m->at_state_next;
  c->base[DLC_GRAD] = memory + m->at_grad;
  c->locals = memory + m->at_locals;
  c->args = (char **)(void *)(memory + m->at_args);
}

// Tensors are named in the memory, the parameters first.
static void read_tables(EmbedContext *c) {
  const EmbedModel *m = c->model;
  TensorInfo *items = (TensorInfo *)(void *)((char *)c + m->at_tensors);
  c->params = read_table(c, m->params, m->n_params, m->param_floats, items);
  c->states = read_table(c, m->states, m->n_states, m->state_floats, items + m->n_params);
}

// Blocks that kernels read and nobody has written hold zeros: the gaps between tensors are swept over.
static void clear_blocks(EmbedContext *c) {
  const EmbedModel *m = c->model;
  char *memory = (char *)c;
  memset(memory + m->at_param, 0, (size_t)(m->at_arena - m->at_param));
}

static void copy_inside(EmbedContext *c) {
  const EmbedModel *m = c->model;
  if (!m->trains) return;
  memcpy(c->base[DLC_PARAM], c->library->params, (size_t)m->param_floats * sizeof(float));
  memcpy(c->base[DLC_STATE], c->library->states, (size_t)m->state_floats * sizeof(float));
}

static int64_t most_threads(const EmbedModel *m, size_t bytes) {
  if (m->thread_bytes == 0) return EMBED_MOST_THREADS;
  uint64_t more = ((uint64_t)bytes - (uint64_t)m->memory_bytes) / (uint64_t)m->thread_bytes;
  return more < EMBED_MOST_THREADS ? 1 + (int64_t)more : EMBED_MOST_THREADS;
}

int embed_open(const EmbedLibrary *library, EmbedContext **context, void *memory, size_t bytes) {
  if (!context) return EMBED_NULL;
  *context = NULL;
  if (!memory) return EMBED_NULL;
  if (!is_aligned(memory, EMBED_ALIGN)) return EMBED_UNALIGNED;
  const EmbedModel *m = (const void *)library->words;
  if (bytes < (uint64_t)m->memory_bytes) return EMBED_SMALL;
  const EmbedVariant *variant = choose(library, m);
  if (!variant) return EMBED_CPU;
  EmbedContext *c = memory;
  memset(c, 0, sizeof *c);
  c->library = library;
  c->model = m;
  c->variant = variant;
  c->team.threads = 1;
  c->threads_most = most_threads(m, bytes);
  c->seed = m->seed;
  place_regions(c);
  read_tables(c);
  clear_blocks(c);
  if (m->inside) copy_inside(c);
  c->has_weights = m->inside || m->n_params + m->n_states == 0;
  c->mark = EMBED_MARK;
  *context = c;
  return EMBED_OK;
}

int embed_threads(EmbedContext *c, EmbedFor run, void *host, int64_t threads) {
  int status = embed_check(c);
  if (status) return status;
  if (threads < 1 || threads > c->threads_most || (!run && threads > 1)) return EMBED_THREADS;
  c->team = (Team){run, host, threads};
  return EMBED_OK;
}

const char *embed_error(int status) {
  switch ((EmbedStatus)status) {
#define EMBED_STATUS(name, meaning) \
  case EMBED_##name: \
    return meaning;
#include "status.def"
#undef EMBED_STATUS
    case EMBED_STATUS_COUNT:
      break;
  }
  return "an unknown status";
}
