// Opening programs: files and what they use, the tables of declarations, settings from outside; and the standard
// library's text.
#include "program.h"

#include <errno.h>
#include <string.h>

#include "blocks_keys.h"

extern const char std_text[];
extern const size_t std_text_length;

enum {
  PROGRAM_MAX_BYTES = 64 * 1024 * 1024,  // of one file: a graph's text may be long
  PROGRAM_MAX_USES = 64                  // files that use files that use files
};

// ---- files ----------------------------------------------------------------------------------------------------------

static void report_unreadable(DiagSink *sink, const char *path, Span span, int error) {
  switch (error) {
    case -EISDIR:
      diag_error(sink, DIAG_E0402, span, "'%s' is a folder, not a file", path);
      break;
    case -EINVAL:
      diag_error(sink, DIAG_E0402, span, "'%s' is not a regular file", path);
      break;
    case -EFBIG:
      diag_error(sink, DIAG_E0402, span, "'%s' is larger than %d MiB", path, PROGRAM_MAX_BYTES / 1024 / 1024);
      break;
    default:
      diag_error(sink, DIAG_E0401, span, "cannot read '%s': %s", path, strerror(-error));
  }
}

uint32_t program_read_source(Arena *arena, DiagSink *sink, Io io, const char *path, Span span) {
  char *text;
  size_t size;
  int error = io_read_file(io, arena, path, PROGRAM_MAX_BYTES, &text, &size);
  if (error == 0) return diag_add_source(sink, path, text, size);
  report_unreadable(sink, path, span, error);
  return 0;
}

// A path as seen from the folder of `from`.
static const char *path_beside(Arena *arena, const char *from, const char *path) {
  const char *slash = strrchr(from, '/');
  if (path[0] == '/' || !slash) return path;
  return arena_printf(arena, "%.*s%s", (int)(slash - from + 1), from, path);
}

// The path without "." and "name/..": two paths of one file compare equal (links apart).
static const char *path_normal(Arena *arena, const char *path) {
  bool absolute = path[0] == '/';
  const char **parts = arena_array(arena, strlen(path) + 1, sizeof *parts);
  size_t n = 0;
  char *save, *copy = arena_strdup(arena, path);
  for (char *part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
    if (strcmp(part, ".") == 0) continue;
    bool up = strcmp(part, "..") == 0, after_name = n > 0 && strcmp(parts[n - 1], "..") != 0;
    if (up && after_name)
      n--;
    else if (!up || !absolute)
      parts[n++] = part;
  }
  Text out = text_new(arena);
  for (size_t k = 0; k < n; k++) text_printf(&out, "%s%s", k || absolute ? "/" : "", parts[k]);
  return out.bytes;
}

// ---- use ------------------------------------------------------------------------------------------------------------

typedef struct Loading {  // the files being read, innermost first
  const char *normal;
  const struct Loading *user;
  int depth;
} Loading;

typedef struct Loader {
  Program *p;
  const char **done;  // normal paths of the files read so far
  size_t n_done, capacity;
  bool incomplete;  // a used file could not be read
} Loader;

static void load_uses(Loader *l, Ast *ast, const char *path, const Loading *loading);

// Adds a parsed file after the files that it uses.
static void add_file(Loader *l, Ast *ast, const char *path, const Loading *loading) {
  Program *p = l->p;
  l->done = arena_grow(p->arena, l->done, l->n_done, &l->capacity, sizeof *l->done);
  l->done[l->n_done++] = loading->normal;
  load_uses(l, ast, path, loading);
  p->files = arena_grow(p->arena, p->files, p->n_files, &p->files_capacity, sizeof *p->files);
  p->files[p->n_files++] = ast;
  globals_add(p->globals, p->sink, ast);
}

static bool is_loading(const Loading *loading, const char *normal) {
  for (; loading; loading = loading->user)
    if (strcmp(loading->normal, normal) == 0) return true;
  return false;
}

static void report_cycle(Program *p, const Loading *loading, const Decl *use, const char *normal) {
  Diag *diag = diag_error(p->sink, DIAG_E0157, use->span, "'%s' uses itself", use->text);
  Text chain = text_new(p->arena);
  text_add(&chain, normal);
  for (const Loading *at = loading; at && strcmp(at->normal, normal) != 0; at = at->user)
    text_printf(&chain, ", used by %s", at->normal);
  text_printf(&chain, ", used by %s", normal);
  diag_line(p->sink, diag, DIAG_NOTE, "%s", chain.bytes);
}

static void load_use(Loader *l, const Decl *use, const char *path, const Loading *loading) {
  Program *p = l->p;
  const char *used = path_beside(p->arena, path, use->text), *normal = path_normal(p->arena, used);
  if (is_loading(loading, normal)) {
    report_cycle(p, loading, use, normal);
    return;
  }
  for (size_t k = 0; k < l->n_done; k++)
    if (strcmp(l->done[k], normal) == 0) return;
  if (loading->depth >= PROGRAM_MAX_USES) {
    diag_error(p->sink, DIAG_E0005, use->span, "more than %d files use each other in a row", PROGRAM_MAX_USES);
    return;
  }
  uint32_t file = program_read_source(p->arena, p->sink, p->io, used, use->span);
  if (!file) {
    l->incomplete = true;
    return;
  }
  Loading inner = {.normal = normal, .user = loading, .depth = loading->depth + 1};
  add_file(l, ast_parse(p->arena, p->sink, file), used, &inner);
}

static void load_uses(Loader *l, Ast *ast, const char *path, const Loading *loading) {
  for (const Decl *decl = ast->decls; decl; decl = decl->next)
    if (decl->kind == DECL_USE && decl->text) load_use(l, decl, path, loading);
}

// ---- declarations ---------------------------------------------------------------------------------------------------

// The first declaration of its name counts; a second one has been reported.
static bool is_first(const Program *p, const Decl *decl) {
  const Global *global = globals_find(p->globals, decl->name->text);
  return global && global->decl == decl;
}

static void add_model(Program *p, const Decl *decl) {
  p->models = arena_grow(p->arena, p->models, p->n_models, &p->models_capacity, sizeof *p->models);
  p->models[p->n_models++] = decl;
}

static void add_data(Program *p, const Decl *decl) {
  DataBlock *block = arena_alloc(p->arena, sizeof *block);
  block->decl = decl;
  p->data = arena_grow(p->arena, p->data, p->n_data, &p->data_capacity, sizeof *p->data);
  p->data[p->n_data++] = block;
  data_block_read(p, block);
}

static void report_unknown(Program *p, const Name *name, const char *what, DeclKind kind) {
  const char **names = arena_array(p->arena, p->globals->n_items, sizeof *names);
  size_t n = 0;
  for (size_t k = 0; k < p->globals->n_items; k++) {
    const Decl *decl = p->globals->items[k].decl;
    if (decl->kind == kind) names[n++] = decl->name->text;
  }
  const char *nearest = text_nearest(name->text, names, n);
  diag_error(p->sink, DIAG_E0151, name->span,
             nearest ? "there is no %s '%s'; did you mean '%s'?" : "there is no %s '%s'", what, name->text, nearest);
}

static const Decl *find_model(Program *p, const Name *name) {
  for (size_t k = 0; k < p->n_models; k++)
    if (strcmp(p->models[k]->name->text, name->text) == 0) return p->models[k];
  report_unknown(p, name, "model", DECL_MODEL);
  return NULL;
}

static DataBlock *find_data(Program *p, const Name *name) {
  for (size_t k = 0; k < p->n_data; k++)
    if (strcmp(p->data[k]->decl->name->text, name->text) == 0) return p->data[k];
  report_unknown(p, name, "data set", DECL_DATA);
  return NULL;
}

static void add_train(Program *p, const Decl *decl) {
  TrainBlock *block = arena_alloc(p->arena, sizeof *block);
  block->decl = decl;
  block->model = find_model(p, decl->name);
  block->data = find_data(p, decl->on);
  for (size_t k = 0; k < p->n_trains; k++)
    if (block->model && p->trains[k]->model == block->model)
      diag_error(p->sink, DIAG_E0153, decl->name->span, "model '%s' has two train blocks", decl->name->text);
  p->trains = arena_grow(p->arena, p->trains, p->n_trains, &p->trains_capacity, sizeof *p->trains);
  p->trains[p->n_trains++] = block;
  train_block_read(p, block);
}

static void each_decl(Program *p, DeclKind kind, void (*add)(Program *p, const Decl *decl)) {
  for (size_t k = 0; k < p->n_files; k++)
    for (const Decl *decl = p->files[k]->decls; decl; decl = decl->next)
      if (decl->kind == kind && decl->name && (kind == DECL_TRAIN || kind == DECL_SEARCH || is_first(p, decl)))
        add(p, decl);
}

static void add_search(Program *p, const Decl *decl) {
  SearchBlock *block = arena_alloc(p->arena, sizeof *block);
  block->decl = decl;
  block->model = find_model(p, decl->name);
  block->data = find_data(p, decl->on);
  for (size_t k = 0; k < p->n_trains; k++)
    if (block->model && p->trains[k]->model == block->model) block->train = p->trains[k];
  for (size_t k = 0; k < p->n_searches; k++)
    if (block->model && p->searches[k]->model == block->model)
      diag_error(p->sink, DIAG_E0153, decl->name->span, "model '%s' has two search blocks", decl->name->text);
  p->searches = arena_grow(p->arena, p->searches, p->n_searches, &p->searches_capacity, sizeof *p->searches);
  p->searches[p->n_searches++] = block;
  search_block_read(p, block);
}

// ---- settings -------------------------------------------------------------------------------------------------------

// `value` in the language's own words, as if it stood in a declaration. A key's name may be a reserved word (`memory`).
static const Expr *parse_setting(Program *p, const Setting *setting) {
  const char *name = train_key_find(setting->name) ? "key" : setting->name;
  const char *text = arena_printf(p->arena, "const %s = %s", name, setting->value);
  size_t errors = p->sink->n_errors;
  Ast *ast = ast_parse(p->arena, p->sink, diag_add_source(p->sink, "--set", text, strlen(text)));
  const Decl *decl = ast->decls;
  if (p->sink->n_errors != errors) return NULL;
  if (decl && !decl->next && decl->kind == DECL_CONST) return decl->value;
  diag_error(p->sink, DIAG_E0606, SPAN_NONE, "--set %s=%s: this is not one value", setting->name, setting->value);
  return NULL;
}

static void read_settings(Program *p, const Setting *settings, int n) {
  p->settings = arena_array(p->arena, (size_t)n, sizeof *p->settings);
  p->n_settings = n;
  for (int k = 0; k < n; k++) {
    const Expr *value = parse_setting(p, &settings[k]);
    p->settings[k] = (SettingValue){settings[k].name, value, value ? value->span : SPAN_NONE, value == NULL};
  }
}

static void use_for_hyper(Program *p, SettingValue *setting) {
  for (size_t m = 0; m < p->n_models; m++)
    for (const Param *param = p->models[m]->params; param; param = param->next)
      if (param->hyper && strcmp(param->name->text, setting->name) == 0) setting->used = true;
}

static void check_settings(Program *p) {
  for (int k = 0; k < p->n_settings; k++) {
    SettingValue *setting = &p->settings[k];
    use_for_hyper(p, setting);
    if (setting->used) continue;
    Diag *diag = diag_error(p->sink, DIAG_E0606, SPAN_NONE,
                            "--set %s: no model has this hyperparameter and no train block this key", setting->name);
    const char *nearest = blocks_nearest_setting(p, setting->name);
    if (nearest) diag_line(p->sink, diag, DIAG_HELP, "did you mean '%s'?", nearest);
  }
}

// ---- opening --------------------------------------------------------------------------------------------------------

static Globals *library_globals(Arena *arena, DiagSink *sink) {
  uint32_t file = diag_add_source(sink, "std", std_text, std_text_length);
  Globals *library = globals_new(arena, NULL, file);
  size_t errors = sink->n_errors;
  globals_add(library, sink, ast_parse(arena, sink, file));
  if (sink->n_errors != errors) {
    Text why = text_new(arena);
    diag_render(sink, false, &why);
    dlc_bug("the standard library does not parse:\n%s", why.bytes);
  }
  return library;
}

static Program *program_new(Arena *arena, DiagSink *sink, Io io) {
  Program *p = arena_alloc(arena, sizeof *p);
  *p = (Program){.arena = arena, .sink = sink, .io = io};
  p->globals = globals_new(arena, library_globals(arena, sink), 0);
  p->values = elab_new(arena, sink, p->globals, "values", false);
  return p;
}

// Every const has a value, also those that nothing uses.
static void check_consts(Program *p) {
  for (size_t k = 0; k < p->globals->n_items; k++) {
    const Decl *decl = p->globals->items[k].decl;
    if (decl->kind == DECL_CONST) elab_name(p->values, NULL, decl->name);
  }
}

// Everything after the main file's text is registered.
static void program_load(Program *p, uint32_t file, const char *path, const Setting *settings, int n_settings) {
  Loader loader = {.p = p};
  Loading loading = {.normal = path_normal(p->arena, path)};
  p->main_file = file;
  add_file(&loader, ast_parse(p->arena, p->sink, file), path, &loading);
  if (loader.incomplete) return;  // names of the missing file would seem unknown
  globals_check(p->values);
  check_consts(p);
  read_settings(p, settings, n_settings);
  each_decl(p, DECL_MODEL, add_model);
  each_decl(p, DECL_DATA, add_data);
  each_decl(p, DECL_TRAIN, add_train);
  each_decl(p, DECL_SEARCH, add_search);
  check_settings(p);
}

Program *program_open(Arena *arena, DiagSink *sink, Io io, const char *path, const Setting *settings, int n_settings,
                      bool *missing) {
  Program *p = program_new(arena, sink, io);
  uint32_t file = program_read_source(arena, sink, io, path, SPAN_NONE);
  *missing = file == 0;
  if (file) program_load(p, file, path, settings, n_settings);
  return p;
}

Program *program_from_text(Arena *arena, DiagSink *sink, Io io, const char *path, const char *text,
                           const Setting *settings, int n_settings) {
  Program *p = program_new(arena, sink, io);
  program_load(p, diag_add_source(sink, path, text, strlen(text)), path, settings, n_settings);
  return p;
}

// ---- models and blocks ----------------------------------------------------------------------------------------------

int program_model_count(const Program *p) { return (int)p->n_models; }

const char *program_model_name(const Program *p, int model) { return p->models[model]->name->text; }

static int model_number(const Program *p, const Decl *decl) {
  for (size_t k = 0; k < p->n_models; k++)
    if (p->models[k] == decl) return (int)k;
  return -1;
}

// The model of the first train block, those of the file itself before those of the files that it uses.
static int trained_model(const Program *p) {
  const TrainBlock *found = NULL;
  for (size_t k = 0; k < p->n_trains; k++) {
    const TrainBlock *block = p->trains[k];
    bool nearer = !found || (block->decl->span.file == p->main_file && found->decl->span.file != p->main_file);
    if (block->model && nearer) found = block;
  }
  return found ? model_number(p, found->model) : -1;
}

int program_find_model(const Program *p, const char *name) {
  for (size_t k = 0; name && k < p->n_models; k++)
    if (strcmp(program_model_name(p, (int)k), name) == 0) return (int)k;
  if (name) return -1;
  int trained = trained_model(p);
  return trained >= 0 ? trained : (int)p->n_models - 1;
}

TrainBlock *program_train_block(const Program *p, int model) {
  for (size_t k = 0; k < p->n_trains; k++)
    if (p->trains[k]->model == p->models[model]) return p->trains[k];
  return NULL;
}

SearchBlock *program_search_block(const Program *p, int model) {
  for (size_t k = 0; k < p->n_searches; k++)
    if (p->searches[k]->model == p->models[model]) return p->searches[k];
  return NULL;
}

const SearchSpec *program_search(Program *p, int model) {
  const SearchBlock *block = program_search_block(p, model);
  return block ? &block->spec : NULL;
}

int program_searched_model(const Program *p) {
  for (size_t k = 0; k < p->n_searches; k++)
    if (p->searches[k]->model) return model_number(p, p->searches[k]->model);
  return -1;
}

const TrainSpec *program_train(Program *p, int model) {
  const TrainBlock *block = program_train_block(p, model);
  return block ? &block->spec : NULL;
}

const DataSpec *program_data(Program *p, int model) {
  const TrainBlock *block = program_train_block(p, model);
  return block && block->data ? &block->data->spec : NULL;
}

const DataSpec *program_data_named(Program *p, const char *name) {
  for (size_t k = 0; k < p->n_data; k++)
    if (strcmp(p->data[k]->decl->name->text, name) == 0) return &p->data[k]->spec;
  return NULL;
}

// ---- the standard library's text ------------------------------------------------------------------------------------

static Ast *std_ast(Arena *arena) {
  DiagSink *sink = diag_sink_new(arena);
  return ast_parse(arena, sink, diag_add_source(sink, "std", std_text, std_text_length));
}

const char *const *program_std_names(Arena *arena, int *count) {
  const Ast *ast = std_ast(arena);
  int n = 0;
  for (const Decl *decl = ast->decls; decl; decl = decl->next) n += decl->name != NULL;
  const char **names = arena_array(arena, (size_t)n, sizeof *names);
  *count = 0;
  for (const Decl *decl = ast->decls; decl; decl = decl->next)
    if (decl->name) names[(*count)++] = decl->name->text;
  return names;
}

// Where the comment lines directly above `begin` start.
static size_t comment_begin(size_t begin) {
  while (begin > 0 && std_text[begin - 1] != '\n') begin--;
  for (;;) {
    size_t line = begin;
    while (line > 0 && (line == begin || std_text[line - 1] != '\n')) line--;
    if (line == begin || std_text[line] != '#') return begin;
    begin = line;
  }
}

const char *program_std_text(Arena *arena, const char *name) {
  if (!name) return std_text;
  for (const Decl *decl = std_ast(arena)->decls; decl; decl = decl->next) {
    if (!decl->name || strcmp(decl->name->text, name) != 0) continue;
    size_t begin = comment_begin(decl->span.begin);
    return arena_printf(arena, "%.*s\n", (int)(decl->span.end - begin), std_text + begin);
  }
  return NULL;
}
