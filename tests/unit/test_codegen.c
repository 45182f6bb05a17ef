// The room's outside: targets, steps, shared functions, failures.
#include <math.h>

#include "plan_fixture.h"

#include "codegen.h"
#include "random.h"
#include "run_step.h"

// ---- targets ------------------------------------------------------------------------------------------------------

static bool target_for(Fixture *f, const char *cpu, bool for_jit, Target *target) {
  CodegenOptions options = {.cpu = cpu, .threads = 1};
  return codegen_target(f->arena, f->sink, &options, for_jit, target);
}

static void test_levels(void **state) {
  Target target;
  static const struct {
    const char *cpu;
    int floats, registers;
    bool fma;
  } rows[] = {{"x86-64", 4, 16, false},
              {"x86-64-v2", 4, 16, false},
              {"x86-64-v3", 8, 16, true},
              {"x86-64-v4", 16, 32, true},
              {"znver4", 16, 32, true}};
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    assert_true(target_for(*state, rows[k].cpu, false, &target));
    assert_int_equal(target.vector_floats, rows[k].floats);
    assert_int_equal(target.registers, rows[k].registers);
    assert_int_equal(target.has_fma, rows[k].fma);
  }
}

static void test_native(void **state) {
  Target target;
  assert_true(target_for(*state, NULL, true, &target));
  assert_true(target_for(*state, "native", true, &target));
  assert_true(target_for(*state, target.cpu, true, &target));  // by its own name
  assert_true(strlen(target.features) > 0);
}

static void test_refused(void **state) {
  Fixture *f = *state;
  Target target;
  assert_false(target_for(f, "pentium-pro", true, &target));
  assert_non_null(strstr(fixture_errors(f), "error[E0603]: no CPU is called 'pentium-pro'"));
  // Another model, even one of a level that this machine has, may have instructions that this machine lacks.
  Target native;
  assert_true(target_for(f, "native", true, &native));
  const char *other = strcmp(native.cpu, "cannonlake") ? "cannonlake" : "znver4";
  assert_false(target_for(f, other, true, &target));
  assert_non_null(strstr(fixture_errors(f), "this machine cannot run code for"));
  assert_true(target_for(f, other, false, &target));
}

// ---- steps --------------------------------------------------------------------------------------------------------

static Compiled *compile(Fixture *f, const char *text, int64_t batch) {
  CodegenOptions options = {.cpu = "native", .threads = 2};
  Compiled *c = codegen_jit(f->arena, f->sink, fixture_plan_text(f, text, batch), &options);
  if (!c) fail_msg("%s", fixture_errors(f));
  return c;
}

static void test_step(void **state) {
  Compiled *c = compile(*state,
                        "graph g (N) {\n"
                        "  %0 = input \"x\" : f32[N,4]\n"
                        "  %1 = param \"w\" : f32[4]\n"
                        "  %2 = index map [i:N, j:4] { mul(%0[i, j], %1[j]) } : f32[N,4]\n"
                        "  %3 = index sum [| i:N, j:4] { %2[i, j] } : f32[]\n"
                        "  return result \"y\" = %2\n  return loss \"loss\" = %3\n}\n",
                        8);
  const DlcStep *step = codegen_step(c);
  assert_int_equal(step->n_inputs, 1);
  assert_string_equal(step->inputs[0].name, "x");
  assert_int_equal(step->inputs[0].symbol[0], 1);
  assert_int_equal(step->n_outputs, 2);
  assert_string_equal(step->outputs[0].name, "y");
  assert_int_equal(step->outputs[0].kind, OUT_RESULT);
  assert_int_equal(step->outputs[1].kind, OUT_LOSS);
  assert_int_equal(step->capacity[0], 8);
  assert_true(codegen_code_bytes(c) > 0);
  codegen_free(c);
}

// One step serves every batch up to the capacity: nothing is compiled anew.
static void test_batches(void **state) {
  Compiled *c = compile(*state,
                        "graph g (N) {\n"
                        "  %0 = input \"x\" : f32[N,3]\n"
                        "  %1 = index sum [j:3 | i:N] { %0[i, j] } : f32[3]\n"
                        "  return result \"y\" = %1\n}\n",
                        100);
  static const int64_t batches[] = {1, 7, 8, 9, 16, 63, 64, 65, 100};
  for (size_t k = 0; k < sizeof batches / sizeof *batches; k++) {
    const int64_t symbols[DLC_MAX_SYMBOLS] = {batches[k], 1, 1, 1};
    StepRun run = step_run_new(codegen_step(c), symbols, 0, 0);
    float *x = (float *)run.inputs[0].base;
    for (int64_t i = 0; i < 3 * batches[k]; i++) x[i] = (float)(i % 3 + 1);
    step_execute(&run, 1);
    const float *y = (const float *)step_address(&run, codegen_step(c)->outputs[0].at);
    for (int j = 0; j < 3; j++) assert_true(y[j] == (float)((j + 1) * batches[k]));
    step_run_free(&run);
  }
  codegen_free(c);
}

static void test_shared(void **state) {
  Compiled *c = compile(*state,
                        "graph g (N) {\n"
                        "  %0 = input \"x\" : f32[64,64]\n"
                        "  %1 = index map [i:64, j:64] { exp(%0[j, i]) } : f32[64,64]\n"
                        "  %2 = index map [row:64, column:64] { exp(%1[column, row]) } : f32[64,64]\n"
                        "  %3 = index map [i:64, j:64] { exp(%2[j, i]) } : f32[64,64]\n"
                        "  return result \"a\" = %1\n  return result \"b\" = %2\n  return result \"c\" = %3\n}\n",
                        1);
  assert_int_equal(codegen_step(c)->n_launches, 3);
  assert_int_equal(codegen_kernel_count(c), 1);
  assert_ptr_equal(codegen_step(c)->launches[0].fn, codegen_step(c)->launches[2].fn);
  codegen_free(c);
}

// Transposing copies, whole blocks of 16 by 16 and what is left, of four-byte and one-byte elements.
static void check_transpose(Fixture *f, const char *type, int rows, int columns) {
  const char *text = arena_printf(f->arena,
                                  "graph g (N) {\n"
                                  "  %%0 = input \"x\" : %s[%d,%d]\n"
                                  "  %%1 = index map [i:%d, j:%d] { %%0[j, i] } : %s[%d,%d]\n"
                                  "  return result \"y\" = %%1\n}\n",
                                  type, columns, rows, rows, columns, type, rows, columns);
  Compiled *c = compile(f, text, 1);
  static const int64_t symbols[DLC_MAX_SYMBOLS] = {1, 1, 1, 1};
  StepRun run = step_run_new(codegen_step(c), symbols, 0, 0);
  DType dtype = (DType)codegen_step(c)->inputs[0].type;
  for (int k = 0; k < rows * columns; k++) step_put(dtype, run.inputs[0].base, k, k % 251);
  step_execute(&run, 2);
  const void *y = step_address(&run, codegen_step(c)->outputs[0].at);
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++)
      assert_true(step_get(dtype, y, i * columns + j) == (double)((j * rows + i) % 251));
  step_run_free(&run);
  codegen_free(c);
}

static void test_transposes(void **state) {
  static const int sizes[] = {3, 16, 17, 32, 45};
  for (size_t a = 0; a < sizeof sizes / sizeof *sizes; a++)
    for (size_t b = 0; b < sizeof sizes / sizeof *sizes; b++) check_transpose(*state, "f32", sizes[a], sizes[b]);
  check_transpose(*state, "i32", 33, 48);
  check_transpose(*state, "u8", 33, 48);
}

// Random numbers are those of base/random.h, of this step and seed.
static void test_random(void **state) {
  Compiled *c = compile(*state,
                        "graph g (N) {\n"
                        "  %0 = random stream 77 : f32[N,5]\n"
                        "  return result \"y\" = %0\n}\n",
                        9);
  const int64_t symbols[DLC_MAX_SYMBOLS] = {9, 1, 1, 1};
  StepRun run = step_run_new(codegen_step(c), symbols, 0, 0);
  run.rt.seed = 0x123456789abcdefu;
  run.rt.step = 3;
  step_execute(&run, 1);
  const float *y = (const float *)step_address(&run, codegen_step(c)->outputs[0].at);
  for (uint64_t k = 0; k < 45; k++)
    assert_true(y[k] == random_uniform(run.rt.seed, random_step_stream(77, run.rt.step), k));
  step_run_free(&run);
  codegen_free(c);
}

// The results of a plan made with these options, for a batch of 4: [2][4][64].
static void run_plan(Fixture *f, const Graph *g, const PlanOptions *plan_options, bool *takes_place, float *results) {
  Plan *plan = fixture_plan(f, g, 4, plan_options);
  *takes_place = false;
  for (size_t id = 0; id < g->n_nodes; id++) *takes_place |= plan->in_place[id] != NODE_NONE;
  CodegenOptions options = {.cpu = "native", .threads = 1};
  Compiled *c = codegen_jit(f->arena, f->sink, plan, &options);
  static const int64_t symbols[DLC_MAX_SYMBOLS] = {4, 1, 1, 1};
  StepRun run = step_run_new(codegen_step(c), symbols, 0, 0);
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < (i ? 64 * 64 : 4 * 64); k++)
      ((float *)run.inputs[i].base)[k] = (float)(k % 7) / 8 - 0.25f * (float)i;
  step_execute(&run, 1);
  for (int o = 0; o < 2; o++)
    memcpy(results + o * 4 * 64, step_address(&run, codegen_step(c)->outputs[o].at), 4 * 64 * sizeof *results);
  step_run_free(&run);
  codegen_free(c);
}

// A kernel with two outputs, the first in the place of an input that the second reads as well: everything is loaded
// first.
static void test_in_place(void **state) {
  Fixture *f = *state;
  const char *text =
      "graph g (N) {\n"
      "  %0 = input \"x\" : f32[N,64]\n  %1 = input \"w\" : f32[64,64]\n"
      "  %2 = exp %0 : f32[N,64]\n  %3 = tanh %0 : f32[N,64]\n"
      "  %4 = index sum [n:N, o:64 | k:64] { mul(%2[n, k], %1[k, o]) } : f32[N,64]\n"
      "  %5 = index sum [n:N, o:64 | k:64] { mul(%3[n, k], %1[k, o]) } : f32[N,64]\n"
      "  %6 = index sum [| n:N, o:64] { mul(%4[n, o], %5[n, o]) } : f32[]\n"
      "  %7 = mul %3, %6 : f32[N,64]\n  %8 = add %7, %0 : f32[N,64]\n"
      "  %9 = mul %2, %6 : f32[N,64]\n  %20 = add %9, %0 : f32[N,64]\n"
      "  %30 = index sum [n:N, o:64 | k:64] { mul(%8[n, k], %1[k, o]) } : f32[N,64]\n"
      "  %31 = index sum [n:N, o:64 | k:64] { mul(%20[n, k], %1[k, o]) } : f32[N,64]\n"
      "  return result \"a\" = %30\n  return result \"b\" = %31\n}\n";
  const Graph *g = fixture_prepare(f, fixture_parse(f, text));
  const PlanOptions usual = {0}, apart = {.no_reuse = true};
  float with[2 * 4 * 64], without[2 * 4 * 64];
  bool takes_place;
  run_plan(f, g, &apart, &takes_place, without);
  assert_false(takes_place);
  run_plan(f, g, &usual, &takes_place, with);
  assert_true(takes_place);
  assert_memory_equal(with, without, sizeof with);
}

static void test_free_nothing(void **state) {
  (void)state;
  codegen_free(NULL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(test_levels), CASE(test_native), CASE(test_refused),  CASE(test_step),       CASE(test_batches),
      CASE(test_shared), CASE(test_random), CASE(test_in_place), CASE(test_transposes), CASE(test_free_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
