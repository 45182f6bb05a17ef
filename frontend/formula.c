// Formulas: their indices and ranges, and the way in.
#include "formula_inside.h"

#include <string.h>

#include "checked.h"

Diag *formula_error(Formula *f, DiagCode code, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(f->e->arena, format, args);
  va_end(args);
  f->failed = true;
  return elab_error(f->e, code, span, "%s", message);
}

// ---- names --------------------------------------------------------------------------------------------------------

int formula_find(const Visible *visible, const char *name) {
  for (; visible; visible = visible->outer)
    if (!strcmp(visible->name, name)) return visible->index;
  return -1;
}

static int index_of_name(const Formula *f, const Name *name) {
  for (size_t k = 0; k < f->n_index; k++)
    if (f->index[k].name == name) return (int)k;
  dlc_bug("the index '%s' was not declared", name->text);
}

const Visible *formula_enter(Formula *f, const Visible *outer, const Name *names) {
  for (; names; names = names->next) {
    Visible *visible = arena_alloc(f->e->arena, sizeof *visible);
    *visible = (Visible){names->text, index_of_name(f, names), outer};
    outer = visible;
  }
  return outer;
}

bool formula_is_plain(const Visible *visible, const Expr *expr) {
  if (expr->kind == EXPR_INDEX || expr->kind == EXPR_REDUCE) return false;
  if (expr->kind == EXPR_PATH) return expr->path->next || formula_find(visible, expr->path->text) < 0;
  if (expr->a && !formula_is_plain(visible, expr->a)) return false;
  if (expr->b && !formula_is_plain(visible, expr->b)) return false;
  for (const Arg *arg = expr->args; arg; arg = arg->next)
    if (!formula_is_plain(visible, arg->value)) return false;
  return true;
}

Value formula_base(Formula *f, const Visible *visible, const Expr *element) {
  const Expr *base = element->a;
  if (!base->path->next && formula_find(visible, base->path->text) >= 0) {
    formula_error(f, DIAG_E0133, base->span, "'%s' is an index here, not a tensor", base->path->text);
    return value_poison();
  }
  Value v = elab_expr(f->e, f->scope, base);
  if (v.kind == VALUE_FIELD) {
    NodeId node = elab_node(f->e, v, false, base->span);
    v = node == NODE_NONE ? value_poison() : elab_field_tensor(f->e, v.field);
  }
  f->failed |= value_is_poison(v);
  return v;
}

// ---- ranges -------------------------------------------------------------------------------------------------------

static const char *dim_text(const Formula *f, Dim dim) {
  Text out = text_new(f->e->arena);
  value_print(f->e, value_dim(dim), &out);
  return out.bytes;
}

// Sets index k to from..to, or reports why it cannot be.
static void set_range(Formula *f, int k, int64_t from, Dim to, Span span) {
  FormulaIndex *index = &f->index[k];
  int64_t count = 0;
  if (from && !index->reduced)
    formula_error(f, DIAG_E0213, span, "'%s' is an index of the result, which starts at 0, not at %lld",
                  index->name->text, (long long)from);
  else if (from && !dim_is_const(to))
    formula_error(f, DIAG_E0214, span, "a range that ends at %s starts at 0", dim_text(f, to));
  else if (from < INT32_MIN || from > INT32_MAX)
    formula_error(f, DIAG_E0216, span, "an index is a number of 32 bits");
  else if (dim_is_const(to) && (!checked_sub(to.scale, from, &count) || count < 0))
    formula_error(f, DIAG_E0214, span, "the range %lld..%lld ends before it starts", (long long)from,
                  (long long)to.scale);
  index->from = from;
  index->extent = dim_is_const(to) ? dim_const(count) : to;
}

// `j in W`, `i in 1..H`, or the name of a range.
static bool where_range(Formula *f, const Expr *range, int64_t *from, Dim *to) {
  *from = 0;
  if (range->kind == EXPR_BINARY && range->op == AST_RANGE) {
    bool ok = elab_int(f->e, f->scope, range->a, from);
    return elab_dim(f->e, f->scope, range->b, to) && ok;
  }
  Value v = elab_expr(f->e, f->scope, range);
  if (v.kind != VALUE_RANGE) return elab_dim(f->e, f->scope, range, to);
  *from = v.from;
  *to = dim_const(v.to);
  return true;
}

static void apply_where(Formula *f, int k, const Expr *range) {
  int64_t from;
  Dim to;
  f->index[k].ranged = true;  // where it cannot be told, that was reported
  if (where_range(f, range, &from, &to))
    set_range(f, k, from, to, range->span);
  else
    f->failed = true;
}

// Adds an index, with its range where `where` gives one.
static void declare(Formula *f, const Name *name, bool reduced) {
  f->index = arena_grow(f->e->arena, f->index, f->n_index, &f->capacity, sizeof *f->index);
  int k = (int)f->n_index++;
  f->index[k] = (FormulaIndex){.name = name, .reduced = reduced};
  const WhereRange *given = NULL;
  for (const WhereRange *w = f->stmt->where; w; w = w->next)
    if (!strcmp(w->index->text, name->text)) {
      if (given) formula_error(f, DIAG_E0131, w->index->span, "the range of '%s' is given twice", name->text);
      if (!given) apply_where(f, k, w->range);
      given = w;
    }
}

static void report_taken(Formula *f, const Name *name, bool reduced) {
  Diag *diag = formula_error(f, DIAG_E0132, name->span, "'%s' is an index already", name->text);
  if (reduced)
    diag_line(f->e->sink, diag, DIAG_HELP,
              "a reduction reaches over '*' and '/': parentheses end it, (sum(%s) ...) * ...", name->text);
}

// Declares names that must not be indices yet.
static const Visible *declare_all(Formula *f, const Visible *visible, const Name *names, bool reduced) {
  for (const Name *name = names; name; name = name->next) {
    bool taken = formula_find(visible, name->text) >= 0;
    for (const Name *before = names; before != name; before = before->next) taken |= !strcmp(before->text, name->text);
    if (taken) report_taken(f, name, reduced);
    declare(f, name, reduced);
  }
  return formula_enter(f, visible, names);
}

// The tensor's dimension of size `dim` is read by index k alone.
static void infer_range(Formula *f, int k, Dim dim, const Expr *element, const Expr *subscript, Value tensor) {
  FormulaIndex *index = &f->index[k];
  if (!index->ranged) {
    index->ranged = true;
    index->extent = dim;
    index->ranged_by = element;
  }
  if (!index->ranged_by || dim_equal(index->extent, dim) || f->failed) return;
  Elab *e = f->e;
  Diag *diag = formula_error(f, DIAG_E0210, subscript->span, "'%s' runs over %s in %s, but over %s in %s",
                             index->name->text, dim_text(f, dim), elab_source_text(e, element->span),
                             dim_text(f, index->extent), elab_source_text(e, index->ranged_by->span));
  elab_history_line(e, diag, tensor);
  diag_line(e->sink, diag, DIAG_HELP, "if that is meant, say the range: where %s in ...", index->name->text);
}

static void infer(Formula *f, const Visible *visible, const Expr *expr);

static int count_items(const Expr *list) {
  int n = 0;
  for (; list; list = list->next) n++;
  return n;
}

// Only tensors are read with indices; a list gives its element to compile-time numbers.
static void check_base(Formula *f, const Visible *visible, const Expr *expr, Value base) {
  bool plain = base.kind == VALUE_LIST;
  for (const Expr *item = expr->items; item; item = item->next) plain = plain && formula_is_plain(visible, item);
  if (base.kind == VALUE_TENSOR || value_is_poison(base) || plain) return;
  formula_error(f, DIAG_E0133, expr->a->span, "only a tensor is read with indices, but this is %s",
                value_describe(f->e, base));
}

static void infer_element(Formula *f, const Visible *visible, const Expr *expr) {
  Value tensor = formula_base(f, visible, expr);
  check_base(f, visible, expr, tensor);
  int n = count_items(expr->items), d = 0;
  bool fits = tensor.kind == VALUE_TENSOR && elab_shape(f->e, tensor)->rank == n;
  if (tensor.kind == VALUE_TENSOR && f->first.kind == VALUE_NOTHING) f->first = tensor;
  if (tensor.kind == VALUE_TENSOR && !fits) {
    const Shape *shape = elab_shape(f->e, tensor);
    Diag *diag = formula_error(f, DIAG_E0212, expr->span, "%s has the shape %s: %d ind%s, not %d",
                               elab_source_text(f->e, expr->a->span), elab_shape_text(f->e, shape), shape->rank,
                               shape->rank == 1 ? "ex" : "ices", n);
    elab_history_line(f->e, diag, tensor);
  }
  for (const Expr *item = expr->items; item; item = item->next, d++) {
    int k = item->kind == EXPR_PATH && !item->path->next ? formula_find(visible, item->path->text) : -1;
    if (k >= 0 && fits) infer_range(f, k, elab_shape(f->e, tensor)->dim[d], expr, item, tensor);
    if (k < 0) infer(f, visible, item);
  }
}

// Declares the reductions' indices and takes ranges from the tensors that they read, from left to right.
static void infer(Formula *f, const Visible *visible, const Expr *expr) {
  if (expr->kind == EXPR_INDEX) {
    infer_element(f, visible, expr);
    return;
  }
  if (expr->kind == EXPR_REDUCE) visible = declare_all(f, visible, expr->indices, true);
  if (expr->a) infer(f, visible, expr->a);
  if (expr->b) infer(f, visible, expr->b);
  for (const Arg *arg = expr->args; arg; arg = arg->next) infer(f, visible, arg->value);
}

static void check_ranges(Formula *f) {
  for (const WhereRange *w = f->stmt->where; w; w = w->next) {
    bool found = false;
    for (size_t k = 0; k < f->n_index; k++) found |= !strcmp(f->index[k].name->text, w->index->text);
    if (!found) formula_error(f, DIAG_E0131, w->index->span, "'%s' is no index of this formula", w->index->text);
  }
  for (size_t k = 0; k < f->n_index && !f->failed; k++) {
    const Name *name = f->index[k].name;
    if (f->index[k].ranged) continue;
    Diag *diag = formula_error(f, DIAG_E0211, name->span, "the range of '%s' is not known", name->text);
    diag_line(f->e->sink, diag, DIAG_NOTE, "no tensor is read with '%s' alone in a place", name->text);
    diag_line(f->e->sink, diag, DIAG_HELP, "end the formula with: where %s in ...", name->text);
  }
}

// ---- the way in ---------------------------------------------------------------------------------------------------

static Value result_value(Formula *f, NodeId node) {
  Elab *e = f->e;
  Value v = elab_tensor(e, node, f->first.kind == VALUE_TENSOR ? &f->first : NULL);
  const Shape *shape = elab_shape(e, v);
  if (v.history && !shape_equal(shape, &v.history->shape) && !elab_in_library(e, f->stmt->span))
    v.history = elab_history(e, elab_source_text(e, f->stmt->span), f->stmt->span, shape, v.history);
  return v;
}

bool formula_elaborate(Elab *e, Scope *scope, const Stmt *stmt) {
  Formula f = {.e = e, .scope = scope, .stmt = stmt, .first = {.kind = VALUE_NOTHING}};
  const Visible *visible = declare_all(&f, NULL, stmt->indices, false);
  infer(&f, visible, stmt->value);
  check_ranges(&f);
  if (f.failed) return false;
  Span before = e->builder.origin.span;
  if (!elab_in_library(e, stmt->span)) e->builder.origin.span = stmt->span;
  NodeId node = formula_result(&f, visible);
  e->builder.origin.span = before;
  if (node == NODE_NONE) return false;
  scope_assign(scope, stmt->names->text, stmt->names->span, result_value(&f, node));
  return true;
}
