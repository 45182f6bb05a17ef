// Compiled kernels under the sanitizer that dlc is built with: what a kernel does wrong is reported. In other builds
// there is nothing to see.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "math_function.h"

#if defined(DLC_KERNELS_ASAN) || defined(DLC_KERNELS_TSAN)
enum { COUNT = 37 };  // two vectors of 16 and a masked one; with 4 lanes a narrow one at the end

typedef struct Fixture {
  Arena *arena;
  Guard guard;
  Function fn;
} Fixture;

static void setup(Fixture *f, const char *cpu) {
  f->arena = arena_new(allocator_system(), &f->guard);
  f->fn = function_new(f->arena, diag_sink_new(f->arena), OP_neg, cpu, COUNT);
  assert_non_null(f->fn.compiled);
}

static void teardown(Fixture *f) {
  function_free(&f->fn);
  arena_free(f->arena);
}

// Runs body(f) in a process of its own; what it writes to standard error is `text` then. Its status.
static int apart(Fixture *f, void (*body)(Fixture *), char *text, size_t size) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    body(f);
    _exit(0);
  }
  close(ends[1]);
  size_t length = 0;
  for (ssize_t got; length + 1 < size && (got = read(ends[0], text + length, size - length - 1)) > 0;)
    length += (size_t)got;
  text[length] = 0;
  for (char rest[256]; read(ends[0], rest, sizeof rest) > 0;) continue;
  close(ends[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  return status;
}

static void fine(Fixture *f) { (void)function_results(&f->fn); }

static const char *const cpus[] = {"native", "x86-64-v3", "x86-64"};
#endif

#ifdef DLC_KERNELS_ASAN
// Of the right size, and one float short, as if the plan had got an extent wrong.
static char *memory(Fixture *f, size_t floats) { return arena_pages(f->arena, floats * sizeof(float)); }

static void use(Fixture *f, size_t in, size_t out) {
  DlcArg at = f->fn.run.step->outputs[0].at;
  f->fn.run.inputs[0].base = memory(f, in);
  f->fn.run.region[at.region].base = memory(f, out);
  assert_int_equal(at.offset, 0);
  fine(f);
}

static void right(Fixture *f) { use(f, COUNT, COUNT); }
static void reads_behind(Fixture *f) { use(f, COUNT - 1, COUNT); }
static void writes_behind(Fixture *f) { use(f, COUNT, COUNT - 1); }

static void test_reports(void **unused) {
  (void)unused;
  for (size_t c = 0; c < sizeof cpus / sizeof *cpus; c++) {
    Fixture f;
    char text[4096];
    setup(&f, cpus[c]);
    assert_int_equal(apart(&f, right, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_int_not_equal(apart(&f, reads_behind, text, sizeof text), 0);
    if (!strstr(text, "AddressSanitizer") || !strstr(text, "READ of size")) fail_msg("%s: %s", cpus[c], text);
    assert_int_not_equal(apart(&f, writes_behind, text, sizeof text), 0);
    if (!strstr(text, "AddressSanitizer") || !strstr(text, "WRITE of size")) fail_msg("%s: %s", cpus[c], text);
    teardown(&f);
  }
}
#endif

#ifdef DLC_KERNELS_TSAN
static void *walk(void *state) { return fine(state), NULL; }

// Two threads do the same items at once, as if two items wrote one place.
static void race(Fixture *f) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, walk, f) != 0) return;
  fine(f);
  pthread_join(thread, NULL);
  exit(0);  // the runtime's status
}

static void test_reports(void **unused) {
  (void)unused;
  for (size_t c = 0; c < sizeof cpus / sizeof *cpus; c++) {
    Fixture f;
    char text[4096];
    setup(&f, cpus[c]);
    assert_int_equal(apart(&f, fine, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_int_not_equal(apart(&f, race, text, sizeof text), 0);
    if (!strstr(text, "ThreadSanitizer: data race")) fail_msg("%s: %s", cpus[c], text);
    teardown(&f);
  }
}
#endif

#if !defined(DLC_KERNELS_ASAN) && !defined(DLC_KERNELS_TSAN)
static void test_reports(void **unused) { (void)unused, skip(); }
#endif

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reports)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
