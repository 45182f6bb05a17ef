// A file: the header, the key, the object. Written beside its place under a name of its own and renamed, so that a
// reader sees a whole file or none; nothing is synced, since a file that a crash left broken fails its checksum.
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "hash.h"

static const char ending[] = ".dlco", unfinished[] = ".dlco-tmp";
enum { MAGIC_BYTES = 8, LARGEST = 1 << 28 };
static const char magic[MAGIC_BYTES] = "dlco 1\n";

typedef struct Header {
  char magic[MAGIC_BYTES];
  uint64_t key_bytes, object_bytes;
  Hash sum;  // of the key and the object
} Header;

static const char *path_of(const Cache *cache, Arena *arena, const Text *key) {
  Hash hash = hash_bytes(key->bytes, key->length);
  return arena_printf(arena, "%s/%016llx%016llx%s", cache->folder, (unsigned long long)hash.high,
                      (unsigned long long)hash.low, ending);
}

// ---- reading ------------------------------------------------------------------------------------------------------

// The object inside a file's bytes; NULL where they are not what cache_put wrote for this key.
static const char *object_in(const char *bytes, size_t count, const Text *key, size_t *size) {
  Header header;
  if (count < sizeof header) return NULL;
  memcpy(&header, bytes, sizeof header);
  size_t rest = count - sizeof header;
  if (memcmp(header.magic, magic, sizeof magic) || header.key_bytes != key->length || key->length > rest) return NULL;
  if (header.object_bytes != rest - key->length) return NULL;
  const char *body = bytes + sizeof header;
  Hash sum = hash_bytes(body, rest);
  if (sum.high != header.sum.high || sum.low != header.sum.low || memcmp(body, key->bytes, key->length)) return NULL;
  *size = rest - key->length;
  return body + key->length;
}

const char *cache_get(Cache *cache, Arena *arena, const Text *key, size_t *size) {
  if (!cache->folder) return NULL;
  const char *path = path_of(cache, arena, key);
  char *bytes;
  size_t count;
  const char *object = NULL;
  if (!io_read_file(cache->io, arena, path, LARGEST, &bytes, &count)) object = object_in(bytes, count, key, size);
  if (object && cache->io.ops->touch) (void)cache->io.ops->touch(cache->io.state, path);
  cache->hits += object != NULL;
  cache->misses += !object;
  return object;
}

// ---- writing ------------------------------------------------------------------------------------------------------

static bool write_all(Io io, int fd, const void *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t n = io.ops->write(io.state, fd, (const char *)bytes + done, count - done);
    if (n == -EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

static bool write_file(Io io, const char *path, const Header *header, const Text *body) {
  int fd = io.ops->open(io.state, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool ok = write_all(io, fd, header, sizeof *header) && write_all(io, fd, body->bytes, body->length);
  return io.ops->close(io.state, fd) == 0 && ok;
}

// Only its owner may write what will be run.
static bool make_folder(const Cache *cache, Arena *arena) {
  const char *slash = strrchr(cache->folder, '/');
  if (slash && slash > cache->folder)
    (void)io_make_directories(cache->io, arena_strndup(arena, cache->folder, (size_t)(slash - cache->folder)));
  int error = cache->io.ops->mkdir(cache->io.state, cache->folder, 0700);
  return error == 0 || error == -EEXIST;
}

void cache_put(Cache *cache, Arena *arena, const Text *key, const void *object, size_t size) {
  if (!cache->folder || cache->full || !cache->io.ops->age) return;
  Text body = text_new(arena);
  text_add_n(&body, key->bytes, key->length);
  text_add_n(&body, object, size);
  Header header = {.key_bytes = key->length, .object_bytes = size, .sum = hash_bytes(body.bytes, body.length)};
  memcpy(header.magic, magic, sizeof magic);
  Clock clock = clock_system();
  const char *path = path_of(cache, arena, key);
  const char *beside = arena_printf(arena, "%s/%ld-%.0f-%p%s", cache->folder, (long)getpid(),
                                    1e9 * clock.seconds(clock.state), (const void *)&header, unfinished);
  bool ok = (cache->wrote || make_folder(cache, arena)) && write_file(cache->io, beside, &header, &body);
  ok = ok && cache->io.ops->rename(cache->io.state, beside, path) == 0;
  if (!ok) (void)io_remove(cache->io, beside);
  cache->full = !ok;
  cache->wrote |= ok;
}

// ---- keeping it small ---------------------------------------------------------------------------------------------

typedef struct Kept {
  const char *path;
  int64_t size, used;
} Kept;

static int by_use(const void *a, const void *b) {
  const Kept *x = a, *y = b;
  return (x->used > y->used) - (x->used < y->used);
}

static bool ends_in(const char *name, const char *end) {
  size_t n = strlen(name), m = strlen(end);
  return n > m && !strcmp(name + n - m, end);
}

// Our files in the folder, others' left alone: [*n], oldest first. Returns their bytes.
static int64_t list_kept(const Cache *cache, Arena *arena, Kept **kept, size_t *n) {
  const char **names;
  size_t count;
  int64_t total = 0;
  *n = 0;
  if (io_list(cache->io, arena, cache->folder, &names, &count)) return 0;
  *kept = arena_array(arena, count, sizeof **kept);
  for (size_t k = 0; k < count; k++) {
    if (!ends_in(names[k], ending) && !ends_in(names[k], unfinished)) continue;
    Kept item = {.path = arena_printf(arena, "%s/%s", cache->folder, names[k])};
    if (cache->io.ops->age(cache->io.state, item.path, &item.size, &item.used)) continue;
    (*kept)[(*n)++] = item;
    total += item.size;
  }
  if (*n) qsort(*kept, *n, sizeof **kept, by_use);
  return total;
}

void cache_trim(Cache *cache, Arena *arena) {
  if (!cache->wrote) return;
  Kept *kept;
  size_t n;
  int64_t total = list_kept(cache, arena, &kept, &n);
  if (total <= cache->limit) return;
  for (size_t k = 0; k < n && total > cache->limit / 4 * 3; k++) {
    (void)io_remove(cache->io, kept[k].path);  // another process may have been first
    total -= kept[k].size;
  }
}
