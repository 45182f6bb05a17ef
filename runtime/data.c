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

// What is read at once: all fields of a source.
typedef struct Loaded {
  const char *key;
  DataSource fields[SOURCE_MOST_FIELDS];
} Loaded;

typedef struct Kept {
  const void *key, *value;
} Kept;

struct DataStore {
  Arena *arena;
  Io io;
  Loaded **items;
  size_t n_items, capacity;
  Kept *kept;
  size_t n_kept, kept_capacity;
};

DataStore *data_store_new(Arena *arena, Io io) {
  DataStore *store = arena_alloc(arena, sizeof *store);
  *store = (DataStore){.arena = arena, .io = io};
  return store;
}

DataStore *data_store_beside(const DataStore *store) {
  DataStore *beside = data_store_new(store->arena, store->io);
  for (size_t k = 0; k < store->n_items; k++) {
    beside->items = arena_grow(store->arena, beside->items, beside->n_items, &beside->capacity, sizeof *beside->items);
    beside->items[beside->n_items++] = store->items[k];
  }
  return beside;
}

const void *data_store_recall(const DataStore *store, const void *key) {
  for (size_t k = 0; k < store->n_kept; k++)
    if (store->kept[k].key == key) return store->kept[k].value;
  return NULL;
}

void data_store_keep(DataStore *store, const void *key, const void *value) {
  store->kept = arena_grow(store->arena, store->kept, store->n_kept, &store->kept_capacity, sizeof *store->kept);
  store->kept[store->n_kept++] = (Kept){key, value};
}

// Everything that decides what is read; lengths before names keep two lists apart.
static void add_list(Text *key, const char *const *names, int n) {
  for (int k = 0; k < n; k++) text_printf(key, " %zu:%s", strlen(names[k]), names[k]);
}

static const char *key_of(Arena *arena, const char *root, const SourceSpec *s) {
  Text key = text_new(arena);
  text_printf(&key, "%d %s %" PRId64 " %" PRIu64 " %" PRId64 " %a %" PRId64 " %s %d", (int)s->kind,
              s->split ? s->split : "-", s->count, s->seed, s->classes, s->spread, s->size, s->key ? s->key : "-",
              s->n_class_names);
  add_list(&key, s->class_names, s->n_class_names);
  text_printf(&key, " %d %d %d %d %a %d", s->csv.header, s->csv.separator, s->csv.single, (int)s->csv.missing,
              s->csv.fill, s->csv.n_columns);
  for (int k = 0; k < s->csv.n_columns; k++)
    text_printf(&key, " %" PRId64 " %s", s->csv.columns[k].number,
                s->csv.columns[k].name ? s->csv.columns[k].name : "");
  text_printf(&key, " %" PRId64 " %" PRId64 " %d %d %d %s", s->images.height, s->images.width, (int)s->images.fit,
              s->images.nearest, s->images.channels, s->images.list ? s->images.list : "");
  add_list(&key, s->files, s->n_files);
  text_printf(&key, " %s", root ? root : "");
  return key.bytes;
}

typedef bool SourceOpen(const Opening *o, DataSource *fields);
static SourceOpen *const openers[SOURCE_COUNT] = {
#define SOURCE(KIND, name, ...) [SOURCE_##KIND] = name##_open,
#include "sources.def"
#undef SOURCE
};

// What was read before, or is read now; NULL after reporting.
static Loaded *load(DataStore *store, const Opening *o) {
  const char *key = key_of(store->arena, o->root, o->spec);
  for (size_t k = 0; k < store->n_items; k++)
    if (strcmp(store->items[k]->key, key) == 0) return store->items[k];
  Loaded *loaded = arena_alloc(store->arena, sizeof *loaded);
  loaded->key = key;
  if (!openers[o->spec->kind](o, loaded->fields)) return NULL;
  store->items = arena_grow(store->arena, store->items, store->n_items, &store->capacity, sizeof *store->items);
  store->items[store->n_items++] = loaded;
  return loaded;
}

DataSource *data_open(DataStore *store, DiagSink *sink, const char *root, const SourceSpec *spec) {
  int field = spec->field ? source_find_field(spec->kind, spec->field) : 0;
  if (field < 0) field = 0;  // images: its first field under any name
  Opening o = {.arena = store->arena, .sink = sink, .io = store->io, .root = root, .spec = spec};
  Loaded *loaded = load(store, &o);
  if (!loaded) return NULL;
  const char *absent = loaded->fields[field].absent;
  if (!absent) return &loaded->fields[field];
  data_refuse(&o, DIAG_E0416, data_path(&o, spec->files[0]), "%s", absent);
  return NULL;
}

DataInfo data_info(const DataSource *source) { return source->info; }
const void *data_row(const DataSource *source, int64_t row) { return source->rows + row * source->info.row_bytes; }

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

RowSet rows_narrowed(Arena *arena, const RowSet *set, const RowSet *places) {
  int64_t *rows = arena_array(arena, (size_t)places->count, sizeof *rows);
  for (int64_t k = 0; k < places->count; k++) {
    int64_t place = places->rows ? places->rows[k] : k;
    rows[k] = set->rows ? set->rows[place] : place;
  }
  return (RowSet){.count = places->count, .rows = rows};
}

RowSet rows_of_part(Arena *arena, const SplitPart *part, int64_t total) {
  if (!part->is_part) return (RowSet){.count = total};
  RowSet base = part->base ? rows_of_part(arena, part->base, total) : (RowSet){.count = total};
  int64_t *all = arena_array(arena, (size_t)base.count, sizeof *all);
  for (int64_t k = 0; k < base.count; k++) all[k] = base.rows ? base.rows[k] : k;
  permute(part->seed, random_stream("split"), all, base.count);
  int64_t from = llround(part->from * (double)base.count), to = llround(part->to * (double)base.count);
  return (RowSet){.count = to > from ? to - from : 0, .rows = all + from};
}

void rows_shuffle(uint64_t seed, int64_t epoch, bool shuffle, const RowSet *set, int64_t *order) {
  for (int64_t k = 0; k < set->count; k++) order[k] = set->rows ? set->rows[k] : k;
  uint64_t stream = random_stream("shuffle") + (uint64_t)epoch * 0x9E3779B97F4A7C15u;  // an odd factor: all differ
  if (shuffle) permute(seed, stream, order, set->count);
}
