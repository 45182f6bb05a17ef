// libdlc: the compiler's stages behind dlc.h. A model is a session of its own, without a command: an arena, a guard, a
// sink. What a call reports is rendered into its messages and forgotten by the next.
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "library_inside.h"

_Static_assert((int)DLC_FLOAT == (int)DT_F32 && (int)DLC_INT == (int)DT_I32 && (int)DLC_BOOL == (int)DT_BOOL, "types");
_Static_assert((int)DLC_DIVERGED == STATUS_DIVERGED && (int)DLC_DATA == STATUS_DATA, "statuses are exit statuses");

// ---- a call ---------------------------------------------------------------------------------------------------------

// Rounding to nearest and denormals kept, for the time of a call; the team's threads have nothing else.
static uint64_t float_mode(void) {
#if defined(__x86_64__)
  return __builtin_ia32_stmxcsr();
#else
  return 0;
#endif
}

static void set_float_mode(uint64_t mode) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr((unsigned)mode);
#else
  (void)mode;
#endif
}
enum { USUAL_FLOAT_MODE = 0x1f80 };

bool library_begin(DlcModel *model) {
  if (!model) return false;
  model->float_mode = float_mode();
  set_float_mode(USUAL_FLOAT_MODE);
  model->session.sink->n_items = model->session.sink->n_errors = 0;
  text_clear(&model->messages);
  model->status = DLC_DONE;
  return true;
}

int library_end(DlcModel *model, int status) {
  DiagSink *sink = model->session.sink;
  int said = session_status(sink);
  if (sink->n_items) diag_render(sink, false, &model->messages);
  set_float_mode(model->float_mode);
  return model->status = said ? said : status;
}

int library_lacks_memory(DlcModel *model) {
  static char text[] = "out of memory\n";
  model->messages = (Text){.arena = model->session.arena, .bytes = text, .length = sizeof text - 1};
  set_float_mode(model->float_mode);
  return model->status = DLC_RESOURCE;
}

int library_refuse(DlcModel *model, const char *what) {
  diag_error(model->session.sink, DIAG_E0605, SPAN_NONE, "%s", what);
  return DLC_USAGE;
}

int dlc_status(const DlcModel *model) { return model ? model->status : DLC_USAGE; }
const char *dlc_messages(const DlcModel *model) { return model && model->messages.bytes ? model->messages.bytes : ""; }

const char *dlc_version(void) { return DLC_VERSION " (" DLC_LLVM_VERSION ")"; }

// ---- opening --------------------------------------------------------------------------------------------------------

static bool read_settings(Session *session, const DlcOptions *options) {
  Setting *settings = arena_array(session->arena, options->n_settings, sizeof *settings);
  for (size_t k = 0; k < options->n_settings; k++) {
    const char *text = options->settings[k], *equals = text ? strchr(text, '=') : NULL;
    if (!equals || equals == text || !equals[1]) {
      diag_error(session->sink, DIAG_E0606, SPAN_NONE, "a setting is NAME=VALUE, not '%s'", text ? text : "");
      return false;
    }
    settings[k] = (Setting){arena_strndup(session->arena, text, (size_t)(equals - text)),
                            arena_strdup(session->arena, equals + 1)};
  }
  session->options.settings = settings;
  session->options.n_settings = (int)options->n_settings;
  return true;
}

static bool read_options(DlcModel *m, const char *path) {
  Session *session = &m->session;
  Options *to = &session->options;
  const DlcOptions *from = &m->options;
  const char **operand = arena_alloc(session->arena, sizeof *operand);
  *operand = arena_strdup(session->arena, path);
  *to = (Options){.cpu = from->cpu ? arena_strdup(session->arena, from->cpu) : "native",
                  .conv = "auto",
                  .operands = operand,
                  .n_operands = 1,
                  .model = from->model ? arena_strdup(session->arena, from->model) : NULL,
                  .numerics = from->fast ? "fast" : NULL,
                  .batch = from->batch,
                  .threads = from->threads > 0 ? from->threads : 1,
                  .memory_limit = from->memory_limit};
  if (from->cache) m->options.cache = arena_strdup(session->arena, from->cache);
  if (from->batch < 0 || from->memory_limit < 0)
    diag_error(session->sink, DIAG_E0605, SPAN_NONE, "options.batch and options.memory_limit are not negative");
  return read_settings(session, from) && !session->sink->n_errors;
}

static int open_program(DlcModel *m, const char *path, const char *text) {
  if (!path) return library_refuse(m, "the program has no name");
  if (!read_options(m, path)) return DLC_USAGE;
  Pipeline *p = m->pipeline = text ? pipeline_read_text(&m->session, text) : pipeline_read(&m->session);
  int model = p ? pipeline_find(p) : -1;
  if (model < 0) return DLC_WRONG;
  pipeline_choose(p, model);
  p->codegen.cache = m->options.cache;
  if (m->options.train && !p->train) return library_refuse(m, "the model has no train block");
  int64_t train_rows = p->batch;
  p->batch = m->options.batch ? m->options.batch : 1;
  m->infer = pipeline_lower(p, MODE_INFER, LOWER_OUTPUT);
  p->batch = train_rows;
  if (m->infer && m->options.train) m->train = pipeline_lower(p, MODE_TRAIN, LOWER_LOSS);
  if (!m->infer || (m->options.train && !m->train)) return DLC_WRONG;
  const Graph *g = m->infer->graph;
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++)
    if (graph_node(g, id)->op == OP_input && !strncmp(graph_node(g, id)->name, MEMORY_PREFIX, strlen(MEMORY_PREFIX)))
      return library_refuse(m, "the model holds a data set as memory");
  return DLC_DONE;
}

static int open_guarded(DlcModel *m, const char *path, const char *text) {
  LIBRARY_CALL(m, open_program(m, path, text));
}

static bool start(DlcModel *m) {
  if (setjmp(m->session.guard.jump)) return false;
  m->session.sink = diag_sink_new(m->session.arena);
  m->messages = text_new(m->session.arena);
  return true;
}

static DlcModel *open_model(const char *path, const char *text, const DlcOptions *options) {
  DlcModel *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->session.io = io_system();
  m->session.clock = clock_system();
  m->session.arena = arena_new(allocator_system(), &m->session.guard);
  if (!m->session.arena || !start(m)) {
    arena_free(m->session.arena);
    free(m);
    return NULL;
  }
  if (options) m->options = *options;
  (void)open_guarded(m, path, text);
  return m;
}

DlcModel *dlc_open(const char *path, const DlcOptions *options) { return open_model(path, NULL, options); }

DlcModel *dlc_open_text(const char *name, const char *text, const DlcOptions *options) {
  return open_model(name, text ? text : "", options);
}

void dlc_close(DlcModel *m) {
  if (!m) return;
  team_free(m->team);
  pipeline_release(m->infer);
  pipeline_release(m->train);
  arena_free(m->session.arena);
  free(m);
}

// ---- what there is --------------------------------------------------------------------------------------------------

static int describe_shape(const char *name, DType type, const Shape *shape, DlcValue *value) {
  *value = (DlcValue){.name = name, .type = (int)type, .rank = shape->rank};
  for (int d = 0; d < shape->rank; d++) value->dim[d] = shape->dim[d].symbol ? -1 : shape->dim[d].scale;
  return DLC_DONE;
}

// The k-th input of the graph; with value NULL: how many there are.
static size_t find_input(const Graph *g, size_t k, DlcValue *value) {
  size_t n = 0;
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    if (node->op != OP_input) continue;
    if (value && n == k) describe_shape(node->name, node->type, &node->shape, value);
    n++;
  }
  return n;
}

static size_t find_result(const Graph *g, size_t k, DlcValue *value) {
  size_t n = 0;
  for (size_t o = 0; o < g->n_outputs; o++) {
    if (g->outputs[o].kind != OUT_RESULT) continue;
    const Node *node = graph_node(g, g->outputs[o].value);
    if (value && n == k) describe_shape(g->outputs[o].name, node->type, &node->shape, value);
    n++;
  }
  return n;
}

static const TensorTable *table_of(const DlcModel *m, int kind) {
  return kind == DLC_PARAMETERS ? &m->infer->lowered->params : kind == DLC_STATES ? &m->infer->lowered->states : NULL;
}

static size_t find_tensor(const TensorTable *table, size_t k, DlcValue *value) {
  if (value && k < (size_t)table->n_items) {
    const TensorInfo *info = &table->items[k];
    *value = (DlcValue){.name = info->path, .type = DLC_FLOAT, .rank = info->rank};
    memcpy(value->dim, info->dim, sizeof *info->dim * (size_t)info->rank);
  }
  return (size_t)table->n_items;
}

static size_t find(const DlcModel *m, int kind, size_t k, DlcValue *value) {
  if (!m || !m->infer || (m->options.train && !m->train)) return 0;
  if (kind == DLC_INPUTS) return find_input(m->infer->lowered->graph, k, value);
  if (kind == DLC_OUTPUTS) return find_result(m->infer->lowered->graph, k, value);
  if (kind == DLC_FIELDS) return m->train ? find_input(m->train->lowered->graph, k, value) : 0;
  const TensorTable *table = table_of(m, kind);
  return table ? find_tensor(table, k, value) : 0;
}

size_t dlc_count(const DlcModel *model, int kind) { return find(model, kind, 0, NULL); }

int dlc_describe(const DlcModel *model, int kind, size_t k, DlcValue *value) {
  if (!value || k >= dlc_count(model, kind)) return DLC_USAGE;
  find(model, kind, k, value);
  return DLC_DONE;
}

float *dlc_values(DlcModel *model, int kind, size_t k) {
  if (!model || !model->predicts || (kind != DLC_PARAMETERS && kind != DLC_STATES)) return NULL;
  if (k >= dlc_count(model, kind)) return NULL;
  float *block = kind == DLC_PARAMETERS ? model->predicts->param : model->predicts->state;
  return block + table_of(model, kind)->items[k].offset;
}
