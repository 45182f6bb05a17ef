// Keys of train blocks: one function a key, one row a function.
#include "blocks_keys.h"

#include <math.h>
#include <string.h>

// ---- optimizer ------------------------------------------------------------------------------------------------------

// Rules and defaults of every optimizer, from its row in optimizers.def.
enum { MOST_OPTIONS = 5 };
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

static void fill_optimizer(const OptimizerRow *row, const OptionValue *values, OptimizerSpec *spec) {
  *spec = (OptimizerSpec){.kind = row->kind};
  for (int k = 0; k < count_rules(row); k++) {
    if (row->rules[k].kind == OPTION_FLAG)
      spec->nesterov = values[k].given ? values[k].flag : fallbacks[row->kind][k] != 0;
    else
      *number_field(spec, row->rules[k].name) = values[k].given ? values[k].number : fallbacks[row->kind][k];
  }
}

// The value is none of those that the key takes.
static bool report_unknown(Program *p, const Expr *value, const char *what, const char *const *names, size_t n) {
  const char *head = blocks_head(value);
  if (value->kind == EXPR_ERROR) return false;
  Text list = text_new(p->arena);
  for (size_t k = 0; k < n; k++) text_printf(&list, "%s%s", k ? ", " : n > 1 ? "one of " : "", names[k]);
  const char *nearest = head ? text_nearest(head, names, n) : NULL;
  if (nearest)
    diag_error(p->sink, DIAG_E0156, value->span, "unknown %s '%s'; did you mean '%s'?", what, head, nearest);
  else if (head)
    diag_error(p->sink, DIAG_E0156, value->span, "unknown %s '%s'; it is %s", what, head, list.bytes);
  else
    diag_error(p->sink, DIAG_E0156, value->span, "%s is %s", what, list.bytes);
  return false;
}

static bool read_optimizer(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  const char *head = blocks_head(value);
  const OptimizerRow *row = head ? find_optimizer(head) : NULL;
  if (!row) {
    const char *names[OPTIMIZER_COUNT];
    for (int k = 0; k < OPTIMIZER_COUNT; k++) names[k] = optimizers[k].name;
    return report_unknown(p, value, "optimizer", names, OPTIMIZER_COUNT);
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

// ---- schedule -------------------------------------------------------------------------------------------------------

static bool schedule_constant(Program *p, Scope *scope, const Expr *value, ScheduleSpec *spec) {
  *spec = (ScheduleSpec){.kind = SCHEDULE_CONSTANT};
  OptionValue none[1];
  return blocks_bind(p, scope, value, NULL, 0, none);
}

// step(every, factor) counts in epochs, step(steps = n, factor = f) in steps.
static bool schedule_step(Program *p, Scope *scope, const Expr *value, ScheduleSpec *spec) {
  static const OptionRule rules[] = {{"every", OPTION_NUMBER, false, 1e-9, INFINITY},
                                     {"factor", OPTION_NUMBER, true, 0, INFINITY},
                                     {"steps", OPTION_WHOLE, false, 1, INFINITY}};
  OptionValue v[3];
  if (!blocks_bind(p, scope, value, rules, 3, v)) return false;
  if (v[0].given == v[2].given) {
    diag_error(p->sink, DIAG_E0104, value->span, "step takes one of 'every' (epochs) and 'steps'");
    return false;
  }
  bool in_steps = v[2].given;
  *spec = (ScheduleSpec){.kind = SCHEDULE_STEP,
                         .every = in_steps ? v[2].number : v[0].number,
                         .in_steps = in_steps,
                         .factor = v[1].number};
  return true;
}

static bool schedule_cosine(Program *p, Scope *scope, const Expr *value, ScheduleSpec *spec) {
  static const OptionRule rules[] = {{"to", OPTION_NUMBER, false, 0, 1}};
  OptionValue v[1];
  if (!blocks_bind(p, scope, value, rules, 1, v)) return false;
  *spec = (ScheduleSpec){.kind = SCHEDULE_COSINE, .to = v[0].number};
  return true;
}

static const struct {
  const char *name;
  bool (*read)(Program *p, Scope *scope, const Expr *value, ScheduleSpec *spec);
} schedules[] = {{"constant", schedule_constant}, {"step", schedule_step}, {"cosine", schedule_cosine}};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

static bool is_later_schedule(const Expr *value) {
  static const char *const later[] = {"exponential", "linear", "plateau", "warmup"};
  const char *head = blocks_head(value);
  for (size_t k = 0; head && k < sizeof later / sizeof *later; k++)
    if (strcmp(later[k], head) == 0) return true;
  return value->kind == EXPR_BINARY && value->op == AST_JOIN;
}

static bool read_schedule(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  const char *head = blocks_head(value), *names[SCHEDULES];
  if (is_later_schedule(value)) {
    diag_error(
        p->sink, DIAG_E0006, value->span,
        head ? "the schedule %s is not given a meaning yet" : "schedules joined with >> are not given a meaning yet",
        head);
    return false;
  }
  for (size_t k = 0; k < SCHEDULES; k++) {
    names[k] = schedules[k].name;
    if (head && strcmp(head, names[k]) == 0) return schedules[k].read(p, scope, value, &spec->schedule);
  }
  return report_unknown(p, value, "schedule", names, SCHEDULES);
}

// ---- checkpoint -----------------------------------------------------------------------------------------------------

static bool read_checkpoint(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  static const OptionRule rules[] = {{"epochs", OPTION_WHOLE, false, 1, INFINITY},
                                     {"steps", OPTION_WHOLE, false, 1, INFINITY},
                                     {"keep", OPTION_WHOLE, false, 1, 1000000}};
  static const char *const names[] = {"every"};
  const char *head = blocks_head(value);
  if (!head || strcmp(head, "every") != 0) return report_unknown(p, value, "checkpoint", names, 1);
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
    return report_unknown(p, value, "numerics", names, 2);
  spec->fast = strcmp(word, "fast") == 0;
  return true;
}

// ---- the table ------------------------------------------------------------------------------------------------------

static const TrainKey keys[] = {
    {"optimizer", read_optimizer}, {"schedule", read_schedule},
    {"batch", read_batch},         {"epochs", read_epochs},
    {"steps", read_steps},         {"seed", read_seed},
    {"shuffle", read_shuffle},     {"checkpoint", read_checkpoint},
    {"numerics", read_numerics},   {"clip", NULL},
    {"constrain", NULL},           {"memory", NULL},
    {"early_stop", NULL},
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
  for (int k = 0; k < KEYS; k++)
    if (keys[k].read) words[n++] = keys[k].name;
  return text_nearest(word, words, n);
}
