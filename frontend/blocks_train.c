// Train blocks: keys, the statements that make up the loss, and what --set replaces.
//
// True on entry: block->decl is in the program's declarations; block->model and block->data are found or NULL.
// True on exit: block->spec is filled in (defaults where nothing is said), block->steps lists what program_lower runs;
// every mistake that does not need the network's shapes is reported.
#include "blocks.h"

#include <math.h>
#include <string.h>

#include "blocks_keys.h"

// What an item of the block is.
typedef enum ItemRole { ROLE_WRONG, ROLE_KEY, ROLE_LOSS, ROLE_METRIC, ROLE_NAME } ItemRole;

static ItemRole role_of(const Item *item) {
  if (!item->assigned) return ROLE_WRONG;
  if (item->targets) return ROLE_NAME;
  if (!item->words) return ROLE_WRONG;
  const char *word = item->words->text;
  if (item->words->next) return strcmp(word, "metric") == 0 ? ROLE_METRIC : ROLE_WRONG;
  if (strcmp(word, "loss") == 0) return ROLE_LOSS;
  const TrainKey *key = train_key_find(word);
  return key ? ROLE_KEY : ROLE_NAME;
}

static const Name *item_names(const Item *item) { return item->targets ? item->targets : item->words; }

// ---- what --set replaces --------------------------------------------------------------------------------------------

static Item *copy_items(Arena *arena, const Item *items) {
  Item *first = NULL, **at = &first;
  for (; items; items = items->next) {
    *at = arena_alloc(arena, sizeof **at);
    **at = *items;
    at = &(*at)->next;
  }
  return first;
}

static Item *find_item(Item *items, const char *name) {
  for (; items; items = items->next)
    if (items->words && !items->words->next && items->assigned && strcmp(items->words->text, name) == 0) return items;
  return NULL;
}

static Item *add_item(Program *p, Item **items, const char *name, const Expr *value) {
  Item *item = arena_alloc(p->arena, sizeof *item);
  Name *word = arena_alloc(p->arena, sizeof *word);
  *word = (Name){.text = name, .span = value->span};
  *item = (Item){.span = value->span, .words = word, .assigned = true, .value = (Expr *)value};
  while (*items) items = &(*items)->next;
  return *items = item;
}

// `lr` of --set lr=0.1: an option of the block's optimizer.
static bool set_optimizer_option(Program *p, Item **items, const SettingValue *setting) {
  Item *item = find_item(*items, "optimizer");
  const char *head = item ? blocks_head(item->value) : "sgd";
  if (!head || !train_optimizer_has(head, setting->name)) return false;
  if (!item) item = add_item(p, items, "optimizer", expr_name(p->arena, "sgd", setting->span));
  Expr *call = expr_replace(p->arena, item->value, NULL, NULL);
  call->kind = EXPR_CALL;
  call->args = train_optimizer_set(p->arena, head, call->args, setting->name, (Expr *)setting->value, setting->span);
  item->value = call;
  return true;
}

static void apply_setting(Program *p, Item **items, SettingValue *setting) {
  if (!setting->value) return;
  Item *item = find_item(*items, setting->name);
  if (item) {
    item->value = (Expr *)setting->value;
    setting->used = true;
  } else if (train_key_find(setting->name)) {
    add_item(p, items, setting->name, setting->value);
    setting->used = true;
  } else if (set_optimizer_option(p, items, setting)) {
    setting->used = true;
  }
}

bool train_block_takes(const TrainBlock *block, const char *name) {
  Item *items = block->decl->items, *optimizer = find_item(items, "optimizer");
  if (train_key_find(name) || find_item(items, name)) return true;
  const char *head = optimizer ? blocks_head(optimizer->value) : "sgd";
  return head && train_optimizer_has(head, name);
}

// ---- reading the items ----------------------------------------------------------------------------------------------

typedef struct Entry {
  const Item *item;
  ItemRole role;
  bool by_key;  // ROLE_NAME: a key needs its value, by itself or through other names
} Entry;

typedef struct Reader {
  Program *p;
  TrainBlock *block;
  Entry *entries;  // [n]
  int n;
  Scope *scope;  // the names that keys use
} Reader;

// Everything here is quadratic in the number of items.
enum { MOST_ITEMS = 1000 };

static bool entry_defines(const Entry *entry, const char *name) {
  if (entry->role != ROLE_NAME) return false;
  for (const Name *n = item_names(entry->item); n; n = n->next)
    if (strcmp(n->text, name) == 0) return true;
  return false;
}

// Does a key need what entry k calls `name`?
static bool key_needs(const Reader *r, int k, const char *name) {
  for (int later = k + 1; later < r->n; later++) {
    const Entry *entry = &r->entries[later];
    if ((entry->role == ROLE_KEY || entry->by_key) && expr_uses(entry->item->value, name)) return true;
    if (entry_defines(entry, name)) return false;
  }
  return false;
}

static bool read_entries(Reader *r, const Item *items) {
  r->n = 0;
  for (const Item *item = items; item; item = item->next) r->n++;
  if (r->n > MOST_ITEMS) {
    diag_error(r->p->sink, DIAG_E0154, r->block->spec.span, "a block holds at most %d items; this one has %d",
               MOST_ITEMS, r->n);
    return false;
  }
  r->entries = arena_array(r->p->arena, (size_t)r->n, sizeof *r->entries);
  int k = 0;
  for (const Item *item = items; item; item = item->next, k++)
    r->entries[k] = (Entry){.item = item, .role = role_of(item)};
  while (--k >= 0) {
    Entry *entry = &r->entries[k];
    if (entry->role != ROLE_NAME || item_names(entry->item)->next) continue;
    entry->by_key = key_needs(r, k, item_names(entry->item)->text);
  }
  return true;
}

static void add_step(Reader *r, int kind, const Item *item) {
  TrainBlock *block = r->block;
  block->steps = arena_grow(r->p->arena, block->steps, block->n_steps, &block->steps_capacity, sizeof *block->steps);
  const Name *names = kind == TRAIN_METRIC ? item->words->next : item_names(item);
  block->steps[block->n_steps++] = (TrainStep){.kind = kind, .names = names, .value = item->value, .span = item->span};
}

static void report_wrong_form(Reader *r, const Item *item) {
  static const char *const metric[] = {"metric"};
  const char *word = item->words && item->words->next ? item->words->text : NULL;
  const char *nearest = word ? text_nearest(word, metric, 1) : NULL;
  if (nearest)
    diag_error(r->p->sink, DIAG_E0154, item->words->span, "unknown word '%s'; did you mean 'metric'?", word);
  else
    diag_error(r->p->sink, DIAG_E0154, item->span, "a train block is made of: name = value, and metric name = value");
}

// The name that may be given once: a key's, the loss, a metric's. NULL: may be given again.
static const Name *single_name(const Entry *entry) {
  if (entry->role == ROLE_METRIC) return entry->item->words->next;
  return entry->role == ROLE_KEY || entry->role == ROLE_LOSS ? entry->item->words : NULL;
}

static bool repeats(const Reader *r, int k) {
  const Name *name = single_name(&r->entries[k]);
  for (int before = 0; name && before < k; before++) {
    const Name *other = r->entries[before].role == r->entries[k].role ? single_name(&r->entries[before]) : NULL;
    if (other && strcmp(name->text, other->text) == 0) return true;
  }
  return false;
}

// A name whose value a key needs is a compile-time value; the loss sees it as well.
static void read_name(Reader *r, const Entry *entry) {
  add_step(r, TRAIN_ASSIGN, entry->item);
  if (!entry->by_key) return;
  const Name *name = entry->item->words;
  scope_assign(r->scope, name->text, name->span, elab_expr(r->p->values, r->scope, entry->item->value));
}

static void read_entry(Reader *r, int k) {
  const Entry *entry = &r->entries[k];
  const Item *item = entry->item;
  if (repeats(r, k)) {
    const Name *name = single_name(entry);
    diag_error(r->p->sink, DIAG_E0153, name->span, "'%s' is given twice", name->text);
    return;
  }
  switch (entry->role) {
    case ROLE_WRONG:
      report_wrong_form(r, item);
      break;
    case ROLE_KEY:
      train_key_find(item->words->text)->read(r->p, r->scope, item->value, &r->block->spec);
      break;
    case ROLE_LOSS:
      add_step(r, TRAIN_LOSS, item);
      break;
    case ROLE_METRIC:
      add_step(r, TRAIN_METRIC, item);
      break;
    case ROLE_NAME:
      read_name(r, entry);
      break;
  }
}

// ---- names that nothing uses ----------------------------------------------------------------------------------------

// Is the name used after entry k and before it gets another value?
static bool used_after(const Reader *r, int k, const char *name) {
  for (int later = k + 1; later < r->n; later++) {
    const Item *item = r->entries[later].item;
    if (item->value && expr_uses(item->value, name)) return true;
    if (entry_defines(&r->entries[later], name)) return false;
  }
  return false;
}

static bool is_known(const Reader *r, const char *name) {
  for (int k = 0; k < r->n; k++)
    if (entry_defines(&r->entries[k], name)) return true;
  const DataSpec *data = r->block->data ? &r->block->data->spec : NULL;
  for (int k = 0; data && k < data->n_splits; k++)
    for (int n = 0; n < data->splits[k].n_fields; n++)
      if (strcmp(data->splits[k].fields[n].name, name) == 0) return true;
  return globals_find(r->p->globals, name) != NULL;
}

typedef struct Meant {
  const Reader *r;
  const char *name;
} Meant;

static bool is_not_meant(void *state, const Expr *expr) {
  const Meant *meant = state;
  const char *head = expr->kind == EXPR_PATH ? blocks_head(expr) : NULL;
  return !head || !text_nearest(head, &meant->name, 1) || is_known(meant->r, head);
}

// Does an unknown name look like this one? Then that is the mistake, and it is reported where it stands.
static bool is_misspelt(const Reader *r, const char *name) {
  Meant meant = {r, name};
  for (int k = 0; k < r->n; k++) {
    const Expr *value = r->entries[k].item->value;
    if (value && !expr_each(value, is_not_meant, &meant)) return true;
  }
  return false;
}

static void report_unused(Reader *r, const Name *name, const char *nearest) {
  if (nearest)
    diag_error(r->p->sink, DIAG_E0109, name->span, "'%s' is assigned and never used; did you mean '%s'?", name->text,
               nearest);
  else
    diag_error(r->p->sink, DIAG_E0109, name->span, "'%s' is assigned and never used", name->text);
}

// Reports every unused name, without a loss only what may be a misspelt key; true where one looks like `loss`.
static bool report_unused_names(Reader *r, bool has_loss) {
  bool loss = false;
  read_entries(r, r->block->decl->items);  // as written: what --set replaces still counts as a use
  for (int k = 0; k < r->n; k++) {
    if (r->entries[k].role != ROLE_NAME) continue;
    for (const Name *name = item_names(r->entries[k].item); name; name = name->next) {
      if (strcmp(name->text, "_") == 0 || used_after(r, k, name->text)) continue;
      const char *nearest = train_key_nearest(name->text);
      if (!nearest && is_misspelt(r, name->text)) continue;
      if (has_loss || nearest) report_unused(r, name, nearest);
      loss |= nearest && strcmp(nearest, "loss") == 0;
    }
  }
  return loss;
}

// ---- the block ------------------------------------------------------------------------------------------------------

static bool has_loss(const TrainBlock *block) {
  for (size_t k = 0; k < block->n_steps; k++)
    if (block->steps[k].kind == TRAIN_LOSS) return true;
  return false;
}

static void report_unknown_hyper(Program *p, const Decl *model, const Arg *arg) {
  size_t n = 0;
  for (const Param *param = model->params; param; param = param->next) n += param->hyper;
  const char **names = arena_array(p->arena, n, sizeof *names);
  n = 0;
  for (const Param *param = model->params; param; param = param->next)
    if (param->hyper) names[n++] = param->name->text;
  const char *nearest = text_nearest(arg->name, names, n);
  diag_error(p->sink, DIAG_E0102, arg->name_span,
             nearest ? "%s has no hyperparameter '%s'; did you mean '%s'?" : "%s has no hyperparameter '%s'",
             model->name->text, arg->name, nearest);
}

void blocks_check_hyper(Program *p, const Decl *block, const Decl *model) {
  const char *word = block->kind == DECL_TRAIN ? "train" : "search";
  for (const Arg *arg = block->args; arg && model; arg = arg->next) {
    if (!arg->name)
      diag_error(p->sink, DIAG_E0154, arg->value->span, "hyperparameters are given by name: %s %s(k = 3)", word,
                 model->name->text);
    else if (!blocks_is_hyper(model, arg->name))
      report_unknown_hyper(p, model, arg);
  }
}

static Span head_span(const Decl *decl) {
  return (Span){decl->span.file, decl->span.begin, decl->on ? decl->on->span.end : decl->name->span.end};
}

static bool has_train_split(const DataBlock *data) {
  for (int k = 0; k < data->spec.n_splits; k++)
    if (strcmp(data->spec.splits[k].name, "train") == 0) return true;
  return false;
}

static void check_splits(Reader *r) {
  const TrainBlock *block = r->block;
  if (!block->data || block->data->broken || has_train_split(block->data)) return;
  const char *name = block->decl->on->text;
  diag_error(r->p->sink, DIAG_E0152, block->decl->on->span, "data set '%s' has no split 'train' to train on", name);
}

// ---- scores that are watched ----------------------------------------------------------------------------------------

static bool has_split(const DataBlock *data, const char *name, size_t length) {
  for (int k = 0; k < data->spec.n_splits; k++)
    if (strncmp(data->spec.splits[k].name, name, length) == 0 && data->spec.splits[k].name[length] == 0) return true;
  return false;
}

static bool has_score(const TrainBlock *block, const char *name) {
  if (strcmp(name, "loss") == 0) return true;
  for (size_t k = 0; k < block->n_steps; k++)
    if (block->steps[k].kind == TRAIN_METRIC && strcmp(block->steps[k].names->text, name) == 0) return true;
  return false;
}

static Span value_span(const Item *items, const char *key) {
  for (; items; items = items->next)
    if (items->words && strcmp(items->words->text, key) == 0 && items->value) return items->value->span;
  return SPAN_NONE;
}

// A plateau watches the loss of the split `valid` where there is one, else that of training.
static void check_watched(Reader *r, const Item *items) {
  TrainBlock *block = r->block;
  if (!block->data || block->data->broken) return;
  bool valid = has_split(block->data, "valid", strlen("valid"));
  block->spec.plateau.score = valid ? "valid.loss" : "train.loss";
  const char *score = block->spec.early_stop.score, *dot = score ? strchr(score, '.') : NULL;
  if (!score) return;
  Span span = value_span(items, "early_stop");
  if (!has_split(block->data, score, (size_t)(dot - score)))
    diag_error(r->p->sink, DIAG_E0152, span, "data set '%s' has no split '%.*s'", block->data->spec.name,
               (int)(dot - score), score);
  else if (!has_score(block, dot + 1))
    diag_error(r->p->sink, DIAG_E0156, span, "there is no metric '%s' here", dot + 1);
}

static TrainSpec defaults(const TrainBlock *block) {
  return (TrainSpec){.model = block->decl->name->text,
                     .data = block->decl->on ? block->decl->on->text : NULL,
                     .optimizer = {.kind = OPTIMIZER_sgd, .lr = 0.01},
                     .batch = 32,
                     .epochs = 1,
                     .shuffle = true,
                     .checkpoint_epochs = 1,
                     .checkpoint_keep = 3,
                     .span = head_span(block->decl)};
}

void train_block_read(Program *program, TrainBlock *block) {
  size_t errors = program->sink->n_errors;
  Item *items = copy_items(program->arena, block->decl->items);
  for (int k = 0; k < program->n_settings; k++) apply_setting(program, &items, &program->settings[k]);
  Reader r = {.p = program, .block = block, .scope = scope_new(program->arena, NULL)};
  block->spec = defaults(block);
  block->broken = true;
  if (items_broken(block->decl->items)) return;
  blocks_check_hyper(program, block->decl, block->model);
  check_splits(&r);
  if (!read_entries(&r, items)) return;
  for (int k = 0; k < r.n; k++) read_entry(&r, k);
  check_watched(&r, items);
  bool misspelt = report_unused_names(&r, has_loss(block));
  if (!has_loss(block) && !misspelt) {
    Diag *diag = diag_error(program->sink, DIAG_E0310, block->spec.span, "train %s has no loss", block->spec.model);
    diag_line(program->sink, diag, DIAG_HELP, "loss = cross_entropy(%s(image), label)", block->spec.model);
  }
  block->broken = program->sink->n_errors != errors;
}
