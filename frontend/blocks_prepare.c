// `normalize image per_channel` and `augment image { crop(32, pad = 4) }`: what is done to fields besides their
// expressions. Several fields behind `augment` change alike: an image and its mask.
#include <string.h>

#include "blocks.h"

// ---- the fields of an item ------------------------------------------------------------------------------------------

static bool has_field(const DataSpec *spec, const char *name) {
  for (int k = 0; k < spec->n_splits; k++)
    for (int n = 0; n < spec->splits[k].n_fields; n++)
      if (strcmp(spec->splits[k].fields[n].name, name) == 0) return true;
  return false;
}

static void report_no_field(Program *p, const DataSpec *spec, const char *name, Span span) {
  const char **names = NULL;
  size_t n = 0, capacity = 0;
  for (int k = 0; k < spec->n_splits; k++)
    for (int field = 0; field < spec->splits[k].n_fields; field++) {
      names = arena_grow(p->arena, names, n, &capacity, sizeof *names);
      names[n++] = spec->splits[k].fields[field].name;
    }
  const char *nearest = text_nearest(name, names, n);
  diag_error(p->sink, DIAG_E0152, span,
             nearest ? "no split has a field '%s'; did you mean '%s'?" : "no split has a field '%s'", name, nearest);
}

bool blocks_prepare_check(Program *p, const DataSpec *spec) {
  size_t errors = p->sink->n_errors;
  for (int k = 0; k < spec->n_normalize; k++)
    if (!has_field(spec, spec->normalize[k].field))
      report_no_field(p, spec, spec->normalize[k].field, spec->normalize[k].span);
  for (int k = 0; k < spec->n_augment; k++)
    for (int n = 0; n < spec->augment[k].n_fields; n++)
      if (!has_field(spec, spec->augment[k].fields[n]))
        report_no_field(p, spec, spec->augment[k].fields[n], spec->augment[k].span);
  return p->sink->n_errors == errors;
}

static bool report_form(Program *p, const Item *item, const char *form) {
  diag_error(p->sink, DIAG_E0154, item->span, "this item must be: %s", form);
  return false;
}

// ---- normalize ------------------------------------------------------------------------------------------------------

typedef struct PerWord {
  const char *word;
  NormalizePer per;
} PerWord;

static const PerWord per_words[] = {{"per_channel", NORMALIZE_CHANNEL},
                                    {"per_feature", NORMALIZE_ELEMENT},
                                    {"per_pixel", NORMALIZE_ELEMENT},
                                    {"all", NORMALIZE_ALL}};
enum { PER_WORDS = sizeof per_words / sizeof *per_words };

static const PerWord *find_per(const char *word) {
  for (size_t k = 0; k < PER_WORDS; k++)
    if (strcmp(per_words[k].word, word) == 0) return &per_words[k];
  return NULL;
}

static bool report_per(Program *p, const Name *word) {
  const char *words[PER_WORDS];
  for (size_t k = 0; k < PER_WORDS; k++) words[k] = per_words[k].word;
  const char *nearest = text_nearest(word->text, words, PER_WORDS);
  diag_error(p->sink, DIAG_E0156, word->span,
             nearest ? "normalize takes per_channel, per_feature, per_pixel or all, not '%s'; did you mean '%s'?"
                     : "normalize takes per_channel, per_feature, per_pixel or all, not '%s'",
             word->text, nearest);
  return false;
}

static bool add_normalize(Program *p, DataSpec *spec, const Name *field, NormalizePer per) {
  for (int k = 0; k < spec->n_normalize; k++) {
    if (strcmp(spec->normalize[k].field, field->text) != 0) continue;
    diag_error(p->sink, DIAG_E0153, field->span, "field '%s' is normalized twice", field->text);
    return false;
  }
  NormalizeSpec *all = arena_array(p->arena, (size_t)spec->n_normalize + 1, sizeof *all);
  if (spec->n_normalize) memcpy(all, spec->normalize, (size_t)spec->n_normalize * sizeof *all);
  all[spec->n_normalize++] = (NormalizeSpec){field->text, per, field->span};
  spec->normalize = all;
  return true;
}

bool blocks_normalize_read(Program *p, DataSpec *spec, const Item *item) {
  const Name *last = item->words;
  while (last->next) last = last->next;
  bool form = item->words->next && item->words->next != last && !item->value && !item->has_items;
  if (!form) return report_form(p, item, "normalize FIELD per_channel, or per_feature, per_pixel, all");
  const PerWord *per = find_per(last->text);
  if (!per) return report_per(p, last);
  for (const Name *field = item->words->next; field != last; field = field->next)
    if (!add_normalize(p, spec, field, per->per)) return false;
  return true;
}

// ---- augment --------------------------------------------------------------------------------------------------------

enum { MOST_OPTIONS = 2 };

typedef struct AugmentForm {
  const char *name;
  AugmentKind kind;
  OptionRule rules[MOST_OPTIONS];
  int n_rules;
  bool moves;  // pixels, so that it makes sense for masks; else it changes values
} AugmentForm;

static const AugmentForm forms[] = {
    {"flip_horizontal", AUGMENT_FLIP_HORIZONTAL, {{"p", OPTION_NUMBER, false, 0, 1}}, 1, true},
    {"flip_vertical", AUGMENT_FLIP_VERTICAL, {{"p", OPTION_NUMBER, false, 0, 1}}, 1, true},
    {"crop", AUGMENT_CROP, {{"size", OPTION_EXPR, true, 0, 0}, {"pad", OPTION_WHOLE, false, 0, 4096}}, 2, true},
    {"rotation", AUGMENT_ROTATION, {{"degrees", OPTION_NUMBER, true, 0, 180}}, 1, true},
    {"brightness", AUGMENT_BRIGHTNESS, {{"by", OPTION_NUMBER, true, 0, 1}}, 1, false},
    {"contrast", AUGMENT_CONTRAST, {{"by", OPTION_NUMBER, true, 0, 1}}, 1, false},
};
enum { FORMS = sizeof forms / sizeof *forms };

static const AugmentForm *find_form(Program *p, const Expr *call) {
  const char *names[FORMS], *head = blocks_head(call);
  for (size_t k = 0; k < FORMS; k++) {
    names[k] = forms[k].name;
    if (head && strcmp(names[k], head) == 0) return &forms[k];
  }
  const char *nearest = head ? text_nearest(head, names, FORMS) : NULL;
  if (call->kind != EXPR_ERROR)
    diag_error(p->sink, DIAG_E0101, call->span,
               nearest ? "augment has no such step; did you mean '%s'?"
                       : "augment has no such step; it has flip_horizontal, flip_vertical, crop, rotation, brightness "
                         "and contrast",
               nearest);
  return NULL;
}

// crop's size: a side, or [height, width].
static bool read_size(Program *p, Scope *scope, const OptionValue *v, AugmentOp *op) {
  Value value = elab_expr(p->values, scope, v->expr);
  if (value_is_poison(value)) return false;
  const Value *items = value.kind == VALUE_LIST ? value.items : &value;
  int n = value.kind == VALUE_LIST ? value.n : 1;
  bool ok = n == 1 || n == 2;
  for (int k = 0; ok && k < n; k++)
    ok = items[k].kind == VALUE_INT && items[k].integer >= 1 && items[k].integer < 65536;
  if (!ok) {
    diag_error(p->sink, DIAG_E0156, v->span, "crop: 'size' takes a side or [height, width]");
    return false;
  }
  op->height = items[0].integer;
  op->width = items[n - 1].integer;
  return true;
}

static bool read_op(Program *p, Scope *scope, const Item *item, int n_fields, AugmentOp *op) {
  if (!item->value || item->words) return report_form(p, item, "a call, such as flip_horizontal(0.5)");
  const AugmentForm *form = find_form(p, item->value);
  OptionValue values[MOST_OPTIONS];
  if (!form || !blocks_bind(p, scope, item->value, form->rules, form->n_rules, values)) return false;
  if (!form->moves && n_fields > 1) {
    Diag *diag = diag_error(p->sink, DIAG_E0154, item->span,
                            "%s changes values, and would change those of every field "
                            "that is named",
                            form->name);
    diag_line(p->sink, diag, DIAG_HELP, "give the image an augment of its own: augment image { %s(..) }", form->name);
    return false;
  }
  *op = (AugmentOp){.kind = form->kind, .amount = values[0].given ? values[0].number : 0.5, .span = item->span};
  if (form->kind != AUGMENT_CROP) return true;
  op->pad = values[1].whole;
  return read_size(p, scope, &values[0], op);
}

bool blocks_augment_read(Program *p, DataSpec *spec, Scope *scope, const Item *item) {
  if (!item->has_items || item->value) return report_form(p, item, "augment FIELD { flip_horizontal(0.5) .. }");
  AugmentSpec augment = {.span = item->words->next->span};
  int n_items = 0;
  for (const Name *name = item->words->next; name; name = name->next) augment.n_fields++;
  for (const Item *op = item->items; op; op = op->next) n_items++;
  augment.fields = arena_array(p->arena, (size_t)augment.n_fields, sizeof *augment.fields);
  augment.ops = arena_array(p->arena, (size_t)n_items, sizeof *augment.ops);
  int at = 0;
  for (const Name *name = item->words->next; name; name = name->next) augment.fields[at++] = name->text;
  bool ok = true;
  for (const Item *op = item->items; op; op = op->next)
    ok &= read_op(p, scope, op, augment.n_fields, &augment.ops[augment.n_ops++]);
  AugmentSpec *all = arena_array(p->arena, (size_t)spec->n_augment + 1, sizeof *all);
  if (spec->n_augment) memcpy(all, spec->augment, (size_t)spec->n_augment * sizeof *all);
  all[spec->n_augment++] = augment;
  spec->augment = all;
  return ok;
}
