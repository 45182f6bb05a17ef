// Sources, the rows of a split, their order in an epoch.
#include "data.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "data_inside.h"
#include "random.h"

// ---- messages and paths ---------------------------------------------------------------------------------------------

const char *data_path(const Opening *o, const char *file) {
  if (file[0] == '/' || !o->root || !*o->root) return file;
  return arena_printf(o->arena, "%s/%s", o->root, file);
}

bool data_unreadable(const Opening *o, const char *path, int error) {
  Diag *diag = diag_error(o->sink, DIAG_E0403, o->spec->span, "cannot read '%s': %s", path, io_reason(error));
  if (error == -ENOENT)
    diag_line(o->sink, diag, DIAG_HELP,
              "data files are looked for in '%s'; --data DIR or DLC_DATA gives another folder",
              o->root && *o->root ? o->root : ".");
  return false;
}

bool data_refuse(const Opening *o, DiagCode code, const char *path, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *why = arena_vprintf(o->sink->arena, format, args);
  va_end(args);
  diag_error(o->sink, code, o->spec->span, "'%s' cannot be used: %s", path, why);
  return false;
}

// ---- opening --------------------------------------------------------------------------------------------------------

enum { MOST_FIELDS = 2 };

// What is read at once: one file's only field, or image and label.
typedef struct Loaded {
  const char *key;
  DataSource fields[MOST_FIELDS];
} Loaded;

struct DataStore {
  Arena *arena;
  Io io;
  Loaded **items;
  size_t n_items, capacity;
};

DataStore *data_store_new(Arena *arena, Io io) {
  DataStore *store = arena_alloc(arena, sizeof *store);
  *store = (DataStore){.arena = arena, .io = io};
  return store;
}

// Everything that decides what is read; lengths before names keep two lists apart.
static const char *key_of(Arena *arena, const char *root, const SourceSpec *spec) {
  Text key = text_new(arena);
  text_printf(&key, "%d %s %" PRId64 " %" PRIu64, (int)spec->kind, spec->split ? spec->split : "-", spec->count,
              spec->seed);
  for (int k = 0; k < spec->n_files; k++) text_printf(&key, " %zu:%s", strlen(spec->files[k]), spec->files[k]);
  text_printf(&key, " %s", root ? root : "");
  return key.bytes;
}

static bool open_fields(const Opening *o, DataSource *fields) {
  switch (o->spec->kind) {
    case SOURCE_IDX:
      return idx_open(o, &fields[0]);
    case SOURCE_NPY:
      return npy_open(o, &fields[0]);
    case SOURCE_CIFAR10:
      return cifar10_open(o, &fields[0], &fields[1]);
    case SOURCE_DIGITS:
      return digits_open(o, &fields[0], &fields[1]);
  }
  dlc_bug("source kind %d", (int)o->spec->kind);
}

DataSource *data_open(DataStore *store, DiagSink *sink, const char *root, const SourceSpec *spec) {
  int field = spec->field && strcmp(spec->field, "label") == 0 ? 1 : 0;
  const char *key = key_of(store->arena, root, spec);
  for (size_t k = 0; k < store->n_items; k++)
    if (strcmp(store->items[k]->key, key) == 0) return &store->items[k]->fields[field];
  Loaded *loaded = arena_alloc(store->arena, sizeof *loaded);
  loaded->key = key;
  Opening o = {.arena = store->arena, .sink = sink, .io = store->io, .root = root, .spec = spec};
  if (!open_fields(&o, loaded->fields)) return NULL;
  store->items = arena_grow(store->arena, store->items, store->n_items, &store->capacity, sizeof *store->items);
  store->items[store->n_items++] = loaded;
  return &loaded->fields[field];
}

DataInfo data_info(const DataSource *source) { return source->info; }
const void *data_row(const DataSource *source, int64_t row) { return source->rows + row * source->info.row_bytes; }

bool npy_open(const Opening *o, DataSource *field) {
  const char *path = data_path(o, o->spec->files[0]);
  NpyArray array;
  size_t before = o->sink->n_items;
  if (!npy_read(o->arena, o->sink, o->io, path, &array)) {
    if (o->sink->n_items > before) o->sink->items[before]->span = o->spec->span;
    return false;
  }
  if (array.rank == 0) return data_refuse(o, DIAG_E0410, path, "it is a single number; data have rows");
  int64_t size = array.type == DATA_F32 || array.type == DATA_I32 ? 4 : 1;
  field->info = (DataInfo){.type = array.type, .rank = array.rank - 1, .rows = array.dim[0], .row_bytes = size};
  for (int d = 1; d < array.rank; d++) {
    field->info.dim[d - 1] = array.dim[d];
    field->info.row_bytes *= array.dim[d];
  }
  field->rows = array.data;
  return true;
}

// ---- the order of rows ----------------------------------------------------------------------------------------------

// Fisher and Yates, from the end; draw k decides place k.
static void permute(uint64_t seed, uint64_t stream, int64_t *items, int64_t count) {
  for (int64_t k = count - 1; k > 0; k--) {
    int64_t other = (int64_t)random_below(seed, stream, (uint64_t)k, (uint64_t)k + 1);
    int64_t held = items[k];
    items[k] = items[other];
    items[other] = held;
  }
}

RowSet rows_of_part(Arena *arena, const SplitPart *part, int64_t total) {
  if (!part->is_part) return (RowSet){.count = total};
  int64_t *all = arena_array(arena, (size_t)total, sizeof *all);
  for (int64_t k = 0; k < total; k++) all[k] = k;
  permute(part->seed, random_stream("split"), all, total);
  int64_t from = llround(part->from * (double)total), to = llround(part->to * (double)total);
  if (from < 0) from = 0;
  if (to > total) to = total;
  return (RowSet){.count = to > from ? to - from : 0, .rows = all + from};
}

void rows_shuffle(uint64_t seed, int64_t epoch, bool shuffle, const RowSet *set, int64_t *order) {
  for (int64_t k = 0; k < set->count; k++) order[k] = set->rows ? set->rows[k] : k;
  uint64_t stream = random_stream("shuffle") + (uint64_t)epoch * 0x9E3779B97F4A7C15u;  // an odd factor: all differ
  if (shuffle) permute(seed, stream, order, set->count);
}
