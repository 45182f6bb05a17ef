// Equal keys, equal code: the promise on which functions are shared and machine code is kept. Every launch of many
// programs, modes, batches and targets is emitted; codes with equal keys must be the same LLVM IR.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codegen.h"
#include "passes.h"
#include "program.h"

typedef struct Keys {
  Arena *arena;
  DiagSink *sink;
  KeyBook *book;
  int launches;
} Keys;

typedef struct Version {
  Mode mode;
  int64_t batch;
  const char *cpu, *passes;
  bool no_fuse, no_contract;
} Version;

static void check_version(Keys *keys, const char *path, const Version *v) {
  bool missing;
  Program *program = program_open(keys->arena, keys->sink, io_system(), path, NULL, 0, &missing);
  assert_int_equal(keys->sink->n_errors, 0);
  int model = program_find_model(program, NULL);
  LowerWhat what = v->mode == MODE_INFER ? LOWER_OUTPUT : program_train(program, model) ? LOWER_LOSS : LOWER_BENCH;
  Lowered *lowered = program_lower(program, model, v->mode, what);
  assert_non_null(lowered);
  PassContext context = {.arena = keys->arena, .sink = keys->sink};
  const Graph *g =
      passes_run(&context, lowered->graph, v->mode == MODE_TRAIN ? PASS_TRAIN : PASS_INFER, v->passes, NULL);
  assert_non_null(g);
  int64_t values[IR_MAX_SYMBOLS] = {v->batch, v->batch, v->batch, v->batch};
  PlanOptions plan_options = {.no_fuse = v->no_fuse};
  Plan *plan = plan_make(keys->arena, keys->sink, g, &lowered->params, &lowered->states, values, &plan_options);
  assert_non_null(plan);
  CodegenOptions options = {.cpu = v->cpu, .no_contract = v->no_contract};
  Text why = text_new(keys->arena);
  int launches = codegen_verify_keys(keys->book, keys->sink, plan, &options, &why);
  if (launches < 0) fail_msg("%s mode %d batch %d: %s", path, (int)v->mode, (int)v->batch, why.bytes);
  keys->launches += launches;
}

static void equal_keys_are_equal_code(void **state) {
  (void)state;
  static const char *const programs[] = {
      "tests/bench/lenet5.dl",        "tests/bench/mlp.dl",
      "tests/bench/resnet20.dl",      "tests/bench/vgg-cifar.dl",
      "tests/bench/cbr-64x32.dl",     "tests/bench/alexnet.dl",
      "tests/bench/linear.dl",        "examples/backprop/norm.dl",
      "tests/peers/conv_variants.dl", "tests/peers/formula.dl",
      "tests/peers/lenet_tanh.dl",    "examples/lenet/lenet5.dl",
      "examples/digits.dl",           "examples/backprop/gradient.dl",
  };
  static const Version versions[] = {
      {MODE_TRAIN, 64, "x86-64-v4", NULL, false, false}, {MODE_TRAIN, 3, "x86-64-v4", NULL, false, false},
      {MODE_INFER, 1, "x86-64-v4", NULL, false, false},  {MODE_INFER, 64, "x86-64-v3", NULL, true, false},
      {MODE_TRAIN, 64, "x86-64-v3", NULL, false, true},
  };
  Guard guard;
  Keys keys = {.arena = arena_new(allocator_system(), &guard)};
  assert_non_null(keys.arena);
  for (size_t v = 0; v < sizeof versions / sizeof *versions; v++) {
    keys.book = codegen_key_book(keys.arena);  // what the target decides is in the cache's key, not in the code's
    for (size_t k = 0; k < sizeof programs / sizeof *programs; k++) {
      keys.sink = diag_sink_new(keys.arena);
      check_version(&keys, arena_printf(keys.arena, "%s/%s", DLC_SOURCE_DIR, programs[k]), &versions[v]);
    }
  }
  assert_true(keys.launches > 1000);
  arena_free(keys.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(equal_keys_are_equal_code)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
