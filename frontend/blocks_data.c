// Data blocks: sources, splits and fields.
//
// A name in a data block stands for one of three things: a field (one tensor of a file), a split (named fields with the
// same rows), or a whole data set with its own splits (cifar10 of a folder). Anything else is a compile-time value.
// On exit block->spec holds the splits; each field is a source and an expression over it, in which the source's tensor
// is called SOURCE_NAME.
#include "blocks.h"

#include <math.h>
#include <string.h>

typedef enum ThingKind { THING_POISON, THING_FIELD, THING_SPLIT, THING_WHOLE } ThingKind;

typedef struct Thing {
  ThingKind kind;
  FieldSpec field;    // THING_FIELD
  SplitPart part;     // of a field
  SplitSpec split;    // THING_SPLIT
  SourceSpec source;  // THING_WHOLE
} Thing;

typedef struct NamedThing {
  const Name *name;
  Thing thing;
  bool used;
} NamedThing;

typedef struct Local {
  const char *name;
  const Expr *value;
} Local;

typedef struct Reader {
  Program *p;
  DataBlock *block;
  Scope *scope;   // compile-time values
  Local *locals;  // the same, as written: a field's expression outlives the scope
  size_t n_locals, locals_capacity;
  NamedThing *things;
  size_t n_things, things_capacity;
  size_t splits_capacity;
} Reader;

static Thing poison(Reader *r) {
  r->block->broken = true;
  return (Thing){.kind = THING_POISON};
}

// ---- sources --------------------------------------------------------------------------------------------------------

typedef struct SourceInfo {
  const char *name;
  SourceKind kind;
  const OptionRule *rules;
  int n_rules;
  bool several;  // has splits train and test with fields image and label; else it is one field
} SourceInfo;

enum { SOURCE_FIELDS = 2 };
static const char *const source_fields[SOURCE_FIELDS] = {"image", "label"};
static const char *const source_splits[] = {"train", "test"};

static const OptionRule file_rules[] = {{"file", OPTION_FILES, true, 0, 0}};
static const OptionRule cifar_rules[] = {{"dir", OPTION_FILES, true, 0, 0}, {"split", OPTION_TEXT, false, 0, 0}};
static const OptionRule digits_rules[] = {{"split", OPTION_TEXT, false, 0, 0},
                                          {"count", OPTION_WHOLE, false, 1, 100000000},
                                          {"seed", OPTION_WHOLE, false, 0, INFINITY}};
enum { MOST_RULES = 3 };

static const SourceInfo sources[] = {{"idx", SOURCE_IDX, file_rules, 1, false},
                                     {"npy", SOURCE_NPY, file_rules, 1, false},
                                     {"cifar10", SOURCE_CIFAR10, cifar_rules, 2, true},
                                     {"digits", SOURCE_DIGITS, digits_rules, 3, true}};
static const char *const later_sources[] = {"cifar100", "csv",     "npz",   "safetensors",
                                            "images",   "spirals", "blobs", "shapes"};

static const SourceInfo *find_source(const char *name) {
  for (size_t k = 0; k < sizeof sources / sizeof *sources; k++)
    if (strcmp(sources[k].name, name) == 0) return &sources[k];
  return NULL;
}

static bool is_later_source(const char *name) {
  for (size_t k = 0; k < sizeof later_sources / sizeof *later_sources; k++)
    if (strcmp(later_sources[k], name) == 0) return true;
  return false;
}

static bool known_split(Reader *r, const char *source, const char *name, Span span) {
  for (size_t k = 0; k < 2; k++)
    if (strcmp(source_splits[k], name) == 0) return true;
  const char *nearest = text_nearest(name, source_splits, 2);
  diag_error(r->p->sink, DIAG_E0152, span,
             nearest ? "'%s' has no split '%s'; did you mean '%s'?" : "'%s' has no split '%s'; it has train and test",
             source, name, nearest);
  return false;
}

// The split of a source with several fields.
static Thing source_split(Reader *r, const SourceSpec *source) {
  FieldSpec *fields = arena_array(r->p->arena, SOURCE_FIELDS, sizeof *fields);
  for (int k = 0; k < SOURCE_FIELDS; k++) {
    fields[k] = (FieldSpec){.name = source_fields[k], .source = *source, .span = source->span};
    fields[k].source.field = source_fields[k];
  }
  return (Thing){.kind = THING_SPLIT, .split = {.fields = fields, .n_fields = SOURCE_FIELDS, .part = {.to = 1}}};
}

// The split of that name of a whole data set.
static Thing whole_split(Reader *r, const Thing *whole, const char *split) {
  SourceSpec source = whole->source;
  source.split = split;
  return source_split(r, &source);
}

static bool ends_in(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

// A folder holds both splits; files are one split, whatever they hold.
static Thing cifar_thing(Reader *r, SourceSpec source, const OptionValue *values) {
  bool files = values[0].is_list || ends_in(values[0].files[0], ".bin");
  source.files = values[0].files;
  source.n_files = values[0].n_files;
  source.split = values[1].text;
  if (source.split && !known_split(r, "cifar10", source.split, values[1].span)) return poison(r);
  if (source.split && files) {
    diag_error(r->p->sink, DIAG_E0155, values[1].span, "only a folder has splits; these are files");
    return poison(r);
  }
  if (source.split || files) return source_split(r, &source);
  return (Thing){.kind = THING_WHOLE, .source = source};
}

static Thing digits_thing(Reader *r, SourceSpec source, const OptionValue *values) {
  source.split = values[0].text;
  source.count = values[1].whole;
  source.seed = (uint64_t)values[2].whole;
  if (!source.split) return (Thing){.kind = THING_WHOLE, .source = source};
  if (!known_split(r, "digits", source.split, values[0].span)) return poison(r);
  Thing whole = {.kind = THING_WHOLE, .source = source};
  return whole_split(r, &whole, source.split);
}

static Thing file_thing(Reader *r, const char *name, SourceSpec source, const OptionValue *values) {
  source.files = values[0].files;
  source.n_files = values[0].n_files;
  if (source.n_files != 1) {
    diag_error(r->p->sink, DIAG_E0155, values[0].span, "%s takes one file", name);
    return poison(r);
  }
  return (Thing){.kind = THING_FIELD, .field = {.source = source, .span = source.span}, .part = {.to = 1}};
}

static Thing source_thing(Reader *r, const Expr *call, const SourceInfo *info) {
  OptionValue values[MOST_RULES];
  if (!blocks_bind(r->p, r->scope, call, info->rules, info->n_rules, values)) return poison(r);
  SourceSpec source = {.kind = info->kind, .span = call->span};
  switch (info->kind) {
    case SOURCE_CIFAR10:
      return cifar_thing(r, source, values);
    case SOURCE_DIGITS:
      return digits_thing(r, source, values);
    case SOURCE_IDX:
    case SOURCE_NPY:
      break;
  }
  return file_thing(r, info->name, source, values);
}

// ---- what an expression stands for ----------------------------------------------------------------------------------

static NamedThing *find_thing(Reader *r, const char *name) {
  for (size_t k = 0; k < r->n_things; k++)
    if (strcmp(r->things[k].name->text, name) == 0) return &r->things[k];
  return NULL;
}

static void report_no_field(Reader *r, const SplitSpec *split, const Name *name) {
  const char **names = arena_array(r->p->arena, (size_t)split->n_fields + 1, sizeof *names);
  Text list = text_new(r->p->arena);
  for (int k = 0; k < split->n_fields; k++) {
    names[k] = split->fields[k].name;
    text_printf(&list, "%s%s", k ? ", " : "", names[k]);
  }
  const char *nearest = text_nearest(name->text, names, (size_t)split->n_fields);
  if (nearest)
    diag_error(r->p->sink, DIAG_E0152, name->span, "there is no field '%s'; did you mean '%s'?", name->text, nearest);
  else
    diag_error(r->p->sink, DIAG_E0152, name->span, "there is no field '%s'; the fields are %s", name->text, list.bytes);
}

static const FieldSpec *find_field(const SplitSpec *split, const char *name) {
  for (int k = 0; k < split->n_fields; k++)
    if (strcmp(split->fields[k].name, name) == 0) return &split->fields[k];
  return NULL;
}

// `thing.part`.
static Thing thing_part(Reader *r, const Thing *thing, const Name *owner, const Name *part) {
  if (thing->kind == THING_POISON) return *thing;
  if (thing->kind == THING_WHOLE) {
    if (!known_split(r, owner->text, part->text, part->span)) return poison(r);
    return whole_split(r, thing, part->text);
  }
  if (thing->kind == THING_FIELD) {
    diag_error(r->p->sink, DIAG_E0152, part->span, "'%s' is a field and has no parts", owner->text);
    return poison(r);
  }
  const FieldSpec *field = find_field(&thing->split, part->text);
  if (field) return (Thing){.kind = THING_FIELD, .field = *field, .part = thing->split.part};
  report_no_field(r, &thing->split, part);
  return poison(r);
}

// Is the expression itself (not something inside it) a source or a name of one? Then what it stands for is in *thing.
static bool read_thing(Reader *r, const Expr *expr, Thing *thing) {
  if ((expr->kind != EXPR_PATH && expr->kind != EXPR_CALL) || !expr->path) return false;
  const Name *head = expr->path;
  if (expr->kind == EXPR_CALL && !head->next) {
    const SourceInfo *info = find_source(head->text);
    if (info) return *thing = source_thing(r, expr, info), true;
    if (!is_later_source(head->text)) return false;
    diag_error(r->p->sink, DIAG_E0006, expr->span, "the data source %s is not given a meaning yet", head->text);
    return *thing = poison(r), true;
  }
  NamedThing *named = expr->kind == EXPR_PATH ? find_thing(r, head->text) : NULL;
  if (!named) return false;
  named->used = true;
  *thing = named->thing;
  for (const Name *part = head; part->next; part = part->next) *thing = thing_part(r, thing, part, part->next);
  return true;
}

// ---- fields ---------------------------------------------------------------------------------------------------------

// The source inside a field's expression.
typedef struct Leaf {
  Reader *reader;
  const Expr *expr;  // NULL: none yet
  Thing thing;
  bool second;  // a second one was reported
} Leaf;

static bool visit_leaf(void *state, const Expr *expr) {
  Leaf *leaf = state;
  Thing thing;
  if (!read_thing(leaf->reader, expr, &thing)) return true;
  if (leaf->expr && thing.kind != THING_POISON) {
    diag_error(leaf->reader->p->sink, DIAG_E0006, expr->span, "a field made of two sources is not given a meaning yet");
    thing = poison(leaf->reader);
  }
  if (!leaf->expr || thing.kind == THING_POISON) leaf->thing = thing;
  leaf->expr = expr;
  return leaf->thing.kind != THING_POISON;
}

// One field of the leaf: a split gives the one that has the new field's name.
static Thing leaf_field(Leaf *leaf, const Name *name) {
  Reader *r = leaf->reader;
  Thing *thing = &leaf->thing;
  if (thing->kind == THING_SPLIT) {
    const FieldSpec *field = find_field(&thing->split, name->text);
    if (field) return (Thing){.kind = THING_FIELD, .field = *field, .part = thing->split.part};
    report_no_field(r, &thing->split, name);
    return poison(r);
  }
  if (thing->kind == THING_WHOLE) {
    diag_error(r->p->sink, DIAG_E0152, leaf->expr->span, "this has splits: say which, train or test");
    return poison(r);
  }
  return *thing;
}

// The block's own compile-time names become what they stand for.
static const Expr *swap_local(void *state, const Expr *expr) {
  Reader *r = state;
  const char *name = expr->kind == EXPR_PATH ? blocks_head(expr) : NULL;
  for (size_t k = 0; name && k < r->n_locals; k++) {
    if (strcmp(r->locals[k].name, name) != 0) continue;
    scope_find(r->scope, name);  // marks it used
    return r->locals[k].value;
  }
  return NULL;
}

// Names in a field's expression that lead nowhere. Its shapes are known only when the data is opened.
static void check_names(Reader *r, const Expr *expression) {
  Name known = {.text = SOURCE_NAME};
  globals_check_expr(r->p->globals, r->p->sink, &known, expression);
}

// The fields of a split, one of which an expression may mention by its bare name.
typedef struct Siblings {
  Reader *reader;
  const Item *fields;
} Siblings;

// False after reporting: a field's expression sees its source, not the split's fields.
static bool visit_sibling(void *state, const Expr *expr) {
  const Siblings *siblings = state;
  Reader *r = siblings->reader;
  const char *name = expr->kind == EXPR_PATH && !expr->path->next ? expr->path->text : NULL;
  if (!name || find_thing(r, name) || scope_find(r->scope, name) || globals_find(r->p->globals, name)) return true;
  for (const Item *field = siblings->fields; field; field = field->next) {
    if (!field->words || strcmp(field->words->text, name) != 0) continue;
    diag_error(r->p->sink, DIAG_E0006, expr->span,
               "'%s' is a field: a field made of fields, such as statistics over a split, has no meaning in this "
               "version yet",
               name);
    return false;
  }
  return true;
}

// `name = expression`, one of `fields`: the field and the part of the rows that it comes from.
static bool read_field(Reader *r, const Item *item, const Item *fields, FieldSpec *field, SplitPart *part) {
  const Name *name = item->words;
  Leaf leaf = {.reader = r};
  Siblings siblings = {r, fields};
  if (!expr_each(item->value, visit_sibling, &siblings)) return poison(r), false;
  bool whole_tree = expr_each(item->value, visit_leaf, &leaf);
  if (!leaf.expr) {
    if (item->value->kind != EXPR_ERROR)
      diag_error(r->p->sink, DIAG_E0155, item->value->span,
                 "field '%s' has no source; it takes idx, npy, cifar10, digits or a field of another split",
                 name->text);
    return poison(r), false;
  }
  Thing thing = whole_tree ? leaf_field(&leaf, name) : leaf.thing;
  if (thing.kind == THING_POISON) return false;
  *field = thing.field;
  *part = thing.part;
  field->name = name->text;
  field->span = name->span;
  if (leaf.expr == item->value) return true;
  const Expr *inner = field->expression ? field->expression : expr_name(r->p->arena, SOURCE_NAME, leaf.expr->span);
  field->expression = expr_replace(r->p->arena, item->value, leaf.expr, inner);
  field->expression = expr_rewrite(r->p->arena, field->expression, swap_local, r);
  check_names(r, field->expression);
  return true;
}

static bool same_part(const SplitPart *a, const SplitPart *b) {
  return a->is_part == b->is_part && (!a->is_part || (a->from == b->from && a->to == b->to && a->seed == b->seed));
}

static void add_field(Reader *r, const Item *item, const Item *fields, SplitSpec *split) {
  bool plain = item->words && !item->words->next && item->assigned;
  if (!plain) {
    diag_error(r->p->sink, DIAG_E0154, item->span, "a split is made of fields: name = source");
    r->block->broken = true;
    return;
  }
  if (find_field(split, item->words->text)) {
    diag_error(r->p->sink, DIAG_E0153, item->words->span, "field '%s' is given twice", item->words->text);
    r->block->broken = true;
    return;
  }
  SplitPart part;
  FieldSpec *field = &split->fields[split->n_fields];
  if (!read_field(r, item, fields, field, &part)) return;
  if (split->n_fields && !same_part(&part, &split->part)) {
    diag_error(r->p->sink, DIAG_E0155, item->value->span, "the fields of one split come from the same rows");
    r->block->broken = true;
    return;
  }
  split->part = part;
  split->n_fields++;
}

static Thing read_split(Reader *r, const Item *item) {
  size_t n = 0;
  for (const Item *field = item->items; field; field = field->next) n++;
  SplitSpec split = {.fields = arena_array(r->p->arena, n, sizeof *split.fields), .part = {.to = 1}};
  for (const Item *field = item->items; field; field = field->next) add_field(r, field, item->items, &split);
  if (n == 0) {
    diag_error(r->p->sink, DIAG_E0154, item->span, "split '%s' has no fields", item->words->text);
    return poison(r);
  }
  return (Thing){.kind = THING_SPLIT, .split = split};
}

// ---- names in the block ---------------------------------------------------------------------------------------------

static void add_thing(Reader *r, const Name *name, const Thing *thing) {
  if (find_thing(r, name->text) || scope_find(r->scope, name->text)) {
    diag_error(r->p->sink, DIAG_E0153, name->span, "'%s' is given twice", name->text);
    r->block->broken = true;
    return;
  }
  r->things = arena_grow(r->p->arena, r->things, r->n_things, &r->things_capacity, sizeof *r->things);
  r->things[r->n_things++] = (NamedThing){.name = name, .thing = *thing};
  if (thing->kind != THING_SPLIT) return;
  DataSpec *spec = &r->block->spec;
  spec->splits =
      arena_grow(r->p->arena, spec->splits, (size_t)spec->n_splits, &r->splits_capacity, sizeof *spec->splits);
  spec->splits[spec->n_splits] = thing->split;
  spec->splits[spec->n_splits++].name = name->text;
}

// `name = value`.
static void read_named(Reader *r, const Item *item) {
  const Name *name = item->words;
  Thing thing;
  if (read_thing(r, item->value, &thing)) {
    add_thing(r, name, &thing);
    return;
  }
  const char *head = blocks_head(item->value);
  if (item->value->kind == EXPR_CALL && head && strcmp(head, "split") == 0) {
    diag_error(r->p->sink, DIAG_E0155, item->span, "split gives several splits: train, valid = split(..)");
    thing = poison(r);
    add_thing(r, name, &thing);
    return;
  }
  if (find_thing(r, name->text) || scope_find(r->scope, name->text)) {
    diag_error(r->p->sink, DIAG_E0153, name->span, "'%s' is given twice", name->text);
    r->block->broken = true;
    return;
  }
  const Expr *value = expr_rewrite(r->p->arena, item->value, swap_local, r);
  r->locals = arena_grow(r->p->arena, r->locals, r->n_locals, &r->locals_capacity, sizeof *r->locals);
  r->locals[r->n_locals++] = (Local){name->text, value};
  scope_define(r->scope, name->text, name->span, elab_expr(r->p->values, r->scope, value));
}

// ---- split(from, fraction.., seed = 0) ------------------------------------------------------------------------------

typedef struct Cut {
  Thing from;
  double *at;  // where each part ends, as a fraction of `from`: [n], the last is 1
  int n;
  uint64_t seed;
  bool has_seed;
} Cut;

static const OptionRule fraction_rule = {"fraction", OPTION_NUMBER, true, 0, 1};
static const OptionRule seed_rule = {"seed", OPTION_WHOLE, false, 0, INFINITY};

static bool read_fraction(Reader *r, const Arg *arg, Cut *cut) {
  OptionValue value;
  if (!blocks_value(r->p, r->scope, "split: 'fraction'", arg->value, &fraction_rule, &value)) return false;
  double end = (cut->n ? cut->at[cut->n - 1] : 0) + value.number;
  if (value.number > 0 && end < 1) return cut->at[cut->n++] = end, true;
  diag_error(r->p->sink, DIAG_E0155, arg->value->span,
             "split's fractions are above 0 and sum to less than 1; the last part is what remains");
  return false;
}

static bool read_seed(Reader *r, const Expr *call, const Arg *arg, Cut *cut) {
  if (strcmp(arg->name, "seed") != 0) {
    diag_error(r->p->sink, DIAG_E0102, call->span, "split has no option '%s'; its only option is seed", arg->name);
    return false;
  }
  OptionValue value;
  if (!blocks_value(r->p, r->scope, "split: 'seed'", arg->value, &seed_rule, &value)) return false;
  cut->seed = (uint64_t)value.whole;
  return cut->has_seed = true;
}

static bool read_cut(Reader *r, const Expr *call, Cut *cut) {
  int n_args = 0;
  for (const Arg *arg = call->args; arg; arg = arg->next) n_args++;
  cut->at = arena_array(r->p->arena, (size_t)n_args + 1, sizeof *cut->at);
  const Arg *first = call->args;
  if (!first || first->name || !read_thing(r, first->value, &cut->from)) {
    diag_error(r->p->sink, DIAG_E0155, call->span, "split takes a split first: split(all.train, 0.9)");
    return false;
  }
  if (cut->from.kind == THING_POISON) return false;
  if (cut->from.kind != THING_SPLIT) {
    diag_error(r->p->sink, DIAG_E0155, first->value->span,
               cut->from.kind == THING_WHOLE ? "this has splits already: take one, such as .train"
                                             : "this is a field; split takes a split");
    return false;
  }
  for (const Arg *arg = first->next; arg; arg = arg->next)
    if (!(arg->name ? read_seed(r, call, arg, cut) : read_fraction(r, arg, cut))) return false;
  cut->at[cut->n++] = 1;
  return true;
}

// Part k of the cut, as a part of all the source's rows.
static SplitPart cut_part(const Cut *cut, int k) {
  const SplitPart *whole = &cut->from.split.part;
  double from = whole->is_part ? whole->from : 0, to = whole->is_part ? whole->to : 1, size = to - from;
  return (SplitPart){.is_part = true,
                     .from = k ? from + cut->at[k - 1] * size : from,
                     .to = k + 1 < cut->n ? from + cut->at[k] * size : to,
                     .seed = whole->is_part ? whole->seed : cut->seed};
}

static bool cut_fits(Reader *r, const Item *item, const Cut *cut, int targets) {
  if (cut->n != targets) {
    diag_error(r->p->sink, DIAG_E0155, item->span, "split with %d fraction%s gives %d parts, but %d names take them",
               cut->n - 1, cut->n == 2 ? "" : "s", cut->n, targets);
    return false;
  }
  const SplitPart *part = &cut->from.split.part;
  if (!part->is_part || !cut->has_seed || cut->seed == part->seed) return true;
  diag_error(r->p->sink, DIAG_E0006, item->value->span,
             "splitting a part once more with another seed is not given a meaning yet");
  return false;
}

// `train, valid = split(..)`.
static void read_cuts(Reader *r, const Item *item) {
  const char *head = item->value->kind == EXPR_CALL ? blocks_head(item->value) : NULL;
  Cut cut = {0};
  int targets = 0;
  for (const Name *name = item->targets; name; name = name->next) targets++;
  bool ok = head && strcmp(head, "split") == 0;
  if (!ok && item->value->kind != EXPR_ERROR)
    diag_error(r->p->sink, DIAG_E0154, item->value->span, "only split(..) gives several splits");
  ok = ok && read_cut(r, item->value, &cut) && cut_fits(r, item, &cut, targets);
  int k = 0;
  for (const Name *name = item->targets; name; name = name->next, k++) {
    Thing thing = ok ? cut.from : poison(r);
    if (ok) thing.split.part = cut_part(&cut, k);
    add_thing(r, name, &thing);
  }
}

// ---- the block ------------------------------------------------------------------------------------------------------

static void report_item(Reader *r, const Item *item) {
  const char *word = item->words ? item->words->text : NULL;
  bool later = word && (strcmp(word, "normalize") == 0 || strcmp(word, "augment") == 0);
  if (later)
    diag_error(r->p->sink, DIAG_E0006, item->span, "'%s' is not given a meaning yet", word);
  else
    diag_error(r->p->sink, DIAG_E0154, item->span,
               "a data block is made of splits: name { field = source } or name = source");
  r->block->broken = true;
}

// Names are looked up one by one: quadratic in the number of items.
enum { MOST_ITEMS = 1000 };

static bool few_enough(Reader *r, const Item *items) {
  int n = 0;
  for (const Item *item = items; item; item = item->next) n++;
  if (n <= MOST_ITEMS) return true;
  diag_error(r->p->sink, DIAG_E0154, r->block->spec.span, "a block holds at most %d items; this one has %d", MOST_ITEMS,
             n);
  r->block->broken = true;
  return false;
}

static void read_item(Reader *r, const Item *item) {
  bool single = item->words && !item->words->next && !item->in;
  if (item->targets) {
    read_cuts(r, item);
  } else if (single && item->has_items) {
    Thing thing = read_split(r, item);
    add_thing(r, item->words, &thing);
  } else if (single && item->assigned) {
    read_named(r, item);
  } else {
    report_item(r, item);
  }
}

static void report_unused(Reader *r, const Name *name) {
  if (strcmp(name->text, "_") == 0) return;
  diag_error(r->p->sink, DIAG_E0109, name->span, "'%s' is assigned and never used", name->text);
}

static void check_used(Reader *r) {
  if (r->block->broken) return;
  for (size_t k = 0; k < r->n_things; k++) {
    const NamedThing *named = &r->things[k];
    if (!named->used && named->thing.kind != THING_SPLIT) report_unused(r, named->name);
  }
  for (const Binding *b = r->scope->bindings; b; b = b->next) {
    Name name = {.text = b->name, .span = b->span};
    if (!b->used) report_unused(r, &name);
  }
}

void data_block_read(Program *program, DataBlock *block) {
  Reader r = {.p = program, .block = block, .scope = scope_new(program->arena, NULL)};
  block->spec = (DataSpec){.name = block->decl->name->text, .span = block->decl->name->span};
  size_t errors = program->sink->n_errors;
  block->broken = items_broken(block->decl->items);
  if (block->broken || !few_enough(&r, block->decl->items)) return;
  for (const Item *item = block->decl->items; item; item = item->next) read_item(&r, item);
  block->broken |= program->sink->n_errors != errors;
  check_used(&r);
}
