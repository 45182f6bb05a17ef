// The stages, one after the other.
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "lint.h"
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

static double now(const Session *session) { return session->clock.seconds(session->clock.state); }

// `text` NULL: the file's.
static Pipeline *read_program(Session *session, const char *text) {
  const Options *options = &session->options;
  double start = now(session);
  Pipeline *p = arena_alloc(session->arena, sizeof *p);
  *p = (Pipeline){.session = session, .path = options->operands[0], .model = -1};
  bool missing;
  if (text)
    p->program = program_from_text(session->arena, session->sink, session->io, p->path, text, options->settings,
                                   options->n_settings);
  else
    p->program = program_open(session->arena, session->sink, session->io, p->path, options->settings,
                              options->n_settings, &missing);
  p->read_s = now(session) - start;
  if (session->sink->n_errors == 0) return p;
  program_check(p->program);  // what else is wrong, in one run
  return NULL;
}

Pipeline *pipeline_read(Session *session) { return read_program(session, NULL); }
Pipeline *pipeline_read_text(Session *session, const char *text) {
  return read_program(session, arena_strdup(session->arena, text));
}

// Where machine code is kept between runs: the folder that DLC_CACHE names, else dlc in the user's cache folder. NULL
// where DLC_CACHE is "off" or there is no such folder.
static const char *cache_folder(Arena *arena) {
  const char *given = getenv("DLC_CACHE"), *shared = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (given && *given) return strcmp(given, "off") ? given : NULL;
  if (shared && *shared == '/') return arena_printf(arena, "%s/dlc", shared);
  return home && *home == '/' ? arena_printf(arena, "%s/.cache/dlc", home) : NULL;
}

static CodegenOptions codegen_options(const Pipeline *p) {
  return (CodegenOptions){.cpu = p->session->options.cpu,
                          .fast = p->fast,
                          .threads = session_threads(p->session),
                          .io = p->session->io,
                          .cache = cache_folder(p->session->arena),
                          .symbols = p->session->symbols};
}

void pipeline_choose(Pipeline *p, int model) {
  const Options *options = &p->session->options;
  p->model = model;
  p->model_name = program_model_name(p->program, model);
  p->train = override_train(p);
  p->batch = options->batch ? options->batch : p->train ? p->train->batch : 1;
  p->seed = options->has_seed ? options->seed : p->train ? p->train->seed : 0;
  p->fast = options->numerics ? strcmp(options->numerics, "fast") == 0 : p->train && p->train->fast;
  p->codegen = codegen_options(p);
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
  double start = now(p->session);
  Lowered *lowered = program_lower(p->program, p->model, mode, what);
  if (!lowered) {
    program_check(p->program);
    return NULL;
  }
  Unit *unit = arena_alloc(p->session->arena, sizeof *unit);
  *unit = (Unit){.mode = mode, .lowered = lowered, .graph = lowered->graph, .lower_s = now(p->session) - start};
  bool trains = mode == MODE_TRAIN && what == LOWER_LOSS;
  if (trains && !lint_norms(p->session->sink, lowered->graph, p->batch)) return NULL;
  return !p->opens_data || memory_bind(p, unit) ? unit : NULL;
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
  double start = now(session);
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
  unit->passes_s = now(session) - start;
  return true;
}

bool pipeline_plan(Pipeline *p, Unit *unit) {
  const Options *options = &p->session->options;
  double start = now(p->session);
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
  unit->plan_s = now(p->session) - start;
  return unit->plan != NULL;
}

static void verify_keys(Pipeline *p, const Unit *unit) {
#ifdef DLC_VERIFY
  Arena *arena = arena_beside(p->session->arena);
  Text why = text_new(arena);
  DiagSink *sink = diag_sink_new(arena);
  if (codegen_verify_keys(codegen_key_book(arena), sink, unit->plan, &p->codegen, &why) < 0 && !sink->n_errors)
    dlc_bug("%s", why.bytes);
  arena_free(arena);
#else
  (void)p, (void)unit;
#endif
}

bool pipeline_codegen(Pipeline *p, Unit *unit) {
  verify_keys(p, unit);
  double start = now(p->session);
  unit->compiled = codegen_jit(p->session->arena, p->session->sink, unit->plan, &p->codegen);
  unit->codegen_s = now(p->session) - start;
  return unit->compiled != NULL;
}

Unit *pipeline_build(Pipeline *p, Mode mode, LowerWhat what) {
  Unit *unit = pipeline_lower(p, mode, what);
  if (!unit || !pipeline_passes(p, unit, NULL) || !pipeline_plan(p, unit)) return NULL;
  return pipeline_codegen(p, unit) ? unit : NULL;
}

void pipeline_release(Unit *unit) {
  if (unit) codegen_free(unit->compiled);
}
