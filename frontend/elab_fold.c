// Operators on compile-time values: whole numbers in checked 64 bits, numbers in double, lists, texts, sizes.
#include "elab_inside.h"

#include "checked.h"
#include <math.h>
#include <string.h>

static bool is_number(Value v) { return v.kind == VALUE_INT || v.kind == VALUE_FLOAT; }
static double number_of(Value v) { return v.kind == VALUE_INT ? (double)v.integer : v.number; }

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static bool int_power(int64_t base, int64_t exponent, int64_t *result) {
  *result = 1;
  for (int64_t k = 0; k < exponent; k++) {
    if (*result == 0 || (base == 1)) break;
    if (!checked_mul(*result, base, result)) return false;
  }
  return true;
}

static Value report_arithmetic(Elab *e, Span span, const char *what) {
  elab_error(e, DIAG_E0113, span, "%s", what);
  return value_poison();
}

static Value fold_ints(Elab *e, AstOp op, int64_t a, int64_t b, Span span) {
  int64_t r = 0;
  bool ok = true;
  if ((op == AST_DIV || op == AST_FLOORDIV || op == AST_MOD) && b == 0)
    return report_arithmetic(e, span, "division by zero");
  if (b == -1 && (op == AST_FLOORDIV || op == AST_MOD)) {  // the one quotient that may not fit
    ok = op == AST_MOD || checked_sub(0, a, &r);
    return ok ? value_int(r) : report_arithmetic(e, span, "this number does not fit 64 bits");
  }
  switch (op) {
    case AST_ADD:
      ok = checked_add(a, b, &r);
      break;
    case AST_SUB:
      ok = checked_sub(a, b, &r);
      break;
    case AST_MUL:
      ok = checked_mul(a, b, &r);
      break;
    case AST_DIV:
      return value_float((double)a / (double)b);
    case AST_FLOORDIV:
      r = floor_div(a, b);
      break;
    case AST_MOD:
      r = a - floor_div(a, b) * b;
      break;
    case AST_POW:
      if (b < 0) return value_float(pow((double)a, (double)b));
      ok = int_power(a, b, &r);
      break;
    default:
      dlc_bug("no arithmetic operator");
  }
  return ok ? value_int(r) : report_arithmetic(e, span, "this number does not fit 64 bits");
}

static Value fold_numbers(AstOp op, double a, double b) {
  switch (op) {
    case AST_ADD:
      return value_float(a + b);
    case AST_SUB:
      return value_float(a - b);
    case AST_MUL:
      return value_float(a * b);
    case AST_DIV:
      return value_float(a / b);
    case AST_FLOORDIV:
      return value_float(floor(a / b));
    case AST_MOD:
      return value_float(a - b * floor(a / b));
    case AST_POW:
      return value_float(pow(a, b));
    default:
      dlc_bug("no arithmetic operator");
  }
}

static bool is_comparison(AstOp op) { return op >= AST_EQ && op <= AST_GE; }
static bool is_arithmetic(AstOp op) { return op >= AST_ADD && op <= AST_POW && op != AST_MATMUL; }

static Value fold_comparison(AstOp op, Value a, Value b) {
  bool both = a.kind == VALUE_INT && b.kind == VALUE_INT;
  double x = number_of(a), y = number_of(b);
  int order = both ? (a.integer > b.integer) - (a.integer < b.integer) : (x > y) - (x < y);
  if (!both && (isnan(x) || isnan(y))) return value_bool(false);
  switch (op) {
    case AST_LT:
      return value_bool(order < 0);
    case AST_LE:
      return value_bool(order <= 0);
    case AST_GT:
      return value_bool(order > 0);
    default:
      return value_bool(order >= 0);
  }
}

static Value join_lists(Elab *e, Value a, Value b, Span span) {
  if (!elab_spend(e, (int64_t)a.n + b.n, span)) return value_poison();
  Value *items = arena_array(e->arena, (size_t)a.n + (size_t)b.n, sizeof *items);
  if (a.n) memcpy(items, a.items, (size_t)a.n * sizeof *items);
  if (b.n) memcpy(items + a.n, b.items, (size_t)b.n * sizeof *items);
  return (Value){.kind = VALUE_LIST, .items = items, .n = a.n + b.n};
}

static Value join_texts(Elab *e, Value a, Value b, Span span) {
  if (strlen(a.text) + strlen(b.text) <= ELAB_MAX_TEXT)
    return value_string(arena_printf(e->arena, "%s%s", a.text, b.text));
  elab_error(e, DIAG_E0117, span, "a text has at most %d characters", ELAB_MAX_TEXT);
  return value_poison();
}

// Sizes known only at run time: what stays scale * batch stays a size. False: it does not, or no size takes part.
static bool fold_dims(AstOp op, Value a, Value b, Value *result) {
  if (a.kind == VALUE_INT && b.kind == VALUE_DIM && op == AST_MUL) return fold_dims(op, b, a, result);
  if (a.kind != VALUE_DIM) return false;
  Dim dim = a.dim;
  bool same = b.kind == VALUE_DIM && b.dim.symbol == dim.symbol, number = b.kind == VALUE_INT;
  bool ok = false;
  if (op == AST_MUL && number && b.integer >= 0) ok = checked_mul(dim.scale, b.integer, &dim.scale);
  if (op == AST_ADD && same) ok = checked_add(dim.scale, b.dim.scale, &dim.scale);
  if (op == AST_SUB && same) ok = dim.scale >= b.dim.scale && checked_sub(dim.scale, b.dim.scale, &dim.scale);
  if (op == AST_FLOORDIV && number && b.integer > 0 && dim.scale % b.integer == 0) {
    dim.scale /= b.integer;
    ok = true;
  }
  if (!dim.scale) dim.symbol = 0;
  *result = value_dim(dim);
  return ok;
}

bool elab_fold(Elab *e, AstOp op, Value a, Value b, Span span, Value *result) {
  bool equal;
  if ((op == AST_EQ || op == AST_NE) && value_equal(a, b, &equal))
    return *result = value_bool(equal == (op == AST_EQ)), true;
  if (a.kind == VALUE_BOOL && b.kind == VALUE_BOOL && (op == AST_AND || op == AST_OR))
    return *result = value_bool(op == AST_AND ? a.boolean && b.boolean : a.boolean || b.boolean), true;
  if (a.kind == VALUE_LIST && b.kind == VALUE_LIST && op == AST_ADD) return *result = join_lists(e, a, b, span), true;
  if (a.kind == VALUE_STRING && b.kind == VALUE_STRING && op == AST_ADD)
    return *result = join_texts(e, a, b, span), true;
  if (fold_dims(op, a, b, result)) return true;
  if (!is_number(a) || !is_number(b)) return false;
  if (is_comparison(op)) return *result = fold_comparison(op, a, b), true;
  if (!is_arithmetic(op)) return false;
  if (a.kind == VALUE_INT && b.kind == VALUE_INT)
    *result = fold_ints(e, op, a.integer, b.integer, span);
  else
    *result = fold_numbers(op, number_of(a), number_of(b));
  return true;
}
