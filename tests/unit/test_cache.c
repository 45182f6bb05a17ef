// The cache of machine code: what was put comes back, what was damaged never does, the folder stays small, and nothing
// that can go wrong with files is an error.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache.h"

typedef struct Fixture {
  Guard guard;
  Arena *arena;
  char folder[64];
} Fixture;

static void empty_folder(Fixture *f) {
  const char **names;
  size_t n;
  if (io_list(io_system(), f->arena, f->folder, &names, &n)) return;
  for (size_t k = 0; k < n; k++) remove(arena_printf(f->arena, "%s/%s", f->folder, names[k]));
}

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  if (!f) return -1;
  f->arena = arena_new(allocator_system(), &f->guard);
  strcpy(f->folder, "cache-XXXXXX");
  *state = f;
  return mkdtemp(f->folder) && f->arena ? 0 : -1;
}

static int teardown(void **state) {
  Fixture *f = *state;
  empty_folder(f);
  rmdir(f->folder);
  arena_free(f->arena);
  free(f);
  return 0;
}

static Cache open_cache(Fixture *f) { return (Cache){.io = io_system(), .folder = f->folder, .limit = 1 << 20}; }

static Text key_of(Fixture *f, const char *text) {
  Text key = text_new(f->arena);
  text_add(&key, text);
  return key;
}

static bool holds(Fixture *f, Cache *cache, const char *key, const char *wanted) {
  Text text = key_of(f, key);
  size_t size;
  const char *object = cache_get(cache, f->arena, &text, &size);
  if (object) assert_true(size == strlen(wanted) && !memcmp(object, wanted, size));
  return object != NULL;
}

static void put(Fixture *f, Cache *cache, const char *key, const char *object) {
  Text text = key_of(f, key);
  cache_put(cache, f->arena, &text, object, strlen(object));
}

// The path of the only file in the folder.
static const char *only_file(Fixture *f) {
  const char **names;
  size_t n;
  assert_int_equal(io_list(io_system(), f->arena, f->folder, &names, &n), 0);
  assert_int_equal(n, 1);
  return arena_printf(f->arena, "%s/%s", f->folder, names[0]);
}

static void write_bytes(const char *path, const char *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, n, file), n);
  fclose(file);
}

static void what_was_put_comes_back(void **state) {
  Fixture *f = *state;
  Cache cache = open_cache(f);
  assert_false(holds(f, &cache, "a", "code of a"));
  put(f, &cache, "a", "code of a");
  put(f, &cache, "b", "code of b, longer");
  put(f, &cache, "", "");
  Cache next = open_cache(f);
  assert_true(holds(f, &next, "a", "code of a"));
  assert_true(holds(f, &next, "b", "code of b, longer"));
  assert_true(holds(f, &next, "", ""));
  assert_false(holds(f, &next, "ab", ""));
  assert_int_equal(next.hits, 3);
  assert_int_equal(next.misses, 1);
}

static void a_damaged_file_is_a_miss_and_replaced(void **state) {
  Fixture *f = *state;
  Cache cache = open_cache(f);
  put(f, &cache, "the key", "the code of the key");
  const char *path = only_file(f);
  char *bytes;
  size_t n;
  assert_int_equal(io_read_file(io_system(), f->arena, path, 1 << 20, &bytes, &n), 0);
  for (size_t length = 0; length < n; length++) {
    write_bytes(path, bytes, length);
    assert_false(holds(f, &cache, "the key", ""));
  }
  for (size_t k = 0; k < 8 * n; k++) {
    bytes[k / 8] ^= (char)(1 << k % 8);
    write_bytes(path, bytes, n);
    assert_false(holds(f, &cache, "the key", ""));
    bytes[k / 8] ^= (char)(1 << k % 8);
  }
  char *longer = arena_alloc(f->arena, n + 1);
  memcpy(longer, bytes, n);
  write_bytes(path, longer, n + 1);
  assert_false(holds(f, &cache, "the key", ""));
  put(f, &cache, "the key", "the code of the key");
  assert_true(holds(f, &cache, "the key", "the code of the key"));
}

// A hash that is another key's as well must not give that key's code.
static void a_file_of_another_key_is_a_miss(void **state) {
  Fixture *f = *state;
  Cache cache = open_cache(f);
  put(f, &cache, "a", "code of a");
  const char *path_a = only_file(f);
  const char *aside = arena_printf(f->arena, "%s/aside", f->folder);
  assert_int_equal(rename(path_a, aside), 0);
  put(f, &cache, "b", "code of b");
  assert_int_equal(remove(aside), 0);
  assert_int_equal(rename(only_file(f), path_a), 0);
  assert_false(holds(f, &cache, "a", ""));
}

static void what_stands_in_the_way_is_left_alone(void **state) {
  Fixture *f = *state;
  Cache cache = open_cache(f);
  put(f, &cache, "a", "code of a");
  const char *path = arena_strdup(f->arena, only_file(f));
  assert_int_equal(remove(path), 0);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_false(holds(f, &cache, "a", ""));
  put(f, &cache, "a", "code of a");
  assert_int_equal(rmdir(path), 0);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_false(holds(f, &cache, "a", ""));  // and does not wait for a writer
}

static void folders_that_cannot_be(void **state) {
  Fixture *f = *state;
  write_bytes(arena_printf(f->arena, "%s/file", f->folder), "x", 1);
  const char *folders[] = {"/dev/null/cache", "/proc/self/cache", "",
                           arena_printf(f->arena, "%s/file/cache", f->folder),
                           arena_printf(f->arena, "%s/file", f->folder)};
  for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
    Cache cache = open_cache(f);
    cache.folder = folders[k];
    put(f, &cache, "a", "code");
    assert_false(holds(f, &cache, "a", ""));
    cache_trim(&cache, f->arena);
  }
  Cache none = {.io = io_system()};
  put(f, &none, "a", "code");
  assert_false(holds(f, &none, "a", ""));
}

// A folder is made with its parents, for its owner alone.
static void a_missing_folder_is_made(void **state) {
  Fixture *f = *state;
  Cache cache = open_cache(f);
  cache.folder = arena_printf(f->arena, "%s/deep/dlc", f->folder);
  put(f, &cache, "a", "code of a");
  assert_true(holds(f, &cache, "a", "code of a"));
  struct stat info;
  assert_int_equal(stat(cache.folder, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0700);
  assert_int_equal(system(arena_printf(f->arena, "rm -r %s/deep", f->folder)), 0);
}

// ---- failing calls ------------------------------------------------------------------------------------------------

typedef struct Faults {
  int calls, at;  // the call that fails, counted from 1
} Faults;

static bool fails(void *s) { return ++((Faults *)s)->calls == ((Faults *)s)->at; }
static int f_open(void *s, const char *path, int flags, int mode) {
  return fails(s) ? -EROFS : io_system().ops->open(NULL, path, flags, mode);
}
static ssize_t f_pread(void *s, int fd, void *to, size_t n, off_t at) {
  return fails(s) ? -EIO : io_system().ops->pread(NULL, fd, to, n, at);
}
static ssize_t f_write(void *s, int fd, const void *bytes, size_t n) {
  return fails(s) ? -ENOSPC : io_system().ops->write(NULL, fd, bytes, n > 5 ? 5 : n);
}
static int f_fsync(void *s, int fd) { return fails(s) ? -EIO : io_system().ops->fsync(NULL, fd); }
static int f_close(void *s, int fd) {
  int result = io_system().ops->close(NULL, fd);
  return fails(s) ? -EIO : result;
}
static int f_rename(void *s, const char *a, const char *b) {
  return fails(s) ? -EACCES : io_system().ops->rename(NULL, a, b);
}
static int f_unlink(void *s, const char *path) { return fails(s) ? -EACCES : io_system().ops->unlink(NULL, path); }
static int f_mkdir(void *s, const char *path, int mode) {
  return fails(s) ? -EROFS : io_system().ops->mkdir(NULL, path, mode);
}
static int f_size(void *s, int fd, int64_t *size, bool *regular) {
  return fails(s) ? -EIO : io_system().ops->fstat_size(NULL, fd, size, regular);
}
static int f_list(void *s, const char *path, void (*each)(void *, const char *), void *user) {
  return fails(s) ? -EACCES : io_system().ops->list(NULL, path, each, user);
}
static int f_touch(void *s, const char *path) { return fails(s) ? -EROFS : io_system().ops->touch(NULL, path); }
static int f_age(void *s, const char *path, int64_t *size, int64_t *used) {
  return fails(s) ? -EACCES : io_system().ops->age(NULL, path, size, used);
}

static void no_failing_call_gives_wrong_code(void **state) {
  Fixture *f = *state;
  static const IoOps faulty = {f_open,   f_pread, f_write, f_fsync, f_close, f_rename,
                               f_unlink, f_mkdir, f_size,  f_list,  f_touch, f_age};
  bool reached = true;
  for (int at = 1; reached; at++) {
    Faults faults = {0, at};
    Cache cache = {.io = {&faulty, &faults}, .folder = f->folder, .limit = 10};
    put(f, &cache, "a", "code of a");
    holds(f, &cache, "a", "code of a");
    cache_trim(&cache, f->arena);
    Cache after = open_cache(f);
    holds(f, &after, "a", "code of a");
    reached = faults.calls >= at;
    assert_true(at < 200);
  }
}

// ---- size ---------------------------------------------------------------------------------------------------------

static void set_age(const char *path, time_t used) {
  struct timespec times[2] = {{used, 0}, {used, 0}};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void the_least_recently_used_goes_first(void **state) {
  Fixture *f = *state;
  Cache cache = open_cache(f);
  cache.limit = 40000;
  char *code = arena_alloc(f->arena, 9001);
  memset(code, 'x', 9000);
  for (int k = 0; k < 4; k++) {
    put(f, &cache, arena_printf(f->arena, "%d", k), code);
    const char **names;
    size_t n;
    io_list(io_system(), f->arena, f->folder, &names, &n);
    for (size_t i = 0; i < n; i++) {
      const char *path = arena_printf(f->arena, "%s/%s", f->folder, names[i]);
      struct stat info;
      if (stat(path, &info) == 0 && info.st_mtime > 1000000) set_age(path, 1000 + k);
    }
  }
  write_bytes(arena_printf(f->arena, "%s/somebody's", f->folder), code, 9000);
  cache_trim(&cache, f->arena);
  assert_true(holds(f, &cache, "0", code));  // all fit; and 0 is now the youngest
  put(f, &cache, "4", code);
  cache_trim(&cache, f->arena);
  assert_true(holds(f, &cache, "0", code));
  assert_false(holds(f, &cache, "1", code));
  assert_false(holds(f, &cache, "2", code));
  assert_true(holds(f, &cache, "3", code));
  assert_true(holds(f, &cache, "4", code));
  assert_int_equal(access(arena_printf(f->arena, "%s/somebody's", f->folder), F_OK), 0);
}

// ---- together -----------------------------------------------------------------------------------------------------

typedef struct User {
  Fixture shared;
  int number;
} User;

static void *use(void *state) {
  User *user = state;
  Fixture *f = &user->shared;
  for (int k = 0; k < 200; k++) {
    Cache cache = open_cache(f);
    cache.limit = 2000;
    const char *key = arena_printf(f->arena, "%d", k % 7), *code = arena_printf(f->arena, "code %d", k % 7);
    holds(f, &cache, key, code);
    put(f, &cache, key, code);
    holds(f, &cache, key, code);
    cache_trim(&cache, f->arena);
  }
  return NULL;
}

static void users_do_not_disturb_each_other(void **state) {
  Fixture *f = *state;
  User users[4];
  pthread_t threads[4];
  for (int k = 0; k < 4; k++) {
    users[k] = (User){.number = k};
    strcpy(users[k].shared.folder, f->folder);
    users[k].shared.arena = arena_new(allocator_system(), &users[k].shared.guard);
    assert_int_equal(pthread_create(&threads[k], NULL, use, &users[k]), 0);
  }
  for (int k = 0; k < 4; k++) {
    pthread_join(threads[k], NULL);
    arena_free(users[k].shared.arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_was_put_comes_back, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_file_is_a_miss_and_replaced, setup, teardown),
      cmocka_unit_test_setup_teardown(a_file_of_another_key_is_a_miss, setup, teardown),
      cmocka_unit_test_setup_teardown(what_stands_in_the_way_is_left_alone, setup, teardown),
      cmocka_unit_test_setup_teardown(folders_that_cannot_be, setup, teardown),
      cmocka_unit_test_setup_teardown(a_missing_folder_is_made, setup, teardown),
      cmocka_unit_test_setup_teardown(no_failing_call_gives_wrong_code, setup, teardown),
      cmocka_unit_test_setup_teardown(the_least_recently_used_goes_first, setup, teardown),
      cmocka_unit_test_setup_teardown(users_do_not_disturb_each_other, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
