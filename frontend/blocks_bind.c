// Calls with options inside blocks: which argument is which option, and whether its value fits.
#include "blocks.h"

#include <math.h>
#include <string.h>

const char *blocks_head(const Expr *expr) {
  if (expr->kind != EXPR_PATH && expr->kind != EXPR_CALL) return NULL;
  return expr->path && !expr->path->next ? expr->path->text : NULL;
}

// ---- one value ------------------------------------------------------------------------------------------------------

static void report_wrong(Program *p, const char *what, Span span, const char *wanted, Value found) {
  diag_error(p->sink, DIAG_E0156, span, "%s takes %s, not %s", what, wanted, value_describe(p->values, found));
}

static const char *wanted_number(Program *p, const OptionRule *rule) {
  const char *kind = rule->kind == OPTION_WHOLE ? "a whole number" : "a number";
  if (isinf(rule->high)) return arena_printf(p->arena, "%s from %.10g up", kind, rule->low);
  return arena_printf(p->arena, "%s from %.10g to %.10g", kind, rule->low, rule->high);
}

static bool take_number(Program *p, const char *what, Value v, const OptionRule *rule, OptionValue *result) {
  bool whole = v.kind == VALUE_INT;
  result->whole = whole ? v.integer : 0;
  result->number = whole ? (double)v.integer : v.kind == VALUE_FLOAT ? v.number : NAN;
  bool fits = (whole || rule->kind == OPTION_NUMBER) && result->number >= rule->low && result->number <= rule->high;
  if (fits && isfinite(result->number)) return true;
  report_wrong(p, what, result->span, wanted_number(p, rule), v);
  return false;
}

static bool take_files(Program *p, const char *what, Value v, OptionValue *result) {
  const Value *items = v.kind == VALUE_LIST ? v.items : &v;
  int n = v.kind == VALUE_LIST ? v.n : 1;
  bool ok = n > 0;
  result->is_list = v.kind == VALUE_LIST;
  result->files = arena_array(p->arena, (size_t)(n > 0 ? n : 1), sizeof *result->files);
  for (int k = 0; k < n; k++) {
    ok &= items[k].kind == VALUE_STRING && items[k].text[0] != '\0';
    if (ok) result->files[result->n_files++] = items[k].text;
  }
  if (!ok) report_wrong(p, what, result->span, "a file's name or a list of names", v);
  return ok;
}

static bool take_value(Program *p, const char *what, Value v, const OptionRule *rule, OptionValue *result) {
  if (value_is_poison(v)) return false;
  switch (rule->kind) {
    case OPTION_NUMBER:
    case OPTION_WHOLE:
      return take_number(p, what, v, rule, result);
    case OPTION_FILES:
      return take_files(p, what, v, result);
    case OPTION_FLAG:
      result->flag = v.kind == VALUE_BOOL && v.boolean;
      if (v.kind != VALUE_BOOL) report_wrong(p, what, result->span, "true or false", v);
      return v.kind == VALUE_BOOL;
    case OPTION_TEXT:
      result->text = v.kind == VALUE_STRING ? v.text : NULL;
      if (!result->text) report_wrong(p, what, result->span, "a string", v);
      return result->text != NULL;
    case OPTION_SCORE:
      report_wrong(p, what, result->span, "a split's score like valid.loss", v);
      return false;
    case OPTION_EXPR:
      break;
  }
  return false;
}

bool blocks_value(Program *p, Scope *scope, const char *what, const Expr *value, const OptionRule *rule,
                  OptionValue *result) {
  *result = (OptionValue){.given = true, .span = value->span, .expr = value};
  if (rule->kind == OPTION_EXPR) return true;
  const char *word = value->kind == EXPR_PATH ? blocks_head(value) : NULL;
  bool dotted = value->kind == EXPR_PATH && value->path->next && !value->path->next->next;
  if (rule->kind == OPTION_SCORE && dotted) {
    result->text = arena_printf(p->arena, "%s.%s", value->path->text, value->path->next->text);
    return true;
  }
  if (rule->kind == OPTION_TEXT && word && !scope_find(scope, word) && !globals_find(p->values->globals, word))
    return result->text = word, true;
  return take_value(p, what, elab_expr(p->values, scope, value), rule, result);
}

// ---- arguments ------------------------------------------------------------------------------------------------------

static int find_rule(const OptionRule *rules, int n, const char *name) {
  for (int k = 0; k < n; k++)
    if (strcmp(rules[k].name, name) == 0) return k;
  return -1;
}

static void report_unknown(Program *p, const Expr *call, const OptionRule *rules, int n, const char *name) {
  const char **names = arena_array(p->arena, (size_t)n + 1, sizeof *names);
  Text list = text_new(p->arena);
  for (int k = 0; k < n; k++) {
    names[k] = rules[k].name;
    text_printf(&list, "%s%s", k ? ", " : "", names[k]);
  }
  const char *nearest = text_nearest(name, names, (size_t)n), *head = call->path->text;
  if (nearest)
    diag_error(p->sink, DIAG_E0102, call->span, "%s has no option '%s'; did you mean '%s'?", head, name, nearest);
  else if (n == 0)
    diag_error(p->sink, DIAG_E0102, call->span, "%s has no option '%s'; it has none", head, name);
  else
    diag_error(p->sink, DIAG_E0102, call->span, "%s has no option '%s'; its options are %s", head, name, list.bytes);
}

// Which rule the argument is for; -1 after reporting.
static int choose_rule(Program *p, const Expr *call, const OptionRule *rules, int n, const Arg *arg, int position) {
  int k = arg->name ? find_rule(rules, n, arg->name) : position;
  if (k >= 0 && k < n) return k;
  if (arg->name)
    report_unknown(p, call, rules, n, arg->name);
  else
    diag_error(p->sink, DIAG_E0103, call->span, "%s takes %d argument%s, but more are given", call->path->text, n,
               n == 1 ? "" : "s");
  return -1;
}

static bool nothing_missing(Program *p, const Expr *call, const OptionRule *rules, int n, const OptionValue *values) {
  Text list = text_new(p->arena);
  int missing = 0;
  for (int k = 0; k < n; k++)
    if (rules[k].required && !values[k].given) text_printf(&list, "%s'%s'", missing++ ? " and " : "", rules[k].name);
  if (missing)
    diag_error(p->sink, DIAG_E0104, call->span, "%s: %s %s missing", call->path->text, list.bytes,
               missing == 1 ? "is" : "are");
  return missing == 0;
}

bool blocks_bind(Program *p, Scope *scope, const Expr *call, const OptionRule *rules, int n, OptionValue *values) {
  bool ok = true;
  int position = 0;
  memset(values, 0, (size_t)n * sizeof *values);
  for (const Arg *arg = call->args; arg; arg = arg->next) {
    int k = choose_rule(p, call, rules, n, arg, arg->name ? 0 : position++);
    if (k < 0) return false;
    if (values[k].given) {
      diag_error(p->sink, DIAG_E0103, call->span, "%s: '%s' is given twice", call->path->text, rules[k].name);
      return false;
    }
    const char *what = arena_printf(p->arena, "%s: '%s'", call->path->text, rules[k].name);
    ok &= blocks_value(p, scope, what, arg->value, &rules[k], &values[k]);
  }
  return nothing_missing(p, call, rules, n, values) && ok;
}
