// A whole program: read, checked, and each model lowered and taken through the passes to a memory plan, as `dlc check`
// does. Files that it uses are itself and a small one.
#include <string.h>

#include "fuzz.h"
#include "passes.h"
#include "plan.h"
#include "program.h"

enum { MOST_NODES = 400 };  // of a graph that goes through the passes

static const char other[] = "fn twice(x: f32[..]) {\n  x * 2\n}\n";

static void require_verified(Fuzz *f, const Graph *g) {
  Text why = text_new(f->arena);
  fuzz_require(graph_verify(g, &why), why.bytes);
}

static void compile(Fuzz *f, Program *program, int model, Mode mode, LowerWhat what) {
  Lowered *lowered = program_lower(program, model, mode, what);
  fuzz_require(lowered || f->sink->n_errors, "what is refused is reported");
  if (!lowered) return;
  require_verified(f, lowered->graph);
  if (lowered->graph->n_nodes > MOST_NODES) return;
  PassContext context = {.arena = f->arena, .sink = f->sink, .verify = true};
  const Graph *g = passes_run(&context, lowered->graph, what == LOWER_LOSS ? PASS_TRAIN : PASS_INFER, NULL, NULL);
  fuzz_require(g || f->sink->n_errors, "what is refused is reported");
  int64_t symbols[IR_MAX_SYMBOLS] = {8, 8, 8, 8};
  PlanOptions options = {0};
  if (!g) return;
  const Plan *plan = plan_make(f->arena, f->sink, g, &lowered->params, &lowered->states, symbols, &options);
  Text why = text_new(f->arena);
  fuzz_require(plan || f->sink->n_errors, "what is refused is reported");
  if (plan) fuzz_require(plan_verify(plan, &why), why.bytes);
}

void fuzz_target(Fuzz *f) {
  bool missing;
  fuzz_put(f, "x.dl", f->bytes, f->size);
  fuzz_put(f, "other.dl", (const uint8_t *)other, sizeof other - 1);
  Program *program = program_open(f->arena, f->sink, f->io, "in/x.dl", NULL, 0, &missing);
  if (missing) return;
  if (f->sink->n_errors) return program_check(program);
  for (int model = 0; model < program_model_count(program) && !f->sink->n_errors; model++) {
    compile(f, program, model, MODE_INFER, LOWER_OUTPUT);
    if (program_train(program, model) && !f->sink->n_errors) compile(f, program, model, MODE_TRAIN, LOWER_LOSS);
    if (program_search(program, model) && !f->sink->n_errors) compile(f, program, model, MODE_INFER, LOWER_SEARCH);
  }
}
