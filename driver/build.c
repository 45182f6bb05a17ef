// dlc build: a model as a C library.
#include "build.h"

#include <ctype.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "checkpoint.h"
#include "commands.h"
#include "constrain.h"
#include "memory.h"
#include "trainer.h"

extern char **environ;

// ---- names ----------------------------------------------------------------------------------------------------------

static bool is_identifier(const char *word) {
  if (!isalpha((unsigned char)*word)) return false;
  for (const char *c = word; *c; c++)
    if (!isalnum((unsigned char)*c) && *c != '_') return false;
  return !build_is_keyword(word) && strlen(word) < 64;
}

static bool choose_names(Pipeline *p, BuildNames *names) {
  Arena *arena = p->session->arena;
  const char *path = p->session->options.output ? p->session->options.output : p->model_name;
  const char *slash = strrchr(path, '/');
  *names = (BuildNames){.path = path, .prefix = slash ? slash + 1 : path};
  char *upper = arena_strdup(arena, names->prefix);
  for (char *c = upper; *c; c++) *c = (char)toupper((unsigned char)*c);
  names->upper = upper;
  if (is_identifier(names->prefix)) return true;
  Diag *diag =
      diag_error(p->session->sink, DIAG_E0601, SPAN_NONE, "'%s' cannot begin the names of C functions", names->prefix);
  diag_line(p->session->sink, diag, DIAG_HELP, "-o takes a name like %s, with no ending", p->model_name);
  return false;
}

// Where the library goes: "dir/lenet5" is "dir/liblenet5.a".
static const char *library_path(Arena *arena, const BuildNames *names, const char *ending) {
  int folder = (int)(names->prefix - names->path);
  return arena_printf(arena, "%.*slib%s%s", folder, names->path, names->prefix, ending);
}

// ---- what can become a library --------------------------------------------------------------------------------------

static bool reads_plainly(const Graph *g, const Node *node, const IndexDef *def, int k) {
  const Node *operand = graph_node(g, node->in[k]);
  for (int d = 0; d < operand->shape.rank; d++)
    if (operand->shape.dim[d].symbol && !(d == 0 && index_is(&def->reads[k].at[d], 0))) return false;
  return true;
}

static bool node_mixes(const Graph *g, const Node *node) {
  for (int d = 1; d < node->shape.rank; d++)
    if (node->shape.dim[d].symbol) return true;
  if (node->shape.rank > 0 && node->shape.dim[0].symbol && node->shape.dim[0].scale != 1) return true;
  if (node->op == OP_concat && node->axis == 0) return true;
  if (node->op == OP_gather && graph_node(g, node->in[0])->shape.rank > 0)
    return graph_node(g, node->in[0])->shape.dim[0].symbol != 0;
  if (node->op != OP_index) return node->op == OP_scatter_add;
  for (int k = 0; k < node->index->n_red; k++)
    if (node->index->extent[node->index->n_out + k].symbol) return true;
  for (int k = 0; k < node->n_in; k++)
    if (!reads_plainly(g, node, node->index, k)) return true;
  return false;
}

bool build_mixes_rows(const Graph *graph) {
  for (NodeId id = 0; (size_t)id < graph->n_nodes; id++)
    if (node_mixes(graph, graph_node(graph, id))) return true;
  return false;
}

static bool check_unit(Pipeline *p, const Unit *unit) {
  const Graph *g = unit->graph;
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    if (node->op != OP_input || !memory_is_input(node->name)) continue;
    Diag *diag = diag_error(p->session->sink, DIAG_E0607, SPAN_NONE,
                            "'%s' holds a data set: it cannot become a library", p->model_name);
    diag_line(p->session->sink, diag, DIAG_NOTE, "it reads '%s'", node->name + strlen(MEMORY_PREFIX));
    return false;
  }
  return true;
}

// ---- the steps ------------------------------------------------------------------------------------------------------

static Unit *plan_unit(Pipeline *p, Mode mode, LowerWhat what, int64_t rows) {
  p->batch = rows;
  Unit *unit = pipeline_lower(p, mode, what);
  if (!unit || !check_unit(p, unit) || !pipeline_passes(p, unit, NULL) || !pipeline_plan(p, unit)) return NULL;
  return unit;
}

static bool need_training(Pipeline *p) {
  if (p->train) return true;
  Diag *diag = diag_error(p->session->sink, DIAG_E0605, SPAN_NONE, "'%s' has no train block: --train has nothing to do",
                          p->model_name);
  diag_line(p->session->sink, diag, DIAG_HELP, "a train block says the loss and the optimizer");
  return false;
}

static bool tables_agree(const TensorTable *a, const TensorTable *b) {
  if (a->n_items != b->n_items || a->block_floats != b->block_floats) return false;
  for (int k = 0; k < a->n_items; k++)
    if (strcmp(a->items[k].path, b->items[k].path) || a->items[k].offset != b->items[k].offset) return false;
  return true;
}

// The weights of --weights, to stand in the library.
static bool read_weights(Session *session, const Lowered *lowered, BuildInput *input) {
  const char *path = session->options.weights;
  if (!path) return true;
  const TensorTable *params = &lowered->params, *states = &lowered->states;
  float *param = arena_array(session->arena, (size_t)params->block_floats + 1, sizeof *param);
  float *state = arena_array(session->arena, (size_t)states->block_floats + 1, sizeof *state);
  input->param = param;
  input->state = state;
  return weights_load(session->arena, session->sink, session->io, path, params, param, states, state);
}

static BuildForm form_of(const char *emit) {
  if (emit && !strcmp(emit, "llvm")) return BUILD_LLVM;
  return emit && !strcmp(emit, "asm") ? BUILD_ASM : BUILD_OBJECT;
}

static bool make_input(Pipeline *p, const BuildNames *names, BuildInput *input) {
  Session *session = p->session;
  const Options *options = &session->options;
  int64_t train_rows = p->batch, rows = options->batch ? options->batch : 1;
  if (options->train && !need_training(p)) return false;
  Unit *infer = plan_unit(p, MODE_INFER, LOWER_OUTPUT, rows);
  Unit *train = infer && options->train ? plan_unit(p, MODE_TRAIN, LOWER_LOSS, train_rows) : NULL;
  if (!infer || (options->train && !train)) return false;
  *input = (BuildInput){.prefix = names->prefix,
                        .infer = infer->plan,
                        .mixes = build_mixes_rows(infer->lowered->graph),
                        .seed = p->seed,
                        .target = options->target,
                        .form = form_of(options->emit)};
  if (train) {
    dlc_assert(tables_agree(infer->plan->params, train->plan->params));
    dlc_assert(tables_agree(infer->plan->states, train->plan->states));
    input->train = train->plan;
    input->training = p->train;
    input->n_slots = optimizer_slots(p->train->optimizer.kind);
    input->n_squares = clip_pieces(train->plan->params);
  }
  return (!train || trainer_freeze(session, &infer->lowered->params)) && read_weights(session, infer->lowered, input);
}

// ---- files ----------------------------------------------------------------------------------------------------------

static bool write_file(Session *session, const char *path, const char *bytes, size_t n) {
  int error = io_replace(session->io, session->arena, path, bytes, n);
  if (error) diag_error(session->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-error));
  return !error;
}

static bool write_archive(Session *session, const BuildNames *names, const BuildInput *input, const Built *built) {
  int n;
  const char **symbols = build_functions(session->arena, names, input, &n);
  Text text = text_new(session->arena);
  archive_write(arena_printf(session->arena, "%s.o", names->prefix), built->bytes, built->size, symbols, n, &text);
  return write_file(session, library_path(session->arena, names, ".a"), text.bytes, text.length);
}

// The C compiler that links for the machine: CC, else cc, or the cross compiler by Debian's name.
static const char *linker_of(Arena *arena, const Built *built) {
  const char *given = getenv("CC");
  if (given && *given) return given;
  if (built->is_host) return "cc";
  return arena_printf(arena, "%s-gcc", strcmp(built->machine, "arm") ? built->triple : "arm-linux-gnueabihf");
}

static bool run_linker(Session *session, const char *linker, const char *object, const char *library) {
  const char *const words[] = {linker, "-shared", "-o", library, object, "-lm", NULL};
  char *argv[sizeof words / sizeof *words] = {NULL};
  for (int k = 0; words[k]; k++) argv[k] = arena_strdup(session->arena, words[k]);
  pid_t child;
  int status = 0, error = posix_spawnp(&child, linker, NULL, NULL, argv, environ);
  while (!error && waitpid(child, &status, 0) < 0)
    if (errno != EINTR) error = errno;
  if (!error && status == 0) return true;
  Diag *diag =
      diag_error(session->sink, DIAG_E0652, SPAN_NONE,
                 error ? "'%s' cannot be run: %s" : "'%s' could not link the library", linker, strerror(error));
  diag_line(session->sink, diag, DIAG_HELP, "CC names another linker; --emit static needs none");
  return false;
}

static bool write_shared(Session *session, const BuildNames *names, const Built *built) {
  Arena *arena = session->arena;
  const char *object = arena_printf(arena, "%s.tmp.o", names->path);
  if (!write_file(session, object, built->bytes, built->size)) return false;
  bool ok = run_linker(session, linker_of(arena, built), object, library_path(arena, names, ".so"));
  (void)io_remove(session->io, object);
  return ok;
}

static bool write_library(Session *session, const BuildNames *names, const BuildInput *input, const Built *built) {
  const char *emit = session->options.emit ? session->options.emit : "obj";
  if (!strcmp(emit, "static")) return write_archive(session, names, input, built);
  if (!strcmp(emit, "shared")) return write_shared(session, names, built);
  const char *ending = !strcmp(emit, "llvm") ? "ll" : !strcmp(emit, "asm") ? "s" : "o";
  return write_file(session, arena_printf(session->arena, "%s.%s", names->path, ending), built->bytes, built->size);
}

static const char *what_to_link(Arena *arena, const BuildNames *names, const char *emit) {
  bool is_library = emit && (!strcmp(emit, "static") || !strcmp(emit, "shared"));
  return arena_printf(arena, is_library ? "-l%s" : "%s.o", names->prefix);
}

int command_build(Session *session) {
  Pipeline *p = pipeline_open(session);
  if (!p) return STATUS_WRONG;
  BuildNames names;
  BuildInput input;
  if (!choose_names(p, &names)) return STATUS_USAGE;
  names.link = what_to_link(session->arena, &names, session->options.emit);
  if (!make_input(p, &names, &input)) return STATUS_WRONG;
  Built *built = codegen_build(session->arena, session->sink, &input, &p->codegen);
  if (!built) return STATUS_USAGE;
  Text header = text_new(session->arena);
  build_header(p, &names, built, &input, &header);
  const char *path = arena_printf(session->arena, "%s.h", names.path);
  if (!write_file(session, path, header.bytes, header.length)) return STATUS_WRITE;
  return write_library(session, &names, &input, built) ? STATUS_DONE : STATUS_WRITE;
}
