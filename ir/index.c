// Index algebra: affine expressions of a node's indices, the box that they run over, and where reads fall.
#include "checked.h"
#include "inside.h"

#include <string.h>

IndexExpr index_const(int64_t offset) { return (IndexExpr){.offset = offset, .divisor = 1}; }

IndexExpr index_of(int index) { return (IndexExpr){.n_terms = 1, .term = {{index, 1}}, .divisor = 1}; }

void index_add_term(IndexExpr *e, int index, int64_t coef) {
  if (coef == 0) return;
  int at = 0;
  while (at < e->n_terms && e->term[at].index < index) at++;
  IndexTerm *term = &e->term[at];
  size_t after = (size_t)(e->n_terms - at) * sizeof *term;
  if (at < e->n_terms && term->index == index) {
    term->coef += coef;
    if (term->coef) return;
    memmove(term, term + 1, after - sizeof *term);
    e->n_terms--;
  } else {
    dlc_assert(e->n_terms < IR_MAX_TERMS);
    memmove(term + 1, term, after);
    *term = (IndexTerm){index, coef};
    e->n_terms++;
  }
}

bool index_is(const IndexExpr *e, int index) {
  return e->divisor == 1 && e->offset == 0 && e->n_terms == 1 && e->term[0].index == index && e->term[0].coef == 1;
}

bool index_equal(const IndexExpr *a, const IndexExpr *b) {
  if (a->offset != b->offset || a->n_terms != b->n_terms || a->divisor != b->divisor || a->kind != b->kind)
    return false;
  for (int k = 0; k < a->n_terms; k++)
    if (a->term[k].index != b->term[k].index || a->term[k].coef != b->term[k].coef) return false;
  return true;
}

bool read_equal(const Read *a, const Read *b) {
  if (a->rank != b->rank) return false;
  for (int d = 0; d < a->rank; d++)
    if (!index_equal(&a->at[d], &b->at[d])) return false;
  return true;
}

int64_t index_coef(const IndexExpr *e, int index) {
  for (int k = 0; k < e->n_terms; k++)
    if (e->term[k].index == index) return e->term[k].coef;
  return 0;
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }  // b >= 1
static int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b > 0); }   // b >= 1

int64_t index_value(const IndexExpr *e, const int64_t *indices, bool *outside) {
  int64_t value = e->offset;
  for (int k = 0; k < e->n_terms; k++) value += e->term[k].coef * indices[e->term[k].index];
  if (e->kind == DIV_NONE) return value;
  if (e->kind == DIV_EXACT && value % e->divisor != 0) *outside = true;
  return floor_div(value, e->divisor);
}

// Adds coef * (extent - 1) to the end of the range that the sign says.
static bool widen(int64_t coef, int64_t extent, int64_t *low, int64_t *high) {
  int64_t reach;
  if (!checked_mul(coef, extent - 1, &reach)) return false;
  return coef < 0 ? checked_add(*low, reach, low) : checked_add(*high, reach, high);
}

bool index_range(const IndexExpr *e, const Dim *extent, const int64_t *symbol_values, int64_t *low, int64_t *high) {
  *low = *high = e->offset;
  bool empty = false;
  for (int k = 0; k < e->n_terms; k++) {
    Dim d = extent[e->term[k].index];
    int64_t n = d.scale;
    if (!dim_is_const(d) && (!symbol_values || !checked_mul(d.scale, symbol_values[d.symbol - 1], &n))) return false;
    empty |= n <= 0;
    if (n > 0 && !widen(e->term[k].coef, n, low, high)) return false;
  }
  if (e->kind == DIV_FLOOR) *low = floor_div(*low, e->divisor);
  if (e->kind == DIV_EXACT) *low = ceil_div(*low, e->divisor);
  *high = floor_div(*high, e->divisor);
  if (empty) *low = 0, *high = -1;
  return true;
}

// ---- reads against operands ---------------------------------------------------------------------------------------

// A value that is affine in the symbols: c[0] + sum of c[k] * symbol k.
typedef struct Affine {
  int64_t c[IR_MAX_SYMBOLS + 1];
} Affine;

static bool affine_add(Affine *a, int64_t factor, Dim d) {
  int64_t more;
  return checked_mul(factor, d.scale, &more) && checked_add(a->c[d.symbol], more, &a->c[d.symbol]);
}

// Is a >= 0 for all symbols >= 1? It falls without bound where a symbol's factor is negative; else it is least at 1.
static bool affine_never_negative(const Affine *a) {
  int64_t least = a->c[0];
  bool fits = true;
  for (int k = 1; k <= IR_MAX_SYMBOLS; k++) {
    if (a->c[k] < 0) return false;
    fits &= checked_add(least, a->c[k], &least);
  }
  return fits & (least >= 0);
}

static bool space_is_empty(const IndexDef *def) {
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (def->extent[k].scale == 0) return true;
  return false;
}

// Does the divisor divide the numerator at every point? Over a box that holds when it divides the offset and every
// coefficient of an index that takes more than one value.
static bool always_divides(const IndexDef *def, const IndexExpr *e) {
  if (e->offset % e->divisor != 0) return false;
  for (int k = 0; k < e->n_terms; k++)
    if (e->term[k].coef % e->divisor != 0 && !dim_equal(def->extent[e->term[k].index], dim_const(1))) return false;
  return true;
}

bool read_in_bounds(const IndexDef *def, const Read *read, const Shape *operand, int d) {
  const IndexExpr *e = &read->at[d];
  if (space_is_empty(def)) return true;
  if (e->kind == DIV_EXACT && !always_divides(def, e)) return false;
  // 0 <= numerator and numerator <= divisor * dim - 1: right for both kinds of division
  Affine low = {.c = {e->offset}}, room = {.c = {-1}};
  if (!affine_add(&room, e->divisor, operand->dim[d]) || !affine_add(&room, -1, dim_const(e->offset))) return false;
  for (int k = 0; k < e->n_terms; k++) {
    int64_t coef = e->term[k].coef;
    Dim extent = def->extent[e->term[k].index];
    Affine *bound = coef < 0 ? &low : &room;
    int64_t factor = coef < 0 ? coef : -coef;
    if (!affine_add(bound, factor, extent) || !affine_add(bound, -factor, dim_const(1))) return false;
  }
  return affine_never_negative(&low) && affine_never_negative(&room);
}

bool read_is_identity(const IndexDef *def, const Read *read) {
  if (read->rank != def->n_out) return false;
  for (int d = 0; d < read->rank; d++)
    if (!index_is(&read->at[d], d)) return false;
  return true;
}

bool index_is_plain_product(const IndexDef *def) {
  if (def->combine != COMBINE_SUM || def->n_body != 3) return false;
  const Scalar *a = &def->body[0], *b = &def->body[1], *product = &def->body[2];
  return a->kind == SCALAR_READ && b->kind == SCALAR_READ && a->arg[0] == 0 && b->arg[0] == 1 &&
         product->kind == SCALAR_OP && product->op == OP_mul && product->type == DT_F32 && product->arg[0] == 0 &&
         product->arg[1] == 1;
}

bool index_is_movement(const IndexDef *def) {
  return def->combine == COMBINE_MAP && def->n_body == 1 && def->body[0].kind == SCALAR_READ;
}
