// Elements of tensors: `x[i * 2 + r - 1, j // 2, c]` as affine reads. `x[id[i], j]` is left to formula_lookup.c.
#include "formula_inside.h"

#include <string.h>

#include "checked.h"

// How far a coefficient or an offset may be from 0, so that sums of a few of them stay far inside 64 bits.
static const int64_t REACH = (int64_t)1 << 40;

// ---- affine subscripts --------------------------------------------------------------------------------------------

typedef enum Affine {  // from good to bad
  AFFINE,
  NOT_AFFINE,  // known at run time only, or no sum of indices
  TOO_FAR,     // outside of REACH
  AFFINE_POISON
} Affine;

static Affine worse(Affine a, Affine b) { return a > b ? a : b; }

static Affine in_reach(const IndexExpr *e) {
  bool ok = e->offset > -REACH && e->offset < REACH && e->divisor < REACH;
  for (int k = 0; k < e->n_terms; k++) ok &= e->term[k].coef > -REACH && e->term[k].coef < REACH;
  return ok ? AFFINE : TOO_FAR;
}

static bool is_constant(const IndexExpr *e) { return e->n_terms == 0 && e->kind == DIV_NONE; }

// Multiplies what is divided. Both are in reach, so that nothing overflows but the products.
static Affine scale(IndexExpr *e, int64_t by) {
  IndexExpr scaled = index_const(0);
  bool ok = checked_mul(e->offset, by, &scaled.offset);
  for (int k = 0; k < e->n_terms; k++) {
    int64_t coef;
    ok &= checked_mul(e->term[k].coef, by, &coef);
    if (ok) index_add_term(&scaled, e->term[k].index, coef);
  }
  scaled.divisor = e->divisor;
  scaled.kind = e->kind;
  *e = scaled;
  return ok ? in_reach(e) : TOO_FAR;
}

// a + sign * b. One of them may be a quotient: floor(p / d) + q = floor((p + d * q) / d).
static Affine add(IndexExpr *a, IndexExpr *b, int64_t sign) {
  if (b->kind != DIV_NONE) {
    if (a->kind != DIV_NONE || sign < 0) return NOT_AFFINE;
    IndexExpr swap = *a;
    *a = *b;
    *b = swap;
  }
  if (scale(b, sign * a->divisor) != AFFINE) return TOO_FAR;
  a->offset += b->offset;
  for (int k = 0; k < b->n_terms; k++) {
    if (a->n_terms == IR_MAX_TERMS && index_coef(a, b->term[k].index) == 0) return NOT_AFFINE;
    index_add_term(a, b->term[k].index, b->term[k].coef);
  }
  return in_reach(a);
}

static Affine multiply(IndexExpr *a, const IndexExpr *b) {
  if (is_constant(b)) return a->kind == DIV_NONE ? scale(a, b->offset) : NOT_AFFINE;
  if (!is_constant(a) || b->kind != DIV_NONE) return NOT_AFFINE;
  int64_t by = a->offset;
  *a = *b;
  return scale(a, by);
}

// floor(floor(p / c) / d) = floor(p / (c * d))
static Affine floor_divide(IndexExpr *a, const IndexExpr *b) {
  if (!is_constant(b) || b->offset < 1) return NOT_AFFINE;
  if (b->offset == 1) return AFFINE;
  if (!checked_mul(a->divisor, b->offset, &a->divisor)) return TOO_FAR;
  a->kind = DIV_FLOOR;
  return in_reach(a);
}

// A subscript without indices: a compile-time whole number, or something that is known only at run time.
static Affine plain_subscript(Formula *f, const Expr *expr, IndexExpr *result) {
  Value v = elab_expr(f->e, f->scope, expr);
  if (value_is_poison(v)) return AFFINE_POISON;
  if (v.kind != VALUE_INT) return NOT_AFFINE;
  *result = index_const(v.integer);
  return in_reach(result);
}

static Affine affine(Formula *f, const Visible *visible, const Expr *expr, IndexExpr *result);

// core.exact(i + p - r, s): the quotient, and outside of the tensor where s leaves a remainder. For the library alone.
static bool is_exact(const Formula *f, const Expr *expr) {
  return expr->kind == EXPR_CALL && elab_in_library(f->e, expr->span) && expr->path->next &&
         !strcmp(expr->path->text, "core") && !strcmp(expr->path->next->text, "exact");
}

static Affine exact_divide(Formula *f, const Visible *visible, const Expr *expr, IndexExpr *result) {
  IndexExpr by;
  Affine left = affine(f, visible, expr->args->value, result);
  Affine right = affine(f, visible, expr->args->next->value, &by);
  if (worse(left, right) != AFFINE) return worse(left, right);
  if (!is_constant(&by) || by.offset < 1 || result->kind != DIV_NONE) return NOT_AFFINE;
  if (by.offset == 1) return AFFINE;
  result->divisor = by.offset;
  result->kind = DIV_EXACT;
  return in_reach(result);
}

static Affine affine_binary(Formula *f, const Visible *visible, const Expr *expr, IndexExpr *result) {
  IndexExpr b;
  Affine left = affine(f, visible, expr->a, result), right = affine(f, visible, expr->b, &b);
  if (worse(left, right) != AFFINE) return worse(left, right);
  switch (expr->op) {
    case AST_ADD:
      return add(result, &b, 1);
    case AST_SUB:
      return add(result, &b, -1);
    case AST_MUL:
      return multiply(result, &b);
    case AST_FLOORDIV:
      return floor_divide(result, &b);
    default:
      return NOT_AFFINE;
  }
}

static Affine affine(Formula *f, const Visible *visible, const Expr *expr, IndexExpr *result) {
  if (formula_is_plain(visible, expr)) return plain_subscript(f, expr, result);
  if (expr->kind == EXPR_PATH) {
    int k = formula_find(visible, expr->path->text);
    *result = index_of(k);
    result->offset = f->index[k].from;
    return in_reach(result);
  }
  if (expr->kind == EXPR_BINARY) return affine_binary(f, visible, expr, result);
  if (is_exact(f, expr)) return exact_divide(f, visible, expr, result);
  if (expr->kind != EXPR_UNARY || expr->op != AST_NEG) return NOT_AFFINE;
  Affine inner = affine(f, visible, expr->a, result);
  if (inner != AFFINE) return inner;
  return result->kind == DIV_NONE ? scale(result, -1) : NOT_AFFINE;
}

// ---- elements -----------------------------------------------------------------------------------------------------

// Which subscripts are no sums of indices, in `computed`; false after reporting.
static bool read_subscripts(Formula *f, const Visible *visible, const Expr *expr, Read *read, bool *computed) {
  int d = 0;
  for (const Expr *item = expr->items; item; item = item->next, d++) {
    read->at[d] = index_const(0);
    Affine kind = affine(f, visible, item, &read->at[d]);
    if (kind == AFFINE_POISON) return false;
    if (kind == TOO_FAR) {
      formula_error(f, DIAG_E0216, item->span, "this subscript reaches further than 2**40");
      return false;
    }
    computed[d] = kind != AFFINE;
    if (computed[d]) read->at[d] = index_const(0);
  }
  return true;
}

bool formula_element(Formula *f, const Visible *visible, const Expr *expr, Value tensor, Element *element) {
  bool computed[IR_MAX_RANK] = {false}, any = false;
  *element = (Element){.tensor = tensor.node, .read = {.rank = elab_shape(f->e, tensor)->rank}};
  if (!read_subscripts(f, visible, expr, &element->read, computed)) return false;
  for (int d = 0; d < element->read.rank; d++) any |= computed[d];
  return !any || formula_look_up(f, visible, expr, computed, element);
}
