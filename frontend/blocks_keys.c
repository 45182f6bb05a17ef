// Keys of train blocks: one function a key, one row a function.
#include "blocks_keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- optimizer ------------------------------------------------------------------------------------------------------

// Rules and defaults of every optimizer, from its row in optimizers.def.
enum { MOST_OPTIONS = 6 };
typedef struct OptimizerRow {
  const char *name;
  OptimizerKind kind;
  OptionRule rules[MOST_OPTIONS];
} OptimizerRow;

// Rates and terms against division by zero are from 0 up; momenta and decays from 0 to 1.
#define LOW_lr 0, INFINITY
#define LOW_eps 0, INFINITY
#define LOW_mu 0, 1
#define LOW_decay 0, 1
#define LOW_beta1 0, 1
#define LOW_beta2 0, 1
#define OPTIMIZER(id, slots, options) {.name = #id, .kind = OPTIMIZER_##id, .rules = {options}},
#define OPTION(id, value) {#id, OPTION_NUMBER, (value) < 0, LOW_##id},
#define FLAG(id, value) {#id, OPTION_FLAG, false, 0, 0},
static const OptimizerRow optimizers[] = {
#include "optimizers.def"
};
#undef OPTIMIZER
#undef OPTION
#undef FLAG

#define OPTIMIZER(id, slots, options) {options},
#define OPTION(id, value) value,
#define FLAG(id, value) value,
static const double fallbacks[OPTIMIZER_COUNT][MOST_OPTIONS] = {
#include "optimizers.def"
};
#undef OPTIMIZER
#undef OPTION
#undef FLAG

static const OptimizerRow *find_optimizer(const char *name) {
  for (int k = 0; k < OPTIMIZER_COUNT; k++)
    if (strcmp(optimizers[k].name, name) == 0) return &optimizers[k];
  return NULL;
}

static int count_rules(const OptimizerRow *row) {
  int n = 0;
  while (n < MOST_OPTIONS && row->rules[n].name) n++;
  return n;
}

static int find_rule(const OptimizerRow *row, const char *name) {
  for (int k = 0; k < count_rules(row); k++)
    if (strcmp(row->rules[k].name, name) == 0) return k;
  return -1;
}

// The spec's field of that option's name.
static double *number_field(OptimizerSpec *spec, const char *name) {
  const struct {
    const char *name;
    double *field;
  } fields[] = {{"lr", &spec->lr},       {"mu", &spec->mu},       {"decay", &spec->decay},
                {"beta1", &spec->beta1}, {"beta2", &spec->beta2}, {"eps", &spec->eps}};
  for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
    if (strcmp(fields[k].name, name) == 0) return fields[k].field;
  dlc_bug("optimizers.def has an option %s that OptimizerSpec lacks", name);
}

static bool *flag_field(OptimizerSpec *spec, const char *name) {
  return strcmp(name, "nesterov") == 0 ? &spec->nesterov : &spec->eps_inside;
}

static void fill_optimizer(const OptimizerRow *row, const OptionValue *values, OptimizerSpec *spec) {
  *spec = (OptimizerSpec){.kind = row->kind};
  for (int k = 0; k < count_rules(row); k++) {
    if (row->rules[k].kind == OPTION_FLAG)
      *flag_field(spec, row->rules[k].name) = values[k].given ? values[k].flag : fallbacks[row->kind][k] != 0;
    else
      *number_field(spec, row->rules[k].name) = values[k].given ? values[k].number : fallbacks[row->kind][k];
  }
}

bool blocks_report_unknown(Program *p, const Expr *value, const char *what, const char *const *names, size_t n) {
  const char *head = blocks_head(value);
  if (value->kind == EXPR_ERROR) return false;
  Text list = text_new(p->arena);
  for (size_t k = 0; k < n; k++) text_printf(&list, "%s%s", k == 0 ? "" : k + 1 < n ? ", " : " or ", names[k]);
  const char *nearest = head ? text_nearest(head, names, n) : NULL;
  if (nearest)
    diag_error(p->sink, DIAG_E0156, value->span, "unknown %s '%s'; did you mean '%s'?", what, head, nearest);
  else if (head)
    diag_error(p->sink, DIAG_E0156, value->span, "unknown %s '%s'; it is %s", what, head, list.bytes);
  else
    diag_error(p->sink, DIAG_E0156, value->span, "%s is %s, with its options in parentheses", what, list.bytes);
  return false;
}

static bool read_optimizer(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  const char *head = blocks_head(value);
  const OptimizerRow *row = head ? find_optimizer(head) : NULL;
  if (!row) {
    const char *names[OPTIMIZER_COUNT];
    for (int k = 0; k < OPTIMIZER_COUNT; k++) names[k] = optimizers[k].name;
    return blocks_report_unknown(p, value, "optimizer", names, OPTIMIZER_COUNT);
  }
  OptionValue values[MOST_OPTIONS];
  if (!blocks_bind(p, scope, value, row->rules, count_rules(row), values)) return false;
  fill_optimizer(row, values, &spec->optimizer);
  return true;
}

bool train_optimizer_has(const char *optimizer, const char *option) {
  const OptimizerRow *row = find_optimizer(optimizer);
  return row && find_rule(row, option) >= 0;
}

Arg *train_optimizer_set(Arena *arena, const char *optimizer, const Arg *args, const char *option, Expr *value,
                         Span span) {
  int wanted = find_rule(find_optimizer(optimizer), option), position = 0;
  Arg *first = NULL, **at = &first;
  bool found = false;
  for (; args; args = args->next, at = &(*at)->next) {
    *at = arena_alloc(arena, sizeof **at);
    **at = *args;
    (*at)->next = NULL;
    if (args->name ? strcmp(args->name, option) != 0 : position++ != wanted) continue;
    (*at)->value = value;
    found = true;
  }
  if (found) return first;
  *at = arena_alloc(arena, sizeof **at);
  **at = (Arg){.name = option, .name_span = span, .value = value};
  return first;
}

// ---- checkpoint -----------------------------------------------------------------------------------------------------

static bool read_checkpoint(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  static const OptionRule rules[] = {{"epochs", OPTION_WHOLE, false, 1, INFINITY},
                                     {"steps", OPTION_WHOLE, false, 1, INFINITY},
                                     {"keep", OPTION_WHOLE, false, 1, 1000000}};
  static const char *const names[] = {"every"};
  const char *head = blocks_head(value);
  if (!head || strcmp(head, "every") != 0) return blocks_report_unknown(p, value, "checkpoint", names, 1);
  OptionValue v[3];
  if (!blocks_bind(p, scope, value, rules, 3, v)) return false;
  if (v[0].given && v[1].given) {
    diag_error(p->sink, DIAG_E0103, value->span, "every takes one of 'epochs' and 'steps'");
    return false;
  }
  spec->checkpoint_steps = v[1].whole;
  spec->checkpoint_epochs = v[1].given ? 0 : v[0].given ? v[0].whole : 1;
  if (v[2].given) spec->checkpoint_keep = v[2].whole;
  return true;
}

// ---- what is done to gradients and weights --------------------------------------------------------------------------

// One of several calls of one number above 0 each: norm(1.0), value(0.5). Its number in *result, which one returned; -1
// after reporting.
static int read_bound(Program *p, Scope *scope, const Expr *value, const char *what, const char *const *names, size_t n,
                      const char *option, double *result) {
  const char *head = blocks_head(value);
  for (size_t k = 0; head && k < n; k++) {
    if (strcmp(head, names[k]) != 0) continue;
    OptionRule rule = {option, OPTION_NUMBER, true, 1e-30, INFINITY};
    OptionValue v;
    if (!blocks_bind(p, scope, value, &rule, 1, &v)) return -1;
    *result = v.number;
    return (int)k;
  }
  blocks_report_unknown(p, value, what, names, n);
  return -1;
}

static bool read_clip(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  static const char *const names[] = {"norm", "value"};
  double most;
  int which = read_bound(p, scope, value, "clip", names, 2, "most", &most);
  if (which >= 0) *(which == 0 ? &spec->clip_norm : &spec->clip_value) = most;
  return which >= 0;
}

static bool read_constrain(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  static const char *const names[] = {"max_norm"};
  return read_bound(p, scope, value, "constrain", names, 1, "most", &spec->max_norm) >= 0;
}

// ---- early stopping -------------------------------------------------------------------------------------------------

// stall(valid.loss, 5): a loss improves downwards, a metric upwards unless `maximize` says otherwise.
static bool read_early_stop(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  static const OptionRule rules[] = {{"score", OPTION_SCORE, true, 0, 0},
                                     {"patience", OPTION_WHOLE, true, 1, INFINITY},
                                     {"maximize", OPTION_FLAG, false, 0, 0}};
  static const char *const names[] = {"stall"};
  const char *head = blocks_head(value);
  if (!head || strcmp(head, "stall") != 0) return blocks_report_unknown(p, value, "early_stop", names, 1);
  OptionValue v[3];
  if (!blocks_bind(p, scope, value, rules, 3, v)) return false;
  bool is_loss = strcmp(strchr(v[0].text, '.') + 1, "loss") == 0;
  spec->early_stop = (WatchSpec){v[0].text, v[1].whole, v[2].given ? v[2].flag : !is_loss};
  return true;
}

// ---- memory ---------------------------------------------------------------------------------------------------------

// "256 MB": a whole number and a unit, powers of 1024.
static int64_t bytes_of(const char *text) {
  static const char *const units[] = {"KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"};
  char *end;
  long long count = strtoll(text, &end, 10);
  if (end == text || count < 1 || count > 1000000) return 0;
  while (*end == ' ') end++;
  for (int k = 0; k < 8; k++)
    if (strcmp(end, units[k]) == 0) return (int64_t)count << (10 * (k % 4 + 1));
  return 0;
}

static bool read_memory(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  Value v = elab_expr(p->values, scope, value);
  if (value_is_poison(v)) return false;
  spec->memory_bytes = v.kind == VALUE_STRING ? bytes_of(v.text) : 0;
  if (spec->memory_bytes) return true;
  diag_error(p->sink, DIAG_E0156, value->span, "memory takes a size like \"256 MB\" (KB, MB, GB or TB), not %s",
             value_describe(p->values, v));
  return false;
}

// ---- plain values ---------------------------------------------------------------------------------------------------

static bool read_whole(Program *p, Scope *scope, const Expr *value, const OptionRule *rule, int64_t *result) {
  OptionValue v;
  if (!blocks_value(p, scope, rule->name, value, rule, &v)) return false;
  *result = v.whole;
  return true;
}

static bool read_batch(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  return read_whole(p, scope, value, &(OptionRule){"batch", OPTION_WHOLE, true, 1, 1 << 30}, &spec->batch);
}

static bool read_epochs(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  return read_whole(p, scope, value, &(OptionRule){"epochs", OPTION_WHOLE, true, 1, INFINITY}, &spec->epochs);
}

static bool read_steps(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  return read_whole(p, scope, value, &(OptionRule){"steps", OPTION_WHOLE, true, 1, INFINITY}, &spec->steps);
}

static bool read_seed(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  int64_t seed;
  if (!read_whole(p, scope, value, &(OptionRule){"seed", OPTION_WHOLE, true, 0, INFINITY}, &seed)) return false;
  spec->seed = (uint64_t)seed;
  return true;
}

static bool read_shuffle(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  OptionValue v;
  if (!blocks_value(p, scope, "shuffle", value, &(OptionRule){"shuffle", OPTION_FLAG, true, 0, 0}, &v)) return false;
  spec->shuffle = v.flag;
  return true;
}

static bool read_numerics(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  static const char *const names[] = {"strict", "fast"};
  (void)scope;
  const char *word = blocks_head(value);
  if (!word || value->kind != EXPR_PATH || (strcmp(word, names[0]) != 0 && strcmp(word, names[1]) != 0))
    return blocks_report_unknown(p, value, "numerics", names, 2);
  spec->fast = strcmp(word, "fast") == 0;
  return true;
}

// ---- the table ------------------------------------------------------------------------------------------------------

static const TrainKey keys[] = {
    {"optimizer", read_optimizer},   {"schedule", read_schedule},
    {"batch", read_batch},           {"epochs", read_epochs},
    {"steps", read_steps},           {"seed", read_seed},
    {"shuffle", read_shuffle},       {"checkpoint", read_checkpoint},
    {"numerics", read_numerics},     {"clip", read_clip},
    {"constrain", read_constrain},   {"memory", read_memory},
    {"early_stop", read_early_stop},
};
enum { KEYS = sizeof keys / sizeof *keys };

const TrainKey *train_key_find(const char *name) {
  for (int k = 0; k < KEYS; k++)
    if (strcmp(keys[k].name, name) == 0) return &keys[k];
  return NULL;
}

const char *train_key_nearest(const char *word) {
  const char *words[KEYS + 2] = {"loss", "metric"};
  for (int k = 0; k < KEYS; k++) words[k + 2] = keys[k].name;
  return text_nearest(word, words, KEYS + 2);
}

const char *blocks_nearest_setting(const Program *p, const char *word) {
  size_t n = 0, most = KEYS;
  for (size_t m = 0; m < p->n_models; m++)
    for (const Param *param = p->models[m]->params; param; param = param->next) most++;
  const char **words = arena_array(p->arena, most, sizeof *words);
  for (size_t m = 0; m < p->n_models; m++)
    for (const Param *param = p->models[m]->params; param; param = param->next)
      if (param->hyper) words[n++] = param->name->text;
  for (int k = 0; k < KEYS; k++) words[n++] = keys[k].name;
  return text_nearest(word, words, n);
}
