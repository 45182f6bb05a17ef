// See compose.h.
#include "compose.h"
#include "checked.h"

#include "form.h"

bool read_reduce(Read *read) {
  bool changed = false;
  for (int d = 0; d < read->rank; d++) {
    IndexExpr *e = &read->at[d];
    int64_t common = whole_gcd(e->divisor, e->offset);
    for (int k = 0; k < e->n_terms; k++) common = whole_gcd(common, e->term[k].coef);
    if (common == 1) continue;
    changed = true;
    e->offset /= common;
    e->divisor /= common;
    for (int k = 0; k < e->n_terms; k++) e->term[k].coef /= common;
    if (e->divisor == 1) e->kind = DIV_NONE;
  }
  return changed;
}

// ---- one expression in another --------------------------------------------------------------------------------------

static bool none_divided(const IndexExpr *outer, const Read *inner) {
  for (int k = 0; k < outer->n_terms; k++)
    if (inner->at[outer->term[k].index].kind != DIV_NONE) return false;
  return true;
}

// (i + c) // E of a division by D: floor(floor(a / D) + c) / E) = floor((a + c D) / (D E)), and for exact divisions
// alike. Of two kinds, or with a factor before i, it is no single division.
static bool divides_once(const IndexExpr *outer, const IndexExpr *inner) {
  return outer->n_terms == 1 && outer->term[0].coef == 1 && (outer->kind == DIV_NONE || outer->kind == inner->kind);
}

// `outer` with the expressions of `inner` in the place of its indices. False where that is no expression.
static bool put_in(const IndexDef *def, const IndexExpr *outer, const Read *inner, IndexExpr *result) {
  Form plain[IR_MAX_INDICES], value[IR_MAX_RANK], form;
  int same[FORM_VARIABLES];
  DivKind kind = outer->kind;
  for (int v = 0; v < FORM_VARIABLES; v++) same[v] = v;
  for (int k = 0; k < IR_MAX_INDICES; k++) plain[k] = form_variable(k);
  if (!none_divided(outer, inner)) {
    if (!divides_once(outer, &inner->at[outer->term[0].index])) return false;
    kind = inner->at[outer->term[0].index].kind;
  }
  for (int d = 0; d < inner->rank; d++)
    if (!form_of_expr(&inner->at[d], plain, &value[d]) || !form_divide(&value[d], inner->at[d].divisor)) return false;
  if (!form_of_expr(outer, value, &form) || !form_divide(&form, outer->divisor)) return false;
  return form_to_expr(&form, kind, same, result) && expr_fits(def->extent, result);
}

// ---- what happens outside -------------------------------------------------------------------------------------------

// Is dimension d of the moved tensor read in step with a dimension of the same extent? Then both are left together.
static bool is_passed_on(const Node *move, const Shape *source, int d) {
  const Read *read = &move->index->reads[0];
  for (int q = 0; q < read->rank; q++)
    if (index_is(&read->at[q], d) && dim_equal(source->dim[q], move->shape.dim[d])) return true;
  return false;
}

static bool never_outside(const IndexDef *def, const Read *read, const Shape *shape) {
  for (int d = 0; d < read->rank; d++)
    if (!read_in_bounds(def, read, shape, d)) return false;
  return true;
}

static bool leaves_points_out(Combine combine) {
  return combine != COMBINE_MAP && combine != COMBINE_SUM && combine != COMBINE_PROD;
}

// Wherever the reader is outside the movement's result, it is outside the source as well; and where a point is left out
// for being outside, the movement has not put a 0 there instead.
static bool same_outside(const IndexDef *def, const Read *read, const Node *move, const Shape *source) {
  if (leaves_points_out(def->combine) && !never_outside(move->index, &move->index->reads[0], source)) return false;
  for (int d = 0; d < read->rank; d++)
    if (!read_in_bounds(def, read, &move->shape, d) && !is_passed_on(move, source, d)) return false;
  return true;
}

static bool compose_once(const Graph *g, const IndexDef *def, NodeId *operand, Read *read) {
  const Node *move = graph_node(g, *operand);
  if (move->op != OP_index || !index_is_movement(move->index)) return false;
  const Shape *source = &graph_node(g, move->in[0])->shape;
  const Read *inner = &move->index->reads[0];
  Read composed = {.rank = inner->rank};
  if (!same_outside(def, read, move, source)) return false;
  for (int d = 0; d < inner->rank; d++)
    if (!put_in(def, &inner->at[d], read, &composed.at[d])) return false;
  *operand = move->in[0];
  *read = composed;
  return true;
}

bool read_compose(const Graph *g, const IndexDef *def, NodeId *operand, Read *read) {
  bool changed = false;
  while (compose_once(g, def, operand, read)) changed = true;
  return changed;
}
