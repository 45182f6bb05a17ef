// .npz files: zip files of .npy files, stored or deflated (APPNOTE.TXT of PKWARE, 6.3). The directory at the end says
// where each file is; every place and size in it is checked against the archive's own length before anything is read
// or allocated. With the 64-bit extensions, without encryption and without archives in several pieces.
#include <errno.h>
#include <string.h>

#include "checked.h"
#include "data_inside.h"

enum { END = 22, END64 = 56, LOCATOR = 20, ENTRY = 46, LOCAL = 30, MOST_COMMENT = 65535, EXTRA64 = 1 };  // bytes; a tag
enum { MOST_DIRECTORY = 1 << 28, BEST_DEFLATE = 1032, STORED = 0, DEFLATED = 8 };
static const uint32_t end_sign = 0x06054b50, end64_sign = 0x06064b50, locator_sign = 0x07064b50,
                      entry_sign = 0x02014b50, local_sign = 0x04034b50, full = 0xffffffff;

typedef struct ZipFile {
  const Opening *o;
  const char *path;
  int fd;
  int64_t size;
  int64_t at, bytes;  // of the directory
  const unsigned char *directory;
} ZipFile;

typedef struct ZipEntry {
  const char *name;
  int method;
  bool encrypted;
  uint32_t crc;
  int64_t packed, plain;  // bytes
  int64_t at;             // of its local header
} ZipEntry;

static bool refuse(const ZipFile *z, const char *why) { return data_refuse(z->o, DIAG_E0415, z->path, "%s", why); }

static uint64_t little(const unsigned char *at, int bytes) {
  uint64_t value = 0;
  for (int k = bytes; k-- > 0;) value = value << 8 | at[k];
  return value;
}

static bool read_at(const ZipFile *z, void *to, int64_t count, int64_t at) {
  if (at < 0 || at > z->size || count > z->size - at)
    return data_refuse(z->o, DIAG_E0415, z->path, "it ends within what begins at byte %lld", (long long)at);
  int error = io_read_at(z->o->io, z->fd, to, (size_t)count, at);
  if (error) return data_unreadable(z->o, z->path, error);
  return true;
}

// ---- the directory --------------------------------------------------------------------------------------------------

// The 64-bit end record, where the other one has no room for the numbers.
static bool read_end64(ZipFile *z, int64_t end_at, bool *found) {
  unsigned char locator[LOCATOR], end[END64];
  *found = false;
  if (end_at < LOCATOR) return true;
  if (!read_at(z, locator, LOCATOR, end_at - LOCATOR)) return false;
  if (little(locator, 4) != locator_sign) return true;
  if (!read_at(z, end, END64, (int64_t)little(locator + 8, 8))) return false;
  if (little(end, 4) != end64_sign) return refuse(z, "its end record is damaged");
  z->bytes = (int64_t)little(end + 40, 8);
  z->at = (int64_t)little(end + 48, 8);
  return *found = true;
}

// The end record stands at the very end, before a comment of the length that it gives.
static bool find_end(ZipFile *z) {
  int64_t count = z->size < END + MOST_COMMENT ? z->size : END + MOST_COMMENT, first = z->size - count;
  unsigned char *tail = arena_alloc(z->o->arena, (size_t)count);
  if (count < END) return refuse(z, "it is too short for a zip file");
  if (!read_at(z, tail, count, first)) return false;
  for (int64_t k = count - END; k >= 0; k--) {
    if (little(tail + k, 4) != end_sign || k + END + (int64_t)little(tail + k + 20, 2) != count) continue;
    z->bytes = (int64_t)little(tail + k + 12, 4);
    z->at = (int64_t)little(tail + k + 16, 4);
    bool wide;
    if (!read_end64(z, first + k, &wide)) return false;
    if (!wide && little(tail + k + 8, 2) != little(tail + k + 10, 2)) return refuse(z, "it is in several pieces");
    return true;
  }
  return refuse(z, "it does not end as a zip file");
}

static bool read_directory(ZipFile *z) {
  if (!find_end(z)) return false;
  if (z->bytes < 0 || z->bytes > MOST_DIRECTORY || z->at < 0 || z->at > z->size || z->bytes > z->size - z->at)
    return refuse(z, "its directory does not lie within it");
  unsigned char *directory = arena_alloc(z->o->arena, (size_t)z->bytes);
  z->directory = directory;
  return read_at(z, directory, z->bytes, z->at);
}

// The numbers that had no room: in the order of the header, those that are full.
static bool read_extra(const unsigned char *extra, int64_t count, ZipEntry *entry) {
  int64_t *wide[] = {&entry->plain, &entry->packed, &entry->at};
  for (int64_t k = 0; k + 4 <= count;) {
    int64_t tag = (int64_t)little(extra + k, 2), bytes = (int64_t)little(extra + k + 2, 2), at = k + 4;
    if (bytes > count - at) return false;
    for (size_t n = 0; tag == EXTRA64 && n < sizeof wide / sizeof *wide; n++) {
      if (*wide[n] != full) continue;
      if (at + 8 > k + 4 + bytes) return false;
      *wide[n] = (int64_t)little(extra + at, 8);
      at += 8;
    }
    k += 4 + bytes;
  }
  return entry->plain >= 0 && entry->packed >= 0 && entry->at >= 0;
}

// The entry at *k of the directory, and the next place. False after reporting.
static bool read_entry(const ZipFile *z, int64_t *k, ZipEntry *entry) {
  const unsigned char *at = z->directory + *k;
  if (z->bytes - *k < ENTRY || little(at, 4) != entry_sign) return refuse(z, "its directory is damaged");
  int64_t name = (int64_t)little(at + 28, 2), extra = (int64_t)little(at + 30, 2),
          comment = (int64_t)little(at + 32, 2);
  if (ENTRY + name + extra + comment > z->bytes - *k) return refuse(z, "its directory is damaged");
  *entry = (ZipEntry){.name = arena_strndup(z->o->arena, (const char *)at + ENTRY, (size_t)name),
                      .encrypted = at[8] & 1,
                      .method = (int)little(at + 10, 2),
                      .crc = (uint32_t)little(at + 16, 4),
                      .packed = (int64_t)little(at + 20, 4),
                      .plain = (int64_t)little(at + 24, 4),
                      .at = (int64_t)little(at + 42, 4)};
  *k += ENTRY + name + extra + comment;
  if (!read_extra(at + ENTRY + name, extra, entry)) return refuse(z, "its directory is damaged");
  return true;
}

static bool is_key(const char *name, const char *key) {
  size_t length = strlen(key);
  return strncmp(name, key, length) == 0 && (strcmp(name + length, ".npy") == 0 || name[length] == '\0');
}

static bool find_entry(const ZipFile *z, ZipEntry *entry) {
  Text names = text_new(z->o->sink->arena);
  int n = 0;
  for (int64_t k = 0; k < z->bytes; n++) {
    if (!read_entry(z, &k, entry)) return false;
    if (is_key(entry->name, z->o->spec->key)) return true;
    size_t length = strlen(entry->name);
    if (length > 4 && strcmp(entry->name + length - 4, ".npy") == 0) length -= 4;
    if (n < 20) text_printf(&names, "%s%.*s", n ? ", " : "", (int)length, entry->name);
  }
  return data_refuse(z->o, DIAG_E0415, z->path, "it holds no '%s'; it holds %s%s", z->o->spec->key,
                     n ? names.bytes : "nothing", n > 20 ? " and more" : "");
}

// ---- a member -------------------------------------------------------------------------------------------------------

// Where its bytes begin; its sizes are believed only as far as the file reaches.
static bool check_entry(const ZipFile *z, const ZipEntry *entry, int64_t *begin) {
  unsigned char local[LOCAL];
  if (entry->encrypted) return refuse(z, "it is encrypted");
  if (entry->method != STORED && entry->method != DEFLATED)
    return data_refuse(z->o, DIAG_E0415, z->path, "'%s' is packed in a way that dlc does not read (method %d)",
                       entry->name, entry->method);
  if (!read_at(z, local, LOCAL, entry->at)) return false;
  if (little(local, 4) != local_sign) return refuse(z, "its directory points to no file");
  *begin = entry->at + LOCAL + (int64_t)little(local + 26, 2) + (int64_t)little(local + 28, 2);
  bool inside = *begin <= z->size && entry->packed <= z->size - *begin, stored = entry->method == STORED;
  if (inside && (stored ? entry->plain == entry->packed : entry->plain / BEST_DEFLATE <= entry->packed)) return true;
  return data_refuse(z->o, DIAG_E0415, z->path, "the sizes of '%s' do not fit the file", entry->name);
}

static bool read_member(const ZipFile *z, const ZipEntry *entry, NpyArray *array) {
  int64_t begin = 0;
  if (!check_entry(z, entry, &begin)) return false;
  ByteStream *stream = bytes_open_part(z->o->arena, z->o->io, z->fd, begin, entry->packed, entry->method == DEFLATED);
  const char *name = arena_printf(z->o->sink->arena, "%s: %s", z->path, entry->name);
  bool done = npy_read_stream(z->o->arena, z->o->sink, name, stream, array);
  uint32_t crc = bytes_crc(stream);
  bytes_close(stream);
  if (!done || crc == entry->crc) return done;
  return data_refuse(z->o, DIAG_E0415, z->path, "the checksum of '%s' is wrong: it is damaged", entry->name);
}

bool npz_open(const Opening *o, DataSource *fields) {
  ZipFile z = {.o = o, .path = data_path(o, o->spec->files[0])};
  ZipEntry entry;
  NpyArray array;
  int error = io_open_read(o->io, z.path, &z.fd, &z.size);
  if (error) return data_unreadable(o, z.path, error);
  size_t before = o->sink->n_items;
  bool done = read_directory(&z) && find_entry(&z, &entry) && read_member(&z, &entry, &array);
  io_close(o->io, z.fd);
  return npy_field(o, z.path, done, before, &array, fields);
}
