// Tensors that are kept in files beside the model: opened in the model's folder and nowhere else.
//
// Four layers, since a model may come from anybody: the path is relative and has no `..`; each folder on the way is
// opened inside the one before and is no link; the file is a regular one, no link, and has one name only (a hard link
// could lead out); offset and length lie inside of it.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inside.h"

typedef struct Outside {
  const char *location;
  int64_t offset, length;  // length -1: to the end
} Outside;

static const uint8_t *fail(Im *m, const Onnx__TensorProto *p, const char *what) {
  diag_error(m->sink, DIAG_E0421, SPAN_NONE, "'%s': the data of tensor '%s' cannot be used: %s", m->path,
             p->name ? p->name : "", what);
  m->damaged = true;
  return NULL;
}

static bool read_number(const char *text, int64_t *value) {
  char *end;
  errno = 0;
  *value = strtoll(text, &end, 10);
  return text[0] >= '0' && text[0] <= '9' && !*end && !errno;
}

static const char *read_entries(const Onnx__TensorProto *p, Outside *o) {
  *o = (Outside){.length = -1};
  for (size_t k = 0; k < p->n_external_data; k++) {
    const char *key = p->external_data[k]->key, *value = p->external_data[k]->value;
    if (!key || !value) return "an entry has no key or no value";
    if (!strcmp(key, "location")) o->location = value;
    if (!strcmp(key, "offset") && !read_number(value, &o->offset)) return "its offset is no whole number from 0 up";
    if (!strcmp(key, "length") && !read_number(value, &o->length)) return "its length is no whole number from 0 up";
  }
  return o->location && *o->location ? NULL : "it has no location";
}

// The model's own folder is the user's choice: links on the way to it are followed.
static int open_folder(Im *m) {
  const char *slash = strrchr(m->path, '/');
  const char *folder = slash ? arena_strndup(m->arena, m->path, (size_t)(slash - m->path) + 1) : ".";
  return m->io.ops->open(m->io.state, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

// Opens `name` inside of an opened folder, whatever happens to the folder's path meanwhile.
static int open_inside(Im *m, int folder, const char *name, int flags) {
  const char *path = text_of(m, "/proc/self/fd/%d/%s", folder, name);
  return m->io.ops->open(m->io.state, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | flags, 0);
}

// The file at a relative path, or -1 with *wrong set.
static int open_file(Im *m, const char *location, const char **wrong) {
  int folder = open_folder(m);
  *wrong = folder < 0 ? "the model's folder cannot be opened" : location[0] == '/' ? "its path is absolute" : NULL;
  while (!*wrong) {
    size_t length = strcspn(location, "/");
    const char *name = arena_strndup(m->arena, location, length);
    bool last = !location[length];
    if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) *wrong = "its path leads out of the model's folder";
    if (*wrong) break;
    int inner = open_inside(m, folder, name, last ? 0 : O_DIRECTORY);
    io_close(m->io, folder);
    folder = inner;
    if (inner < 0) *wrong = inner == -ELOOP ? "its path goes through a link" : "there is no such file";
    if (last && inner >= 0) return inner;
    location += length + 1;
  }
  if (folder >= 0) io_close(m->io, folder);
  return -1;
}

static const char *check_file(int fd, Outside *o) {
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return "it is no regular file";
  if (info.st_nlink != 1) return "the file has more than one name";
  if (o->offset > info.st_size) return "its offset is behind the end of the file";
  if (o->length < 0) o->length = info.st_size - o->offset;
  if (o->length > info.st_size - o->offset) return "it ends behind the end of the file";
  return NULL;
}

const uint8_t *external_read(Im *m, const Onnx__TensorProto *p, size_t *size) {
  Outside o;
  const char *wrong = read_entries(p, &o);
  if (wrong) return fail(m, p, wrong);
  int fd = open_file(m, o.location, &wrong);
  if (fd < 0) return fail(m, p, wrong);
  wrong = check_file(fd, &o);
  uint8_t *bytes = NULL;
  if (!wrong) {
    bytes = arena_alloc(m->arena, (size_t)o.length);
    if (io_read_at(m->io, fd, bytes, (size_t)o.length, o.offset)) wrong = "it cannot be read";
  }
  io_close(m->io, fd);
  *size = (size_t)o.length;
  return wrong ? fail(m, p, wrong) : bytes;
}
