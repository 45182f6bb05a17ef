// Files through the seam: what is replaced, what is refused, what is tried again, with the calls that fail.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "fault_io.h"

static Guard guard;
static Arena *arena;
static char folder[] = "/tmp/dlc-io-XXXXXX";

static int set_up(void **state) {
  (void)state;
  arena = arena_new(allocator_system(), &guard);
  return !mkdtemp(folder) || chdir(folder);
}

static int tear_down(void **state) {
  (void)state;
  int result = chdir("/") || system(arena_printf(arena, "rm -rf '%s'", folder));
  arena_free(arena);
  return result;
}

static void assert_holds(const char *path, const char *text) {
  char *bytes;
  size_t size;
  assert_int_equal(io_read_file(io_system(), arena, path, 1 << 20, &bytes, &size), 0);
  assert_string_equal(bytes, text);
}

static int replace(Io io, const char *path, const char *text) {
  return io_replace(io, arena, path, text, strlen(text));
}

static void calls_on_no_file_fail(void **state) {
  (void)state;
  const IoOps *ops = io_system().ops;
  char byte;
  int64_t size, used;
  bool regular;
  assert_int_equal(ops->pread(NULL, -1, &byte, 1, 0), -EBADF);
  assert_int_equal(ops->write(NULL, -1, &byte, 1), -EBADF);
  assert_int_equal(ops->fstat_size(NULL, -1, &size, &regular), -EBADF);
  assert_int_equal(ops->touch(NULL, "none"), -ENOENT);
  assert_int_equal(ops->age(NULL, "none", &size, &used), -ENOENT);
  assert_int_equal(replace(io_system(), "aged", "four"), 0);
  assert_int_equal(ops->touch(NULL, "aged"), 0);
  assert_true(ops->age(NULL, "aged", &size, &used) == 0 && size == 4 && used > 0);
}

// A link, a socket, a folder: only what is nothing or a regular file is replaced.
static void only_files_are_replaced(void **state) {
  (void)state;
  assert_int_equal(replace(io_system(), "there", "old"), 0);
  assert_int_equal(symlink("there", "link"), 0);
  assert_int_equal(replace(io_system(), "link", "through the link"), 0);
  assert_holds("there", "through the link");
  struct stat info;
  assert_true(lstat("link", &info) == 0 && S_ISLNK(info.st_mode));
  mkdir("folder", 0700);
  assert_int_equal(replace(io_system(), "folder", "x"), -EISDIR);
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(replace(io_system(), "socket", "x"), -ENXIO);
  close(fd);
  assert_int_equal(replace(io_system(), "/dev/null", "x"), 0);
  assert_int_equal(replace(io_system(), "/dev/full", "x"), -ENOSPC);
  assert_int_equal(replace(io_system(), "no/such", "x"), -ENOENT);
}

static void a_failed_replacement_changes_nothing(void **state) {
  (void)state;
  char *large = arena_alloc(arena, 200001);
  memset(large, 'l', 200000);
  for (int size = 0; size < 2; size++)
    for (int at = 1, on = 0;; at += on, on = !on) {
      assert_int_equal(replace(io_system(), "kept", "old"), 0);
      FaultIo faults = {.fail_at = at, .error = -EIO, .fail_on = on};
      int error = replace(fault_io(&faults), "kept", size ? large : "new");
      bool done = faults.calls < at;
      if (!error) assert_holds("kept", size ? large : "new");
      if (error) assert_int_equal(error, -EIO);
      const char **names;
      size_t count;
      assert_int_equal(io_list(io_system(), arena, ".", &names, &count), 0);
      for (size_t k = 0; k < count; k++) assert_null(strstr(names[k], ".tmp-"));
      if (done) break;
      assert_true(at < 100);
    }
}

// Writes of all sizes arrive in order; interruptions and writes of a byte change nothing.
static void writers_keep_the_order(void **state) {
  (void)state;
  char *piece = arena_alloc(arena, 70000), *all = arena_alloc(arena, 400000);
  static const size_t sizes[] = {10, 0, 65530, 70000, 3, 65536, 60000};
  for (int slow = 0; slow < 2; slow++) {
    FaultIo faults = {.interrupted = true, .slow = slow};
    IoWriter *writer;
    size_t length = 0;
    assert_int_equal(io_replace_begin(fault_io(&faults), arena, "order", &writer), 0);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
      memset(piece, 'a' + (int)k, sizes[k]);
      memcpy(all + length, piece, sizes[k]);
      length += sizes[k];
      assert_int_equal(io_replace_write(writer, piece, sizes[k]), 0);
    }
    assert_int_equal(io_replace_commit(writer), 0);
    all[length] = '\0';
    assert_holds("order", all);
  }
}

static int no_sync(void *state, int fd) { return (void)state, (void)fd, -EINVAL; }

static int no_folder_sync(void *state, int fd) {
  struct stat info;
  return (void)state, fstat(fd, &info) == 0 && S_ISDIR(info.st_mode) ? -EINVAL : 0;
}

static void what_cannot_be_synced_is_written(void **state) {
  (void)state;
  IoOps ops = *io_system().ops;
  ops.fsync = no_sync;
  assert_int_equal(replace((Io){&ops, NULL}, "/dev/null", "x"), 0);
  assert_int_equal(replace((Io){&ops, NULL}, "unsynced", "x"), -EINVAL);  // of a file it means something
  ops.fsync = no_folder_sync;
  assert_int_equal(replace((Io){&ops, NULL}, "unsynced", "x"), 0);
}

static void aborting_twice_is_aborting(void **state) {
  (void)state;
  IoWriter *writer;
  assert_int_equal(io_replace_begin(io_system(), arena, "aborted", &writer), 0);
  io_replace_abort(writer);
  io_replace_abort(writer);
  assert_int_equal(io_replace_begin(io_system(), arena, "/dev/null", &writer), 0);
  io_replace_abort(writer);
  assert_int_not_equal(access("aborted", F_OK), 0);
}

static void folders_are_made_of_paths(void **state) {
  (void)state;
  char *long_path = arena_alloc(arena, 5000);
  memset(long_path, 'p', 4999);
  assert_int_equal(io_make_directories(io_system(), ""), -ENAMETOOLONG);
  assert_int_equal(io_make_directories(io_system(), long_path), -ENAMETOOLONG);
  assert_int_equal(io_make_directories(io_system(), "a/b/c"), 0);
  assert_int_equal(io_make_directories(io_system(), "a/b/c"), 0);
  assert_int_equal(io_make_directories(io_system(), "/dev/null/a"), -ENOTDIR);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(calls_on_no_file_fail),
      cmocka_unit_test(only_files_are_replaced),
      cmocka_unit_test(a_failed_replacement_changes_nothing),
      cmocka_unit_test(writers_keep_the_order),
      cmocka_unit_test(what_cannot_be_synced_is_written),
      cmocka_unit_test(aborting_twice_is_aborting),
      cmocka_unit_test(folders_are_made_of_paths),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
