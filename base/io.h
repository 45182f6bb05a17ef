// The one seam through which dlc touches files. Every call goes through an Io, so that a test can make any of them
// fail. All functions return 0 or a negative errno; loops over short reads, short writes and EINTR are done here, not
// by callers.
#pragma once
#include <sys/types.h>
#include "arena.h"

typedef struct IoOps {  // the fallible system calls; each as its namesake, returning -errno on failure
  int (*open)(void *state, const char *path, int flags, int mode);
  ssize_t (*pread)(void *state, int fd, void *buffer, size_t count, off_t offset);
  ssize_t (*write)(void *state, int fd, const void *buffer, size_t count);
  int (*fsync)(void *state, int fd);
  int (*close)(void *state, int fd);
  int (*rename)(void *state, const char *from, const char *to);
  int (*unlink)(void *state, const char *path);
  int (*mkdir)(void *state, const char *path, int mode);
  int (*fstat_size)(void *state, int fd, int64_t *size, bool *regular);
  // Calls each(user, name) for every entry of a folder but . and .., in no order.
  int (*list)(void *state, const char *path, void (*each)(void *user, const char *name), void *user);
  // What a cache needs. NULL where there is no such thing: the cache is then read, and never grows.
  int (*touch)(void *state, const char *path);                              // used now
  int (*age)(void *state, const char *path, int64_t *size, int64_t *used);  // bytes; nanoseconds since 1970
} IoOps;

typedef struct Io {
  const IoOps *ops;
  void *state;
} Io;

Io io_system(void);

// The whole of a regular file into the arena (NUL-terminated beyond *size). -EISDIR/-EINVAL where it is not a regular
// file, -EFBIG above max_bytes, -EIO where it shrinks while being read.
int io_read_file(Io io, Arena *arena, const char *path, size_t max_bytes, char **bytes, size_t *size);
// The call of that name, again where it is interrupted: a descriptor, or -errno.
int io_open(Io io, const char *path, int flags, int mode);
// Opens a regular file for reading and tells its size.
int io_open_read(Io io, const char *path, int *fd, int64_t *size);
// Exactly `count` bytes at `offset`, or -EIO.
int io_read_at(Io io, int fd, void *buffer, size_t count, int64_t offset);
int io_close(Io io, int fd);
// Why a file could not be read, for people: strerror, but for what is no regular file.
const char *io_reason(int error);

// Replaces `path` whole or not at all: temporary file beside it, written, fsynced, renamed, directory fsynced. On
// failure the temporary file is removed and `path` is as it was. A link, a device or a pipe is not replaced: what it
// leads to is written, from its beginning and in place.
typedef struct IoWriter IoWriter;
int io_replace_begin(Io io, Arena *arena, const char *path, IoWriter **writer);
int io_replace_write(IoWriter *writer, const void *bytes, size_t count);  // buffered
int io_replace_commit(IoWriter *writer);
// All four in one: the file holds these bytes, or is as it was.
int io_replace(Io io, Arena *arena, const char *path, const void *bytes, size_t count);
void io_replace_abort(IoWriter *writer);  // after a failed write or instead of commit

// The names of a folder's entries, sorted bytewise: [*count], in the arena.
int io_list(Io io, Arena *arena, const char *path, const char ***names, size_t *count);
int io_make_directories(Io io, const char *path);
int io_remove(Io io, const char *path);
