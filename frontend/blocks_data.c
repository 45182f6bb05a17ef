// Data blocks: what their names stand for, splits, and the parts of split().
//
// On exit block->spec holds the splits, in the order in which the block names them, and what normalize and augment say.
#include "blocks_data.h"

#include <math.h>
#include <string.h>

Thing thing_poison(DataReader *r) {
  r->block->broken = true;
  return (Thing){.kind = THING_POISON};
}

// ---- sources --------------------------------------------------------------------------------------------------------

#define SOURCE_NAME "the source"

FieldSpec field_of_source(Arena *arena, const char *name, const SourceSpec *source) {
  FieldLeaf *leaf = arena_alloc(arena, sizeof *leaf);
  *leaf = (FieldLeaf){SOURCE_NAME, *source};
  leaf->source.field = source_info(source->kind)->fields[0] ? name : NULL;
  return (FieldSpec){.name = name, .leaves = leaf, .n_leaves = 1, .span = source->span};
}

// The split of a source with several fields.
static Thing source_split(DataReader *r, const SourceSpec *source) {
  const SourceInfo *info = source_info(source->kind);
  SplitSpec split = {.fields = arena_array(r->p->arena, SOURCE_MOST_FIELDS, sizeof *split.fields), .part = {.to = 1}};
  for (; split.n_fields < SOURCE_MOST_FIELDS && info->fields[split.n_fields]; split.n_fields++)
    split.fields[split.n_fields] = field_of_source(r->p->arena, info->fields[split.n_fields], source);
  return (Thing){.kind = THING_SPLIT, .split = split, .gives_first = !info->has_splits};
}

// The split of that name of a whole data set.
static Thing whole_split(DataReader *r, const Thing *whole, const char *split) {
  SourceSpec source = whole->source;
  source.split = split;
  return source_split(r, &source);
}

static Thing source_thing(DataReader *r, const Expr *call, SourceKind kind) {
  SourceSpec source;
  bool whole = false;
  if (!blocks_source_read(r->p, r->scope, call, kind, &source, &whole)) return thing_poison(r);
  if (whole) return (Thing){.kind = THING_WHOLE, .source = source};
  if (source_info(kind)->fields[0]) return source_split(r, &source);
  return (Thing){.kind = THING_FIELD, .field = field_of_source(r->p->arena, NULL, &source), .part = {.to = 1}};
}

// ---- what an expression stands for ----------------------------------------------------------------------------------

NamedThing *thing_named(DataReader *r, const char *name) {
  for (size_t k = 0; k < r->n_things; k++)
    if (strcmp(r->things[k].name->text, name) == 0) return &r->things[k];
  return NULL;
}

void split_report_no_field(DataReader *r, const SplitSpec *split, const Name *name) {
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

const FieldSpec *split_field(const SplitSpec *split, const char *name) {
  for (int k = 0; k < split->n_fields; k++)
    if (strcmp(split->fields[k].name, name) == 0) return &split->fields[k];
  return NULL;
}

// `thing.part`.
static Thing thing_part(DataReader *r, const Thing *thing, const Name *owner, const Name *part) {
  if (thing->kind == THING_POISON) return *thing;
  if (thing->kind == THING_WHOLE) {
    if (!blocks_source_split(r->p, owner->text, part->text, part->span)) return thing_poison(r);
    return whole_split(r, thing, part->text);
  }
  if (thing->kind == THING_FIELD) {
    diag_error(r->p->sink, DIAG_E0152, part->span, "'%s' is a field and has no parts", owner->text);
    return thing_poison(r);
  }
  const FieldSpec *field = split_field(&thing->split, part->text);
  if (field) return (Thing){.kind = THING_FIELD, .field = *field, .part = thing->split.part};
  if (thing->incomplete) return thing_poison(r);
  split_report_no_field(r, &thing->split, part);
  return thing_poison(r);
}

bool thing_read(DataReader *r, const Expr *expr, Thing *thing) {
  if ((expr->kind != EXPR_PATH && expr->kind != EXPR_CALL) || !expr->path) return false;
  const Name *head = expr->path;
  if (expr->kind == EXPR_CALL && !head->next) {
    SourceKind kind;
    if (!blocks_source_find(head->text, &kind)) return false;
    return *thing = source_thing(r, expr, kind), true;
  }
  NamedThing *named = expr->kind == EXPR_PATH ? thing_named(r, head->text) : NULL;
  if (!named) return false;
  named->used = true;
  *thing = named->thing;
  for (const Name *part = head; part->next; part = part->next) *thing = thing_part(r, thing, part, part->next);
  return true;
}

// ---- splits ---------------------------------------------------------------------------------------------------------

static Thing read_split(DataReader *r, const Item *item) {
  size_t n = 0;
  for (const Item *field = item->items; field; field = field->next) n++;
  OpenSplit open = {.name = item->words->text,
                    .own = arena_array(r->p->arena, n, sizeof *open.own),
                    .lost = arena_array(r->p->arena, n, sizeof *open.lost)};
  open.spec = (SplitSpec){.fields = arena_array(r->p->arena, n, sizeof *open.spec.fields), .part = {.to = 1}};
  for (const Item *field = item->items; field; field = field->next) split_add_field(r, &open, field);
  if (n == 0) {
    diag_error(r->p->sink, DIAG_E0154, item->span, "split '%s' has no fields", item->words->text);
    return thing_poison(r);
  }
  return (Thing){.kind = THING_SPLIT, .split = open.spec, .incomplete = open.n_lost > 0};
}

// ---- names in the block ---------------------------------------------------------------------------------------------

static void add_thing(DataReader *r, const Name *name, const Thing *thing) {
  if (thing_named(r, name->text) || scope_find(r->scope, name->text)) {
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

const Expr *data_swap_local(void *reader, const Expr *expr) {
  DataReader *r = reader;
  const char *name = expr->kind == EXPR_PATH ? blocks_head(expr) : NULL;
  for (size_t k = 0; name && k < r->n_locals; k++) {
    if (strcmp(r->locals[k].name, name) != 0) continue;
    scope_find(r->scope, name);  // marks it used
    return r->locals[k].value;
  }
  return NULL;
}

// `name = value`.
static void read_named(DataReader *r, const Item *item) {
  const Name *name = item->words;
  Thing thing;
  if (thing_read(r, item->value, &thing)) {
    add_thing(r, name, &thing);
    return;
  }
  const char *head = blocks_head(item->value);
  if (item->value->kind == EXPR_CALL && head && strcmp(head, "split") == 0) {
    diag_error(r->p->sink, DIAG_E0155, item->span, "split gives several splits: train, valid = split(..)");
    thing = thing_poison(r);
    add_thing(r, name, &thing);
    return;
  }
  if (thing_named(r, name->text) || scope_find(r->scope, name->text)) {
    diag_error(r->p->sink, DIAG_E0153, name->span, "'%s' is given twice", name->text);
    r->block->broken = true;
    return;
  }
  const Expr *value = expr_rewrite(r->p->arena, item->value, data_swap_local, r);
  bool misspelt = blocks_source_misspelt(r->p, value);
  Value known = misspelt ? value_poison() : elab_expr(r->p->values, r->scope, value);
  if (value_is_poison(known)) {
    thing = thing_poison(r);
    add_thing(r, name, &thing);
    return;
  }
  r->locals = arena_grow(r->p->arena, r->locals, r->n_locals, &r->locals_capacity, sizeof *r->locals);
  r->locals[r->n_locals++] = (Local){name->text, value};
  scope_define(r->scope, name->text, name->span, known);
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

static bool read_fraction(DataReader *r, const Arg *arg, Cut *cut) {
  OptionValue value;
  if (!blocks_value(r->p, r->scope, "split: 'fraction'", arg->value, &fraction_rule, &value)) return false;
  double end = (cut->n ? cut->at[cut->n - 1] : 0) + value.number;
  if (value.number > 0 && end < 1) return cut->at[cut->n++] = end, true;
  diag_error(r->p->sink, DIAG_E0155, arg->value->span,
             "split's fractions are above 0 and sum to less than 1; the last part is what remains");
  return false;
}

static bool read_seed(DataReader *r, const Expr *call, const Arg *arg, Cut *cut) {
  if (strcmp(arg->name, "seed") != 0) {
    diag_error(r->p->sink, DIAG_E0102, call->span, "split has no option '%s'; its only option is seed", arg->name);
    return false;
  }
  OptionValue value;
  if (!blocks_value(r->p, r->scope, "split: 'seed'", arg->value, &seed_rule, &value)) return false;
  cut->seed = (uint64_t)value.whole;
  return cut->has_seed = true;
}

static bool read_cut(DataReader *r, const Expr *call, Cut *cut) {
  int n_args = 0;
  for (const Arg *arg = call->args; arg; arg = arg->next) n_args++;
  cut->at = arena_array(r->p->arena, (size_t)n_args + 1, sizeof *cut->at);
  const Arg *first = call->args;
  if (!first || first->name || !thing_read(r, first->value, &cut->from)) {
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

// Part k of the cut, as a part of all the source's rows: of the same shuffling, unless the cut has a seed of its own.
static SplitPart cut_part(const Cut *cut, int k) {
  const SplitPart *whole = &cut->from.split.part;
  bool anew = !whole->is_part || (cut->has_seed && cut->seed != whole->seed);
  double from = anew ? 0 : whole->from, to = anew ? 1 : whole->to, size = to - from;
  return (SplitPart){.is_part = true,
                     .from = k ? from + cut->at[k - 1] * size : from,
                     .to = k + 1 < cut->n ? from + cut->at[k] * size : to,
                     .seed = anew ? cut->seed : whole->seed,
                     .base = !anew            ? whole->base
                             : whole->is_part ? whole
                                              : NULL};
}

static bool cut_fits(DataReader *r, const Item *item, const Cut *cut, int targets) {
  if (cut->n != targets) {
    diag_error(r->p->sink, DIAG_E0155, item->span, "split with %d fraction%s gives %d parts, but %d names take them",
               cut->n - 1, cut->n == 2 ? "" : "s", cut->n, targets);
    return false;
  }
  return true;
}

// `train, valid = split(..)`.
static void read_cuts(DataReader *r, const Item *item) {
  const char *head = item->value->kind == EXPR_CALL ? blocks_head(item->value) : NULL;
  Cut *cut = arena_alloc(r->p->arena, sizeof *cut);  // parts point into it
  int targets = 0;
  for (const Name *name = item->targets; name; name = name->next) targets++;
  bool ok = head && strcmp(head, "split") == 0;
  if (!ok && item->value->kind != EXPR_ERROR)
    diag_error(r->p->sink, DIAG_E0154, item->value->span, "only split(..) gives several splits");
  ok = ok && read_cut(r, item->value, cut) && cut_fits(r, item, cut, targets);
  int k = 0;
  for (const Name *name = item->targets; name; name = name->next, k++) {
    Thing thing = ok ? cut->from : thing_poison(r);
    if (ok) thing.split.part = cut_part(cut, k);
    add_thing(r, name, &thing);
  }
}

// ---- the block ------------------------------------------------------------------------------------------------------

static void report_item(DataReader *r, const Item *item) {
  diag_error(r->p->sink, DIAG_E0154, item->span,
             "a data block is made of splits: name { field = source } or name = source");
  r->block->broken = true;
}

// Names are looked up one by one: quadratic in the number of items.
enum { MOST_ITEMS = 1000 };

static bool few_enough(DataReader *r, const Item *items) {
  int n = 0;
  for (const Item *item = items; item; item = item->next) n++;
  if (n <= MOST_ITEMS) return true;
  diag_error(r->p->sink, DIAG_E0154, r->block->spec.span, "a block holds at most %d items; this one has %d", MOST_ITEMS,
             n);
  r->block->broken = true;
  return false;
}

static bool begins_with(const Item *item, const char *word) {
  return item->words && item->words->next && strcmp(item->words->text, word) == 0;
}

static void read_item(DataReader *r, const Item *item) {
  bool single = item->words && !item->words->next && !item->in;
  if (item->targets) {
    read_cuts(r, item);
  } else if (single && item->has_items) {
    Thing thing = read_split(r, item);
    add_thing(r, item->words, &thing);
  } else if (single && item->assigned) {
    read_named(r, item);
  } else if (begins_with(item, "normalize")) {
    r->block->broken |= !blocks_normalize_read(r->p, &r->block->spec, item);
  } else if (begins_with(item, "augment")) {
    r->block->broken |= !blocks_augment_read(r->p, &r->block->spec, r->scope, item);
  } else {
    report_item(r, item);
  }
}

// A split that others are made of is not evaluated by itself, unless it has a name that says so.
static void find_origins(DataReader *r) {
  static const char *const always[] = {"train", "valid", "test"};
  for (int k = 0; k < r->block->spec.n_splits; k++) {
    SplitSpec *split = &r->block->spec.splits[k];
    split->is_origin = thing_named(r, split->name)->used;
    for (size_t n = 0; n < sizeof always / sizeof *always; n++)
      if (strcmp(split->name, always[n]) == 0) split->is_origin = false;
  }
}

static void report_unused(DataReader *r, const Name *name) {
  if (strcmp(name->text, "_") == 0) return;
  diag_error(r->p->sink, DIAG_E0109, name->span, "'%s' is assigned and never used", name->text);
}

// A name that should have been a split: blobs(3) has splits, an idx file is one field.
static void report_no_split(DataReader *r, const Name *name, const Thing *thing) {
  DiagSink *sink = r->p->sink;
  bool whole = thing->kind == THING_WHOLE;
  const char *source = source_info((whole ? &thing->source : &thing->field.leaves[0].source)->kind)->name;
  if (whole) {
    Diag *diag =
        diag_error(sink, DIAG_E0155, name->span, "'%s' is no split: %s has two, train and test", name->text, source);
    diag_line(sink, diag, DIAG_HELP, "name the one that is meant: %s(.., \"train\")", source);
    return;
  }
  Diag *diag =
      diag_error(sink, DIAG_E0155, name->span, "'%s' is one field, and a split is made of named fields", name->text);
  diag_line(sink, diag, DIAG_HELP, "%s { image = %s(..)  label = .. }", name->text, source);
}

static bool is_split_name(const char *name) {
  return strcmp(name, "train") == 0 || strcmp(name, "valid") == 0 || strcmp(name, "test") == 0;
}

static void check_thing(DataReader *r, const NamedThing *named) {
  const Thing *thing = &named->thing;
  if (named->used || thing->kind == THING_SPLIT || thing->kind == THING_POISON) return;
  bool plain = thing->kind == THING_WHOLE || thing->field.n_leaves > 0;
  if (is_split_name(named->name->text) && plain)
    report_no_split(r, named->name, thing);
  else
    report_unused(r, named->name);
}

static void check_used(DataReader *r) {
  if (r->block->broken) return;
  for (size_t k = 0; k < r->n_things; k++) check_thing(r, &r->things[k]);
  for (size_t k = 0; k < r->scope->n_bindings; k++) {
    const Binding *b = r->scope->bindings[k];
    Name name = {.text = b->name, .span = b->span};
    if (!b->used) report_unused(r, &name);
  }
}

void data_block_read(Program *program, DataBlock *block) {
  DataReader r = {.p = program, .block = block, .scope = scope_new(program->arena, NULL)};
  block->spec = (DataSpec){.name = block->decl->name->text, .span = block->decl->name->span};
  size_t errors = program->sink->n_errors;
  block->broken = items_broken(block->decl->items);
  if (block->broken || !few_enough(&r, block->decl->items)) return;
  for (const Item *item = block->decl->items; item; item = item->next) read_item(&r, item);
  if (!block->broken) block->broken = !blocks_prepare_check(program, &block->spec);
  block->broken |= program->sink->n_errors != errors;
  find_origins(&r);
  check_used(&r);
  block->broken |= program->sink->n_errors != errors;
}
