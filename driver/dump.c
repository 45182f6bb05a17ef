// dlc dump: what the compiler holds after a stage, as text on standard output.
#include "commands.h"
#include "pipeline.h"

#include <string.h>

// ---- before there is a checked program ------------------------------------------------------------------------------

// Tokens and the syntax tree are shown of any text, also of one with mistakes further on.
static int dump_text(Session *session, bool tokens) {
  const char *path = session->options.operands[0];
  uint32_t file = program_read_source(session->arena, session->sink, session->io, path, SPAN_NONE);
  if (!file) return STATUS_DATA;
  if (tokens)
    tokens_print(session->arena, session->sink, file, &session->out);
  else
    ast_print(ast_parse(session->arena, session->sink, file), &session->out);
  return STATUS_DONE;
}

// ---- stages of the pipeline -----------------------------------------------------------------------------------------

static bool dump_ir(Pipeline *p, Unit *unit) {
  graph_print(unit->graph, &p->session->out);
  return true;
}

static bool dump_grad(Pipeline *p, Unit *unit) {
  if (unit->mode == MODE_INFER) {
    diag_error(p->session->sink, DIAG_E0605, SPAN_NONE, "--stage grad needs --mode train: inference has no gradients");
    return false;
  }
  if (!pipeline_passes(p, unit, p->session->options.passes ? NULL : "autodiff")) return false;
  return dump_ir(p, unit);
}

static bool planned(Pipeline *p, Unit *unit) { return pipeline_passes(p, unit, NULL) && pipeline_plan(p, unit); }

static bool dump_fused(Pipeline *p, Unit *unit) {
  if (planned(p, unit)) plan_print_groups(unit->plan, &p->session->out);
  return unit->plan != NULL;
}

static bool dump_plan(Pipeline *p, Unit *unit) {
  if (planned(p, unit)) plan_print_memory(unit->plan, &p->session->out);
  return unit->plan != NULL;
}

static bool dump_loops(Pipeline *p, Unit *unit) {
  Session *s = p->session;
  return planned(p, unit) && codegen_print_loops(s->arena, s->sink, unit->plan, &p->codegen, &s->out);
}

static bool dump_llvm(Pipeline *p, Unit *unit) {
  Session *s = p->session;
  return planned(p, unit) && codegen_print_llvm(s->arena, s->sink, unit->plan, &p->codegen, &s->out);
}

static bool dump_asm(Pipeline *p, Unit *unit) {
  Session *s = p->session;
  return planned(p, unit) && codegen_print_asm(s->arena, s->sink, unit->plan, &p->codegen, &s->out);
}

static const struct {
  const char *name;
  bool (*print)(Pipeline *p, Unit *unit);
} stages[] = {{"ir", dump_ir},     {"grad", dump_grad}, {"fused", dump_fused}, {"loops", dump_loops},
              {"plan", dump_plan}, {"llvm", dump_llvm}, {"asm", dump_asm}};

// Gradients are of the training version, also where the model has no train block.
static Mode stage_mode(const Pipeline *p, const char *stage) {
  if (!p->session->options.mode && strcmp(stage, "grad") == 0) return MODE_TRAIN;
  return pipeline_mode(p);
}

static int dump_stage(Session *session, const char *stage) {
  Pipeline *p = pipeline_open(session);
  if (!p) return STATUS_WRONG;
  Mode mode = stage_mode(p, stage);
  Unit *unit = pipeline_lower(p, mode, pipeline_what(p, mode));
  if (!unit) return STATUS_WRONG;
  for (size_t k = 0; k < sizeof stages / sizeof *stages; k++)
    if (strcmp(stages[k].name, stage) == 0) return stages[k].print(p, unit) ? STATUS_DONE : STATUS_WRONG;
  dlc_bug("stage %s has a row in options.c and none in dump.c", stage);
}

int command_dump(Session *session) {
  const char *stage = session->options.stage;
  if (!stage) {
    Diag *diag = diag_error(session->sink, DIAG_E0601, SPAN_NONE, "dlc dump needs --stage");
    diag_line(session->sink, diag, DIAG_HELP, "one of tokens, ast, ir, grad, fused, loops, plan, llvm, asm");
    return STATUS_USAGE;
  }
  if (strcmp(stage, "tokens") == 0 || strcmp(stage, "ast") == 0) return dump_text(session, stage[0] == 't');
  return dump_stage(session, stage);
}
