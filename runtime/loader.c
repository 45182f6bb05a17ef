// The loader: a thread that prepares the next batch while the caller computes on this one.
//
// Two slots take turns. A slot is the thread's while it is not ready and the caller's while it is; only the flags are
// shared, under the lock. What a batch holds depends on its epoch and number alone, so a run can start at any batch.
#include <pthread.h>
#include <string.h>

#include "data_inside.h"

enum { SLOTS = 2 };

typedef struct Slot {
  Batch batch;
  int64_t *rows;  // [batch]
  void **fields;  // [n_fields]
  bool ready;     // under the lock
} Slot;

struct Loader {
  FieldMaker **makers;  // [n_fields]
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

// The loader's next batch, into a slot; then steps on.
static void make_batch(Loader *l, Slot *slot) {
  int64_t first = l->index * l->batch, left = l->rows.count - first;
  int64_t count = left < l->batch ? left : l->batch;
  memcpy(slot->rows, l->order + first, (size_t)count * sizeof *slot->rows);
  for (int k = 0; k < l->n_fields; k++) field_make(l->makers[k], l->seed, l->epoch, slot->rows, count, slot->fields[k]);
  slot->batch =
      (Batch){.count = count, .epoch = l->epoch, .index = l->index, .rows = slot->rows, .fields = slot->fields};
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
  for (int k = 0; k < n_fields; k++) l->makers[k] = field_maker_new(arena, &fields[k], l->batch);
  for (int s = 0; s < SLOTS; s++) {
    l->slots[s].rows = arena_array(arena, (size_t)l->batch, sizeof *l->slots[s].rows);
    l->slots[s].fields = arena_array(arena, (size_t)n_fields, sizeof *l->slots[s].fields);
    for (int k = 0; k < n_fields; k++)
      l->slots[s].fields[k] =
          data_aligned(arena, l->batch, fields[k].row_elements > 0 ? 4 * fields[k].row_elements : 1);
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
