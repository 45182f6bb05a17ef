// Exact arithmetic on affine expressions of index variables with a common divisor: what solving reads and putting one
// read into another needs. Variables are numbered by whoever uses them.
//
// Every function is false where a coefficient would leave FORM_LIMIT or a read's number of terms; a form is then
// unusable.
#pragma once
#include "ir.h"

enum { FORM_VARIABLES = 2 * IR_MAX_RANK + IR_MAX_INDICES };
static const int64_t FORM_LIMIT = (int64_t)1 << 40;  // far from what the verifier refuses, far above any real stride

// (offset + sum of coef[v] * v) / divisor, with divisor >= 1 and no factor common to all of them.
typedef struct Form {
  int64_t offset, divisor;
  int64_t coef[FORM_VARIABLES];
} Form;

Form form_number(int64_t number);
Form form_variable(int variable);
// *sum += factor * other.
bool form_add(Form *sum, int64_t factor, const Form *other);
// Divides by n >= 1.
bool form_divide(Form *form, int64_t n);
// Puts `value` in the place of a variable.
bool form_substitute(Form *form, int variable, const Form *value);
// The value of `variable` that makes the form 0; its coefficient must not be 0.
bool form_solve(const Form *form, int variable, Form *value);
bool form_is_zero(const Form *form);

// The undivided part of an expression: its index k has the value of_index[k].
bool form_of_expr(const IndexExpr *e, const Form *of_index, Form *result);
// As an expression whose index for variable v is index_of[v]; `kind` says what the divisor means where it is above 1.
// False where there are too many terms.
bool form_to_expr(const Form *form, DivKind kind, const int *index_of_variable, IndexExpr *result);
// Would the verifier take the expression over these extents, and the whole index space?
bool expr_fits(const Dim *extent, const IndexExpr *e);
bool space_fits(const IndexDef *def);
