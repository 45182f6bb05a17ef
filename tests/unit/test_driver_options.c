// The command line: every row of the options table, the mistakes that it finds, and the statuses that mistakes ask for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "session.h"

typedef struct Fixture {
  Guard guard;
  Arena *arena;
  DiagSink *sink;
  Options options;
} Fixture;

static int setup(void **state) {
  Fixture *f = test_calloc(1, sizeof *f);
  f->arena = arena_new(allocator_system(), &f->guard);
  f->sink = diag_sink_new(f->arena);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  arena_free(f->arena);
  test_free(f);
  return 0;
}

enum { MOST_WORDS = 12 };

// Splits at blanks and reads.
static bool read_line(Fixture *f, const char *command, const char *line) {
  char *words[MOST_WORDS], *save, *copy = arena_strdup(f->arena, line);
  int n = 0;
  for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) words[n++] = word;
  f->sink = diag_sink_new(f->arena);
  return options_read(f->arena, f->sink, command, n, words, &f->options);
}

static void values_are_read(void **state) {
  Fixture *f = *state;
  assert_true(read_line(f, "train", "a.dl --steps 7 --out=dir --seed 18446744073709551615 --memory-limit 2G --quiet"));
  assert_int_equal(f->options.n_operands, 1);
  assert_string_equal(f->options.operands[0], "a.dl");
  assert_int_equal(f->options.steps, 7);
  assert_string_equal(f->options.out, "dir");
  assert_true(f->options.has_seed && f->options.seed == UINT64_MAX);
  assert_true(f->options.memory_limit == 2147483648 && f->options.quiet);
  assert_string_equal(f->options.cpu, "native");
  assert_int_equal(f->options.batch, 0);
}

static void settings_add_up(void **state) {
  Fixture *f = *state;
  assert_true(read_line(f, "check", "a.dl --set k=3 --set=lr=0.1=x"));
  assert_int_equal(f->options.n_settings, 2);
  assert_string_equal(f->options.settings[0].name, "k");
  assert_string_equal(f->options.settings[0].value, "3");
  assert_string_equal(f->options.settings[1].name, "lr");
  assert_string_equal(f->options.settings[1].value, "0.1=x");
}

static void short_options_work(void **state) {
  Fixture *f = *state;
  assert_true(read_line(f, "init", "a.dl -o w.safetensors"));
  assert_string_equal(f->options.output, "w.safetensors");
  assert_true(read_line(f, "init", "a.dl -- -o"));
  assert_int_equal(f->options.n_operands, 2);
}

static void sizes_have_units(void **state) {
  static const struct {
    const char *text;
    int64_t bytes;
  } cases[] = {{"1", 1}, {"3K", 3072}, {"3KB", 3072}, {"5M", 5242880}, {"1GiB", 1 << 30},  {"1T", 1LL << 40},
               {"0", 0}, {"-1", 0},    {"1Q", 0},     {"1KX", 0},      {"9999999999T", 0}, {"K", 0}};
  Fixture *f = *state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    bool ok = read_line(f, "check", arena_printf(f->arena, "--memory-limit %s", cases[k].text));
    assert_true(ok == (cases[k].bytes != 0));
    if (ok) assert_true(f->options.memory_limit == cases[k].bytes);
  }
}

static void every_mistake_is_one_usage_error(void **state) {
  static const char *const lines[] = {
      "--nothing", "--steps",   "--steps 0",  "--steps 1.5",      "--steps x", "--steps 1 --steps 1",
      "--quiet=1", "--seed -1", "--seed 1x",  "--numerics exact", "--set k",   "--set =3",
      "--set k=",  "-q",        "--stage ir", "--seconds 3",      "--out="};
  Fixture *f = *state;
  for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
    assert_false(read_line(f, "train", lines[k]));
    assert_int_equal(f->sink->n_errors, 1);
    assert_int_equal(session_status(f->sink), STATUS_USAGE);
  }
}

static void several_mistakes_are_all_reported(void **state) {
  Fixture *f = *state;
  assert_false(read_line(f, "train", "--nothing --steps 0 --bathc 3"));
  assert_int_equal(f->sink->n_errors, 3);
}

static void names_are_unique(void **state) {
  (void)state;
  for (int a = 0; a < options_count(); a++)
    for (int b = 0; b < a; b++) {
      assert_string_not_equal(options_info(a).name, options_info(b).name);
      assert_true(!options_info(a).letter || options_info(a).letter != options_info(b).letter);
    }
}

static void commands_are_whole_words(void **state) {
  (void)state;
  for (int k = 0; k < options_count(); k++) {
    assert_false(options_takes(k, "com") && strcmp(options_info(k).commands, "*") != 0);
    assert_false(options_takes(k, "compiler") && strcmp(options_info(k).commands, "*") != 0);
  }
}

static void the_first_error_decides_the_status(void **state) {
  static const struct {
    DiagCode code;
    int status;
  } cases[] = {{DIAG_E0001, STATUS_WRONG},    {DIAG_E0101, STATUS_WRONG}, {DIAG_E0305, STATUS_WRONG},
               {DIAG_E0401, STATUS_DATA},     {DIAG_E0501, STATUS_WRONG}, {DIAG_E0601, STATUS_USAGE},
               {DIAG_E0602, STATUS_RESOURCE}, {DIAG_E0604, STATUS_WRITE}, {DIAG_E0606, STATUS_USAGE}};
  Fixture *f = *state;
  assert_int_equal(session_status(f->sink), STATUS_DONE);
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    DiagSink *sink = diag_sink_new(f->arena);
    diag_warning(sink, DIAG_E0401, SPAN_NONE, "a warning decides nothing");
    assert_int_equal(session_status(sink), STATUS_DONE);
    diag_error(sink, cases[k].code, SPAN_NONE, "first");
    diag_error(sink, DIAG_E0002, SPAN_NONE, "second");
    assert_int_equal(session_status(sink), cases[k].status);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(values_are_read),
      TEST(settings_add_up),
      TEST(short_options_work),
      TEST(sizes_have_units),
      TEST(every_mistake_is_one_usage_error),
      TEST(several_mistakes_are_all_reported),
      TEST(names_are_unique),
      TEST(commands_are_whole_words),
      TEST(the_first_error_decides_the_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
