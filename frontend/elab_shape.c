// Shapes: their text, broadcasting, shape comments.
#include "elab_inside.h"

#include "checked.h"

#include <string.h>

static void add_dim(const Elab *e, Dim dim, Text *out) { value_print(e, value_dim(dim), out); }

const char *elab_shape_text(const Elab *e, const Shape *shape) {
  Text out = text_new(e->arena);
  text_add(&out, "[");
  for (int k = 0; k < shape->rank; k++) {
    if (k) text_add(&out, ", ");
    add_dim(e, shape->dim[k], &out);
  }
  text_add(&out, "]");
  return out.bytes;
}

const char *elab_type_text(const Elab *e, DType type, const Shape *shape) {
  if (!shape->rank) return dtype_name(type);
  return arena_printf(e->arena, "%s%s", dtype_name(type), elab_shape_text(e, shape));
}

// [N, M, ...]: the batch against rows of memory, each open size once and the rest small.
static bool rows_by_rows(const Shape *shape) {
  bool seen[IR_MAX_SYMBOLS + 1] = {false};
  int64_t scale = 1;
  for (int k = 0; k < shape->rank; k++) {
    int symbol = shape->dim[k].symbol;
    if ((symbol && seen[symbol]) || !checked_mul(scale, shape->dim[k].scale, &scale)) return false;
    seen[symbol] = true;
  }
  return true;
}

bool elab_fits(Elab *e, const Shape *shape, Span span) {
  Dim elements;
  if (shape_elements(shape, &elements) || rows_by_rows(shape)) return true;
  int open = 0;
  for (int k = 0; k < shape->rank; k++) open += !dim_is_const(shape->dim[k]);
  elab_error(e, DIAG_E0205, span,
             open > 1 ? "a tensor of shape %s has the open size twice" : "a tensor of shape %s is too large",
             elab_shape_text(e, shape));
  return false;
}

// ---- broadcasting --------------------------------------------------------------------------------------------------

static bool is_one(Dim d) { return dim_is_const(d) && d.scale == 1; }

// Dimension `k` from the right, 1 where the shape is shorter.
static Dim dim_from_right(const Shape *shape, int k) {
  return k < shape->rank ? shape->dim[shape->rank - 1 - k] : dim_const(1);
}

bool elab_broadcast_shape(const Shape *a, const Shape *b, Shape *result) {
  result->rank = a->rank > b->rank ? a->rank : b->rank;
  for (int k = 0; k < result->rank; k++) {
    Dim x = dim_from_right(a, k), y = dim_from_right(b, k);
    if (!dim_equal(x, y) && !is_one(x) && !is_one(y)) return false;
    result->dim[result->rank - 1 - k] = is_one(x) ? y : x;
  }
  return true;
}

NodeId elab_broadcast(Elab *e, NodeId node, const Shape *shape, Span span) {
  const Shape from = graph_node(e->builder.graph, node)->shape;
  Shape to;
  if (shape_equal(&from, shape)) return node;
  if (elab_broadcast_shape(&from, shape, &to) && shape_equal(&to, shape))
    return elab_fits(e, shape, span) ? build_broadcast_to(&e->builder, node, shape) : NODE_NONE;
  elab_error(e, DIAG_E0201, span, "%s does not broadcast to %s", elab_shape_text(e, &from), elab_shape_text(e, shape));
  return NODE_NONE;
}

// ---- shape comments ------------------------------------------------------------------------------------------------

static bool comment_shape(Elab *e, Scope *scope, const Expr *items, Shape *shape) {
  *shape = (Shape){0};
  for (const Expr *item = items; item; item = item->next) {
    if (shape->rank == IR_MAX_RANK) {
      elab_error(e, DIAG_E0207, item->span, "a tensor has at most %d dimensions", IR_MAX_RANK);
      return false;
    }
    if (!elab_dim(e, scope, item, &shape->dim[shape->rank++])) return false;
  }
  return true;
}

// Does the shape, with its batch or without, read as the comment says?
static bool comment_holds(const Shape *shape, const Shape *said) {
  int skip = shape->rank && !dim_is_const(shape->dim[0]) && said->rank == shape->rank - 1;
  if (said->rank != shape->rank - skip) return false;
  for (int k = 0; k < said->rank; k++)
    if (!dim_equal(said->dim[k], shape->dim[k + skip])) return false;
  return true;
}

Value elab_shaped_expr(Elab *e, Scope *scope, const Expr *expr) {
  Value v = elab_expr(e, scope, expr->a);
  if (value_is_poison(v)) return v;
  const Expr *last = expr->items;
  while (last && last->next) last = last->next;
  Span span = last ? span_join(expr->items->span, last->span) : expr->op_span;
  if (v.kind != VALUE_TENSOR) {
    elab_error(e, DIAG_E0202, span, "a shape is said of a tensor, but this is %s", value_describe(e, v));
    return value_poison();
  }
  Shape said;
  if (!comment_shape(e, scope, expr->items, &said)) return v;
  if (comment_holds(elab_shape(e, v), &said)) return v;
  Diag *diag = elab_error(e, DIAG_E0202, span, "the shape is %s here, not %s",
                          elab_inner_shape_text(e, elab_shape(e, v)), elab_shape_text(e, &said));
  elab_history_line(e, diag, v);
  return v;
}
