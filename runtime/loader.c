// The loader: a thread that prepares the next batch while the caller computes on this one.
//
// Two slots take turns. A slot is the thread's while it is not ready and the caller's while it is; only the flags are
// shared, under the lock. What a batch holds depends on its epoch and number alone, so a run can start at any batch.
#include <pthread.h>
#include <string.h>

#include "data.h"

enum { SLOTS = 2, ALIGNMENT = 64 };

typedef struct Slot {
  Batch batch;
  void **fields;  // [n_fields]
  bool ready;     // under the lock
} Slot;

// What the thread needs to make one field of a batch.
typedef struct Maker {
  const BatchField *field;
  char *raw;      // rows in the source's type, where they are not the batch's
  char *block;    // of the converting step's intermediate tensors
  char *local;    // working memory of the step
  char **args;    // for step_run
  char **inputs;  // of the converting step: all of them raw
} Maker;

struct Loader {
  Maker *makers;  // [n_fields]
  int n_fields;
  RowSet rows;
  int64_t batch;
  bool shuffle;
  uint64_t seed;
  int64_t epoch, index;  // of the next batch to make; the thread's
  int64_t *order;        // of that epoch: [rows.count]; the thread's
  Slot slots[SLOTS];
  int next;   // the slot that the caller takes next
  bool held;  // the caller holds the one before it
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool quit;  // under the lock
};

int64_t loader_batches(int64_t rows, int64_t batch) { return rows / batch + (rows % batch > 0); }

// ---- making a batch -------------------------------------------------------------------------------------------------

static void gather(const BatchField *field, const int64_t *rows, int64_t count, char *to) {
  size_t bytes = (size_t)data_info(field->source).row_bytes;
  for (int64_t k = 0; k < count; k++) memcpy(to + (size_t)k * bytes, data_row(field->source, rows[k]), bytes);
}

// `count` elements, as they are or with bytes widened to i32.
static void copy_elements(int from_type, const void *from, int to_type, void *to, int64_t count) {
  if (from_type == to_type) {
    memcpy(to, from, (size_t)count * sizeof(float));
    return;
  }
  dlc_assert(to_type == DATA_I32 && (from_type == DATA_U8 || from_type == DATA_BOOL));
  const uint8_t *bytes = from;
  for (int64_t k = 0; k < count; k++) ((int32_t *)to)[k] = bytes[k];
}

static void convert(const Maker *maker, int64_t count, void *to) {
  const DlcStep *step = maker->field->convert;
  DlcRt rt = {.seed = 0};
  for (int k = 0; k < DLC_MAX_SYMBOLS; k++) rt.symbol[k] = count;
  StepBinding binding = {.base = {[DLC_ARENA] = maker->block}, .inputs = maker->inputs, .local = maker->local};
  step_run(NULL, step, &binding, &rt, maker->args, NULL);
  const DlcTensor *result = &step->outputs[0];
  const char *from = (result->at.region == DLC_INPUT ? maker->raw : maker->block) + result->at.offset;
  copy_elements(result->type, from, maker->field->type, to, count * maker->field->row_elements);
}

static void make_field(const Maker *maker, const int64_t *rows, int64_t count, void *to) {
  const BatchField *field = maker->field;
  gather(field, rows, count, maker->raw ? maker->raw : to);
  if (field->convert)
    convert(maker, count, to);
  else if (maker->raw)
    copy_elements(data_info(field->source).type, maker->raw, field->type, to, count * field->row_elements);
}

// The loader's next batch, into a slot; then steps on.
static void make_batch(Loader *l, Slot *slot) {
  int64_t first = l->index * l->batch, left = l->rows.count - first;
  int64_t count = left < l->batch ? left : l->batch;
  for (int k = 0; k < l->n_fields; k++) make_field(&l->makers[k], l->order + first, count, slot->fields[k]);
  slot->batch = (Batch){.count = count, .epoch = l->epoch, .index = l->index, .fields = slot->fields};
  if (++l->index < loader_batches(l->rows.count, l->batch)) return;
  l->index = 0;
  l->epoch++;
  rows_shuffle(l->seed, l->epoch, l->shuffle, &l->rows, l->order);
}

static void *loader_main(void *argument) {
  Loader *l = argument;
  rows_shuffle(l->seed, l->epoch, l->shuffle, &l->rows, l->order);
  for (int turn = 0;; turn = (turn + 1) % SLOTS) {
    Slot *slot = &l->slots[turn];
    pthread_mutex_lock(&l->lock);
    while (slot->ready && !l->quit) pthread_cond_wait(&l->changed, &l->lock);
    bool quit = l->quit;
    pthread_mutex_unlock(&l->lock);
    if (quit) return NULL;
    make_batch(l, slot);
    pthread_mutex_lock(&l->lock);
    slot->ready = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
  }
}

// ---- its life -------------------------------------------------------------------------------------------------------

static char *aligned(Arena *arena, int64_t count, int64_t size) {
  char *block = arena_array(arena, (size_t)count + ALIGNMENT / (size_t)size + 1, (size_t)size);
  return (char *)(((uintptr_t)block + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static Maker new_maker(Arena *arena, const BatchField *field, int64_t batch) {
  Maker maker = {.field = field};
  DataInfo info = data_info(field->source);
  const DlcStep *step = field->convert;
  if (!step && info.type == field->type) return maker;
  maker.raw = aligned(arena, batch, info.row_bytes > 0 ? info.row_bytes : 1);
  if (!step) return maker;
  dlc_assert(step->n_outputs == 1 && batch <= step->capacity[0]);
  maker.block = aligned(arena, step->arena_bytes, 1);
  if (step->local_bytes) maker.local = aligned(arena, step->local_bytes, 1);
  maker.args = arena_array(arena, (size_t)step->n_args, sizeof *maker.args);
  maker.inputs = arena_array(arena, (size_t)step->n_inputs, sizeof *maker.inputs);
  for (int k = 0; k < step->n_inputs; k++) maker.inputs[k] = maker.raw;
  return maker;
}

Loader *loader_new(Arena *arena, const BatchField *fields, int n_fields, const RowSet *rows, int64_t batch,
                   bool shuffle, uint64_t seed, int64_t first_epoch, int64_t first_index) {
  dlc_assert(rows->count >= 1 && batch >= 1 && first_index < loader_batches(rows->count, batch));
  Loader *l = arena_alloc(arena, sizeof *l);
  *l = (Loader){.n_fields = n_fields,
                .rows = *rows,
                .batch = batch < rows->count ? batch : rows->count,
                .shuffle = shuffle,
                .seed = seed,
                .epoch = first_epoch,
                .index = first_index};
  l->makers = arena_array(arena, (size_t)n_fields, sizeof *l->makers);
  for (int k = 0; k < n_fields; k++) l->makers[k] = new_maker(arena, &fields[k], l->batch);
  for (int s = 0; s < SLOTS; s++) {
    l->slots[s].fields = arena_array(arena, (size_t)n_fields, sizeof *l->slots[s].fields);
    for (int k = 0; k < n_fields; k++)
      l->slots[s].fields[k] = aligned(arena, l->batch, fields[k].row_elements > 0 ? 4 * fields[k].row_elements : 1);
  }
  l->order = arena_array(arena, (size_t)rows->count, sizeof *l->order);
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->changed, NULL);
  return pthread_create(&l->thread, NULL, loader_main, l) == 0 ? l : NULL;
}

const Batch *loader_next(Loader *l) {
  pthread_mutex_lock(&l->lock);
  if (l->held) {
    l->slots[(l->next + SLOTS - 1) % SLOTS].ready = false;
    pthread_cond_broadcast(&l->changed);
  }
  Slot *slot = &l->slots[l->next];
  while (!slot->ready) pthread_cond_wait(&l->changed, &l->lock);
  l->held = true;
  l->next = (l->next + 1) % SLOTS;
  pthread_mutex_unlock(&l->lock);
  return &slot->batch;
}

void loader_free(Loader *l) {
  if (!l) return;
  pthread_mutex_lock(&l->lock);
  l->quit = true;
  pthread_cond_broadcast(&l->changed);
  pthread_mutex_unlock(&l->lock);
  pthread_join(l->thread, NULL);
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
}
