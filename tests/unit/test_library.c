// libdlc: mistakes as values, the host left as it was, models side by side, nothing that grows.
#include <fenv.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "library_inside.h"

static const char net[] =
    "data d {\n"
    "  train {\n"
    "    x     = npy(\"x.npy\")\n"
    "    label = npy(\"label.npy\")\n"
    "  }\n"
    "}\n"
    "model net(x: f32[N, 6]; units = 5) { x |> dense(units) |> batch_norm |> relu |> dropout(0.2) |> dense(3) }\n"
    "train net on d {\n"
    "  loss      = cross_entropy(net(x), label) + 1e-3 * l2(net)\n"
    "  optimizer = adam(lr = 1e-2)\n"
    "  batch     = 8\n"
    "}\n";

enum { ROWS = 8, IN = 6, OUT = 3 };

static void make_batch(float *x, int32_t *label) {
  for (int k = 0; k < ROWS * IN; k++) x[k] = (float)(k * 37 % 19 - 9) / 8;
  for (int k = 0; k < ROWS; k++) label[k] = k % OUT;
}

static DlcModel *open_net(void) {
  DlcOptions options = {.train = 1};
  DlcModel *model = dlc_open_text("net.dl", net, &options);
  assert_non_null(model);
  assert_int_equal(dlc_status(model), DLC_DONE);
  assert_int_equal(dlc_compile(model), DLC_DONE);
  return model;
}

// The first parameter after some steps from a seed.
static void train(DlcModel *model, uint64_t seed, int steps, float out[IN]) {
  float x[ROWS * IN];
  int32_t label[ROWS];
  make_batch(x, label);
  const void *fields[] = {x, label};
  double loss = 0;
  assert_int_equal(dlc_init(model, seed), DLC_DONE);
  for (int k = 0; k < steps; k++) assert_int_equal(dlc_train_step(model, fields, ROWS, &loss), DLC_DONE);
  assert_true(isfinite(loss));
  memcpy(out, dlc_values(model, DLC_PARAMETERS, 0), IN * sizeof *out);
}

static void test_describe(void **unused) {
  (void)unused;
  DlcModel *model = open_net();
  DlcValue value;
  assert_int_equal(dlc_count(model, DLC_INPUTS), 1);
  assert_int_equal(dlc_count(model, DLC_OUTPUTS), 1);
  assert_int_equal(dlc_count(model, DLC_FIELDS), 2);
  assert_int_equal(dlc_count(model, DLC_PARAMETERS), 6);
  assert_int_equal(dlc_count(model, DLC_STATES), 2);
  assert_int_equal(dlc_count(model, 99), 0);
  assert_int_equal(dlc_describe(model, DLC_INPUTS, 0, &value), DLC_DONE);
  assert_string_equal(value.name, "x");
  assert_int_equal(value.rank, 2);
  assert_int_equal(value.dim[0], -1);
  assert_int_equal(value.dim[1], IN);
  assert_int_equal(dlc_describe(model, DLC_FIELDS, 1, &value), DLC_DONE);
  assert_string_equal(value.name, "label");
  assert_int_equal(value.type, DLC_INT);
  assert_int_equal(dlc_describe(model, DLC_PARAMETERS, 0, &value), DLC_DONE);
  assert_string_equal(value.name, "net.dense_1.w");
  assert_int_equal(value.dim[1], 5);
  assert_int_equal(dlc_describe(model, DLC_PARAMETERS, 6, &value), DLC_USAGE);
  dlc_close(model);
}

static void test_settings(void **unused) {
  (void)unused;
  const char *settings[] = {"units=7"};
  DlcOptions options = {.settings = settings, .n_settings = 1};
  DlcModel *model = dlc_open_text("net.dl", net, &options);
  DlcValue value;
  assert_int_equal(dlc_describe(model, DLC_PARAMETERS, 0, &value), DLC_DONE);
  assert_int_equal(value.dim[1], 7);
  dlc_close(model);
  settings[0] = "units";
  model = dlc_open_text("net.dl", net, &options);
  assert_int_equal(dlc_status(model), DLC_USAGE);
  dlc_close(model);
}

// The messages are those of the command, with place and underline.
static void test_wrong_program(void **unused) {
  (void)unused;
  DlcModel *model = dlc_open_text("bad.dl", "model m(x: f32[N, 2]) { x |> dense(3) |> rlu }\n", NULL);
  assert_int_equal(dlc_status(model), DLC_WRONG);
  assert_non_null(strstr(dlc_messages(model), "bad.dl:1:42: error[E0101]"));
  assert_non_null(strstr(dlc_messages(model), "^~~"));
  assert_int_equal(dlc_compile(model), DLC_USAGE);
  assert_int_equal(dlc_count(model, DLC_INPUTS), 0);
  dlc_close(model);
  model = dlc_open("/no/such.dl", NULL);
  assert_int_equal(dlc_status(model), DLC_DATA);
  assert_non_null(strstr(dlc_messages(model), "E0401"));
  dlc_close(model);
  dlc_close(NULL);
}

static void test_mistakes(void **unused) {
  (void)unused;
  DlcOptions options = {.train = 1};
  DlcModel *model = dlc_open_text("net.dl", net, &options);
  float x[ROWS * IN], out[ROWS * OUT];
  int32_t label[ROWS];
  make_batch(x, label);
  const void *inputs[] = {x}, *fields[] = {x, label};
  void *outputs[] = {out};
  assert_int_equal(dlc_predict(model, inputs, outputs, 1), DLC_USAGE);
  assert_non_null(strstr(dlc_messages(model), "not compiled"));
  assert_int_equal(dlc_compile(model), DLC_DONE);
  assert_string_equal(dlc_messages(model), "");
  assert_int_equal(dlc_predict(NULL, inputs, outputs, 1), DLC_USAGE);
  assert_int_equal(dlc_predict(model, inputs, outputs, -1), DLC_USAGE);
  assert_int_equal(dlc_predict(model, inputs, outputs, 0), DLC_DONE);
  assert_int_equal(dlc_predict(model, NULL, outputs, 1), DLC_USAGE);
  inputs[0] = (char *)x + 1;
  assert_int_equal(dlc_predict(model, inputs, outputs, 1), DLC_USAGE);
  assert_int_equal(dlc_train_step(model, fields, 0, NULL), DLC_USAGE);
  assert_int_equal(dlc_train_step(model, fields, ROWS + 1, NULL), DLC_USAGE);
  assert_int_equal(dlc_set_rate(model, -1), DLC_USAGE);
  assert_int_equal(dlc_schedule(model, 0, 0), DLC_USAGE);
  assert_int_equal(dlc_load(model, "/no/such.safetensors"), DLC_DATA);
  assert_int_equal(dlc_save(model, "/no/such/folder/w.safetensors"), DLC_WRITE);
  x[0] = NAN;
  assert_int_equal(dlc_train_step(model, fields, ROWS, NULL), DLC_DIVERGED);
  dlc_close(model);
}

// Rounding mode, locale, signal handlers and working directory are the host's, and change no bit.
static void test_host_state(void **unused) {
  (void)unused;
  float usual[IN], upward[IN];
  DlcModel *model = open_net();
  train(model, 3, 5, usual);
  dlc_close(model);
  char before[4096], after[4096], *locale = setlocale(LC_ALL, NULL);
  assert_non_null(getcwd(before, sizeof before));
  char *kept = strdup(locale);
  struct sigaction handlers[NSIG] = {0}, now;
  for (int k = 1; k < NSIG; k++) (void)sigaction(k, NULL, &handlers[k]);
  fesetround(FE_UPWARD);
  model = open_net();
  train(model, 3, 5, upward);
  dlc_close(model);
  assert_int_equal(fegetround(), FE_UPWARD);
  fesetround(FE_TONEAREST);
  for (int k = 1; k < NSIG; k++)
    if (sigaction(k, NULL, &now) == 0) assert_true(now.sa_handler == handlers[k].sa_handler);
  assert_non_null(getcwd(after, sizeof after));
  assert_string_equal(before, after);
  assert_string_equal(kept, setlocale(LC_ALL, NULL));
  assert_memory_equal(usual, upward, sizeof usual);
  free(kept);
}

typedef struct Run {
  uint64_t seed;
  float out[IN];
} Run;

static void *run_one(void *state) {
  Run *run = state;
  DlcModel *model = open_net();
  train(model, run->seed, 20, run->out);
  dlc_close(model);
  return NULL;
}

// Several models in several threads compute what each computes alone.
static void test_side_by_side(void **unused) {
  (void)unused;
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  Run runs[THREADS], alone;
  for (int k = 0; k < THREADS; k++) {
    runs[k].seed = (uint64_t)k;
    assert_int_equal(pthread_create(&threads[k], NULL, run_one, &runs[k]), 0);
  }
  for (int k = 0; k < THREADS; k++) pthread_join(threads[k], NULL);
  for (int k = 0; k < THREADS; k++) {
    alone.seed = (uint64_t)k;
    run_one(&alone);
    assert_memory_equal(alone.out, runs[k].out, sizeof alone.out);
  }
}

// Steps, predictions, saved and loaded weights allocate nothing that stays.
static void test_nothing_grows(void **unused) {
  (void)unused;
  DlcModel *model = open_net();
  float out[IN], x[ROWS * IN], results[3 * ROWS * OUT], many[3 * ROWS * IN] = {0};
  int32_t label[ROWS];
  make_batch(x, label);
  train(model, 1, 3, out);
  const void *inputs[] = {many};
  void *outputs[] = {results};
  size_t before = arena_bytes(model->session.arena);
  train(model, 1, 2000, out);
  for (int k = 0; k < 200; k++) assert_int_equal(dlc_predict(model, inputs, outputs, 3 * ROWS), DLC_DONE);
  assert_int_equal(dlc_save(model, "test_library.safetensors"), DLC_DONE);
  assert_int_equal(dlc_load(model, "test_library.safetensors"), DLC_DONE);
  assert_int_equal(arena_bytes(model->session.arena), before);
  unlink("test_library.safetensors");
  dlc_close(model);
}

// Parameters written by the host count from dlc_changed on.
static void test_changed(void **unused) {
  (void)unused;
  DlcModel *model = dlc_open_text("m.dl", "model m(x: f32[N, 1]) { param w: f32[1] = ones x * exp(w) }", NULL);
  assert_int_equal(dlc_compile(model), DLC_DONE);
  assert_int_equal(dlc_init(model, 0), DLC_DONE);
  float x[2] = {1, 2}, y[2];
  const void *inputs[] = {x};
  void *outputs[] = {y};
  assert_int_equal(dlc_predict(model, inputs, outputs, 2), DLC_DONE);
  assert_true(fabsf(y[1] / y[0] - 2) < 1e-6f && y[0] > 2.7f);
  dlc_values(model, DLC_PARAMETERS, 0)[0] = 0;
  assert_int_equal(dlc_changed(model), DLC_DONE);
  assert_int_equal(dlc_predict(model, inputs, outputs, 2), DLC_DONE);
  assert_true(y[0] == 1 && y[1] == 2);
  dlc_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_describe),      cmocka_unit_test(test_settings),   cmocka_unit_test(test_wrong_program),
      cmocka_unit_test(test_mistakes),      cmocka_unit_test(test_host_state), cmocka_unit_test(test_side_by_side),
      cmocka_unit_test(test_nothing_grows), cmocka_unit_test(test_changed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
