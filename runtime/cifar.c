// CIFAR-10 and CIFAR-100, binary version: records of one or two labels and then 32x32 pixels as a red, a green and a
// blue plane. In memory an image is [32, 32, 3], as every image of dlc.
#include <errno.h>
#include <string.h>

#include "checked.h"
#include "data_inside.h"

enum { SIDE = 32, PIXELS = SIDE * SIDE, CHANNELS = 3, IMAGE = PIXELS * CHANNELS };
enum { RECORDS_AT_ONCE = 64, MOST_LABELS = 2 };

typedef struct CifarFormat {
  int n_labels;              // bytes before the pixels
  int classes[MOST_LABELS];  // of each label
  int field[MOST_LABELS];    // of the source, which it is
  const char *train, *test;  // how the files of a split begin
} CifarFormat;

static const CifarFormat cifar10 = {1, {10}, {1}, "data_batch_", "test_batch"};
static const CifarFormat cifar100 = {2, {20, 100}, {2, 1}, "train", "test"};  // the coarse label first

typedef struct CifarFile {
  const char *path;
  int64_t records;
} CifarFile;

typedef struct CifarSet {
  const Opening *o;
  const CifarFormat *format;
  int64_t record;  // bytes
  CifarFile *files;
  size_t n_files, capacity;
  int64_t records;
} CifarSet;

static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }
static bool ends_in(const char *text, const char *end) {
  const char *dot = strrchr(text, '.');
  return dot && strcmp(dot, end) == 0;
}

static bool add_file(CifarSet *set, const char *path) {
  int fd;
  int64_t size;
  int error = io_open_read(set->o->io, path, &fd, &size);
  if (error) return data_unreadable(set->o, path, error);
  io_close(set->o->io, fd);
  if (size % set->record)
    return data_refuse(set->o, DIAG_E0408, path, "its size %lld is no multiple of the %lld bytes of an image",
                       (long long)size, (long long)set->record);
  set->files = arena_grow(set->o->arena, set->files, set->n_files, &set->capacity, sizeof *set->files);
  set->files[set->n_files++] = (CifarFile){path, size / set->record};
  return checked_add(set->records, size / set->record, &set->records);
}

// The files of a split in a folder, as the data set names them: data_batch_1.bin and on, test_batch.bin.
static bool add_folder(CifarSet *set, const char *folder, const char *const *names, size_t count) {
  const char *start =
      set->o->spec->split && strcmp(set->o->spec->split, "test") == 0 ? set->format->test : set->format->train;
  for (size_t k = 0; k < count; k++) {
    if (!starts_with(names[k], start) || !ends_in(names[k], ".bin")) continue;
    if (!add_file(set, arena_printf(set->o->arena, "%s/%s", folder, names[k]))) return false;
  }
  if (set->n_files) return true;
  return data_refuse(set->o, DIAG_E0408, folder, "the folder holds no %s*.bin", start);
}

static bool find_files(CifarSet *set) {
  const SourceSpec *spec = set->o->spec;
  for (int k = 0; k < spec->n_files; k++) {
    const char *path = data_path(set->o, spec->files[k]);
    const char **names;
    size_t count;
    int error = io_list(set->o->io, set->o->arena, path, &names, &count);
    if (error && error != -ENOTDIR) return data_unreadable(set->o, path, error);
    if (!(error ? add_file(set, path) : add_folder(set, path, names, count))) return false;
  }
  return true;
}

// Planes to pixels.
static void interleave(const unsigned char *planes, unsigned char *image) {
  for (int p = 0; p < PIXELS; p++)
    for (int c = 0; c < CHANNELS; c++) image[p * CHANNELS + c] = planes[c * PIXELS + p];
}

static bool take_record(const CifarSet *set, const CifarFile *file, const unsigned char *record, int64_t at,
                        int64_t number, DataSource *fields) {
  const CifarFormat *format = set->format;
  for (int k = 0; k < format->n_labels; k++) {
    if (record[k] >= format->classes[k])
      return data_refuse(set->o, DIAG_E0408, file->path, "image %lld has the label %d; there are %d classes",
                         (long long)number, record[k], format->classes[k]);
    ((unsigned char *)fields[format->field[k]].rows)[at] = record[k];
  }
  interleave(record + format->n_labels, (unsigned char *)fields[0].rows + at * IMAGE);
  return true;
}

static bool read_records(const CifarSet *set, const CifarFile *file, int fd, int64_t first, DataSource *fields) {
  unsigned char *buffer = arena_alloc(set->o->arena, (size_t)(RECORDS_AT_ONCE * set->record));
  for (int64_t at = 0; at < file->records;) {
    int64_t count = file->records - at < RECORDS_AT_ONCE ? file->records - at : RECORDS_AT_ONCE;
    int error = io_read_at(set->o->io, fd, buffer, (size_t)(count * set->record), at * set->record);
    if (error) return data_unreadable(set->o, file->path, error);
    for (int64_t k = 0; k < count; k++, at++)
      if (!take_record(set, file, buffer + k * set->record, first + at, at, fields)) return false;
  }
  return true;
}

static bool read_file(const CifarSet *set, const CifarFile *file, int64_t first, DataSource *fields) {
  int fd;
  int64_t size;
  int error = io_open_read(set->o->io, file->path, &fd, &size);
  if (error) return data_unreadable(set->o, file->path, error);
  bool done = read_records(set, file, fd, first, fields);
  io_close(set->o->io, fd);
  return done;
}

static bool cifar_open(const Opening *o, const CifarFormat *format, DataSource *fields) {
  CifarSet set = {.o = o, .format = format, .record = format->n_labels + IMAGE};
  if (!find_files(&set)) return false;
  fields[0] = (DataSource){{DATA_U8, 3, {SIDE, SIDE, CHANNELS}, set.records, IMAGE},
                           .rows = arena_array(o->arena, (size_t)set.records, IMAGE)};
  for (int k = 0; k < format->n_labels; k++)
    fields[format->field[k]] = (DataSource){{.type = DATA_U8, .rows = set.records, .row_bytes = 1},
                                            .rows = arena_array(o->arena, (size_t)set.records, 1)};
  int64_t first = 0;
  for (size_t k = 0; k < set.n_files; first += set.files[k++].records)
    if (!read_file(&set, &set.files[k], first, fields)) return false;
  return true;
}

bool cifar10_open(const Opening *o, DataSource *fields) { return cifar_open(o, &cifar10, fields); }
bool cifar100_open(const Opening *o, DataSource *fields) { return cifar_open(o, &cifar100, fields); }
