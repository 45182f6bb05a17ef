// Elements at computed places. `x[id[i], j]` gathers rows: x[id], read with i in front. Where several subscripts are
// computed, or an index stands inside a computed subscript and beside it (`x[n, label[n]]`), all dimensions that take
// part become one, whose position is computed: x as [N * C] at n * C + label[n]. A place outside of the tensor is
// position -1, which a gather reads as 0.
#include "formula_inside.h"

typedef struct Lookup {
  Formula *f;
  const Visible *visible;
  Element *element;
  const Expr *subscript[IR_MAX_RANK];  // [rank]
  bool computed[IR_MAX_RANK];          // [rank] this subscript is looked up
  Value at[IR_MAX_RANK];               // [rank] its scalar in the sheet
  int order[IR_MAX_RANK], n;           // the dimensions that are looked up, those of open size first
  Sheet sheet;
} Lookup;

static const Shape *shape_of(const Lookup *l) { return &graph_node(l->f->e->builder.graph, l->element->tensor)->shape; }

// ---- which subscripts are looked up -------------------------------------------------------------------------------

// Evaluates a subscript, which must be a whole number.
static bool compute(Lookup *l, int d) {
  l->computed[d] = true;
  l->at[d] = formula_scalar(&l->sheet, l->visible, l->subscript[d]);
  if (value_is_poison(l->at[d])) return false;
  NodeId node = formula_scalar_node(&l->sheet, l->at[d], l->subscript[d]->span);
  DType type = node == NODE_NONE ? DT_I32 : graph_node(l->sheet.graph, node)->type;
  if (type == DT_I32) return node != NODE_NONE;
  formula_error(l->f, DIAG_E0136, l->subscript[d]->span, "a subscript is a whole number, but this is %s",
                dtype_name(type));
  return false;
}

static bool slot_uses(const Slot *slot, int index) {
  if (slot->index >= 0) return slot->index == index;
  for (int d = 0; d < slot->element.read.rank; d++)
    if (index_coef(&slot->element.read.at[d], index)) return true;
  return false;
}

// Does the affine subscript have an index that a computed one uses too?
static bool shares_index(const Lookup *l, int d) {
  const IndexExpr *at = &l->element->read.at[d];
  for (int t = 0; t < at->n_terms; t++)
    for (size_t k = 0; k < l->sheet.n_slots; k++)
      if (slot_uses(&l->sheet.slots[k], at->term[t].index)) return true;
  return false;
}

static bool compute_all(Lookup *l) {
  bool ok = true;
  int rank = l->element->read.rank;
  for (int d = 0; d < rank; d++)
    if (l->computed[d]) ok &= compute(l, d);
  for (int d = 0; d < rank && ok; d++) {
    if (l->computed[d] || !shares_index(l, d)) continue;
    ok = compute(l, d);
    d = -1;  // its indices may stand in others
  }
  return ok;
}

// ---- one position -------------------------------------------------------------------------------------------------

// Open sizes come first, so that what a step in each dimension is worth is known at compile time.
static bool order_dimensions(Lookup *l) {
  const Shape *shape = shape_of(l);
  int n_open = 0;
  for (int open = 1; open >= 0; open--)
    for (int d = 0; d < shape->rank; d++) {
      bool is_open = !dim_is_const(shape->dim[d]);
      if (!l->computed[d] || is_open != open) continue;
      l->order[l->n++] = d;
      n_open += is_open;
    }
  if (n_open <= 1) return true;
  formula_error(l->f, DIAG_E0216, l->subscript[l->order[1]]->span, "two dimensions of open size cannot be looked up");
  return false;
}

// Is the subscript an index alone, which runs over the whole dimension?
static bool is_inside(const Lookup *l, int d) {
  const IndexExpr *at = &l->element->read.at[d];
  return at->n_terms == 1 && index_is(at, at->term[0].index) &&
         dim_equal(l->f->index[at->term[0].index].extent, shape_of(l)->dim[d]);
}

// position * size + at[d], and in *inside whether at[d] is a place of the dimension, as a truth value; INT: surely.
static Value add_dimension(Lookup *l, Value position, int d, Value *inside) {
  Span span = l->subscript[d]->span;
  Value size = value_dim(shape_of(l)->dim[d]);
  if (!is_inside(l, d)) {
    Value low = formula_binary(&l->sheet, AST_GE, l->at[d], value_int(0), span);
    Value high = formula_binary(&l->sheet, AST_LT, l->at[d], size, span);
    Value both = formula_binary(&l->sheet, AST_AND, low, high, span);
    *inside = inside->kind == VALUE_INT ? both : formula_binary(&l->sheet, AST_AND, *inside, both, span);
  }
  if (d == l->order[0]) return l->at[d];
  position = formula_binary(&l->sheet, AST_MUL, position, size, span);
  return formula_binary(&l->sheet, AST_ADD, position, l->at[d], span);
}

static NodeId position_node(Lookup *l, Span span) {
  Value position = value_int(0), inside = value_int(1);
  for (int k = 0; k < l->n; k++) position = add_dimension(l, position, l->order[k], &inside);
  NodeId node = formula_scalar_node(&l->sheet, position, span);
  if (node == NODE_NONE || inside.kind == VALUE_INT) return node;
  NodeId condition = formula_scalar_node(&l->sheet, inside, span);
  Builder b = {.graph = l->sheet.graph};
  return condition == NODE_NONE ? NODE_NONE : build_select(&b, condition, node, build_const(&b, DT_I32, -1));
}

// The tensor with the dimensions that are looked up in front, as one; NODE_NONE after reporting.
static NodeId rows_first(Lookup *l, Span span) {
  Builder *b = &l->f->e->builder;
  const Shape shape = *shape_of(l);
  int order[IR_MAX_RANK], n = 0;
  bool moved = false;
  for (; n < l->n; n++) order[n] = l->order[n];
  for (int d = 0; d < shape.rank; d++)
    if (!l->computed[d]) order[n++] = d;
  for (int k = 0; k < n; k++) moved |= order[k] != k;
  NodeId tensor = moved ? build_transpose(b, l->element->tensor, order) : l->element->tensor;
  if (l->n == 1) return tensor;
  Shape flat = {.rank = 1, .dim = {shape.dim[order[0]]}};
  for (int k = 1; k < l->n; k++) flat.dim[0].scale *= shape.dim[order[k]].scale;
  for (int k = l->n; k < n; k++) flat.dim[flat.rank++] = shape.dim[order[k]];
  if (flat.dim[0].scale <= INT32_MAX) return build_reshape(b, tensor, &flat);
  formula_error(l->f, DIAG_E0216, span, "more than 2**31 places cannot be looked up");
  return NODE_NONE;
}

// The place in one dimension needs no test: a gather reads 0 outside of it by itself.
static Part position_part(Lookup *l, Span span) {
  Part none = {.node = NODE_NONE};
  NodeId at = l->n == 1 ? formula_scalar_node(&l->sheet, l->at[l->order[0]], span) : position_node(l, span);
  return at == NODE_NONE ? none : formula_lower(&l->sheet, at, NULL, NULL, span);
}

bool formula_look_up(Formula *f, const Visible *visible, const Expr *expr, const bool *computed, Element *element) {
  Lookup l = {.f = f, .visible = visible, .element = element, .sheet = formula_sheet(f)};
  int d = 0;
  for (const Expr *item = expr->items; item; item = item->next, d++) {
    l.subscript[d] = item;
    l.computed[d] = computed[d];
  }
  if (!compute_all(&l) || !order_dimensions(&l)) return false;
  Part part = position_part(&l, l.subscript[l.order[0]]->span);
  if (part.node == NODE_NONE) return false;
  if (element->read.rank - l.n + part.n > IR_MAX_RANK) {
    formula_error(f, DIAG_E0216, expr->span, "a tensor has at most %d dimensions", IR_MAX_RANK);
    return false;
  }
  NodeId rows = rows_first(&l, expr->span);
  if (rows == NODE_NONE) return false;
  Read read = {.rank = part.n};
  for (int k = 0; k < part.n; k++) read.at[k] = index_of(part.index[k]);
  for (int k = 0; k < element->read.rank; k++)
    if (!l.computed[k]) read.at[read.rank++] = element->read.at[k];
  *element = (Element){build_gather(&f->e->builder, rows, part.node), read};
  return true;
}
