// Product-sums whose reduction is cut into blocks: packed panels, streamed and turned matrices, columns; and those that
// add up sums over their points on their way. Bit for bit against the loop emitter, with every buffer between guard
// pages; on other instruction sets, at other batches than the plan's, cut into other pieces.
#include "plan_fixture.h"
#include "random.h"
#include "run_step.h"

typedef struct Case {
  const char *name;
  int batch;
  const char *text;
} Case;

#define PRODUCT(points, lanes) \
  "%0 = input \"a\" : f32[N," #points "] %1 = input \"b\" : f32[" #points "," #lanes \
  "] " \
  "%2 = index sum [n:N, j:" #lanes " | k:" #points "] { mul(%0[n, k], %1[k, j]) } : f32[N," #lanes "] "

static const Case cases[] = {
    {"one row, streamed", 1, PRODUCT(531, 1037) "return result \"y\" = %2"},
    {"some rows, streamed", 19, PRODUCT(531, 1100) "return result \"y\" = %2"},
    {"many rows, packed", 131, PRODUCT(519, 523) "return result \"y\" = %2"},
    {"sums in working memory, then more", 70,
     PRODUCT(700, 750) "%3 = abs %2 : f32[N,750] return result \"y\" = %3 return result \"z\" = %2"},
    {"blocks of rows", 1500, PRODUCT(520, 264) "return result \"y\" = %2"},
    {"turned", 21,
     "%0 = input \"a\" : f32[N,531] %1 = input \"b\" : f32[523,531] "
     "%2 = index sum [n:N, j:523 | k:531] { mul(%0[n, k], %1[j, k]) } : f32[N,523] return result \"y\" = %2"},
    {"turned, one row", 1,
     "%0 = input \"a\" : f32[N,1100] %1 = input \"b\" : f32[260,1100] "
     "%2 = index sum [n:N, j:260 | k:1100] { mul(%0[n, k], %1[j, k]) } : f32[N,260] return result \"y\" = %2"},
    {"gradient of weights", 8,
     "%0 = input \"x\" : f32[N,13,9,68] %1 = input \"dy\" : f32[N,11,9,180] "
     "%2 = index sum [r:3, c:68, o:180 | n:N, i:11, j:9] { mul(%0[n, i + r, j, c], %1[n, i, j, o]) } : f32[3,68,180] "
     "return result \"y\" = %2"},
    {"gradient of weights, in chunks", 20,
     "%0 = input \"x\" : f32[N,13,9,68] %1 = input \"dy\" : f32[N,11,9,180] "
     "%2 = index sum [r:3, c:68, o:180 | n:N, i:11, j:9] { mul(%0[n, i + r, j, c], %1[n, i, j, o]) } : f32[3,68,180] "
     "return result \"y\" = %2"},
};

// Absolute results, and the sums of its points and their squares: what batch norm asks of a convolution.
#define SUMMED(points, shape, index, c) \
  "%3 = abs %2 : f32" shape " %4 = mul %3, %3 : f32" shape " %5 = index sum [c:" #c " | " points "] { %3[" index \
  ", c] } : f32[" #c "] %6 = index sum [c:" #c " | " points "] { %4[" index ", c] } : f32[" #c \
  "] " \
  "return result \"y\" = %3 return result \"s\" = %5 return result \"q\" = %6"

static const Case summing[] = {
    {"3x3, rows of 11", 21,
     "%0 = input \"x\" : f32[N,11,13,6] %1 = input \"w\" : f32[3,3,6,20] %2 = index sum [n:N, i:9, j:11, o:20 | r:3, "
     "s:3, c:6] { mul(%0[n, i + r, j + s, c], %1[r, s, c, o]) } : f32[N,9,11,20] " SUMMED(
         "n:N, i:9, j:11", "[N,9,11,20]", "n, i, j", 20)},
    {"1x1, all points in a row", 13,
     "%0 = input \"x\" : f32[N,12,12,24] %1 = input \"w\" : f32[24,40] %2 = index sum [n:N, i:12, j:12, o:40 | c:24] { "
     "mul(%0[n, i, j, c], %1[c, o]) } : f32[N,12,12,40] " SUMMED("n:N, i:12, j:12", "[N,12,12,40]", "n, i, j", 40)},
    {"1x1, in blocks", 20,
     "%0 = input \"x\" : f32[N,8,8,700] %1 = input \"w\" : f32[700,300] %2 = index sum [n:N, i:8, j:8, o:300 | c:700] { "
     "mul(%0[n, i, j, c], %1[c, o]) } : f32[N,8,8,300] " SUMMED("n:N, i:8, j:8", "[N,8,8,300]", "n, i, j", 300)},
    {"3x3 by steps of 2, in blocks", 17,
     "%0 = input \"x\" : f32[N,17,17,128] %1 = input \"w\" : f32[3,3,128,140] %2 = index sum [n:N, i:8, j:8, o:140 | "
     "r:3, s:3, c:128] { mul(%0[n, 2*i + r, 2*j + s, c], %1[r, s, c, o]) } : f32[N,8,8,140] " SUMMED(
         "n:N, i:8, j:8", "[N,8,8,140]", "n, i, j", 140)},
    {"a dense layer", 1100,
     "%0 = input \"x\" : f32[N,30] %1 = input \"w\" : f32[30,37] %2 = index sum [n:N, o:37 | c:30] { mul(%0[n, c], %1[c, "
     "o]) } : f32[N,37] " SUMMED("n:N", "[N,37]", "n", 37)},
};
enum { N_CASES = sizeof cases / sizeof *cases, N_SUMMING = sizeof summing / sizeof *summing };

typedef struct Variant {
  int capacity;  // of the batch; 0: the case's
  CodegenOptions how;
  int parts;
  bool no_fuse;
} Variant;

typedef struct Run {
  int carried;  // sums that product-sums add up on their way
  Compiled *compiled;
  StepRun step;
} Run;

static Run run_of(Fixture *f, const Case *c, const Variant *v) {
  const char *text = arena_printf(f->arena, "graph g (N) { %s }", c->text);
  const Graph *g = fixture_prepare(f, fixture_parse(f, text));
  const PlanOptions options = {.no_fuse = v->no_fuse};
  Plan *plan = fixture_plan(f, g, v->capacity ? v->capacity : c->batch, &options);
  int carried = 0;
  for (int k = 0; k < plan->n_kernels; k++)
    if (plan->kernels[k].kind == KERNEL_CONTRACT) carried += plan->kernels[k].n_sums;
  Run r = {.carried = carried, .compiled = codegen_jit(f->arena, f->sink, plan, &v->how)};
  if (!r.compiled) fail_msg("%s", fixture_errors(f));
  const int64_t symbols[DLC_MAX_SYMBOLS] = {c->batch, 1, 1, 1};
  r.step = step_run_new(codegen_step(r.compiled), symbols, 0, 0);
  for (int k = 0; k < 2; k++) {
    float *data = (float *)r.step.inputs[k].base;
    int64_t count = step_tensor_count(&r.step.step->inputs[k], symbols);
    for (int64_t e = 0; e < count; e++) data[e] = random_uniform(7, (uint64_t)k, (uint64_t)e) - 0.4f;
  }
  step_execute(&r.step, v->parts);
  return r;
}

static void run_free(Run *r) {
  step_run_free(&r->step);
  codegen_free(r->compiled);
}

static void expect_equal(const Case *c, const Run *want, const Run *got, int variant) {
  for (int o = 0; o < want->step.step->n_outputs; o++) {
    const DlcTensor *t = &want->step.step->outputs[o];
    size_t bytes = (size_t)step_tensor_count(t, want->step.rt.symbol) * sizeof(float);
    const void *x = step_address(&want->step, t->at), *y = step_address(&got->step, got->step.step->outputs[o].at);
    if (memcmp(x, y, bytes)) fail_msg("%s, variant %d: other bits in output %d", c->name, variant, o);
  }
}

static const Variant loops = {.how = {.cpu = "native", .threads = 1, .no_contract = true}, .parts = 1};
static const Variant variants[] = {
    {.how = {.cpu = "native", .threads = 1}, .parts = 1},
    {.capacity = 2000, .how = {.cpu = "native", .threads = 2}, .parts = 3},
    {.how = {.cpu = "x86-64-v3", .threads = 1}, .parts = 2},
};

static void blocks_change_no_bit(void **state) {
  Fixture *f = *state;
  for (int k = 0; k < N_CASES; k++) {
    Run want = run_of(f, &cases[k], &loops);
    for (int v = 0; v < (int)(sizeof variants / sizeof *variants); v++) {
      Run got = run_of(f, &cases[k], &variants[v]);
      if (got.step.step->local_bytes == 0) fail_msg("%s, variant %d: not in blocks", cases[k].name, v);
      expect_equal(&cases[k], &want, &got, v);
      run_free(&got);
    }
    run_free(&want);
  }
}

static void sums_on_the_way_change_no_bit(void **state) {
  Fixture *f = *state;
  Variant apart = loops;
  apart.no_fuse = true;
  for (int k = 0; k < N_SUMMING; k++) {
    Run want = run_of(f, &summing[k], &apart);
    for (int v = 0; v < (int)(sizeof variants / sizeof *variants); v++) {
      Run got = run_of(f, &summing[k], &variants[v]);
      if (got.carried != 2) fail_msg("%s, variant %d: carries %d sums", summing[k].name, v, got.carried);
      expect_equal(&summing[k], &want, &got, v);
      run_free(&got);
    }
    run_free(&want);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(blocks_change_no_bit, fixture_setup, fixture_teardown),
      cmocka_unit_test_setup_teardown(sums_on_the_way_change_no_bit, fixture_setup, fixture_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
