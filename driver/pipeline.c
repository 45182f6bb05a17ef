// The stages, one after the other.
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

// ---- opening --------------------------------------------------------------------------------------------------------

int pipeline_find(Pipeline *p) {
  const char *wanted = p->session->options.model;
  DiagSink *sink = p->session->sink;
  int count = program_model_count(p->program), found = program_find_model(p->program, wanted);
  if (found >= 0) return found;
  if (!wanted) {
    diag_error(sink, DIAG_E0605, SPAN_NONE, "%s has no model", p->path);
    return -1;
  }
  const char **names = arena_array(p->session->arena, (size_t)count, sizeof *names);
  for (int k = 0; k < count; k++) names[k] = program_model_name(p->program, k);
  const char *nearest = text_nearest(wanted, names, (size_t)count);
  diag_error(sink, DIAG_E0605, SPAN_NONE, nearest ? "%s has no model '%s'; did you mean '%s'?" : "%s has no model '%s'",
             p->path, wanted, nearest);
  return -1;
}

// The train block with what the command line says instead.
static TrainSpec *override_train(const Pipeline *p) {
  const TrainSpec *written = program_train(p->program, p->model);
  if (!written) return NULL;
  const Options *options = &p->session->options;
  TrainSpec *train = arena_alloc(p->session->arena, sizeof *train);
  *train = *written;
  if (options->batch) train->batch = options->batch;
  if (options->has_seed) train->seed = options->seed;
  if (options->numerics) train->fast = strcmp(options->numerics, "fast") == 0;
  if (options->steps) train->steps = options->steps;
  if (options->epochs) {
    train->epochs = options->epochs;
    if (!options->steps) train->steps = 0;
  }
  return train;
}

Pipeline *pipeline_read(Session *session) {
  const Options *options = &session->options;
  Pipeline *p = arena_alloc(session->arena, sizeof *p);
  *p = (Pipeline){.session = session, .path = options->operands[0], .model = -1};
  bool missing;
  p->program = program_open(session->arena, session->sink, session->io, p->path, options->settings, options->n_settings,
                            &missing);
  if (session->sink->n_errors == 0) return p;
  program_check(p->program);  // what else is wrong, in one run
  return NULL;
}

void pipeline_choose(Pipeline *p, int model) {
  const Options *options = &p->session->options;
  p->model = model;
  p->model_name = program_model_name(p->program, model);
  p->train = override_train(p);
  p->batch = options->batch ? options->batch : p->train ? p->train->batch : 1;
  p->seed = options->has_seed ? options->seed : p->train ? p->train->seed : 0;
  p->fast = options->numerics ? strcmp(options->numerics, "fast") == 0 : p->train && p->train->fast;
  p->codegen = (CodegenOptions){.cpu = options->cpu, .fast = p->fast, .threads = session_threads(p->session)};
}

Pipeline *pipeline_open(Session *session) {
  Pipeline *p = pipeline_read(session);
  int model = p ? pipeline_find(p) : -1;
  if (model < 0) return NULL;
  pipeline_choose(p, model);
  return p;
}

const char *pipeline_data_root(const Pipeline *p, const SourceSpec *source) {
  const char *given = p->session->options.data;
  if (!given) given = getenv("DLC_DATA");
  if (given && *given) return given;
  const Source *text = diag_source(p->session->sink, source->span.file);
  const char *path = text ? text->path : p->path, *slash = strrchr(path, '/');
  return slash ? arena_strndup(p->session->arena, path, (size_t)(slash - path) + (slash == path)) : ".";
}

// ---- the stages -----------------------------------------------------------------------------------------------------

LowerWhat pipeline_what(const Pipeline *p, Mode mode) {
  if (mode == MODE_INFER) return LOWER_OUTPUT;
  return p->train ? LOWER_LOSS : LOWER_BENCH;
}

Mode pipeline_mode(const Pipeline *p) {
  const char *given = p->session->options.mode;
  if (given) return strcmp(given, "train") == 0 ? MODE_TRAIN : MODE_INFER;
  return p->train ? MODE_TRAIN : MODE_INFER;
}

Unit *pipeline_lower(Pipeline *p, Mode mode, LowerWhat what) {
  Lowered *lowered = program_lower(p->program, p->model, mode, what);
  if (!lowered) {
    program_check(p->program);
    return NULL;
  }
  Unit *unit = arena_alloc(p->session->arena, sizeof *unit);
  *unit = (Unit){.mode = mode, .lowered = lowered, .graph = lowered->graph};
  return unit;
}

Unit *pipeline_wrap(Pipeline *p, Graph *graph) {
  Unit *unit = arena_alloc(p->session->arena, sizeof *unit);
  Lowered *lowered = arena_alloc(p->session->arena, sizeof *lowered);
  lowered->graph = graph;
  *unit = (Unit){.mode = MODE_INFER, .lowered = lowered, .graph = graph};
  return unit;
}

static bool has_loss(const Graph *g) {
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_LOSS) return true;
  return false;
}

bool pipeline_passes(Pipeline *p, Unit *unit, const char *stop_after) {
  Session *session = p->session;
  PassContext context = {.arena = session->arena,
                         .sink = session->sink,
                         .fast = p->fast,
                         .direct = !strcmp(session->options.conv, "direct"),
                         .grad_inputs = p->grad_inputs,
                         .n_grad_inputs = p->n_grad_inputs};
#ifdef DLC_VERIFY
  context.verify = true;
#endif
  PassMode mode = unit->mode == MODE_TRAIN && has_loss(unit->graph) ? PASS_TRAIN : PASS_INFER;
  const Graph *result = passes_run(&context, unit->graph, mode, session->options.passes, stop_after);
  if (!result) return false;
  unit->graph = result;
  return true;
}

bool pipeline_plan(Pipeline *p, Unit *unit) {
  const Options *options = &p->session->options;
  int64_t *symbol_values = arena_array(p->session->arena, IR_MAX_SYMBOLS, sizeof *symbol_values);
  for (int k = 0; k < IR_MAX_SYMBOLS; k++) symbol_values[k] = p->batch;
  for (int k = 0; unit->memory && k < unit->memory->n_items; k++)
    symbol_values[unit->memory->items[k].symbol] = unit->memory->items[k].rows;
  PlanOptions plan = {.no_fuse = options->no_fuse,
                      .memory_limit = options->memory_limit ? options->memory_limit
                                      : p->train            ? p->train->memory_bytes
                                                            : 0};
  unit->plan = plan_make(p->session->arena, p->session->sink, unit->graph, &unit->lowered->params,
                         &unit->lowered->states, symbol_values, &plan);
  return unit->plan != NULL;
}

bool pipeline_codegen(Pipeline *p, Unit *unit) {
  unit->compiled = codegen_jit(p->session->arena, p->session->sink, unit->plan, &p->codegen);
  return unit->compiled != NULL;
}

Unit *pipeline_build(Pipeline *p, Mode mode, LowerWhat what) {
  Unit *unit = pipeline_lower(p, mode, what);
  if (!unit || (p->opens_data && !memory_bind(p, unit)) || !pipeline_passes(p, unit, NULL) || !pipeline_plan(p, unit))
    return NULL;
  return pipeline_codegen(p, unit) ? unit : NULL;
}

void pipeline_release(Unit *unit) {
  if (unit) codegen_free(unit->compiled);
}
