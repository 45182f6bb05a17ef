// Search blocks: what is tried, by what it is compared, and how the data are parted for that.
//
// True on entry: block->decl is in the program's declarations; block->model and block->data are found or NULL, train
// and data blocks are read. True on exit: block->spec is filled in; every mistake that does not need the network's
// shapes is reported.
#include <math.h>
#include <string.h>

#include "blocks_keys.h"
#include "elab_inside.h"

typedef struct Reader {
  Program *p;
  SearchBlock *block;
  Scope *scope;
} Reader;

static bool is_word(const Item *item, const char *word) { return item->words && !strcmp(item->words->text, word); }

// ---- what is tried --------------------------------------------------------------------------------------------------

// A compile-time value as a program would write it, exactly; NULL where it cannot be written.
static const char *written(Reader *r, Value v) {
  Arena *arena = r->p->arena;
  Text out = text_new(arena);
  switch (v.kind) {
    case VALUE_FLOAT: {
      const char *digits = arena_printf(arena, "%.17g", v.number);
      bool whole = strspn(digits, "-0123456789") == strlen(digits);
      return isfinite(v.number) ? arena_printf(arena, "%s%s", digits, whole ? ".0" : "") : NULL;
    }
    case VALUE_STRING:
      return arena_printf(arena, "\"%s\"", v.text);
    case VALUE_LIST:
      text_add(&out, "[");
      for (int k = 0; k < v.n; k++) {
        const char *item = written(r, v.items[k]);
        if (!item) return NULL;
        text_printf(&out, "%s%s", k ? ", " : "", item);
      }
      text_add(&out, "]");
      return out.bytes;
    case VALUE_INT:
    case VALUE_BOOL:
    case VALUE_WORD:
    case VALUE_FUNCTION:
    case VALUE_INIT:
    case VALUE_NONE:
    case VALUE_LAYER:
      value_print(r->p->values, v, &out);
      return out.bytes;
    default:
      return NULL;
  }
}

static const char *shown(Reader *r, Value v, const char *text) {
  return v.kind == VALUE_FLOAT ? arena_printf(r->p->arena, "%.4g", v.number) : text;
}

static bool add_value(Reader *r, SearchAxis *axis, Value v, Span span) {
  if (value_is_poison(v)) return false;
  const char *text = written(r, v);
  if (!text) {
    diag_error(r->p->sink, DIAG_E0156, span, "%s cannot be tried", value_describe(r->p->values, v));
    return false;
  }
  axis->values[axis->n_values] = text;
  axis->shown[axis->n_values++] = shown(r, v, text);
  return true;
}

enum { MOST_VALUES = 10000 };

static void make_room(Reader *r, SearchAxis *axis, int64_t n) {
  axis->values = arena_array(r->p->arena, (size_t)n, sizeof *axis->values);
  axis->shown = arena_array(r->p->arena, (size_t)n, sizeof *axis->shown);
}

// log(1e-4, 1e-1, 8): from the first to the second in equal factors.
static bool add_logarithmic(Reader *r, SearchAxis *axis, const Expr *call) {
  static const OptionRule rules[] = {{"from", OPTION_NUMBER, true, 1e-300, INFINITY},
                                     {"to", OPTION_NUMBER, true, 1e-300, INFINITY},
                                     {"n", OPTION_WHOLE, true, 2, MOST_VALUES}};
  OptionValue v[3];
  if (!blocks_bind(r->p, r->scope, call, rules, 3, v)) return false;
  int64_t n = v[2].whole;
  double from = log(v[0].number), to = log(v[1].number);
  make_room(r, axis, n);
  for (int64_t k = 0; k < n; k++) {
    double value = k == 0       ? v[0].number
                   : k == n - 1 ? v[1].number
                                : exp(from + (to - from) * (double)k / (double)(n - 1));
    if (!add_value(r, axis, value_float(value), call->span)) return false;
  }
  return true;
}

// Values of a key, which may be calls that mean something there only: optimizer in [sgd(0.1), adam(1e-3)].
static bool add_key_values(Reader *r, SearchAxis *axis, const TrainKey *key, const Expr *list) {
  int n = 0;
  for (const Expr *item = list->items; item; item = item->next) n++;
  make_room(r, axis, n);
  for (const Expr *item = list->items; item; item = item->next) {
    TrainSpec tried = {0};
    if (!key->read(r->p, r->scope, item, &tried)) return false;
    axis->values[axis->n_values] = elab_source_text(r->p->values, item->span);
    axis->shown[axis->n_values] = axis->values[axis->n_values];
    axis->n_values++;
  }
  return true;
}

static bool add_values(Reader *r, SearchAxis *axis, const Expr *value) {
  const TrainKey *key = train_key_find(axis->name);
  bool hyper = r->block->model && blocks_is_hyper(r->block->model, axis->name);
  if (key && !hyper && value->kind == EXPR_LIST && value->items) return add_key_values(r, axis, key, value);
  const char *head = blocks_head(value);
  if (head && value->kind == EXPR_CALL && !strcmp(head, "log")) return add_logarithmic(r, axis, value);
  Value v = elab_expr(r->p->values, r->scope, value);
  if (value_is_poison(v)) return false;
  int64_t n = v.kind == VALUE_LIST ? v.n : v.kind == VALUE_RANGE ? v.to - v.from : 0;
  if (n < 1 || n > MOST_VALUES) {
    diag_error(r->p->sink, DIAG_E0156, value->span, "what is tried is a list, a range or log(from, to, n), not %s",
               value_describe(r->p->values, v));
    return false;
  }
  make_room(r, axis, n);
  for (int64_t k = 0; k < n; k++)
    if (!add_value(r, axis, v.kind == VALUE_LIST ? v.items[k] : value_int(v.from + k), value->span)) return false;
  return true;
}

static bool axis_known(Reader *r, const Name *name) {
  const SearchBlock *block = r->block;
  if (!block->model || blocks_is_hyper(block->model, name->text)) return true;
  if (block->train && train_block_takes(block->train, name->text)) return true;
  const char *nearest = blocks_nearest_setting(r->p, name->text);
  diag_error(r->p->sink, DIAG_E0102, name->span,
             nearest ? "%s has no hyperparameter '%s', nor has a train block; did you mean '%s'?"
                     : "%s has no hyperparameter '%s', nor has a train block",
             block->model->name->text, name->text, nearest);
  return false;
}

static bool is_fixed(const SearchSpec *spec, const char *name) {
  for (int k = 0; k < spec->n_fixed; k++)
    if (spec->fixed[k].name && !strcmp(spec->fixed[k].name, name)) return true;
  return false;
}

static void read_axis(Reader *r, const Item *item) {
  SearchSpec *spec = &r->block->spec;
  const Name *name = item->words;
  if (is_fixed(spec, name->text)) {
    diag_error(r->p->sink, DIAG_E0153, name->span, "'%s' is given twice: it has a value behind the model's name",
               name->text);
    return;
  }
  for (int k = 0; k < spec->n_axes; k++)
    if (!strcmp(spec->axes[k].name, name->text)) {
      diag_error(r->p->sink, DIAG_E0153, name->span, "'%s' is given twice", name->text);
      return;
    }
  SearchAxis axis = {.name = name->text};
  if (axis_known(r, name) && add_values(r, &axis, item->value)) spec->axes[spec->n_axes++] = axis;
}

// ---- how it is compared ---------------------------------------------------------------------------------------------

static bool has_split(const SearchBlock *block, const char *name) {
  for (int k = 0; k < block->data->spec.n_splits; k++)
    if (!strcmp(block->data->spec.splits[k].name, name)) return true;
  return false;
}

static void read_folds(Reader *r, const Expr *value) {
  static const OptionRule rules[] = {{"folds", OPTION_WHOLE, true, 2, 1000},
                                     {"seed", OPTION_WHOLE, false, 0, INFINITY},
                                     {"shuffle", OPTION_FLAG, false, 0, 0}};
  OptionValue v[3];
  SearchSpec *spec = &r->block->spec;
  if (!blocks_bind(r->p, r->scope, value, rules, 3, v)) return;
  spec->folds = v[0].whole;
  spec->seed = (uint64_t)v[1].whole;
  spec->shuffle = v[2].given ? v[2].flag : true;
}

static void read_validation(Reader *r, const Expr *value) {
  static const OptionRule rules[] = {{"split", OPTION_TEXT, true, 0, 0}};
  OptionValue v[1];
  if (!blocks_bind(r->p, r->scope, value, rules, 1, v)) return;
  r->block->spec.split = v[0].text;
  if (!r->block->data || r->block->data->broken || has_split(r->block, v[0].text)) return;
  diag_error(r->p->sink, DIAG_E0152, v[0].span, "data set '%s' has no split '%s'", r->block->data->spec.name,
             v[0].text);
}

static void read_by(Reader *r, const Item *item) {
  static const char *const names[] = {"cross_validation", "validation"};
  const char *head = blocks_head(item->value);
  if (r->block->has_by) {
    diag_error(r->p->sink, DIAG_E0153, item->span, "'by' is given twice");
    return;
  }
  r->block->has_by = true;
  if (head && !strcmp(head, names[0]))
    read_folds(r, item->value);
  else if (head && !strcmp(head, names[1]))
    read_validation(r, item->value);
  else
    blocks_report_unknown(r->p, item->value, "by", names, 2);
}

static void read_score(Reader *r, const Item *item) {
  SearchBlock *block = r->block;
  if (block->objective.value) {
    diag_error(r->p->sink, DIAG_E0153, item->span, "one number is compared: maximize or minimize is given twice");
    return;
  }
  block->objective = (TrainStep){TRAIN_METRIC, item->words->next, item->value, item->span};
  block->spec.maximize = is_word(item, "maximize");
  block->spec.score = item->words->next->text;
}

// ---- the block ------------------------------------------------------------------------------------------------------

static void report_item(Reader *r, const Item *item) {
  static const char *const words[] = {"by", "maximize", "minimize"};
  Diag *diag = diag_error(r->p->sink, DIAG_E0154, item->span,
                          "a search block is made of: name in values, by cross_validation(5) or validation(valid), and "
                          "maximize or minimize name = value");
  const char *nearest = item->words ? text_nearest(item->words->text, words, 3) : NULL;
  bool misspelt = nearest && strcmp(nearest, item->words->text) != 0;
  if (misspelt) diag_line(r->p->sink, diag, DIAG_HELP, "did you mean '%s'?", nearest);
}

static void read_item(Reader *r, const Item *item) {
  bool one = item->words && !item->words->next, two = item->words && item->words->next && !item->words->next->next;
  if (one && item->in && item->value)
    read_axis(r, item);
  else if (one && is_word(item, "by") && item->value && !item->assigned)
    read_by(r, item);
  else if (two && item->assigned && (is_word(item, "maximize") || is_word(item, "minimize")))
    read_score(r, item);
  else
    report_item(r, item);
}

static void report_missing(Reader *r, const char *what, const char *help) {
  Diag *diag = diag_error(r->p->sink, DIAG_E0310, r->block->spec.span, "search %s %s", r->block->spec.model, what);
  diag_line(r->p->sink, diag, DIAG_HELP, "%s", help);
}

static void check_blocks(Reader *r) {
  const SearchBlock *block = r->block;
  if (block->data && !block->data->broken && !has_split(block, "train"))
    diag_error(r->p->sink, DIAG_E0152, block->decl->on->span, "data set '%s' has no split 'train'",
               block->data->spec.name);
  if (block->train && block->data && block->train->data && block->train->data != block->data)
    diag_error(r->p->sink, DIAG_E0154, block->decl->on->span, "%s is trained on '%s': a search is on the same data",
               block->spec.model, block->train->data->spec.name);
}

// `search m(k = 3)`: what every candidate has.
static void read_arguments(Reader *r) {
  const Decl *decl = r->block->decl;
  SearchSpec *spec = &r->block->spec;
  size_t n = 0;
  blocks_check_hyper(r->p, decl, r->block->model);
  for (const Arg *arg = decl->args; arg; arg = arg->next) n++;
  spec->fixed = arena_array(r->p->arena, n, sizeof *spec->fixed);
  for (const Arg *arg = decl->args; arg; arg = arg->next) {
    SearchAxis *fixed = &spec->fixed[spec->n_fixed++];
    *fixed = (SearchAxis){.name = arg->name};
    make_room(r, fixed, 1);
    fixed->values[0] = fixed->shown[0] = elab_source_text(r->p->values, arg->value->span);
    fixed->n_values = 1;
  }
}

void search_block_read(Program *program, SearchBlock *block) {
  size_t errors = program->sink->n_errors, n = 0;
  Reader r = {.p = program, .block = block, .scope = scope_new(program->arena, NULL)};
  const Decl *decl = block->decl;
  block->broken = true;
  block->spec = (SearchSpec){.model = decl->name->text, .data = decl->on ? decl->on->text : NULL};
  block->spec.span = (Span){decl->span.file, decl->span.begin, decl->on ? decl->on->span.end : decl->name->span.end};
  if (items_broken(decl->items)) return;
  read_arguments(&r);
  for (const Item *item = decl->items; item; item = item->next) n++;
  block->spec.axes = arena_array(program->arena, n, sizeof *block->spec.axes);
  check_blocks(&r);
  for (const Item *item = decl->items; item; item = item->next) read_item(&r, item);
  if (program->sink->n_errors == errors && block->spec.n_axes == 0)
    report_missing(&r, "has nothing to try", "k in [1, 3, 5]");
  if (program->sink->n_errors == errors && !block->has_by)
    report_missing(&r, "does not say what decides", "by cross_validation(5), or by validation(valid)");
  if (program->sink->n_errors == errors && !block->objective.value)
    report_missing(&r, "does not say what is compared", "maximize accuracy = mean(argmax(net(image)) == label)");
  block->broken = program->sink->n_errors != errors;
}
