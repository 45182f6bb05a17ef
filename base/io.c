// Files, through the seam of io.h.
#include "io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- the system's calls -------------------------------------------------------------------------------------------

static int or_errno(int result) { return result < 0 ? -errno : result; }

static int system_open(void *state, const char *path, int flags, int mode) {
  (void)state;
  return or_errno(open(path, flags, mode));
}
static ssize_t system_pread(void *state, int fd, void *buffer, size_t count, off_t offset) {
  (void)state;
  ssize_t n = pread(fd, buffer, count, offset);
  return n < 0 ? -errno : n;
}
static ssize_t system_write(void *state, int fd, const void *buffer, size_t count) {
  (void)state;
  ssize_t n = write(fd, buffer, count);
  return n < 0 ? -errno : n;
}
static int system_fsync(void *state, int fd) { return (void)state, or_errno(fsync(fd)); }
static int system_close(void *state, int fd) { return (void)state, or_errno(close(fd)); }
static int system_rename(void *state, const char *from, const char *to) {
  return (void)state, or_errno(rename(from, to));
}
static int system_unlink(void *state, const char *path) { return (void)state, or_errno(unlink(path)); }
static int system_mkdir(void *state, const char *path, int mode) {
  (void)state;
  return or_errno(mkdir(path, (mode_t)mode));
}
static int system_fstat_size(void *state, int fd, int64_t *size, bool *regular) {
  (void)state;
  struct stat info;
  if (fstat(fd, &info) < 0) return -errno;
  *size = info.st_size;
  *regular = S_ISREG(info.st_mode);
  return S_ISDIR(info.st_mode) ? -EISDIR : 0;
}

static int system_list(void *state, const char *path, void (*each)(void *user, const char *name), void *user) {
  (void)state;
  DIR *folder = opendir(path);
  if (!folder) return -errno;
  errno = 0;
  for (const struct dirent *entry; (entry = readdir(folder)); errno = 0)
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) each(user, entry->d_name);
  int error = -errno;
  closedir(folder);
  return error;
}

static int system_touch(void *state, const char *path) {
  return (void)state, or_errno(utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW));
}

static int system_age(void *state, const char *path, int64_t *size, int64_t *used) {
  (void)state;
  struct stat info;
  if (lstat(path, &info) < 0) return -errno;
  *size = info.st_size;
  *used = info.st_mtim.tv_sec * (int64_t)1000000000 + info.st_mtim.tv_nsec;
  return 0;
}

Io io_system(void) {
  static const IoOps ops = {system_open,   system_pread, system_write,      system_fsync, system_close, system_rename,
                            system_unlink, system_mkdir, system_fstat_size, system_list,  system_touch, system_age};
  return (Io){&ops, NULL};
}

// ---- reading ------------------------------------------------------------------------------------------------------

int io_open(Io io, const char *path, int flags, int mode) {
  int fd;
  do fd = io.ops->open(io.state, path, flags, mode);
  while (fd == -EINTR);
  return fd;
}

int io_close(Io io, int fd) { return io.ops->close(io.state, fd); }

// O_NONBLOCK: opening a FIFO must not wait for a writer. It has no effect on the regular files that pass the check.
int io_open_read(Io io, const char *path, int *fd, int64_t *size) {
  int opened = io_open(io, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  if (opened < 0) return opened;
  bool regular = false;
  int error = io.ops->fstat_size(io.state, opened, size, &regular);
  if (!error && !regular) error = -EINVAL;
  if (error)
    io_close(io, opened);
  else
    *fd = opened;
  return error;
}

const char *io_reason(int error) { return error == -EINVAL ? "it is no regular file" : strerror(-error); }

int io_read_at(Io io, int fd, void *buffer, size_t count, int64_t offset) {
  for (size_t done = 0; done < count;) {
    ssize_t n = io.ops->pread(io.state, fd, (char *)buffer + done, count - done, (off_t)(offset + (int64_t)done));
    if (n == -EINTR || n == -EAGAIN) continue;
    if (n < 0) return (int)n;
    if (n == 0) return -EIO;  // the file ends early: it shrank
    done += (size_t)n;
  }
  return 0;
}

int io_read_file(Io io, Arena *arena, const char *path, size_t max_bytes, char **bytes, size_t *size) {
  int fd;
  int64_t length;
  int error = io_open_read(io, path, &fd, &length);
  if (error) return error;
  if (length < 0 || (uint64_t)length > max_bytes) error = -EFBIG;
  if (!error) {
    *bytes = arena_alloc(arena, (size_t)length + 1);
    *size = (size_t)length;
    error = io_read_at(io, fd, *bytes, *size, 0);
  }
  io_close(io, fd);
  return error;
}

// ---- replacing a file whole ---------------------------------------------------------------------------------------

enum { WRITE_BUFFER = 1 << 16 };

struct IoWriter {
  Io io;
  Arena *arena;
  const char *path, *temporary;  // temporary: NULL where `path` itself is written
  int fd;
  int error;  // the first failure; later calls return it
  size_t used;
  char *buffer;  // [WRITE_BUFFER]
};

// Whether a new file may take the path's place: nothing is there, or a regular file.
static bool is_replaceable(Io io, const char *path) {
  int fd = io_open(io, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
  if (fd < 0) return fd != -ELOOP && fd != -ENXIO;  // a link, a socket
  int64_t size;
  bool regular = false;
  int error = io.ops->fstat_size(io.state, fd, &size, &regular);
  io.ops->close(io.state, fd);
  return error ? error != -EISDIR : regular;
}

int io_replace_begin(Io io, Arena *arena, const char *path, IoWriter **writer) {
  IoWriter *w = arena_alloc(arena, sizeof *w);
  *w = (IoWriter){.io = io, .arena = arena, .path = arena_strdup(arena, path)};
  if (is_replaceable(io, path)) w->temporary = arena_printf(arena, "%s.tmp-%ld", path, (long)getpid());
  w->buffer = arena_alloc(arena, WRITE_BUFFER);
  const char *opened = w->temporary ? w->temporary : w->path;
  w->fd = io_open(io, opened, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (w->fd < 0) return w->fd;
  *writer = w;
  return 0;
}

static int write_all(IoWriter *w, const char *bytes, size_t count) {
  for (size_t done = 0; done < count && !w->error;) {
    ssize_t n = w->io.ops->write(w->io.state, w->fd, bytes + done, count - done);
    if (n == -EINTR || n == -EAGAIN) continue;
    if (n < 0)
      w->error = (int)n;
    else
      done += (size_t)n;
  }
  return w->error;
}

static int flush_buffer(IoWriter *w) {
  size_t count = w->used;
  w->used = 0;
  return write_all(w, w->buffer, count);
}

int io_replace_write(IoWriter *w, const void *bytes, size_t count) {
  if (count >= WRITE_BUFFER) {
    flush_buffer(w);
    return write_all(w, bytes, count);
  }
  if (w->used + count > WRITE_BUFFER) flush_buffer(w);
  if (count) memcpy(w->buffer + w->used, bytes, count);
  w->used += count;
  return w->error;
}

void io_replace_abort(IoWriter *w) {
  if (w->fd >= 0) w->io.ops->close(w->io.state, w->fd);
  w->fd = -1;
  if (w->temporary) w->io.ops->unlink(w->io.state, w->temporary);
}

// A rename is on disk only when its directory is.
static int sync_directory(Io io, Arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *folder = slash ? arena_strndup(arena, path, (size_t)(slash - path) + 1) : ".";
  int fd = io_open(io, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  int error = io.ops->fsync(io.state, fd);
  io.ops->close(io.state, fd);
  return error == -EINVAL ? 0 : error;  // file systems without directory sync
}

int io_replace_commit(IoWriter *w) {
  flush_buffer(w);
  if (!w->error) w->error = w->io.ops->fsync(w->io.state, w->fd);
  if (!w->temporary && w->error == -EINVAL) w->error = 0;  // devices and pipes have nothing to sync
  int closed = w->io.ops->close(w->io.state, w->fd);
  w->fd = -1;
  if (!w->error) w->error = closed;
  if (!w->temporary) return w->error;
  if (!w->error) w->error = w->io.ops->rename(w->io.state, w->temporary, w->path);
  if (w->error) {
    w->io.ops->unlink(w->io.state, w->temporary);
    return w->error;
  }
  return sync_directory(w->io, w->arena, w->path);
}

// ---- folders ------------------------------------------------------------------------------------------------------

typedef struct Names {
  Arena *arena;
  const char **items;
  size_t count, capacity;
} Names;

static void add_name(void *user, const char *name) {
  Names *names = user;
  names->items = arena_grow(names->arena, names->items, names->count, &names->capacity, sizeof *names->items);
  names->items[names->count++] = arena_strdup(names->arena, name);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

int io_list(Io io, Arena *arena, const char *path, const char ***list, size_t *count) {
  Names names = {.arena = arena};
  int error = io.ops->list(io.state, path, add_name, &names);
  if (error) return error;
  if (names.count) qsort(names.items, names.count, sizeof *names.items, by_bytes);
  *list = names.items;
  *count = names.count;
  return 0;
}

int io_make_directories(Io io, const char *path) {
  char partial[4096];
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof partial) return -ENAMETOOLONG;
  memcpy(partial, path, length + 1);
  for (size_t k = 1; k <= length; k++) {
    if (partial[k] != '/' && partial[k] != 0) continue;
    char held = partial[k];
    partial[k] = 0;
    int error = io.ops->mkdir(io.state, partial, 0777);
    if (error && error != -EEXIST) return error;
    partial[k] = held;
  }
  return 0;
}

int io_remove(Io io, const char *path) { return io.ops->unlink(io.state, path); }

int io_replace(Io io, Arena *arena, const char *path, const void *bytes, size_t count) {
  IoWriter *writer;
  int error = io_replace_begin(io, arena, path, &writer);
  if (error) return error;
  error = io_replace_write(writer, bytes, count);
  if (!error) return io_replace_commit(writer);
  io_replace_abort(writer);
  return error;
}
