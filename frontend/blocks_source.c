// Sources: what a call such as csv("a.csv", [0, 1], header = true) says, as a SourceSpec. No file is opened.
#include <math.h>
#include <string.h>

#include "blocks.h"

bool blocks_source_find(const char *name, SourceKind *kind) {
  for (int k = 0; k < SOURCE_COUNT; k++) {
    if (strcmp(source_info((SourceKind)k)->name, name) != 0) continue;
    *kind = (SourceKind)k;
    return true;
  }
  return false;
}

const char *blocks_source_list(Arena *arena) {
  Text list = text_new(arena);
  for (int k = 0; k < SOURCE_COUNT; k++) text_printf(&list, "%s%s", k ? ", " : "", source_info((SourceKind)k)->name);
  return list.bytes;
}

// A call of an unknown function whose name is near a source's.
static bool is_spelt(void *program, const Expr *expr) {
  Program *p = program;
  const char *names[SOURCE_COUNT];
  const Name *head = expr->kind == EXPR_CALL && !expr->path->next ? expr->path : NULL;
  SourceKind kind;
  if (!head || globals_find(p->globals, head->text) || blocks_source_find(head->text, &kind)) return true;
  for (int k = 0; k < SOURCE_COUNT; k++) names[k] = source_info((SourceKind)k)->name;
  const char *nearest = text_nearest(head->text, names, SOURCE_COUNT);
  if (nearest)
    diag_error(p->sink, DIAG_E0101, head->span, "unknown function '%s'; did you mean '%s'?", head->text, nearest);
  return !nearest;
}

bool blocks_source_misspelt(Program *p, const Expr *expr) { return !expr_each(expr, is_spelt, p); }

bool blocks_source_split(Program *p, const char *source, const char *name, Span span) {
  static const char *const splits[] = {"train", "test"};
  for (size_t k = 0; k < 2; k++)
    if (strcmp(splits[k], name) == 0) return true;
  const char *nearest = text_nearest(name, splits, 2);
  diag_error(p->sink, DIAG_E0152, span,
             nearest ? "'%s' has no split '%s'; did you mean '%s'?" : "'%s' has no split '%s'; it has train and test",
             source, name, nearest);
  return false;
}

// The call being read.
typedef struct Call {
  Program *p;
  Scope *scope;
  const Expr *expr;
  const OptionValue *values;  // in the order of the source's rules
  SourceSpec *source;
  bool *whole;  // a data set with splits, none of them chosen
} Call;

// ---- values that the rules leave open -------------------------------------------------------------------------------

static bool report(const Call *c, Span span, const char *option, const char *wanted) {
  diag_error(c->p->sink, DIAG_E0156, span, "%s: '%s' takes %s", c->expr->path->text, option, wanted);
  return false;
}

// The number of the word that is written, bare or as a string, in a list that ends in NULL; -1 where it is none of
// them.
static int word_of(const Expr *expr, const char *const *words) {
  const char *word = expr->kind == EXPR_STRING ? expr->text : expr->kind == EXPR_PATH ? blocks_head(expr) : NULL;
  for (int k = 0; word && words[k]; k++)
    if (strcmp(words[k], word) == 0) return k;
  return -1;
}

static bool read_word(const Call *c, const OptionValue *v, const char *option, const char *const *words, int *result) {
  if (!v->given) return true;
  *result = word_of(v->expr, words);
  if (*result >= 0) return true;
  Text list = text_new(c->p->arena);
  for (int k = 0; words[k]; k++) text_printf(&list, "%s%s", !k ? "" : words[k + 1] ? ", " : " or ", words[k]);
  return report(c, v->span, option, list.bytes);
}

// A side, or [height, width].
static bool read_size(const Call *c, const OptionValue *v, int64_t most, int64_t *height, int64_t *width) {
  if (!v->given) return true;
  Value value = elab_expr(c->p->values, c->scope, v->expr);
  if (value_is_poison(value)) return false;
  const Value *items = value.kind == VALUE_LIST ? value.items : &value;
  int n = value.kind == VALUE_LIST ? value.n : 1;
  bool ok = n == 1 || n == 2;
  for (int k = 0; ok && k < n; k++)
    ok = items[k].kind == VALUE_INT && items[k].integer >= 1 && items[k].integer <= most;
  if (!ok)
    return report(c, v->span, "size",
                  arena_printf(c->p->arena, "a side or [height, width], from 1 to %lld", (long long)most));
  *height = items[0].integer;
  *width = items[n - 1].integer;
  return true;
}

// Class names: a list of at least one string, none twice.
static bool read_classes(const Call *c, const OptionValue *v) {
  if (!v->given) return true;
  Value value = elab_expr(c->p->values, c->scope, v->expr);
  if (value_is_poison(value)) return false;
  bool ok = value.kind == VALUE_LIST && value.n > 0;
  int n = ok ? value.n : 0;
  c->source->class_names = arena_array(c->p->arena, (size_t)n, sizeof *c->source->class_names);
  for (int k = 0; ok && k < n; k++) {
    ok = value.items[k].kind == VALUE_STRING;
    for (int other = 0; ok && other < k; other++) ok = strcmp(value.items[other].text, value.items[k].text) != 0;
    if (ok) c->source->class_names[k] = value.items[k].text;
  }
  c->source->n_class_names = n;
  return ok || report(c, v->span, "classes", "a list of different names");
}

// ---- files ----------------------------------------------------------------------------------------------------------

static bool take_files(const Call *c, const OptionValue *v) {
  c->source->files = v->files;
  c->source->n_files = v->n_files;
  return true;
}

static bool take_one_file(const Call *c) {
  take_files(c, &c->values[0]);
  if (c->source->n_files == 1) return true;
  diag_error(c->p->sink, DIAG_E0155, c->values[0].span, "%s takes one file", c->expr->path->text);
  return false;
}

static bool take_keyed(const Call *c) {
  c->source->key = c->values[1].text;
  return take_one_file(c);
}

static bool take_split(const Call *c, const OptionValue *v) {
  c->source->split = v->text;
  *c->whole = !v->given;
  return !v->given || blocks_source_split(c->p, c->expr->path->text, v->text, v->span);
}

static bool ends_in(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

// A folder holds both splits; files are one split, whatever they hold.
static bool take_cifar(const Call *c) {
  const OptionValue *dir = &c->values[0], *split = &c->values[1];
  take_files(c, dir);
  if (!take_split(c, split)) return false;
  if (!dir->is_list && !ends_in(dir->files[0], ".bin")) return true;
  *c->whole = false;
  if (!split->given) return true;
  diag_error(c->p->sink, DIAG_E0155, split->span, "only a folder has splits; these are files");
  return false;
}

// ---- csv ------------------------------------------------------------------------------------------------------------

static bool one_column(Value value, CsvColumn *column) {
  if (value.kind == VALUE_INT) column->number = value.integer;
  if (value.kind == VALUE_STRING) column->name = value.text;
  return (value.kind == VALUE_INT && value.integer >= 0) || value.kind == VALUE_STRING;
}

static bool take_columns(const Call *c, const OptionValue *v) {
  static const char wanted[] = "a column's number (from 0) or name, a list of them, or a range of numbers";
  if (!v->given) return true;
  Value value = elab_expr(c->p->values, c->scope, v->expr);
  if (value_is_poison(value)) return false;
  CsvSpec *csv = &c->source->csv;
  bool range = value.kind == VALUE_RANGE, list = value.kind == VALUE_LIST;
  int64_t n = range ? value.to - value.from : list ? value.n : 1;
  if (n < 1 || n > 100000) return report(c, v->span, "columns", wanted);
  CsvColumn *columns = arena_array(c->p->arena, (size_t)n, sizeof *columns);
  for (int64_t k = 0; k < n; k++)
    if (!one_column(range ? value_int(value.from + k) : list ? value.items[k] : value, &columns[k]))
      return report(c, v->span, "columns", wanted);
  csv->columns = columns;
  csv->n_columns = (int)n;
  csv->single = !range && !list;
  for (int64_t k = 0; k < n; k++) csv->header |= columns[k].name != NULL;
  return true;
}

static bool take_missing(const Call *c, const OptionValue *v) {
  static const char *const words[] = {"mean", "median", "mode", NULL};
  static const MissingKind kinds[] = {MISSING_MEAN, MISSING_MEDIAN, MISSING_MODE};
  CsvSpec *csv = &c->source->csv;
  if (!v->given) return true;
  int word = word_of(v->expr, words);
  if (word >= 0) return csv->missing = kinds[word], true;
  Value value = elab_expr(c->p->values, c->scope, v->expr);
  if (value_is_poison(value)) return false;
  csv->missing = MISSING_VALUE;
  csv->fill = value.kind == VALUE_INT ? (double)value.integer : value.number;
  if (value.kind == VALUE_INT || (value.kind == VALUE_FLOAT && isfinite(value.number))) return true;
  return report(c, v->span, "missing", "mean, median, mode or a number");
}

static bool take_separator(const Call *c, const OptionValue *v) {
  c->source->csv.separator = v->given ? v->text[0] : ',';
  bool ok = !v->given || (strlen(v->text) == 1 && !strchr("\"\n\r", v->text[0]));
  return ok || report(c, v->span, "separator", "one character, such as \";\" or \"\\t\"");
}

static const OptionRule csv_rules[] = {{"file", OPTION_FILES, true, 0, 0},    {"columns", OPTION_EXPR, false, 0, 0},
                                       {"header", OPTION_FLAG, false, 0, 0},  {"missing", OPTION_EXPR, false, 0, 0},
                                       {"classes", OPTION_EXPR, false, 0, 0}, {"separator", OPTION_TEXT, false, 0, 0}};

static bool take_csv(const Call *c) {
  const OptionValue *v = c->values, *header = &v[2];
  if (!take_one_file(c) || !take_columns(c, &v[1])) return false;
  if (header->given && !header->flag && c->source->csv.header) {
    diag_error(c->p->sink, DIAG_E0155, header->span, "columns by name need a header");
    return false;
  }
  if (header->given) c->source->csv.header = header->flag;
  c->source->csv.header_given = header->given || c->source->csv.header;
  return take_missing(c, &v[3]) && read_classes(c, &v[4]) && take_separator(c, &v[5]);
}

// ---- images ---------------------------------------------------------------------------------------------------------

enum { MOST_SIDE = 16384, MOST_CLASSES = 1000 };

static const OptionRule images_rules[] = {
    {"dir", OPTION_FILES, true, 0, 0},      {"size", OPTION_EXPR, false, 0, 0},      {"fit", OPTION_EXPR, false, 0, 0},
    {"sampling", OPTION_EXPR, false, 0, 0}, {"channels", OPTION_WHOLE, false, 1, 3}, {"list", OPTION_TEXT, false, 0, 0},
    {"classes", OPTION_EXPR, false, 0, 0},  {"header", OPTION_FLAG, false, 0, 0}};

static bool take_images(const Call *c) {
  static const char *const fits[] = {[FIT_STRETCH] = "stretch", [FIT_CROP] = "crop",     [FIT_PAD] = "pad",
                                     [FIT_TILES] = "tiles",     [FIT_CORNER] = "corner", NULL};
  static const char *const samplings[] = {"bilinear", "nearest", NULL};
  const OptionValue *v = c->values;
  ImagesSpec *images = &c->source->images;
  int fit = FIT_STRETCH, sampling = 0;
  take_files(c, &v[0]);
  if (!read_size(c, &v[1], MOST_SIDE, &images->height, &images->width) || !read_word(c, &v[2], "fit", fits, &fit) ||
      !read_word(c, &v[3], "sampling", samplings, &sampling) || !read_classes(c, &v[6]))
    return false;
  images->fit = (ImageFit)fit;
  images->nearest = sampling == 1;
  images->channels = (int)v[4].whole;
  images->list = v[5].text;
  c->source->csv.header = v[7].flag;
  if (images->list ? c->source->n_files != 1 : v[7].given) {
    diag_error(
        c->p->sink, DIAG_E0155, (images->list ? v[0] : v[7]).span,
        images->list ? "images: a list names the files of one folder" : "images: 'header' says how a list begins");
    return false;
  }
  if (images->channels == 2) return report(c, v[4].span, "channels", "1 (grey) or 3 (red, green, blue)");
  if (images->height || !v[2].given) return true;
  diag_error(c->p->sink, DIAG_E0155, v[2].span, "images: 'fit' needs a 'size' to fit into");
  return false;
}

// ---- generators -----------------------------------------------------------------------------------------------------

#define SPLIT_RULE {"split", OPTION_TEXT, false, 0, 0}
#define COUNT_RULE {"count", OPTION_WHOLE, false, 1, 100000000}
#define SEED_RULE {"seed", OPTION_WHOLE, false, 0, INFINITY}

static bool take_drawing(const Call *c, const OptionValue *v) {
  c->source->count = v[1].whole;
  c->source->seed = (uint64_t)v[2].whole;
  return take_split(c, &v[0]);
}

static bool take_digits(const Call *c) { return take_drawing(c, c->values); }

static bool take_points(const Call *c) {
  const OptionValue *v = c->values, *spread = &v[4];
  c->source->classes = v[0].given ? v[0].whole : 3;
  c->source->spread = spread->given ? spread->number : c->source->kind == SOURCE_SPIRALS ? 0.02 : 0.5;
  return take_drawing(c, v + 1);
}

static bool take_shapes(const Call *c) {
  c->source->size = c->values[3].given ? c->values[3].whole : 64;
  return take_drawing(c, c->values);
}

// ---- the table ------------------------------------------------------------------------------------------------------

static const OptionRule file_rules[] = {{"file", OPTION_FILES, true, 0, 0}};
static const OptionRule keyed_rules[] = {{"file", OPTION_FILES, true, 0, 0}, {"key", OPTION_TEXT, true, 0, 0}};
static const OptionRule cifar_rules[] = {{"dir", OPTION_FILES, true, 0, 0}, SPLIT_RULE};
static const OptionRule digits_rules[] = {SPLIT_RULE, COUNT_RULE, SEED_RULE};
static const OptionRule points_rules[] = {{"classes", OPTION_WHOLE, false, 1, MOST_CLASSES},
                                          SPLIT_RULE,
                                          COUNT_RULE,
                                          SEED_RULE,
                                          {"spread", OPTION_NUMBER, false, 0, 1000}};
static const OptionRule shapes_rules[] = {SPLIT_RULE, COUNT_RULE, SEED_RULE, {"size", OPTION_WHOLE, false, 16, 256}};

typedef struct SourceForm {
  const OptionRule *rules;
  int n_rules;
  bool (*take)(const Call *c);
} SourceForm;

#define FORM(rules, take) {rules, sizeof(rules) / sizeof *(rules), take}
static const SourceForm forms[SOURCE_COUNT] = {
    [SOURCE_IDX] = FORM(file_rules, take_one_file),    [SOURCE_NPY] = FORM(file_rules, take_one_file),
    [SOURCE_NPZ] = FORM(keyed_rules, take_keyed),      [SOURCE_SAFETENSORS] = FORM(keyed_rules, take_keyed),
    [SOURCE_CSV] = FORM(csv_rules, take_csv),          [SOURCE_IMAGES] = FORM(images_rules, take_images),
    [SOURCE_CIFAR10] = FORM(cifar_rules, take_cifar),  [SOURCE_CIFAR100] = FORM(cifar_rules, take_cifar),
    [SOURCE_DIGITS] = FORM(digits_rules, take_digits), [SOURCE_SPIRALS] = FORM(points_rules, take_points),
    [SOURCE_BLOBS] = FORM(points_rules, take_points),  [SOURCE_SHAPES] = FORM(shapes_rules, take_shapes),
};
enum { MOST_RULES = 8 };

bool blocks_source_read(Program *p, Scope *scope, const Expr *call, SourceKind kind, SourceSpec *source, bool *whole) {
  const SourceForm *form = &forms[kind];
  OptionValue values[MOST_RULES];
  dlc_assert(form->n_rules <= MOST_RULES);
  *source = (SourceSpec){.kind = kind, .span = call->span, .csv = {.separator = ','}};
  if (!blocks_bind(p, scope, call, form->rules, form->n_rules, values)) return false;
  Call c = {p, scope, call, values, source, whole};
  return form->take(&c);
}
