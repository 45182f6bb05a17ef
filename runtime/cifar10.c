// CIFAR-10, binary version: records of 3,073 bytes, a label and then 32x32 pixels as a red, a green and a blue plane.
// In memory an image is [32, 32, 3], as every image of dlc.
#include <errno.h>
#include <string.h>

#include "checked.h"
#include "data_inside.h"

enum { SIDE = 32, PIXELS = SIDE * SIDE, CHANNELS = 3, IMAGE = PIXELS * CHANNELS, RECORD = 1 + IMAGE, CLASSES = 10 };
enum { RECORDS_AT_ONCE = 64 };

typedef struct CifarFile {
  const char *path;
  int64_t records;
} CifarFile;

typedef struct CifarSet {
  const Opening *o;
  CifarFile *files;
  size_t n_files, capacity;
  int64_t records;
} CifarSet;

static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }
static bool ends_in(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool add_file(CifarSet *set, const char *path) {
  int fd;
  int64_t size;
  int error = io_open_read(set->o->io, path, &fd, &size);
  if (error) return data_unreadable(set->o, path, error);
  io_close(set->o->io, fd);
  if (size % RECORD)
    return data_refuse(set->o, DIAG_E0408, path, "its size %lld is no multiple of the %d bytes of an image",
                       (long long)size, RECORD);
  set->files = arena_grow(set->o->arena, set->files, set->n_files, &set->capacity, sizeof *set->files);
  set->files[set->n_files++] = (CifarFile){path, size / RECORD};
  return checked_add(set->records, size / RECORD, &set->records);
}

// The files of a split in a folder, as the data set names them: data_batch_1.bin and on, or test_batch.bin.
static bool add_folder(CifarSet *set, const char *folder, const char *const *names, size_t count) {
  const char *start = set->o->spec->split && strcmp(set->o->spec->split, "test") == 0 ? "test_batch" : "data_batch_";
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

static bool read_records(const CifarSet *set, const CifarFile *file, int fd, unsigned char *images,
                         unsigned char *labels) {
  unsigned char *buffer = arena_alloc(set->o->arena, RECORDS_AT_ONCE * RECORD);
  for (int64_t at = 0; at < file->records;) {
    int64_t count = file->records - at < RECORDS_AT_ONCE ? file->records - at : RECORDS_AT_ONCE;
    int error = io_read_at(set->o->io, fd, buffer, (size_t)(count * RECORD), at * RECORD);
    if (error) return data_unreadable(set->o, file->path, error);
    for (int64_t k = 0; k < count; k++, at++) {
      const unsigned char *record = buffer + k * RECORD;
      if (record[0] >= CLASSES)
        return data_refuse(set->o, DIAG_E0408, file->path, "image %lld has the label %d; there are %d classes",
                           (long long)at, record[0], CLASSES);
      labels[at] = record[0];
      interleave(record + 1, images + at * IMAGE);
    }
  }
  return true;
}

static bool read_file(const CifarSet *set, const CifarFile *file, unsigned char *images, unsigned char *labels) {
  int fd;
  int64_t size;
  int error = io_open_read(set->o->io, file->path, &fd, &size);
  if (error) return data_unreadable(set->o, file->path, error);
  bool done = read_records(set, file, fd, images, labels);
  io_close(set->o->io, fd);
  return done;
}

bool cifar10_open(const Opening *o, DataSource *image, DataSource *label) {
  CifarSet set = {.o = o};
  if (!find_files(&set)) return false;
  unsigned char *images = arena_array(o->arena, (size_t)set.records, IMAGE);
  unsigned char *labels = arena_array(o->arena, (size_t)set.records, 1);
  int64_t first = 0;
  for (size_t k = 0; k < set.n_files; first += set.files[k++].records)
    if (!read_file(&set, &set.files[k], images + first * IMAGE, labels + first)) return false;
  *image = (DataSource){{DATA_U8, 3, {SIDE, SIDE, CHANNELS}, set.records, IMAGE}, (const char *)images};
  *label = (DataSource){{.type = DATA_U8, .rows = set.records, .row_bytes = 1}, (const char *)labels};
  return true;
}
