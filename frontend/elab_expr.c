// Expressions: names, literals, lists, pipes, and the compile-time values that other parts ask for.
#include "elab_inside.h"

#include <string.h>

// ---- names ---------------------------------------------------------------------------------------------------------

static Value const_value(Elab *e, Global *global, const Name *name) {
  if (global->state == GLOBAL_DONE) return global->value;
  if (global->state == GLOBAL_BUSY) {
    elab_error(e, DIAG_E0108, name->span, "the value of '%s' depends on itself", name->text);
    return value_poison();
  }
  global->state = GLOBAL_BUSY;
  size_t nodes = e->builder.graph->n_nodes;
  Value v = elab_expr(e, NULL, global->decl->value);
  if (e->builder.graph->n_nodes > nodes || v.kind == VALUE_LAYER || v.kind == VALUE_TUPLE) {
    if (!value_is_poison(v))
      elab_error(e, DIAG_E0106, global->decl->value->span, "a const is a compile-time value, but this is %s",
                 value_describe(e, v));
    v = value_poison();
  }
  global->state = GLOBAL_DONE;
  return global->value = v;
}

static Value global_value(Elab *e, Global *global, const Name *name) {
  const Decl *decl = global->decl;
  if (decl->kind == DECL_CONST) return const_value(e, global, name);
  if (decl->kind == DECL_FN || decl->kind == DECL_MODEL) return (Value){.kind = VALUE_FUNCTION, .decl = decl};
  elab_error(e, DIAG_E0105, name->span, "'%s' is a data set, which is no value here", name->text);
  return value_poison();
}

static bool word_value(const Elab *e, const char *name, Value *v) {
  if (!strcmp(name, "training")) return *v = value_bool(e->training), true;
  if (!strcmp(name, "none")) return *v = (Value){.kind = VALUE_NONE}, true;
  if (init_by_name(name, v)) return true;
  if (elab_option_word(name)) return *v = (Value){.kind = VALUE_WORD, .text = name}, true;
  return false;
}

static const char **known_names(Elab *e, Scope *scope, size_t *count) {
  size_t n_words, n = 0;
  const char *const *words = elab_option_words(&n_words);
  for (const Scope *s = scope; s; s = s->outer) n += s->n_bindings;
  const char **names = arena_array(e->arena, n + n_words + e->globals->n_items + INIT_MOST_NAMES, sizeof *names);
  *count = 0;
  for (const Scope *s = scope; s; s = s->outer)
    for (size_t k = s->n_bindings; k > 0; k--) names[(*count)++] = s->bindings[k - 1]->name;
  for (size_t k = 0; k < e->globals->n_items; k++) names[(*count)++] = e->globals->items[k].decl->name->text;
  for (size_t k = 0; k < n_words; k++) names[(*count)++] = words[k];
  *count += init_add_names(names + *count);
  return names;
}

Value elab_name(Elab *e, Scope *scope, const Name *name) {
  const Binding *local = scope_find(scope, name->text);
  if (local) return local->value;
  Global *global = elab_global(e, name->text);
  Value v;
  if (global) return global_value(e, global, name);
  if (word_value(e, name->text, &v)) return v;
  if (e->frame->broken) return value_poison();
  size_t n;
  const char **names = known_names(e, scope, &n);
  elab_error(e, DIAG_E0100, name->span, "unknown name '%s'%s", name->text, elab_suggestion(e, name->text, names, n));
  return value_poison();
}

static Value path_value(Elab *e, Scope *scope, const Expr *expr) {
  if (!expr->path->next) return elab_name(e, scope, expr->path);
  const Global *global = elab_global(e, expr->path->text);
  if (global && global->decl->kind == DECL_DATA)
    diag_line(e->sink, elab_error(e, DIAG_E0105, expr->span, "a data set's field is no value here"), DIAG_HELP,
              "in a model: memory seen: f32[M, 4] = data.train.field");
  else
    elab_error(e, DIAG_E0100, expr->span, "unknown name '%s'", elab_source_text(e, expr->span));
  return value_poison();
}

// ---- lists ---------------------------------------------------------------------------------------------------------

static Value list_value(Elab *e, Scope *scope, const Expr *expr) {
  int n = 0;
  for (const Expr *item = expr->items; item; item = item->next) n++;
  Value *items = arena_array(e->arena, (size_t)n, sizeof *items);
  bool poisoned = false;
  int k = 0;
  for (const Expr *item = expr->items; item; item = item->next) {
    items[k] = elab_expr(e, scope, item);
    poisoned |= value_is_poison(items[k++]);
  }
  return poisoned ? value_poison() : (Value){.kind = VALUE_LIST, .items = items, .n = n};
}

static Value index_value_of(Elab *e, Scope *scope, const Expr *expr) {
  Value list = elab_expr(e, scope, expr->a);
  if (value_is_poison(list)) return list;
  if (list.kind != VALUE_LIST) {
    Diag *diag =
        elab_error(e, DIAG_E0105, expr->span, "only a list has elements, but this is %s", value_describe(e, list));
    if (list.kind == VALUE_TENSOR)
      diag_line(e->sink, diag, DIAG_HELP, "a tensor is sliced by an index definition: first[n, d] = x[n, 0, d]");
    return value_poison();
  }
  int64_t at;
  if (!expr->items || expr->items->next) {
    elab_error(e, DIAG_E0112, expr->span, "a list takes one index");
    return value_poison();
  }
  if (!elab_int(e, scope, expr->items, &at)) return value_poison();
  if (at >= 0 && at < list.n) return list.items[at];
  elab_error(e, DIAG_E0112, expr->items->span, "the list has %d elements; there is no element %lld", list.n,
             (long long)at);
  return value_poison();
}

// ---- operators -----------------------------------------------------------------------------------------------------

static bool logic_shortcut(AstOp op, Value a, Value *result) {
  bool decided = a.kind == VALUE_BOOL && ((op == AST_AND && !a.boolean) || (op == AST_OR && a.boolean));
  if (decided) *result = a;
  return decided;
}

static Value range_value(Elab *e, Scope *scope, const Expr *expr) {
  int64_t from, to;
  bool ok = elab_int(e, scope, expr->a, &from);
  ok &= elab_int(e, scope, expr->b, &to);
  return ok ? (Value){.kind = VALUE_RANGE, .from = from, .to = to} : value_poison();
}

// Where an operator's mistake is shown: the whole expression, or the operator where that spans several lines.
static Span operator_place(const Elab *e, const Expr *expr) {
  const Source *source = diag_source(e->sink, expr->span.file);
  bool one_line = source && !memchr(source->text + expr->span.begin, '\n', expr->span.end - expr->span.begin);
  return one_line ? expr->span : expr->op_span;
}

static Value binary_value(Elab *e, Scope *scope, const Expr *expr) {
  if (expr->op == AST_RANGE) return range_value(e, scope, expr);
  if (expr->op == AST_JOIN) {
    elab_error(e, DIAG_E0105, expr->op_span, "'>>' joins schedules, in a train block");
    return value_poison();
  }
  Value a = elab_expr(e, scope, expr->a), result;
  if (logic_shortcut(expr->op, a, &result)) return result;
  Value b = elab_expr(e, scope, expr->b);
  return elab_binary(e, expr->op, a, b, operator_place(e, expr));
}

// What a user's operator makes belongs to the place where it is written.
static Value operator_value(Elab *e, Scope *scope, const Expr *expr) {
  Span before = e->builder.origin.span;
  Value v;
  if (!elab_in_library(e, expr->span)) e->builder.origin.span = expr->span;
  if (expr->kind == EXPR_UNARY)
    v = elab_unary(e, expr->op, elab_expr(e, scope, expr->a), operator_place(e, expr));
  else
    v = binary_value(e, scope, expr);
  e->builder.origin.span = before;
  return v;
}

// ---- expressions ---------------------------------------------------------------------------------------------------

static Value pipe_value(Elab *e, Scope *scope, const Expr *expr) {
  Value piped = elab_expr(e, scope, expr->a);
  return elab_call_expr(e, scope, expr->b, &piped, expr->a->span);
}

static Value if_value(Elab *e, Scope *scope, const Expr *expr) {
  Value v;
  if (!elab_if(e, scope, expr->a, expr->body, expr->orelse, &v)) return value_poison();
  return v.kind == VALUE_NOTHING ? value_poison() : v;  // globals_check has said so
}

static Value evaluate(Elab *e, Scope *scope, const Expr *expr) {
  switch (expr->kind) {
    case EXPR_INT:
      return value_int(expr->integer);
    case EXPR_FLOAT:
      return value_float(expr->number);
    case EXPR_STRING:
      return (Value){.kind = VALUE_STRING, .text = expr->text, .quoted = !elab_in_library(e, expr->span)};
    case EXPR_BOOL:
      return value_bool(expr->boolean);
    case EXPR_PATH:
      return path_value(e, scope, expr);
    case EXPR_LIST:
      return list_value(e, scope, expr);
    case EXPR_UNARY:
    case EXPR_BINARY:
      return operator_value(e, scope, expr);
    case EXPR_CALL:
      return elab_call_expr(e, scope, expr, NULL, SPAN_NONE);
    case EXPR_INDEX:
      return index_value_of(e, scope, expr);
    case EXPR_PIPE:
      return pipe_value(e, scope, expr);
    case EXPR_SHAPED:
      return elab_shaped_expr(e, scope, expr);
    case EXPR_LAYER:
      return elab_layer_expr(e, scope, expr);
    case EXPR_IF:
      return if_value(e, scope, expr);
    case EXPR_REDUCE:
      elab_error(e, DIAG_E0105, expr->span, "a reduction over indices stands only on the right of name[...] =");
      return value_poison();
    case EXPR_ERROR:
      return value_poison();
  }
  return value_poison();
}

Value elab_expr(Elab *e, Scope *scope, const Expr *expr) {
  if (!elab_enter(e, expr->span)) return value_poison();
  Value v = evaluate(e, scope, expr);
  e->depth--;
  return v;
}

// ---- compile-time values for others --------------------------------------------------------------------------------

static bool not_a(Elab *e, const char *what, Value v, Span span) {
  if (value_is_poison(v)) return false;
  Diag *diag =
      elab_error(e, DIAG_E0106, span, "%s is needed here at compile time, but this is %s", what, value_describe(e, v));
  if (v.kind == VALUE_TENSOR && !strcmp(what, "true or false"))
    diag_line(e->sink, diag, DIAG_HELP, "where(condition, a, b) chooses element by element");
  return false;
}

bool elab_int(Elab *e, Scope *scope, const Expr *expr, int64_t *result) {
  Value v = elab_expr(e, scope, expr);
  if (v.kind != VALUE_INT) return not_a(e, "a whole number", v, expr->span);
  *result = v.integer;
  return true;
}

bool elab_dim(Elab *e, Scope *scope, const Expr *expr, Dim *result) {
  Value v = elab_expr(e, scope, expr);
  if (v.kind == VALUE_DIM) {
    *result = v.dim;
    return true;
  }
  if (v.kind != VALUE_INT) return not_a(e, "a size", v, expr->span);
  *result = dim_const(v.integer);
  if (v.integer >= 0) return true;
  elab_error(e, DIAG_E0205, expr->span, "a size cannot be negative, but this is %lld", (long long)v.integer);
  return false;
}

bool elab_bool(Elab *e, Scope *scope, const Expr *expr, bool *result) {
  Value v = elab_expr(e, scope, expr);
  if (v.kind != VALUE_BOOL) return not_a(e, "true or false", v, expr->span);
  *result = v.boolean;
  return true;
}
