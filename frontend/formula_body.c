// The scalars of a formula. The body of each node to be is elaborated as a graph of scalars of its own, a sheet:
// elements, indices and inner reductions are the sheet's inputs, so that operators and functions get their types,
// folding and reports from where they always get them. formula_node.c makes nodes of sheets.
#include "formula_inside.h"

#include <string.h>

Sheet formula_sheet(Formula *f) { return (Sheet){.f = f, .graph = graph_new(f->e->arena, "formula")}; }

static Value slot_value(Sheet *sheet, DType type, Slot slot) {
  Arena *arena = sheet->f->e->arena;
  Builder b = {.graph = sheet->graph};
  Shape scalar = {0};
  slot.input = build_input(&b, arena_printf(arena, "%zu", sheet->n_slots), type, &scalar);
  sheet->slots = arena_grow(arena, sheet->slots, sheet->n_slots, &sheet->capacity, sizeof *sheet->slots);
  sheet->slots[sheet->n_slots++] = slot;
  return (Value){.kind = VALUE_TENSOR, .node = slot.input};
}

static Value element_value(Sheet *sheet, Element element) {
  DType type = graph_node(sheet->f->e->builder.graph, element.tensor)->type;
  return slot_value(sheet, type, (Slot){.index = -1, .element = element});
}

static Value poison(Sheet *sheet) {
  sheet->f->failed = true;
  return value_poison();
}

// ---- between the graph and the sheet --------------------------------------------------------------------------------

// A value from outside the formula: compile-time values stay, a tensor must be a scalar.
static Value from_outside(Sheet *sheet, Value v, Span span) {
  Elab *e = sheet->f->e;
  if (v.kind == VALUE_FIELD) {
    NodeId node = elab_node(e, v, false, span);
    v = node == NODE_NONE ? value_poison() : elab_field_tensor(e, v.field);
  }
  if (value_is_poison(v)) return poison(sheet);
  if (v.kind != VALUE_TENSOR) return v;
  const Shape *shape = elab_shape(e, v);
  if (shape->rank == 0) return element_value(sheet, (Element){.tensor = v.node});
  Diag *diag = formula_error(sheet->f, DIAG_E0217, span, "%s has the shape %s: its elements are read with indices",
                             elab_source_text(e, span), elab_shape_text(e, shape));
  diag_line(e->sink, diag, DIAG_HELP, "with one index for each dimension: x[i, j]");
  return value_poison();
}

static bool is_float(const Sheet *sheet, Value v) {
  if (v.kind == VALUE_TENSOR) return graph_node(sheet->graph, v.node)->type == DT_F32;
  return v.kind == VALUE_FLOAT;
}

// A run-time size meets scalars: it is counted in the graph, as a float beside floats.
static Value counted(Sheet *sheet, Value v, bool beside_float) {
  if (v.kind != VALUE_DIM) return v;
  DType type = beside_float ? DT_F32 : DT_I32;
  return element_value(sheet, (Element){.tensor = elab_dim_node(sheet->f->e, v.dim, type)});
}

// While a sheet is entered, what the elaborator builds is the sheet's.
static Graph *enter(Sheet *sheet) {
  Graph *outside = sheet->f->e->builder.graph;
  sheet->f->e->builder.graph = sheet->graph;
  return outside;
}
static void leave(Sheet *sheet, Graph *outside) { sheet->f->e->builder.graph = outside; }

// ---- operators ----------------------------------------------------------------------------------------------------

Value formula_binary(Sheet *sheet, AstOp op, Value a, Value b, Span span) {
  Elab *e = sheet->f->e;
  bool scalars = a.kind == VALUE_TENSOR || b.kind == VALUE_TENSOR;
  if (!scalars) return from_outside(sheet, elab_binary(e, op, a, b, span), span);
  bool floats = op == AST_DIV || is_float(sheet, a) || is_float(sheet, b);
  a = counted(sheet, a, floats);
  b = counted(sheet, b, floats);
  Graph *outside = enter(sheet);
  Value v = elab_binary(e, op, a, b, span);
  leave(sheet, outside);
  return value_is_poison(v) ? poison(sheet) : v;
}

static Value binary_value(Sheet *sheet, const Visible *visible, const Expr *expr) {
  if (expr->op == AST_RANGE || expr->op == AST_MATMUL) {
    formula_error(sheet->f, DIAG_E0135, expr->op_span, "'%s' does not work on single elements", ast_op_name(expr->op));
    return value_poison();
  }
  Value a = formula_scalar(sheet, visible, expr->a), b = formula_scalar(sheet, visible, expr->b);
  if (value_is_poison(a) || value_is_poison(b)) return poison(sheet);
  return formula_binary(sheet, expr->op, a, b, expr->span);
}

static Value unary_value(Sheet *sheet, const Visible *visible, const Expr *expr) {
  Value a = counted(sheet, formula_scalar(sheet, visible, expr->a), false);
  if (value_is_poison(a)) return a;
  Graph *outside = enter(sheet);
  Value v = elab_unary(sheet->f->e, expr->op, a, expr->span);
  leave(sheet, outside);
  return value_is_poison(v) ? poison(sheet) : v;
}

// ---- calls --------------------------------------------------------------------------------------------------------

// The call with its arguments, already evaluated, bound to names that no program can have.
static Expr *with_arguments(Sheet *sheet, const Visible *visible, const Expr *call, Scope *scope) {
  Arena *arena = sheet->f->e->arena;
  Expr *copy = arena_alloc(arena, sizeof *copy);
  *copy = *call;
  Arg **end = &copy->args;
  int n = 0;
  for (const Arg *arg = call->args; arg; arg = arg->next) {
    Value v = formula_scalar(sheet, visible, arg->value);
    Name *name = arena_alloc(arena, sizeof *name);
    *name = (Name){.text = arena_printf(arena, "#%d", n++), .span = arg->value->span};
    scope_define(scope, name->text, name->span, v)->used = true;
    Expr *path = arena_alloc(arena, sizeof *path);
    *path = (Expr){.kind = EXPR_PATH, .span = name->span, .depth = 1, .path = name};
    Arg *given = arena_alloc(arena, sizeof *given);
    *given = (Arg){.name = arg->name, .name_span = arg->name_span, .value = path};
    *end = given;
    end = &given->next;
  }
  *end = NULL;
  return copy;
}

// A layer made into a value holds tensors of the graph, which have no place in a sheet.
static bool is_layer(const Scope *scope, const char *name) {
  for (; scope; scope = scope->outer) {
    const Binding *b = scope_own(scope, name);
    if (b && b->value.kind == VALUE_LAYER) return true;
  }
  return false;
}

static bool is_elementwise(const Graph *g, size_t from) {
  for (size_t k = from; k < g->n_nodes; k++)
    if (op_info(g->nodes[k].op)->class != OPC_POINTWISE && g->nodes[k].op != OP_const) return false;
  return true;
}

static Value not_elementwise(Sheet *sheet, const Expr *expr) {
  Elab *e = sheet->f->e;
  const char *name = elab_source_text(e, expr->path->span);
  Diag *diag = formula_error(sheet->f, DIAG_E0134, expr->span, "'%s' does not work on single elements", name);
  diag_line(e->sink, diag, DIAG_HELP, "call it on whole tensors, outside of the formula");
  return value_poison();
}

// Does the library's function want a tensor with axes, which a single element has not?
static bool takes_axes(const Formula *f, const Expr *call) {
  const Global *global = call->path->next ? NULL : elab_global(f->e, call->path->text);
  if (!global || global->decl->kind != DECL_FN || !elab_in_library(f->e, global->decl->span)) return false;
  for (const Param *p = global->decl->params; p; p = p->next) {
    for (const TypeDim *d = p->type ? p->type->dims : NULL; d; d = d->next)
      if (d->kind != TYPE_DIM_REST) return true;
    if (strcmp(p->name->text, "axis") == 0 && p->fallback && p->fallback->kind == EXPR_UNARY) return true;  // axis = -1
  }
  return false;
}

// Runs the call on scalars. What it makes is part of the formula: no layer of its own.
static Value call_in_sheet(Sheet *sheet, Scope *scope, const Expr *call) {
  Elab *e = sheet->f->e;
  size_t n_layers = e->n_layers, n_named = e->n_named, n_nodes = sheet->graph->n_nodes;
  int n_params = e->params.n_items, n_states = e->states.n_items;
  Graph *outside = enter(sheet);
  Value v = elab_expr(e, scope, call);
  leave(sheet, outside);
  e->n_layers = n_layers;
  e->n_named = n_named;
  if (value_is_poison(v)) return poison(sheet);
  bool makes_tensors = e->params.n_items != n_params || e->states.n_items != n_states;
  return makes_tensors || !is_elementwise(sheet->graph, n_nodes) ? not_elementwise(sheet, call) : v;
}

static Value call_value(Sheet *sheet, const Visible *visible, const Expr *expr) {
  Formula *f = sheet->f;
  if (is_layer(f->scope, expr->path->text)) return not_elementwise(sheet, expr);
  Scope *scope = scope_new(f->e->arena, f->scope);
  const Expr *call = with_arguments(sheet, visible, expr, scope);
  bool scalars = false, floats = false;
  for (size_t k = 0; k < scope->n_bindings; k++) {
    Value v = scope->bindings[k]->value;
    if (value_is_poison(v)) return poison(sheet);
    scalars |= v.kind == VALUE_TENSOR;
    floats |= is_float(sheet, v);
  }
  if (!scalars) return from_outside(sheet, elab_expr(f->e, scope, call), expr->span);
  for (size_t k = 0; k < scope->n_bindings; k++)
    scope->bindings[k]->value = counted(sheet, scope->bindings[k]->value, floats);
  return takes_axes(f, call) ? not_elementwise(sheet, call) : call_in_sheet(sheet, scope, call);
}

// ---- elements, indices, reductions ----------------------------------------------------------------------------------

static Value index_value_of(Sheet *sheet, int k, Span span) {
  Value v = slot_value(sheet, DT_I32, (Slot){.index = k});
  int64_t from = sheet->f->index[k].from;
  if (!from) return v;
  Graph *outside = enter(sheet);
  v = elab_binary(sheet->f->e, AST_ADD, v, value_int(from), span);
  leave(sheet, outside);
  return v;
}

static Value read_value(Sheet *sheet, const Visible *visible, const Expr *expr) {
  Formula *f = sheet->f;
  Value base = formula_base(f, visible, expr);
  if (value_is_poison(base)) return poison(sheet);
  if (base.kind != VALUE_TENSOR) return from_outside(sheet, elab_expr(f->e, f->scope, expr), expr->span);
  Element element;
  return formula_element(f, visible, expr, base, &element) ? element_value(sheet, element) : poison(sheet);
}

static Combine combine_of(const char *word) {
  if (!strcmp(word, "max")) return COMBINE_MAX;
  if (!strcmp(word, "min")) return COMBINE_MIN;
  if (!strcmp(word, "prod")) return COMBINE_PROD;
  return COMBINE_SUM;
}

static Part reduce_part(Formula *f, const Visible *visible, const Expr *body, const Over *over);

// The number of points that a mean is over, as a compile-time value.
static Value point_count(Formula *f, const Over *over, Span span) {
  Value n = value_int(1);
  for (int k = 0; k < over->n; k++) n = elab_binary(f->e, AST_MUL, n, value_dim(f->index[over->index[k]].extent), span);
  return n;
}

static bool fill_over(Formula *f, const Visible *visible, const Expr *expr, Over *over) {
  *over = (Over){.combine = combine_of(expr->text), .mean = !strcmp(expr->text, "mean")};
  for (const Name *name = expr->indices; name; name = name->next) {
    if (over->n == IR_MAX_INDICES) {
      formula_error(f, DIAG_E0216, name->span, "a reduction is over at most %d indices", IR_MAX_INDICES);
      return false;
    }
    int k = formula_find(visible, name->text);
    Dim extent = f->index[k].extent;
    bool empty = dim_is_const(extent) && extent.scale == 0;
    if (empty && (over->combine == COMBINE_MAX || over->combine == COMBINE_MIN || over->mean)) {
      formula_error(f, DIAG_E0218, expr->span, "'%s' runs over nothing, which has no %s", name->text, expr->text);
      return false;
    }
    over->index[over->n++] = k;
  }
  return true;
}

static Value reduction_value(Sheet *sheet, const Visible *visible, const Expr *expr) {
  Formula *f = sheet->f;
  Over over;
  visible = formula_enter(f, visible, expr->indices);
  if (!fill_over(f, visible, expr, &over)) return value_poison();
  Part part = reduce_part(f, visible, expr->a, &over);
  if (part.node == NODE_NONE) return poison(sheet);
  Element element = {.tensor = part.node, .read = {.rank = part.n}};
  for (int k = 0; k < part.n; k++) element.read.at[k] = index_of(part.index[k]);
  Value total = element_value(sheet, element);
  if (!over.mean) return total;
  Value count = counted(sheet, from_outside(sheet, point_count(f, &over, expr->span), expr->span), true);
  Graph *outside = enter(sheet);
  total = elab_binary(f->e, AST_DIV, total, count, expr->span);
  leave(sheet, outside);
  return total;
}

Value formula_scalar(Sheet *sheet, const Visible *visible, const Expr *expr) {
  Formula *f = sheet->f;
  if (formula_is_plain(visible, expr)) return from_outside(sheet, elab_expr(f->e, f->scope, expr), expr->span);
  switch (expr->kind) {
    case EXPR_PATH:
      return index_value_of(sheet, formula_find(visible, expr->path->text), expr->span);
    case EXPR_INDEX:
      return read_value(sheet, visible, expr);
    case EXPR_REDUCE:
      return reduction_value(sheet, visible, expr);
    case EXPR_CALL:
      return call_value(sheet, visible, expr);
    case EXPR_UNARY:
      return unary_value(sheet, visible, expr);
    case EXPR_BINARY:
      return binary_value(sheet, visible, expr);
    default:
      dlc_bug("no part of a formula");
  }
}

// ---- parts of a formula ---------------------------------------------------------------------------------------------

// The type in which a combine works on a body of this type; false where it does not.
static bool combined_type(const Over *over, DType *type) {
  if (over->mean) return *type = DT_F32, true;
  if (*type == DT_BOOL && (over->combine == COMBINE_MAX || over->combine == COMBINE_MIN)) return false;
  if (*type != DT_F32) *type = DT_I32;
  return true;
}

// Makes a reduction's body a number: truths are counted.
static Value as_number(Sheet *sheet, const Expr *expr, const Over *over, Value v) {
  Elab *e = sheet->f->e;
  DType type = elab_dtype(e, v), to = type;
  if (!combined_type(over, &to)) {
    formula_error(sheet->f, DIAG_E0135, expr->span, "%s is over numbers, but this is bool",
                  combine_name(over->combine));
    return value_poison();
  }
  return type == to ? v : elab_convert(e, v, to, expr->span);
}

NodeId formula_scalar_node(Sheet *sheet, Value v, Span span) {
  v = counted(sheet, v, true);
  if (value_is_poison(v)) return NODE_NONE;
  Graph *outside = enter(sheet);
  NodeId node = elab_node(sheet->f->e, v, false, span);
  leave(sheet, outside);
  sheet->f->failed |= node == NODE_NONE;
  return node;
}

static Part lower_expr(Formula *f, const Visible *visible, const Expr *expr, const Over *over, const Part *out) {
  Part none = {.node = NODE_NONE};
  Sheet sheet = formula_sheet(f);
  NodeId node = formula_scalar_node(&sheet, formula_scalar(&sheet, visible, expr), expr->span);
  if (node == NODE_NONE) return none;
  Value v = {.kind = VALUE_TENSOR, .node = node};
  Graph *outside = enter(&sheet);
  if (over) v = as_number(&sheet, expr, over, v);
  leave(&sheet, outside);
  f->failed |= value_is_poison(v);
  return v.kind == VALUE_TENSOR ? formula_lower(&sheet, v.node, over, out, expr->span) : none;
}

static Part reduce_part(Formula *f, const Visible *visible, const Expr *body, const Over *over) {
  return lower_expr(f, visible, body, over, NULL);
}

NodeId formula_result(Formula *f, const Visible *visible) {
  Part out = {.node = NODE_NONE};
  for (size_t k = 0; k < f->n_index && !f->index[k].reduced; k++) {
    if (out.n == IR_MAX_RANK) {
      formula_error(f, DIAG_E0216, f->index[k].name->span, "a tensor has at most %d dimensions", IR_MAX_RANK);
      return NODE_NONE;
    }
    out.index[out.n++] = (int)k;
  }
  return lower_expr(f, visible, f->stmt->value, NULL, &out).node;
}
