// The base room: arenas and their guard, text, diagnostics, files, random numbers, tensor layout.
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "arena.h"
#include "diag.h"
#include "io.h"
#include "random.h"
#include "tensors.h"
#include "text.h"

static Arena *fresh(Guard *guard) {
  Arena *arena = arena_new(allocator_system(), guard);
  assert_non_null(arena);
  return arena;
}

// ---- arena --------------------------------------------------------------------------------------------------------

static void arena_gives_zeroed_aligned_memory(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  for (size_t size = 0; size < 5000; size += 37) {
    unsigned char *p = arena_alloc(arena, size);
    assert_int_equal((uintptr_t)p % 16, 0);
    for (size_t k = 0; k < size; k++) assert_int_equal(p[k], 0);
    memset(p, 0xff, size);
  }
  arena_free(arena);
}

typedef struct Budget {
  int calls, live;
} Budget;
static void *budget_alloc(void *state, size_t bytes, size_t align) {
  Budget *budget = state;
  (void)align;
  if (budget->calls-- <= 0) return NULL;
  budget->live++;
  return malloc(bytes);
}
static void budget_release(void *state, void *block, size_t bytes) {
  (void)bytes;
  ((Budget *)state)->live--;
  free(block);
}

static void arena_jumps_to_its_guard_and_leaks_nothing(void **state) {
  (void)state;
  for (volatile int calls = 1; calls < 6; calls++) {
    Budget budget = {calls, 0};
    Allocator allocator = {budget_alloc, budget_release, &budget, NULL};
    Guard guard;
    Arena *volatile arena = arena_new(&allocator, &guard);
    volatile bool jumped = true;
    if (!setjmp(guard.jump)) {
      for (int k = 0; k < 100; k++) arena_alloc(arena, 10000);
      jumped = false;
    }
    assert_true(jumped);
    assert_true(guard.failed_bytes >= 10000);
    arena_free(arena);
    assert_int_equal(budget.live, 0);
  }
}

static void arena_begins_anew_after_a_reset(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  for (int k = 0; k < 1000; k++) memset(arena_alloc(arena, 1000), 0xff, 1000);
  size_t before = arena_bytes(arena);
  arena_reset(arena);
  assert_true(arena_bytes(arena) < before);
  const unsigned char *bytes = arena_alloc(arena, 1000);
  for (size_t k = 0; k < 1000; k++) assert_int_equal(bytes[k], 0);
  arena_reset(arena);
  arena_free(arena);
}

static void arena_adopts_what_another_holds(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard), *from = arena_beside(arena);
  arena_adopt(arena, from);  // nothing
  char *text = arena_strdup(from, "kept");
  size_t bytes = arena_bytes(arena) + arena_bytes(from);
  arena_adopt(arena, from);
  assert_int_equal(arena_bytes(from), 0);
  assert_int_equal(arena_bytes(arena), bytes);
  arena_strdup(from, "its own");
  arena_strdup(arena, "more");
  arena_adopt(arena, from);
  arena_free(from);
  assert_string_equal(text, "kept");
  arena_free(arena);
}

static void arena_refuses_overflowing_products(void **state) {
  (void)state;
  Guard guard;
  Arena *volatile arena = fresh(&guard);
  volatile bool jumped = true;
  if (!setjmp(guard.jump)) {
    arena_array(arena, SIZE_MAX / 2, 3);
    jumped = false;
  }
  assert_true(jumped);
  arena_free(arena);
}

static void growing_keeps_items(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  int *items = NULL;
  size_t capacity = 0;
  for (int k = 0; k < 1000; k++) {
    items = arena_grow(arena, items, (size_t)k, &capacity, sizeof *items);
    assert_int_equal(items[k], 0);
    items[k] = k;
  }
  for (int k = 0; k < 1000; k++) assert_int_equal(items[k], k);
  arena_free(arena);
}

// ---- text ---------------------------------------------------------------------------------------------------------

static void doubles_read_back(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  const double values[] = {0, -0.0, 1, 0.1, 1.0 / 3, 1e300, 5e-324, 1e22, 123456789, -2.5};
  for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
    Text text = text_new(arena);
    text_add_double(&text, values[k]);
    assert_true(strtod(text.bytes, NULL) == values[k]);
    assert_non_null(strpbrk(text.bytes, ".e"));
  }
  Text text = text_new(arena);
  text_add_float(&text, 0.1f);
  assert_string_equal(text.bytes, "0.1");
  arena_free(arena);
}

static void distance_counts_edits(void **state) {
  (void)state;
  assert_int_equal(text_distance("relu", "relu"), 0);
  assert_int_equal(text_distance("rellu", "relu"), 1);
  assert_int_equal(text_distance("reul", "relu"), 1);
  assert_int_equal(text_distance("", "abc"), 3);
  const char *const names[] = {"sigmoid", "relu", "elu"};
  assert_string_equal(text_nearest("rellu", names, 3), "relu");
  assert_null(text_nearest("conv2d", names, 3));
  assert_null(text_nearest("x", names, 3));
  static const char *const longer[] = {"kaiming_uniform", "kaiming_normal", "kai_x"};
  assert_string_equal(text_nearest("kaiming", longer + 1, 2), "kaiming_normal");
  assert_null(text_nearest("kaiming", longer, 3));
  assert_null(text_nearest("ka", longer, 2));
}

// ---- diagnostics --------------------------------------------------------------------------------------------------

static void rendering_underlines_the_place(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  DiagSink *sink = diag_sink_new(arena);
  const char *source = "one\n  twö |> thrée\n";
  uint32_t file = diag_add_source(sink, "a.dl", source, strlen(source));
  uint32_t at = (uint32_t)(strstr(source, "thr") - source);
  Span span = {file, at, at + 6};  // thrée: 6 bytes, 5 characters
  Diag *diag = diag_error(sink, DIAG_E0002, span, "no %s", "good");
  diag_line(sink, diag, DIAG_SHAPES, "a\nb");
  diag_error(sink, DIAG_E0002, span, "again");
  Text out = text_new(arena);
  diag_render(sink, false, &out);
  assert_string_equal(out.bytes,
                      "a.dl:2:10: error[E0002]: no good\n"
                      "    2 |   twö |> thrée\n"
                      "      |          ^~~~~\n"
                      "      = shapes: a\n"
                      "                b\n");
  assert_int_equal(sink->n_errors, 1);
  arena_free(arena);
}

// A broken invariant ends the process with status 70 and says where; nothing behind it is run.
static void a_bug_ends_with_status_70(void **state) {
  (void)state;
  int ends[2], status = 0;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    dlc_bug("kernel %d has no name", 3);
  }
  close(ends[1]);
  char said[512] = "";
  size_t n = 0;  // in as many pieces as it is written in
  for (ssize_t got; (got = read(ends[0], said + n, sizeof said - 1 - n)) > 0;) n += (size_t)got;
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(n > 0 && strstr(said, "kernel 3 has no name") && strstr(said, "test_base.c"));
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 70);
}

static void twenty_errors_then_their_count(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  DiagSink *sink = diag_sink_new(arena);
  for (int k = 0; k < 23; k++) diag_error(sink, DIAG_E0001, SPAN_NONE, "number %d", k);
  Text out = text_new(arena);
  diag_render(sink, false, &out);
  assert_non_null(strstr(out.bytes, "number 19"));
  assert_null(strstr(out.bytes, "number 20"));
  assert_non_null(strstr(out.bytes, "3 more errors"));
  arena_free(arena);
}

// ---- files --------------------------------------------------------------------------------------------------------

typedef struct Faults {
  const IoOps *real;
  int short_writes, fail_at, calls, error;
} Faults;

static int fault(Faults *faults) { return ++faults->calls == faults->fail_at ? faults->error : 0; }
static int f_open(void *s, const char *path, int flags, int mode) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->open(NULL, path, flags, mode);
}
static ssize_t f_pread(void *s, int fd, void *buffer, size_t count, off_t offset) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->pread(NULL, fd, buffer, count > 1 ? 1 : count, offset);
}
static ssize_t f_write(void *s, int fd, const void *buffer, size_t count) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->write(NULL, fd, buffer, count > 1 ? 1 : count);
}
static int f_fsync(void *s, int fd) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->fsync(NULL, fd);
}
static int f_close(void *s, int fd) {
  int e = fault(s);
  int r = ((Faults *)s)->real->close(NULL, fd);
  return e ? e : r;
}
static int f_rename(void *s, const char *a, const char *b) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->rename(NULL, a, b);
}
static int f_unlink(void *s, const char *path) { return ((Faults *)s)->real->unlink(NULL, path); }
static int f_mkdir(void *s, const char *path, int mode) { return ((Faults *)s)->real->mkdir(NULL, path, mode); }
static int f_size(void *s, int fd, int64_t *size, bool *regular) {
  return ((Faults *)s)->real->fstat_size(NULL, fd, size, regular);
}
static int f_list(void *s, const char *path, void (*each)(void *, const char *), void *user) {
  int e = fault(s);
  return e ? e : ((Faults *)s)->real->list(NULL, path, each, user);
}
static const IoOps faulty = {f_open,   f_pread, f_write, f_fsync, f_close, f_rename,
                             f_unlink, f_mkdir, f_size,  f_list,  NULL,    NULL};

static int replace_with(Io io, Arena *arena, const char *path, const char *text) {
  IoWriter *writer;
  int error = io_replace_begin(io, arena, path, &writer);
  if (error) return error;
  error = io_replace_write(writer, text, strlen(text));
  if (error) {
    io_replace_abort(writer);
    return error;
  }
  return io_replace_commit(writer);
}

static void a_failing_call_leaves_the_old_file_whole(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  char folder[] = "/tmp/dlc-io-XXXXXX";
  assert_non_null(mkdtemp(folder));
  const char *path = arena_printf(arena, "%s/file", folder);
  assert_int_equal(replace_with(io_system(), arena, path, "old"), 0);
  const int errors[] = {-EIO, -ENOSPC, -EINTR};
  for (size_t e = 0; e < 3; e++)
    for (int at = 1; at < 12; at++) {
      Faults faults = {.real = io_system().ops, .fail_at = at, .error = errors[e]};
      int result = replace_with((Io){&faulty, &faults}, arena, path, "new");
      char *bytes;
      size_t size;
      assert_int_equal(io_read_file(io_system(), arena, path, 100, &bytes, &size), 0);
      assert_true(!strcmp(bytes, "old") || !strcmp(bytes, "new"));
      if (result == 0) assert_string_equal(bytes, "new");
      assert_int_equal(replace_with(io_system(), arena, path, "old"), 0);
    }
  unlink(path);
  assert_int_equal(rmdir(folder), 0);  // no temporary file was left behind
  arena_free(arena);
}

static void reading_refuses_what_is_no_regular_file(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  char *bytes;
  size_t size;
  assert_int_equal(io_read_file(io_system(), arena, "/tmp", 100, &bytes, &size), -EISDIR);
  assert_int_equal(io_read_file(io_system(), arena, "/dev/zero", 100, &bytes, &size), -EINVAL);
  assert_int_equal(io_read_file(io_system(), arena, "/nowhere/at/all", 100, &bytes, &size), -ENOENT);
  assert_int_equal(io_read_file(io_system(), arena, "/bin/sh", 10, &bytes, &size), -EFBIG);
  arena_free(arena);
}

// ---- random -------------------------------------------------------------------------------------------------------

// Known answers of the Random123 distribution: philox4x32 10 rounds.
static void philox_known_answers(void **state) {
  (void)state;
  Random4 zero = random_block(0, 0, 0);
  const uint32_t expect[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (int k = 0; k < 4; k++) assert_int_equal(zero.v[k], expect[k]);
  Random4 ones = random_block(UINT64_MAX, UINT64_MAX, UINT64_MAX);
  const uint32_t expect_ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  for (int k = 0; k < 4; k++) assert_int_equal(ones.v[k], expect_ones[k]);
}

static void moments_are_right(void **state) {
  (void)state;
  double sum = 0, squares = 0, uniform = 0;
  enum { N = 100000 };
  for (int k = 0; k < N; k++) {
    double z = random_normal(1, 2, (uint64_t)k);
    sum += z;
    squares += z * z;
    float u = random_uniform(1, 3, (uint64_t)k);
    assert_true(u >= 0 && u < 1);
    uniform += (double)u;
    assert_true(random_below(1, 4, (uint64_t)k, 7) < 7);
  }
  assert_true(fabs(sum / N) < 0.02);
  assert_true(fabs(squares / N - 1) < 0.02);
  assert_true(fabs(uniform / N - 0.5) < 0.005);
}

// ---- tensors ------------------------------------------------------------------------------------------------------

static void tensors_are_laid_out_and_initialised(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  TensorTable table = {0};
  TensorInfo w = {
      .path = "m.w", .rank = 4, .dim = {5, 5, 16, 32}, .init = {.kind = INIT_KAIMING_NORMAL}, .decay = true};
  TensorInfo b = {.path = "m.b", .rank = 1, .dim = {3}, .init = {.kind = INIT_CONSTANT, .a = 2}};
  TensorInfo q = {.path = "m.q", .rank = 2, .dim = {4, 6}, .init = {.kind = INIT_ORTHOGONAL}};
  assert_true(tensor_add(arena, &table, &b));
  assert_true(tensor_add(arena, &table, &w));
  assert_true(tensor_add(arena, &table, &q));
  assert_int_equal(table.items[1].offset, 16);
  assert_int_equal(table.items[1].count, 12800);
  assert_int_equal(tensor_find(&table, "m.q"), 2);
  assert_int_equal(tensor_find(&table, "m.none"), -1);
  float *block = arena_array(arena, (size_t)table.block_floats, sizeof *block);
  for (int k = 0; k < 3; k++) tensor_init(&table.items[k], 7, block);
  assert_true(block[2] == 2 && block[3] == 0);
  double squares = 0;
  for (int k = 0; k < 12800; k++) squares += (double)block[16 + k] * (double)block[16 + k];
  assert_true(fabs(squares / 12800 - 2.0 / 400) < 0.0003);
  const float *o = block + table.items[2].offset;
  for (int i = 0; i < 4; i++)
    for (int j = 0; j <= i; j++) {
      double dot = 0;
      for (int k = 0; k < 6; k++) dot += (double)o[i * 6 + k] * (double)o[j * 6 + k];
      assert_true(fabs(dot - (i == j)) < 1e-6);
    }
  TensorInfo huge = {.path = "m.h", .rank = 3, .dim = {INT64_MAX / 2, 3, 1}};
  assert_false(tensor_add(arena, &table, &huge));
  assert_int_equal(table.n_items, 3);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arena_gives_zeroed_aligned_memory),
      cmocka_unit_test(arena_jumps_to_its_guard_and_leaks_nothing),
      cmocka_unit_test(arena_begins_anew_after_a_reset),
      cmocka_unit_test(arena_adopts_what_another_holds),
      cmocka_unit_test(arena_refuses_overflowing_products),
      cmocka_unit_test(growing_keeps_items),
      cmocka_unit_test(doubles_read_back),
      cmocka_unit_test(distance_counts_edits),
      cmocka_unit_test(rendering_underlines_the_place),
      cmocka_unit_test(a_bug_ends_with_status_70),
      cmocka_unit_test(twenty_errors_then_their_count),
      cmocka_unit_test(a_failing_call_leaves_the_old_file_whole),
      cmocka_unit_test(reading_refuses_what_is_no_regular_file),
      cmocka_unit_test(philox_known_answers),
      cmocka_unit_test(moments_are_right),
      cmocka_unit_test(tensors_are_laid_out_and_initialised),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
