// dlc import: an ONNX model as a program and its weights. The program that comes out of it is checked as any other is,
// and says how its parameters are called; only then both files are written.
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bindings.h"
#include "checkpoint.h"
#include "commands.h"
#include "onnx.h"
#include "pipeline.h"

typedef struct Import {
  Session *session;
  const char *base;   // where the results go, without an ending
  const char *model;  // what the model is called
  OnnxProgram *program;
  NamedTensor *tensors;
  int n_tensors;
} Import;

static const char *last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// A model called as a function of the library would hide it from its own body.
static bool is_library_name(Arena *arena, const char *name) {
  int count;
  const char *const *names = program_std_names(arena, &count);
  for (int k = 0; k < count; k++)
    if (!strcmp(names[k], name)) return true;
  return false;
}

// Not a word of the language.
static bool name_is_free(const char *name) {
  static const char *const words[] = {"param", "state", "memory", "return", "if",    "else", "for", "repeat",
                                      "use",   "const", "fn",     "model",  "layer", "in",   "as",  "and",
                                      "or",    "not",   "where",  "while",  "true",  "false"};
  for (size_t k = 0; k < sizeof words / sizeof *words; k++)
    if (!strcmp(words[k], name)) return false;
  return true;
}

// A name that the language takes: letters, digits and underscores, from a letter on.
static const char *model_name(Arena *arena, const char *base) {
  char *name = arena_printf(arena, "%s", last_part(base));
  for (char *c = name; *c; c++) {
    bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
    if (!letter && !(*c >= '0' && *c <= '9')) *c = '_';
  }
  bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
  if (!letter || !name_is_free(name) || is_library_name(arena, name)) return arena_printf(arena, "model_%s", name);
  return name;
}

// -o NAME, or the model's path without its ending.
static const char *result_base(Session *session) {
  const char *given = session->options.output;
  const char *path = given ? given : session->options.operands[0];
  size_t length = strlen(path);
  const char *ending = given ? ".dl" : ".onnx";
  if (length > strlen(ending) && !strcmp(path + length - strlen(ending), ending)) length -= strlen(ending);
  return arena_strndup(session->arena, path, length);
}

// --input: what is held fixed. --set: named sizes. False after reporting.
static bool read_asked(Session *session, OnnxAsked *asked) {
  Arena *arena = session->arena;
  const Options *options = &session->options;
  NamedFiles files = bindings_parse(arena, options->input ? options->input : "");
  OnnxFixed *fixed = arena_array(arena, (size_t)files.n_items, sizeof *fixed);
  for (int k = 0; k < files.n_items; k++) {
    NpyArray array;
    if (!files.items[k].name) {
      diag_error(session->sink, DIAG_E0601, SPAN_NONE, "--input takes NAME=X.npy, not '%s'", files.items[k].path);
      return false;
    }
    if (!npy_read(arena, session->sink, session->io, files.items[k].path, &array)) return false;
    fixed[k] = (OnnxFixed){.name = files.items[k].name, .type = array.type, .rank = array.rank, .data = array.data};
    memcpy(fixed[k].dim, array.dim, sizeof fixed[k].dim);
  }
  OnnxSize *sizes = arena_array(arena, (size_t)options->n_settings, sizeof *sizes);
  for (int k = 0; k < options->n_settings; k++) {
    char *end;
    errno = 0;
    sizes[k] = (OnnxSize){options->settings[k].name, strtoll(options->settings[k].value, &end, 10)};
    if (!*end && !errno && sizes[k].size >= 1 && sizes[k].size <= INT32_MAX) continue;
    diag_error(session->sink, DIAG_E0601, SPAN_NONE, "--set %s takes a size, not '%s'", sizes[k].name,
               options->settings[k].value);
    return false;
  }
  asked->fixed = fixed;
  asked->n_fixed = files.n_items;
  asked->sizes = sizes;
  asked->n_sizes = options->n_settings;
  return true;
}

// ---- the program that came out
// ----------------------------------------------------------------------------------------------

static void name_tensors(Import *im, const TensorTable *table, const OnnxTensor *tensors, int n) {
  if (table->n_items != n) dlc_bug("the imported program has %d tensors, not %d", table->n_items, n);
  for (int k = 0; k < n; k++) {
    const TensorInfo *info = &table->items[k];
    if (info->rank != tensors[k].rank || info->count != tensors[k].count)
      dlc_bug("'%s' of the imported program does not have the shape of '%s'", info->path, tensors[k].source);
    NamedTensor *to = &im->tensors[im->n_tensors++];
    *to = (NamedTensor){.name = info->path, .type = DATA_F32, .rank = info->rank, .data = tensors[k].data};
    memcpy(to->dim, info->dim, sizeof to->dim);
  }
}

// What the language says against the program is said of the model.
static bool report_program(Import *im, const DiagSink *found) {
  Diag *diag =
      diag_error(im->session->sink, DIAG_E0420, SPAN_NONE,
                 "'%s' cannot be imported: the program that it becomes is none", im->session->options.operands[0]);
  for (size_t k = 0; k < found->n_items && k < 3; k++) {
    const Diag *item = found->items[k];
    const Source *source = diag_source(found, item->span.file);
    uint32_t line = 0, column = 0;
    if (source) diag_position(source, item->span.begin, &line, &column);
    diag_line(im->session->sink, diag, DIAG_NOTE, "line %u of the program: %s", line, item->message);
  }
  return false;
}

static bool check_program(Import *im) {
  Session *session = im->session;
  DiagSink *sink = diag_sink_new(session->arena);
  const char *path = arena_printf(session->arena, "%s.dl", im->base);
  Program *program = program_from_text(session->arena, sink, session->io, path, im->program->text, NULL, 0);
  Lowered *lowered = sink->n_errors ? NULL : program_lower(program, 0, MODE_INFER, LOWER_OUTPUT);
  if (!lowered || sink->n_errors) return report_program(im, sink);
  im->tensors =
      arena_array(session->arena, (size_t)(lowered->params.n_items + lowered->states.n_items), sizeof *im->tensors);
  name_tensors(im, &lowered->params, im->program->params, im->program->n_params);
  name_tensors(im, &lowered->states, im->program->states, im->program->n_states);
  return true;
}

// ---- what is told
// -----------------------------------------------------------------------------------------------------------

static void add_ports(cJSON *root, const char *name, const OnnxPort *ports, int n) {
  cJSON *list = cJSON_AddArrayToObject(root, name);
  for (int k = 0; k < n; k++) {
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "name", ports[k].name);
    cJSON_AddStringToObject(item, "source", ports[k].source);
    cJSON_AddStringToObject(item, "type", ports[k].type);
    cJSON_AddItemToObject(item, "axes", cJSON_CreateIntArray(ports[k].axis, ports[k].rank));
    cJSON_AddItemToArray(list, item);
  }
}

static void print_json(const Import *im, int64_t parameters) {
  cJSON *root = cJSON_CreateObject();
  cJSON_AddStringToObject(root, "model", im->model);
  cJSON_AddNumberToObject(root, "nodes", im->program->n_nodes);
  cJSON_AddNumberToObject(root, "parameters", (double)parameters);
  cJSON_AddNumberToObject(root, "tensors", im->n_tensors);
  add_ports(root, "inputs", im->program->inputs, im->program->n_inputs);
  add_ports(root, "outputs", im->program->outputs, im->program->n_outputs);
  char *text = cJSON_PrintUnformatted(root);
  text_printf(&im->session->out, "%s\n", text ? text : "");
  cJSON_free(text);
  cJSON_Delete(root);
}

static void print_port(Session *session, const char *what, const OnnxPort *port) {
  bool turned = false;
  for (int p = 0; p < port->rank; p++) turned |= port->axis[p] != p;
  text_printf(&session->out, "%-8s %s: %s", what, port->name, port->type);
  if (strcmp(port->name, port->source) != 0) text_printf(&session->out, ", the model's '%s'", port->source);
  if (turned) text_add(&session->out, port->axis[port->rank - 1] == 1 ? ", channels last" : ", turned");
  text_add(&session->out, "\n");
}

static void print_summary(const Import *im, int64_t parameters) {
  Session *session = im->session;
  text_printf(&session->out, "%s.dl: %d nodes", im->base, im->program->n_nodes);
  if (im->n_tensors) text_printf(&session->out, "; %s.safetensors: %lld parameters", im->base, (long long)parameters);
  text_add(&session->out, "\n");
  for (int k = 0; k < im->program->n_inputs; k++) print_port(session, "input", &im->program->inputs[k]);
  for (int k = 0; k < im->program->n_outputs; k++) print_port(session, "output", &im->program->outputs[k]);
}

// Without -o the files lie beside the model, where the program that it was exported from may lie: that one stays.
static bool may_replace(Import *im) {
  Session *session = im->session;
  const char *path = arena_printf(session->arena, "%s.dl", im->base), *made = "# Made by dlc import from ";
  char *text;
  size_t size;
  if (session->options.output || io_read_file(session->io, session->arena, path, 1 << 26, &text, &size)) return true;
  if (size >= strlen(made) && memcmp(text, made, strlen(made)) == 0) return true;
  Diag *diag = diag_error(session->sink, DIAG_E0651, SPAN_NONE,
                          "cannot write '%s': a program is there that dlc import did not make", path);
  diag_line(session->sink, diag, DIAG_HELP, "-o NAME gives another place");
  return false;
}

// The weights first: a program is there only with what it needs.
static int write_files(Import *im) {
  Session *session = im->session;
  const char *weights = arena_printf(session->arena, "%s.safetensors", im->base);
  const char *path = arena_printf(session->arena, "%s.dl", im->base), *at = weights;
  int error =
      im->n_tensors ? safetensors_write(session->io, session->arena, weights, im->tensors, im->n_tensors, NULL) : 0;
  if (!error) error = io_replace(session->io, session->arena, at = path, im->program->text, strlen(im->program->text));
  if (!error) return STATUS_DONE;
  if (at == path && im->n_tensors) io_remove(session->io, weights);
  diag_error(session->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", at, strerror(-error));
  return STATUS_WRITE;
}

int command_import(Session *session) {
  Import im = {.session = session, .base = result_base(session)};
  OnnxAsked asked = {.model = im.model = model_name(session->arena, im.base)};
  if (!read_asked(session, &asked)) return STATUS_USAGE;
  im.program = onnx_import(session->arena, session->sink, session->io, session->options.operands[0], &asked);
  if (!im.program || !check_program(&im)) return STATUS_DATA;
  int status = may_replace(&im) ? write_files(&im) : STATUS_WRITE;
  if (status != STATUS_DONE) return status;
  int64_t parameters = 0;
  for (int k = 0; k < im.program->n_params; k++) parameters += im.program->params[k].count;
  if (session->options.json)
    print_json(&im, parameters);
  else if (!session->options.quiet)
    print_summary(&im, parameters);
  return STATUS_DONE;
}
