// Index arithmetic: canonical sums, interned.
#include "expr.h"

#include <string.h>

// ---- sizes --------------------------------------------------------------------------------------------------------

Size size_of(Dim dim) {
  Size size = size_const(dim.scale);
  if (dim.symbol) size.power[dim.symbol - 1] = 1;
  return size;
}

Size size_times(Size a, Size b) {
  Size product = size_const(a.scale * b.scale);
  for (int k = 0; k < IR_MAX_SYMBOLS; k++) product.power[k] = (uint8_t)(a.power[k] + b.power[k]);
  return product;
}

bool size_same_symbols(Size a, Size b) { return !memcmp(a.power, b.power, sizeof a.power); }
bool size_equal(Size a, Size b) { return a.scale == b.scale && (a.scale == 0 || size_same_symbols(a, b)); }
bool size_is_const(Size size) { return size.scale == 0 || size_same_symbols(size, size_const(1)); }

bool size_divide(Size a, Size b, Size *quotient) {
  if (b.scale == 0 || a.scale % b.scale != 0) return false;
  *quotient = size_const(a.scale / b.scale);
  for (int k = 0; k < IR_MAX_SYMBOLS && a.scale; k++) {
    if (a.power[k] < b.power[k]) return false;
    quotient->power[k] = (uint8_t)(a.power[k] - b.power[k]);
  }
  return true;
}

int64_t size_value(Size size, const int64_t *symbol_values) {
  int64_t value = size.scale;
  for (int k = 0; k < IR_MAX_SYMBOLS; k++)
    for (int p = 0; p < size.power[k]; p++) value *= symbol_values[k];
  return value;
}

void size_print(Size size, const char *const *symbols, Text *out) {
  bool constant = size_is_const(size);
  if (constant || size.scale != 1) text_printf(out, "%lld", (long long)size.scale);
  const char *times = !constant && size.scale != 1 ? "*" : "";
  for (int k = 0; k < IR_MAX_SYMBOLS && !constant; k++)
    for (int p = 0; p < size.power[k]; p++, times = "*") text_printf(out, "%s%s", times, symbols[k]);
}

Size shape_strides(const Shape *shape, Size *stride) {
  Size next = size_const(1);
  for (int d = shape->rank - 1; d >= 0; d--) {
    stride[d] = next;
    next = size_times(next, size_of(shape->dim[d]));
  }
  return next;
}

// ---- sums ---------------------------------------------------------------------------------------------------------

static int compare_bytes(const void *a, const void *b, size_t n) {
  int order = memcmp(a, b, n);
  return (order > 0) - (order < 0);
}

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_size(Size a, Size b) {
  int order = ORDER(a.scale, b.scale);
  return order ? order : compare_bytes(a.power, b.power, sizeof a.power);
}

static int compare_atom(const Atom *a, const Atom *b) {
  if (a->kind != b->kind) return ORDER(a->kind, b->kind);
  if (a->kind == ATOM_VAR || a->kind == ATOM_DATA) return ORDER(a->id, b->id);
  if (a->kind == ATOM_ONE) return 0;
  int order = ORDER(a->of->number, b->of->number);
  return order ? order : compare_size(a->by, b->by);
}

// By atom, then by the coefficient's symbols: terms that compare equal add up.
static int compare_term(const ExprTerm *a, const ExprTerm *b) {
  int order = compare_atom(&a->atom, &b->atom);
  return order ? order : compare_bytes(a->coef.power, b->coef.power, sizeof a->coef.power);
}

static bool same_terms(const Expr *a, const Expr *b) {
  if (a->n != b->n) return false;
  for (int k = 0; k < a->n; k++)
    if (compare_term(&a->term[k], &b->term[k]) || a->term[k].coef.scale != b->term[k].coef.scale) return false;
  return true;
}

static const Expr *intern(ExprPool *pool, const Expr *e) {
  for (size_t k = 0; k < pool->n; k++)
    if (same_terms(pool->items[k], e)) return pool->items[k];
  pool->items = arena_grow(pool->arena, pool->items, pool->n, &pool->capacity, sizeof *pool->items);
  Expr *kept = arena_alloc(pool->arena, sizeof *kept);
  *kept = *e;
  kept->number = (int)pool->n;
  pool->items[pool->n++] = kept;
  return kept;
}

static const Expr *single(ExprPool *pool, Size coef, Atom atom) {
  Expr e = {.n = coef.scale != 0, .term = arena_alloc(pool->arena, sizeof *e.term)};
  if (coef.scale) e.term[0] = (ExprTerm){coef, atom};
  return intern(pool, &e);
}

// a + b without the joining of quotients and remainders.
static const Expr *merge(ExprPool *pool, const Expr *a, const Expr *b) {
  Expr sum = {.term = arena_array(pool->arena, (size_t)(a->n + b->n), sizeof *sum.term)};
  int i = 0, j = 0;
  while (i < a->n || j < b->n) {
    int order = i == a->n ? 1 : j == b->n ? -1 : compare_term(&a->term[i], &b->term[j]);
    ExprTerm term = order <= 0 ? a->term[i] : b->term[j];
    if (order == 0) term.coef.scale += b->term[j].coef.scale;
    i += order <= 0;
    j += order >= 0;
    if (term.coef.scale) sum.term[sum.n++] = term;
  }
  return intern(pool, &sum);
}

// The quotient that belongs to a remainder term c*(x % n): c*n*(x / n), as one term. False where x / n is no single
// atom.
static bool partner(ExprPool *pool, const ExprTerm *mod, ExprTerm *quotient) {
  const Expr *q = expr_div(pool, mod->atom.of, mod->atom.by);
  if (q->n != 1) return false;
  *quotient = q->term[0];
  quotient->coef = size_times(quotient->coef, size_times(mod->coef, mod->atom.by));
  return true;
}

static const Expr *without(ExprPool *pool, const Expr *e, int first, int second) {
  Expr rest = {.term = arena_array(pool->arena, (size_t)e->n, sizeof *rest.term)};
  for (int k = 0; k < e->n; k++)
    if (k != first && k != second) rest.term[rest.n++] = e->term[k];
  return intern(pool, &rest);
}

// c*n*(x / n) + c*(x % n) = c*x, until there is no such pair left.
static const Expr *join(ExprPool *pool, const Expr *e) {
  for (int k = 0; k < e->n; k++) {
    ExprTerm quotient;
    if (e->term[k].atom.kind != ATOM_MOD || !partner(pool, &e->term[k], &quotient)) continue;
    for (int q = 0; q < e->n; q++) {
      if (compare_term(&e->term[q], &quotient) || e->term[q].coef.scale != quotient.coef.scale) continue;
      const Expr *whole = expr_scale(pool, e->term[k].atom.of, e->term[k].coef);
      return expr_add(pool, without(pool, e, k, q), whole);
    }
  }
  return e;
}

int expr_new_var(ExprPool *pool, const char *name, Size extent) {
  pool->vars = arena_grow(pool->arena, pool->vars, pool->n_vars, &pool->vars_capacity, sizeof *pool->vars);
  pool->vars[pool->n_vars] = (ExprVar){.name = name, .extent = extent};
  return (int)pool->n_vars++;
}

int expr_new_unbounded_var(ExprPool *pool, const char *name) {
  int var = expr_new_var(pool, name, size_const(1));
  pool->vars[var].unbounded = true;
  return var;
}

const Expr *expr_size(ExprPool *pool, Size size) { return single(pool, size, (Atom){.kind = ATOM_ONE}); }
const Expr *expr_const(ExprPool *pool, int64_t n) { return expr_size(pool, size_const(n)); }
const Expr *expr_var(ExprPool *pool, int var) {
  return single(pool, size_const(1), (Atom){.kind = ATOM_VAR, .id = var});
}
const Expr *expr_data(ExprPool *pool, int value) {
  return single(pool, size_const(1), (Atom){.kind = ATOM_DATA, .id = value});
}

const Expr *expr_add(ExprPool *pool, const Expr *a, const Expr *b) { return join(pool, merge(pool, a, b)); }
const Expr *expr_offset(ExprPool *pool, const Expr *a, int64_t by) { return expr_add(pool, a, expr_const(pool, by)); }

const Expr *expr_scale(ExprPool *pool, const Expr *a, Size by) {
  Expr product = {.n = by.scale ? a->n : 0, .term = arena_array(pool->arena, (size_t)a->n, sizeof *product.term)};
  for (int k = 0; k < product.n; k++) {
    product.term[k] = a->term[k];
    product.term[k].coef = size_times(a->term[k].coef, by);
  }
  return intern(pool, &product);
}

// ---- division -----------------------------------------------------------------------------------------------------

// a = by * quotient + rest, taking into the quotient every term that `by` divides.
static void split(ExprPool *pool, const Expr *a, Size by, const Expr **quotient, const Expr **rest) {
  Expr q = {.term = arena_array(pool->arena, (size_t)a->n, sizeof *q.term)};
  Expr r = {.term = arena_array(pool->arena, (size_t)a->n, sizeof *r.term)};
  for (int k = 0; k < a->n; k++) {
    ExprTerm term = a->term[k];
    if (size_divide(term.coef, by, &term.coef))
      q.term[q.n++] = term;
    else
      r.term[r.n++] = a->term[k];
  }
  *quotient = intern(pool, &q);
  *rest = intern(pool, &r);
}

static bool is_digit(const ExprPool *pool, const Expr *e, Size by) {
  return expr_never_negative(pool, e) && expr_below(pool, e, by);
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// rest / by, where no term of rest is a multiple of `by`.
static const Expr *divide_rest(ExprPool *pool, const Expr *rest, Size by) {
  int64_t value;
  if (is_digit(pool, rest, by)) return expr_const(pool, 0);
  if (expr_is_const(rest, &value) && size_is_const(by)) return expr_const(pool, floor_div(value, by.scale));
  bool nested = rest->n == 1 && rest->term[0].atom.kind == ATOM_DIV && size_equal(rest->term[0].coef, size_const(1));
  if (nested) return expr_div(pool, rest->term[0].atom.of, size_times(by, rest->term[0].atom.by));
  return single(pool, size_const(1), (Atom){.kind = ATOM_DIV, .of = rest, .by = by});
}

const Expr *expr_div(ExprPool *pool, const Expr *a, Size by) {
  const Expr *quotient, *rest;
  split(pool, a, by, &quotient, &rest);
  return merge(pool, quotient, divide_rest(pool, rest, by));
}

const Expr *expr_mod(ExprPool *pool, const Expr *a, Size by) {
  const Expr *quotient, *rest;
  split(pool, a, by, &quotient, &rest);
  int64_t value;
  if (is_digit(pool, rest, by)) return rest;
  if (expr_is_const(rest, &value) && size_is_const(by))
    return expr_const(pool, value - by.scale * floor_div(value, by.scale));
  return single(pool, size_const(1), (Atom){.kind = ATOM_MOD, .of = rest, .by = by});
}

// ---- questions ----------------------------------------------------------------------------------------------------

bool expr_is_const(const Expr *e, int64_t *value) {
  if (e->n == 0) return *value = 0, true;
  if (e->n > 1 || e->term[0].atom.kind != ATOM_ONE || !size_is_const(e->term[0].coef)) return false;
  return *value = e->term[0].coef.scale, true;
}

Size expr_coef(const Expr *e, int var) {
  for (int k = 0; k < e->n; k++)
    if (e->term[k].atom.kind == ATOM_VAR && e->term[k].atom.id == var) return e->term[k].coef;
  return size_const(0);
}

static bool atom_has_var(const Atom *atom, int var) {
  if (atom->kind == ATOM_VAR) return atom->id == var;
  return (atom->kind == ATOM_DIV || atom->kind == ATOM_MOD) && expr_has_var(atom->of, var);
}

bool expr_has_var(const Expr *e, int var) {
  for (int k = 0; k < e->n; k++)
    if (atom_has_var(&e->term[k].atom, var)) return true;
  return false;
}

bool expr_is_linear(const Expr *e, int var) {
  int plain = 0;
  for (int k = 0; k < e->n; k++) {
    const Atom *atom = &e->term[k].atom;
    if (atom->kind != ATOM_VAR && atom_has_var(atom, var)) return false;
    plain += atom->kind == ATOM_VAR && atom->id == var;
  }
  return plain <= 1;
}

bool expr_divides(const Expr *e, int64_t n) {
  for (int k = 0; k < e->n; k++)
    if (e->term[k].coef.scale % n != 0) return false;
  return true;
}

bool expr_never_divides(const Expr *e, int64_t n) {
  bool rest = false;
  for (int k = 0; k < e->n; k++) {
    if (e->term[k].coef.scale % n == 0) continue;
    if (e->term[k].atom.kind != ATOM_ONE || !size_is_const(e->term[k].coef)) return false;
    rest = true;
  }
  return rest;
}

int64_t expr_value(const Expr *e, const int64_t *symbol_values, int64_t var_value) {
  int64_t sum = 0;
  for (int k = 0; k < e->n; k++) {
    const Atom *atom = &e->term[k].atom;
    int64_t value = atom->kind == ATOM_ONE ? 1 : var_value;
    if (atom->kind == ATOM_DIV) {
      value = floor_div(expr_value(atom->of, symbol_values, var_value), size_value(atom->by, symbol_values));
    } else if (atom->kind == ATOM_MOD) {
      int64_t whole = expr_value(atom->of, symbol_values, var_value), by = size_value(atom->by, symbol_values);
      value = whole - by * floor_div(whole, by);
    }
    sum += size_value(e->term[k].coef, symbol_values) * value;
  }
  return sum;
}

// ---- ranges -------------------------------------------------------------------------------------------------------

// A polynomial in the symbols.
typedef struct Poly {
  int n;
  Size term[24];
  bool unknown;
} Poly;

static void poly_add(Poly *p, Size term) {
  for (int k = 0; k < p->n; k++)
    if (size_same_symbols(p->term[k], term)) {
      p->unknown |= __builtin_add_overflow(p->term[k].scale, term.scale, &p->term[k].scale);
      return;
    }
  if (p->n == (int)(sizeof p->term / sizeof *p->term))
    p->unknown = true;
  else
    p->term[p->n++] = term;
}

// Is it >= 0 for all symbols >= 1? Sufficient: it does not fall in any symbol, and is >= 0 where all are 1.
static bool poly_never_negative(const Poly *p) {
  int64_t least = 0;
  for (int k = 0; k < p->n; k++) {
    if (p->term[k].scale < 0 && !size_is_const(p->term[k])) return false;
    if (__builtin_add_overflow(least, p->term[k].scale, &least)) return false;
  }
  return !p->unknown && least >= 0;
}

static void add_bound(const ExprPool *pool, Poly *p, const Expr *e, Size times, bool upper);

// Adds times * floor(of / by): known where `by` divides all that depends on symbols, and where it is no symbol itself
// or only 0 or -1 is left to divide.
static void add_quotient(Poly *p, const Poly *of, Size by, Size times) {
  int64_t rest = 0;
  p->unknown |= of->unknown;
  for (int k = 0; k < of->n; k++) {
    Size quotient;
    if (size_is_const(of->term[k]))
      rest += of->term[k].scale;
    else if (size_divide(of->term[k], by, &quotient))
      poly_add(p, size_times(times, quotient));
    else
      p->unknown = true;
  }
  p->unknown |= !size_is_const(by) && rest != 0 && rest != -1;
  int64_t whole = size_is_const(by) ? floor_div(rest, by.scale) : rest;
  poly_add(p, size_times(times, size_const(whole)));
}

// Adds times * (an upper or lower bound of the atom); times is taken to be positive.
static void add_atom_bound(const ExprPool *pool, Poly *p, const Atom *atom, Size times, bool upper) {
  Size minus = size_times(times, size_const(-1));
  switch (atom->kind) {
    case ATOM_ONE:
      poly_add(p, times);
      return;
    case ATOM_DATA:
      p->unknown = true;
      return;
    case ATOM_VAR:
      if (!upper) return;
      p->unknown |= pool->vars[atom->id].unbounded;
      poly_add(p, size_times(times, pool->vars[atom->id].extent));
      poly_add(p, minus);
      return;
    case ATOM_MOD:
      if (!upper) return;
      poly_add(p, size_times(times, atom->by));
      poly_add(p, minus);
      return;
    case ATOM_DIV:
      if (!upper && expr_never_negative(pool, atom->of)) return;
      break;
  }
  Poly of = {0};
  add_bound(pool, &of, atom->of, size_const(1), upper);
  add_quotient(p, &of, atom->by, times);
}

static void add_bound(const ExprPool *pool, Poly *p, const Expr *e, Size times, bool upper) {
  for (int k = 0; k < e->n; k++) {
    Size coef = size_times(e->term[k].coef, times);
    bool negative = coef.scale < 0;
    if (negative && e->term[k].atom.kind != ATOM_ONE) {
      Poly part = {0};
      coef.scale = -coef.scale;
      add_atom_bound(pool, &part, &e->term[k].atom, coef, !upper);
      for (int t = 0; t < part.n; t++) poly_add(p, size_times(part.term[t], size_const(-1)));
      p->unknown |= part.unknown;
    } else {
      add_atom_bound(pool, p, &e->term[k].atom, coef, upper);
    }
  }
}

bool expr_never_negative(const ExprPool *pool, const Expr *e) {
  Poly low = {0};
  add_bound(pool, &low, e, size_const(1), false);
  return poly_never_negative(&low);
}

// limit - 1 - e >= 0
bool expr_below(const ExprPool *pool, const Expr *e, Size limit) {
  Poly room = {0};
  add_bound(pool, &room, e, size_const(1), true);
  for (int k = 0; k < room.n; k++) room.term[k].scale = -room.term[k].scale;
  poly_add(&room, limit);
  poly_add(&room, size_const(-1));
  return poly_never_negative(&room);
}

// ---- text ---------------------------------------------------------------------------------------------------------

static void print_atom(const ExprPool *pool, const Atom *atom, const char *const *symbols, Text *out) {
  if (atom->kind == ATOM_VAR) return text_add(out, pool->vars[atom->id].name);
  if (atom->kind == ATOM_DATA) return text_printf(out, "v%d", atom->id);
  bool bare =
      atom->of->n == 1 && atom->of->term[0].atom.kind != ATOM_ONE && size_equal(atom->of->term[0].coef, size_const(1));
  text_add(out, bare ? "(" : "((");
  expr_print(pool, atom->of, symbols, out);
  text_add(out, bare ? "" : ")");
  text_add(out, atom->kind == ATOM_DIV ? " / " : " % ");
  size_print(atom->by, symbols, out);
  text_add(out, ")");
}

static void print_expr_term(const ExprPool *pool, const ExprTerm *term, bool first, const char *const *symbols,
                            Text *out) {
  Size coef = term->coef;
  if (coef.scale < 0) coef.scale = -coef.scale;
  if (!first)
    text_add(out, term->coef.scale < 0 ? " - " : " + ");
  else if (term->coef.scale < 0)
    text_add(out, "-");
  if (term->atom.kind == ATOM_ONE) return size_print(coef, symbols, out);
  if (!size_equal(coef, size_const(1))) {
    size_print(coef, symbols, out);
    text_add(out, "*");
  }
  print_atom(pool, &term->atom, symbols, out);
}

void expr_print(const ExprPool *pool, const Expr *e, const char *const *symbols, Text *out) {
  bool first = true;
  for (int constants = 0; constants < 2; constants++)
    for (int k = 0; k < e->n; k++) {
      if ((e->term[k].atom.kind == ATOM_ONE) != (constants == 1)) continue;
      print_expr_term(pool, &e->term[k], first, symbols, out);
      first = false;
    }
  if (first) text_add(out, "0");
}
