// A folder of files in memory, behind the seam of base/io.h. Reading works; writing is taken and forgotten.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

enum { FIRST_FD = 1 << 20, WRITTEN_FD = FIRST_FD + FUZZ_FILES };  // above the real ones

void fuzz_put(Fuzz *f, const char *name, const uint8_t *bytes, size_t size) {
  f->folder.files[f->folder.n_files++] = (FuzzFile){name, bytes, size};
}

static int find(const FuzzFolder *folder, const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  for (int k = 0; k < folder->n_files; k++)
    if (strcmp(folder->files[k].name, name) == 0) return k;
  return -1;
}

// A lock needs a file of the system's.
static int folder_open(void *state, const char *path, int flags, int mode) {
  (void)mode;
  size_t length = strlen(path);
  if (length > 5 && strcmp(path + length - 5, "/lock") == 0) return memfd_create("lock", MFD_CLOEXEC);
  if (flags & (O_CREAT | O_DIRECTORY)) return WRITTEN_FD;
  int k = find(state, path);
  return k < 0 ? -ENOENT : FIRST_FD + k;
}

static ssize_t folder_pread(void *state, int fd, void *buffer, size_t count, off_t offset) {
  const FuzzFile *file = &((FuzzFolder *)state)->files[fd - FIRST_FD];
  if (offset < 0 || (size_t)offset >= file->size) return 0;
  size_t left = file->size - (size_t)offset;
  if (count > left) count = left;
  memcpy(buffer, file->bytes + offset, count);
  return (ssize_t)count;
}

static ssize_t folder_write(void *state, int fd, const void *buffer, size_t count) {
  (void)state, (void)fd, (void)buffer;
  return (ssize_t)count;
}

static int folder_fsync(void *state, int fd) { return (void)state, (void)fd, 0; }
static int folder_close(void *state, int fd) { return (void)state, fd < FIRST_FD ? close(fd) : 0; }
static int folder_rename(void *state, const char *from, const char *to) { return (void)state, (void)from, (void)to, 0; }
static int folder_unlink(void *state, const char *path) { return (void)state, (void)path, 0; }
static int folder_mkdir(void *state, const char *path, int mode) { return (void)state, (void)path, (void)mode, 0; }

static int folder_fstat_size(void *state, int fd, int64_t *size, bool *regular) {
  *regular = fd != WRITTEN_FD;
  *size = *regular ? (int64_t)((FuzzFolder *)state)->files[fd - FIRST_FD].size : 0;
  return 0;
}

static int folder_list(void *state, const char *path, void (*each)(void *user, const char *name), void *user) {
  const FuzzFolder *folder = state;
  if (find(folder, path) >= 0) return -ENOTDIR;
  if (strcmp(path, "in") != 0) return -ENOENT;
  for (int k = 0; k < folder->n_files; k++) each(user, folder->files[k].name);
  return 0;
}

Io fuzz_io(FuzzFolder *folder) {
  static const IoOps ops = {folder_open,   folder_pread, folder_write,      folder_fsync, folder_close, folder_rename,
                            folder_unlink, folder_mkdir, folder_fstat_size, folder_list,  NULL,         NULL};
  return (Io){&ops, folder};
}
