// See form.h.
#include "form.h"

#include "checked.h"

Form form_number(int64_t number) { return (Form){.offset = number, .divisor = 1}; }

Form form_variable(int variable) {
  Form form = {.divisor = 1};
  form.coef[variable] = 1;
  return form;
}

static bool small(int64_t n) { return n >= -FORM_LIMIT && n <= FORM_LIMIT; }

// Divides out what is common to all; false where something is too large.
static bool reduce(Form *form) {
  int64_t common = whole_gcd(form->divisor, form->offset);
  for (int v = 0; v < FORM_VARIABLES; v++) common = whole_gcd(common, form->coef[v]);
  form->divisor /= common;
  form->offset /= common;
  bool fits = small(form->divisor) && small(form->offset);
  for (int v = 0; v < FORM_VARIABLES; v++) {
    form->coef[v] /= common;
    fits &= small(form->coef[v]);
  }
  return fits;
}

// a * x + b * y
static bool combine(int64_t a, int64_t x, int64_t b, int64_t y, int64_t *result) {
  int64_t left, right;
  return checked_mul(a, x, &left) && checked_mul(b, y, &right) && checked_add(left, right, result);
}

bool form_add(Form *sum, int64_t factor, const Form *other) {
  int64_t scale;
  if (!checked_mul(factor, sum->divisor, &scale)) return false;
  if (!combine(sum->offset, other->divisor, scale, other->offset, &sum->offset)) return false;
  for (int v = 0; v < FORM_VARIABLES; v++)
    if (!combine(sum->coef[v], other->divisor, scale, other->coef[v], &sum->coef[v])) return false;
  return checked_mul(sum->divisor, other->divisor, &sum->divisor) && reduce(sum);
}

bool form_divide(Form *form, int64_t n) { return checked_mul(form->divisor, n, &form->divisor) && reduce(form); }

bool form_substitute(Form *form, int variable, const Form *value) {
  int64_t factor = form->coef[variable], divisor = form->divisor;
  if (factor == 0) return true;
  Form term = *value;
  form->coef[variable] = 0;
  return form_divide(&term, divisor) && form_add(form, factor, &term);
}

bool form_solve(const Form *form, int variable, Form *value) {
  int64_t factor = form->coef[variable];
  dlc_assert(factor != 0);
  int64_t sign = factor < 0 ? 1 : -1;
  *value = (Form){.offset = sign * form->offset, .divisor = factor < 0 ? -factor : factor};
  for (int v = 0; v < FORM_VARIABLES; v++) value->coef[v] = v == variable ? 0 : sign * form->coef[v];
  return reduce(value);
}

bool form_is_zero(const Form *form) {
  bool zero = form->offset == 0;
  for (int v = 0; v < FORM_VARIABLES; v++) zero &= form->coef[v] == 0;
  return zero;
}

bool form_of_expr(const IndexExpr *e, const Form *of_index, Form *result) {
  *result = form_number(e->offset);
  if (!small(e->offset)) return false;
  for (int k = 0; k < e->n_terms; k++)
    if (!form_add(result, e->term[k].coef, &of_index[e->term[k].index])) return false;
  return true;
}

bool form_to_expr(const Form *form, DivKind kind, const int *index_of_variable, IndexExpr *result) {
  *result = index_const(form->offset);
  for (int v = 0; v < FORM_VARIABLES; v++) {
    if (form->coef[v] == 0) continue;
    if (result->n_terms == IR_MAX_TERMS) return false;
    index_add_term(result, index_of_variable[v], form->coef[v]);
  }
  result->divisor = form->divisor;
  if (form->divisor > 1) result->kind = kind;
  return true;
}

bool expr_fits(const Dim *extent, const IndexExpr *e) {
  int64_t sum = e->offset < 0 ? -e->offset : e->offset;
  for (int k = 0; k < e->n_terms; k++) {
    int64_t coef = e->term[k].coef, reach;
    if (!checked_mul(coef < 0 ? -coef : coef, extent[e->term[k].index].scale, &reach)) return false;
    if (!checked_add(sum, reach, &sum)) return false;
  }
  return sum <= (int64_t)1 << 59;
}

bool space_fits(const IndexDef *def) {
  int64_t points = 1;
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (def->extent[k].scale > 0 && !checked_mul(points, def->extent[k].scale, &points)) return false;
  return true;
}
