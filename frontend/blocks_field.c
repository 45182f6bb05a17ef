// Fields of a split: expressions over sources, over fields that are there already, and over statistics of splits.
//
// On exit a field's expression stands by itself: its sources and statistics have names of their own in it (no user can
// write them), the block's compile-time names are replaced by their values. Nothing of its shapes is known.
#include <string.h>

#include "blocks_data.h"

enum { MOST_LEAVES = 64 };  // sources and statistics of a field

typedef struct FieldReader {
  DataReader *r;
  const OpenSplit *split;
  const Name *name;  // of the field
  FieldSpec field;   // so far
  size_t leaves_capacity, stats_capacity;
  bool has_part;
  SplitPart part;     // where the leaves' rows are
  const Expr *left;   // what the field's own name stands for in a statistic, where it has no value before; or NULL
  bool in_statistic;  // this is what a statistic is taken of
  bool uses_itself;   // its own name was found, with a value from before
  int own;            // statistics of its own name so far
  bool failed;
} FieldReader;

static const Expr *fail(FieldReader *f) {
  thing_poison(f->r);
  f->failed = true;
  return NULL;
}

static const Expr *swap(void *state, const Expr *expr);

static Expr *rewritten(FieldReader *f, const Expr *expr) { return expr_rewrite(f->r->p->arena, expr, swap, f); }

// ---- leaves and statistics under names of their own -----------------------------------------------------------------

static bool has_room(FieldReader *f, Span span) {
  if (f->field.n_leaves + f->field.n_stats < MOST_LEAVES) return true;
  diag_error(f->r->p->sink, DIAG_E0155, span, "a field is made of at most %d sources and statistics", MOST_LEAVES);
  return fail(f), false;
}

// Two leaves are the same where one place in the text made them.
static bool same_leaf(const SourceSpec *a, const SourceSpec *b) {
  bool same_field = a->field == b->field || (a->field && b->field && strcmp(a->field, b->field) == 0);
  bool same_split = a->split == b->split || (a->split && b->split && strcmp(a->split, b->split) == 0);
  return same_field && same_split && memcmp(&a->span, &b->span, sizeof a->span) == 0;
}

static const char *add_leaf(FieldReader *f, const SourceSpec *source) {
  for (int k = 0; k < f->field.n_leaves; k++)
    if (same_leaf(&f->field.leaves[k].source, source)) return f->field.leaves[k].name;
  if (!has_room(f, source->span)) return NULL;
  FieldSpec *field = &f->field;
  Arena *arena = f->r->p->arena;
  const char *name = field->n_leaves ? arena_printf(arena, "the source %d", field->n_leaves + 1) : "the source";
  field->leaves = arena_grow(arena, field->leaves, (size_t)field->n_leaves, &f->leaves_capacity, sizeof *field->leaves);
  field->leaves[field->n_leaves++] = (FieldLeaf){name, *source};
  return name;
}

static const char *add_stat(FieldReader *f, const FieldStat *stat) {
  if (!has_room(f, stat->span)) return NULL;
  FieldSpec *field = &f->field;
  Arena *arena = f->r->p->arena;
  FieldStat *copy = arena_alloc(arena, sizeof *copy);
  *copy = *stat;
  copy->name = arena_printf(arena, "the statistic %d", field->n_stats + 1);
  field->stats = arena_grow(arena, field->stats, (size_t)field->n_stats, &f->stats_capacity, sizeof *field->stats);
  field->stats[field->n_stats++] = copy;
  return copy->name;
}

typedef struct Renaming {
  const FieldSpec *from;
  const char **leaves, **stats;  // the new names
  Arena *arena;
} Renaming;

static const Expr *swap_renamed(void *state, const Expr *expr) {
  const Renaming *names = state;
  const char *name = expr->kind == EXPR_PATH ? blocks_head(expr) : NULL;
  for (int k = 0; name && k < names->from->n_leaves; k++)
    if (strcmp(names->from->leaves[k].name, name) == 0) return expr_name(names->arena, names->leaves[k], expr->span);
  for (int k = 0; name && k < names->from->n_stats; k++)
    if (strcmp(names->from->stats[k]->name, name) == 0) return expr_name(names->arena, names->stats[k], expr->span);
  return NULL;
}

// Another field's expression, with its leaves and statistics taken over.
static const Expr *inlined(FieldReader *f, const FieldSpec *from, Span span) {
  Arena *arena = f->r->p->arena;
  Renaming names = {.from = from, .arena = arena};
  names.leaves = arena_array(arena, (size_t)from->n_leaves + 1, sizeof *names.leaves);
  names.stats = arena_array(arena, (size_t)from->n_stats + 1, sizeof *names.stats);
  for (int k = 0; k < from->n_leaves; k++)
    if (!(names.leaves[k] = add_leaf(f, &from->leaves[k].source))) return NULL;
  for (int k = 0; k < from->n_stats; k++)
    if (!(names.stats[k] = add_stat(f, from->stats[k]))) return NULL;
  if (!from->expression) return expr_name(arena, names.leaves[0], span);
  return expr_rewrite(arena, from->expression, swap_renamed, &names);
}

// ---- sources and fields by name -------------------------------------------------------------------------------------

static bool is_own_name(const FieldReader *f, const Expr *expr) {
  const char *name = expr->kind == EXPR_PATH ? blocks_head(expr) : NULL;
  return name && strcmp(name, f->name->text) == 0;
}

// A name that has a value outside the split.
static bool is_outer_name(const FieldReader *f, const char *name) {
  return thing_named(f->r, name) || scope_find(f->r->scope, name);
}

// Has the field's own name a value at this place? Else it means, in a statistic, what stands to its left.
static bool own_name_is_open(const FieldReader *f) {
  return !split_field(&f->split->spec, f->name->text) && !is_outer_name(f, f->name->text);
}

// SPLIT.FIELD within the split of that name: FIELD's name, else NULL.
static const Name *own_part(const FieldReader *f, const Expr *expr) {
  if (expr->kind != EXPR_PATH || !expr->path->next || expr->path->next->next) return NULL;
  bool own = strcmp(expr->path->text, f->split->name) == 0 && !is_outer_name(f, f->split->name);
  return own ? expr->path->next : NULL;
}

// The field of the split, as it is so far, that a bare name stands for, or that name behind the split's; NULL where it
// is none.
static const FieldSpec *sibling(const FieldReader *f, const Expr *expr) {
  const Name *part = own_part(f, expr);
  const char *name = part ? part->text : expr->kind == EXPR_PATH ? blocks_head(expr) : NULL;
  return name ? split_field(&f->split->spec, name) : NULL;
}

// One field of the thing: a split gives the one that has the new field's name.
static const FieldSpec *field_of(FieldReader *f, Thing *thing, const Expr *expr) {
  if (thing->kind == THING_FIELD) return &thing->field;
  if (thing->kind == THING_POISON) return fail(f), NULL;
  if (thing->kind == THING_WHOLE) {
    diag_error(f->r->p->sink, DIAG_E0152, expr->span, "this has splits: say which, train or test");
    return fail(f), NULL;
  }
  thing->part = thing->split.part;
  const FieldSpec *field = split_field(&thing->split, f->name->text);
  if (field) return field;
  if (thing->gives_first) return &thing->split.fields[0];
  if (!thing->incomplete) split_report_no_field(f->r, &thing->split, f->name);
  return fail(f), NULL;
}

static bool take_part(FieldReader *f, const SplitPart *part, Span span) {
  if (!f->has_part) f->part = *part;
  f->has_part = true;
  if (split_part_equal(part, &f->part)) return true;
  diag_error(f->r->p->sink, DIAG_E0155, span, "what a field is made of comes from the same rows");
  return fail(f), false;
}

static const Expr *swap_thing(FieldReader *f, Thing *thing, const Expr *expr) {
  const FieldSpec *field = field_of(f, thing, expr);
  if (!field || !take_part(f, &thing->part, expr->span)) return NULL;
  return inlined(f, field, expr->span);
}

// Does the expression mention a source, or a name that stands for one?
static bool is_plain(void *state, const Expr *expr) {
  const FieldReader *f = state;
  SourceKind kind;
  const char *name = expr->path ? expr->path->text : NULL;
  if (expr->kind == EXPR_CALL) return !name || !blocks_source_find(name, &kind);
  return expr->kind != EXPR_PATH ||
         !(thing_named(f->r, name) || sibling(f, expr) || is_own_name(f, expr) || own_part(f, expr));
}

// ---- statistics -----------------------------------------------------------------------------------------------------

typedef struct StatCall {
  StatKind kind;
  const Expr *operand;
  const Expr *axis, *keep;  // or NULL
} StatCall;

static bool stat_kind(const DataReader *r, const Expr *call, StatKind *kind) {
  static const char *const names[] = {
      [STAT_MEAN] = "mean", [STAT_VAR] = "var", [STAT_MIN] = "min", [STAT_MAX] = "max", [STAT_SUM] = "sum"};
  const char *head = call->kind == EXPR_CALL || call->kind == EXPR_PATH ? blocks_head(call) : NULL;
  const Global *global = head ? globals_find(r->p->globals, head) : NULL;
  if (!global || global->decl->span.file != r->p->globals->library->file) return false;
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    if (strcmp(names[k], head) != 0) continue;
    *kind = (StatKind)k;
    return true;
  }
  return false;
}

// A call of mean, var, min, max or sum of one tensor, behind a pipe or not; max and min of two are none.
static bool read_stat_call(const DataReader *r, const Expr *expr, StatCall *call) {
  bool pipe = expr->kind == EXPR_PIPE;
  const Expr *head = pipe ? expr->b : expr;
  *call = (StatCall){.operand = pipe ? expr->a : NULL};
  if ((!pipe && head->kind != EXPR_CALL) || !stat_kind(r, head, &call->kind)) return false;
  bool two = call->kind == STAT_MIN || call->kind == STAT_MAX;
  int position = pipe;
  for (const Arg *arg = head->args; arg; arg = arg->next) {
    int at = arg->name ? -1 : position++;
    if (at == 0 || (arg->name && strcmp(arg->name, "x") == 0))
      call->operand = arg->value;
    else if (at == (two ? 2 : 1) || (arg->name && strcmp(arg->name, "axis") == 0))
      call->axis = arg->value;
    else if (at > 1 || (arg->name && strcmp(arg->name, "keep") == 0))
      call->keep = arg->value;
    else
      return false;
  }
  return call->operand != NULL;
}

// The axes, where they can be told and the rows are among them.
static bool read_axes(FieldReader *f, const StatCall *call, FieldStat *stat) {
  const char *word = call->axis ? blocks_head(call->axis) : "all";
  if (word && strcmp(word, "all") == 0) return stat->all = true;
  Value value = elab_expr(f->r->p->values, f->r->scope, call->axis);
  bool range = value.kind == VALUE_RANGE, list = value.kind == VALUE_LIST;
  int64_t n = range ? value.to - value.from : list ? value.n : 1;
  if (n < 1 || n > IR_MAX_RANK) return false;
  stat->axes = arena_array(f->r->p->arena, (size_t)n, sizeof *stat->axes);
  bool rows = false;
  for (int64_t k = 0; k < n; k++) {
    Value axis = range ? value_int(value.from + k) : list ? value.items[k] : value;
    if (axis.kind != VALUE_INT || axis.integer < -IR_MAX_RANK || axis.integer >= IR_MAX_RANK) return false;
    stat->axes[stat->n_axes++] = (int)axis.integer;
    rows |= axis.integer == 0;
  }
  return rows;
}

static bool is_bare(void *state, const Expr *expr) {
  const FieldReader *f = state;
  return !sibling(f, expr) && !(is_own_name(f, expr) && own_name_is_open(f));
}

// What the statistic is taken of, as a field by itself. False after reporting.
static bool read_operand(FieldReader *f, const Expr *operand, FieldStat *stat) {
  FieldReader *inner = arena_alloc(f->r->p->arena, sizeof *inner);
  *inner = (FieldReader){.r = f->r,
                         .split = f->split,
                         .name = f->name,
                         .left = f->left,
                         .in_statistic = true,
                         .field.name = f->name->text};
  inner->field.span = operand->span;
  inner->field.expression = rewritten(inner, operand);
  stat->of = &inner->field;
  stat->part = inner->part;
  if (!inner->failed) return true;
  return fail(f), false;
}

// A bare field in a statistic, outside split train: the number that train has at the same place.
static const FieldStat *train_stat(FieldReader *f, const Expr *expr, StatKind kind) {
  int at = 0;
  for (size_t k = 0; k < f->r->n_own; k++) {
    const OwnStat *own = &f->r->own[k];
    if (strcmp(own->field, f->name->text) != 0 || at++ != f->own) continue;
    if (own->stat->kind == kind) return own->stat;
    break;
  }
  diag_error(f->r->p->sink, DIAG_E0155, expr->span,
             "statistics are taken over split 'train', and its field '%s' has no such statistic here", f->name->text);
  return fail(f), NULL;
}

static bool in_train(const FieldReader *f) { return strcmp(f->split->name, "train") == 0; }

static const Expr *swap_stat(FieldReader *f, const Expr *expr, const StatCall *call, FieldStat *stat) {
  Program *p = f->r->p;
  bool bare = !expr_each(call->operand, is_bare, f), keep = false;
  if (call->keep && !elab_bool(p->values, f->r->scope, call->keep, &keep)) return fail(f);
  *stat = (FieldStat){.kind = call->kind,
                      .all = stat->all,
                      .axes = stat->axes,
                      .n_axes = stat->n_axes,
                      .keep = keep,
                      .span = expr->span};
  const FieldStat *result = stat;
  if (bare && !in_train(f))
    result = train_stat(f, expr, call->kind);
  else if (!read_operand(f, call->operand, stat))
    return NULL;
  if (bare) {
    f->own++;
    f->uses_itself = true;
  }
  const char *name = result ? add_stat(f, result) : NULL;
  if (!name) return NULL;
  if (bare && in_train(f) && !f->in_statistic) {
    f->r->own = arena_grow(p->arena, f->r->own, f->r->n_own, &f->r->own_capacity, sizeof *f->r->own);
    f->r->own[f->r->n_own++] = (OwnStat){f->name->text, f->field.stats[f->field.n_stats - 1]};
  }
  return expr_name(p->arena, name, expr->span);
}

// ---- the expression -------------------------------------------------------------------------------------------------

// The field's own name where it has no value from before: in a statistic it is what stands to its left.
static const Expr *swap_own(FieldReader *f, const Expr *expr) {
  if (f->in_statistic && f->left) {
    const Expr *left = f->left;
    f->left = NULL;
    const Expr *result = rewritten(f, left);
    f->left = left;
    return result;
  }
  diag_error(f->r->p->sink, DIAG_E0155, expr->span,
             "field '%s' is made of itself; only mean, var, min, max and sum over "
             "the rows may name it, to the right of what they are taken of",
             f->name->text);
  return fail(f);
}

// Does the expression mention a source other than by the field's own name?
static bool is_unsourced(void *state, const Expr *expr) { return is_own_name(state, expr) || is_plain(state, expr); }

// a - mean(image, ..) in field `image`: the name on the right stands for a, where a has rows.
static const Expr *swap_binary(FieldReader *f, const Expr *expr) {
  if (expr->kind != EXPR_BINARY || !own_name_is_open(f)) return NULL;
  if (!expr_uses(expr->b, f->name->text) || expr_each(expr->a, is_unsourced, f)) return NULL;
  Expr *copy = arena_alloc(f->r->p->arena, sizeof *copy);
  const Expr *left = f->left;
  *copy = *expr;
  copy->a = rewritten(f, expr->a);
  f->left = expr->a;
  copy->b = rewritten(f, expr->b);
  f->left = left;
  copy->next = NULL;
  return copy;
}

// A field of the split that holds a mistake, by its name or behind the split's.
static bool is_lost(const FieldReader *f, const Expr *expr) {
  const Name *part = own_part(f, expr);
  const char *name = part ? part->text : expr->kind == EXPR_PATH ? blocks_head(expr) : NULL;
  for (int k = 0; name && k < f->split->n_lost; k++)
    if (strcmp(f->split->lost[k], name) == 0) return true;
  return false;
}

// train.box in split train, before box has a value there.
static const Expr *report_not_yet(FieldReader *f, const Name *field) {
  Diag *diag = diag_error(f->r->p->sink, DIAG_E0152, field->span, "split '%s' has no field '%s' up to here",
                          f->split->name, field->text);
  diag_line(f->r->p->sink, diag, DIAG_HELP, "a field is made of the split's fields that stand before it");
  return fail(f);
}

static const Expr *swap_known(FieldReader *f, const Expr *expr) {
  StatCall call;
  FieldStat stat = {0};
  Thing thing;
  if (read_stat_call(f->r, expr, &call) && !expr_each(call.operand, is_plain, f) && read_axes(f, &call, &stat))
    return swap_stat(f, expr, &call, &stat);
  if (is_lost(f, expr)) return fail(f);
  const FieldSpec *before = sibling(f, expr);
  if (before) {
    f->uses_itself |= is_own_name(f, expr);
    return take_part(f, &f->split->spec.part, expr->span) ? inlined(f, before, expr->span) : NULL;
  }
  const Name *part = own_part(f, expr);
  if (part) return report_not_yet(f, part);
  if (thing_read(f->r, expr, &thing)) return swap_thing(f, &thing, expr);
  if (is_own_name(f, expr) && own_name_is_open(f) && !globals_find(f->r->p->globals, f->name->text))
    return swap_own(f, expr);
  const Expr *binary = swap_binary(f, expr);
  return binary ? binary : data_swap_local(f->r, expr);
}

// After a mistake nothing more is looked at.
static const Expr *swap(void *state, const Expr *expr) {
  FieldReader *f = state;
  const Expr *result = f->failed ? expr : swap_known(f, expr);
  return f->failed ? expr : result;
}

// Names in a field's expression that lead nowhere. Its shapes are known only when the data is opened.
static void check_names(DataReader *r, const FieldSpec *field) {
  int n = field->n_leaves + field->n_stats;
  Name *known = arena_array(r->p->arena, (size_t)n, sizeof *known);
  for (int k = 0; k < n; k++) {
    known[k].text = k < field->n_leaves ? field->leaves[k].name : field->stats[k - field->n_leaves]->name;
    if (k + 1 < n) known[k].next = &known[k + 1];
  }
  globals_check_expr(r->p->values, known, field->expression);
}

static bool is_single_leaf(const FieldSpec *field) {
  const char *name = field->expression->kind == EXPR_PATH ? blocks_head(field->expression) : NULL;
  return field->n_leaves == 1 && field->n_stats == 0 && name && strcmp(name, field->leaves[0].name) == 0;
}

static void report_no_source(FieldReader *f, const Expr *value) {
  bool statistic = f->field.n_stats > 0;
  if (value->kind == EXPR_ERROR || blocks_source_misspelt(f->r->p, value)) return;
  diag_error(f->r->p->sink, DIAG_E0155, value->span,
             statistic ? "field '%s' must keep the rows, and a statistic over them has none"
                       : "field '%s' has no source; it takes a field of another split, or one of %s",
             f->name->text, blocks_source_list(f->r->p->arena));
}

// Reads the item's expression. False after reporting.
static bool read_field(FieldReader *f, const Item *item) {
  DataReader *r = f->r;
  f->field = (FieldSpec){.name = f->name->text, .span = f->name->span};
  f->field.expression = rewritten(f, item->value);
  if (f->failed) return false;
  if (f->field.n_leaves == 0) {
    report_no_source(f, item->value);
    return fail(f), false;
  }
  if (is_single_leaf(&f->field))
    f->field.expression = NULL;
  else
    check_names(r, &f->field);
  return true;
}

void split_add_field(DataReader *r, OpenSplit *split, const Item *item) {
  bool plain = item->words && !item->words->next && item->assigned;
  SplitSpec *spec = &split->spec;
  if (!plain) {
    diag_error(r->p->sink, DIAG_E0154, item->span, "a split is made of fields: name = source");
    thing_poison(r);
    return;
  }
  const FieldSpec *before = split_field(spec, item->words->text);
  int at = before ? (int)(before - spec->fields) : spec->n_fields;
  FieldReader f = {.r = r, .split = split, .name = item->words, .own = before ? split->own[at] : 0};
  if (!read_field(&f, item)) {
    split->lost[split->n_lost++] = item->words->text;
    return;
  }
  if (before && !f.uses_itself) {
    diag_error(r->p->sink, DIAG_E0153, item->words->span, "field '%s' is given twice", item->words->text);
    thing_poison(r);
    return;
  }
  if (spec->n_fields && !split_part_equal(&f.part, &spec->part)) {
    diag_error(r->p->sink, DIAG_E0155, item->value->span, "the fields of one split come from the same rows");
    thing_poison(r);
    return;
  }
  spec->part = f.part;
  spec->fields[at] = f.field;
  split->own[at] = f.own;
  spec->n_fields += !before;
}
