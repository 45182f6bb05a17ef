// The primitives that the standard library stands on: what the language cannot say itself. Reached as core.name(...),
// from the library (std/*.dl) only, with positional arguments; the library checks what users may get wrong first where
// it can word it better.
#include "elab_inside.h"

#include "checked.h"
#include "random.h"
#include <string.h>

typedef struct Core {  // one call of a primitive
  Elab *e;
  const Value *arg;
  Span span;
  Op op;
} Core;

// Reports a mistake with the history of what the user's call was given.
__attribute__((format(printf, 3, 4))) static Value fail(const Core *c, DiagCode code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(c->e->arena, format, args);
  va_end(args);
  Diag *diag = elab_error(c->e, code, c->span, "%s", message);
  elab_history_line(c->e, diag, c->e->frame->subject);
  return value_poison();
}

static bool is_tensor(const Core *c, int k) {
  if (c->arg[k].kind == VALUE_TENSOR) return true;
  elab_error(c->e, DIAG_E0105, c->span, "a tensor is needed, but this is %s", value_describe(c->e, c->arg[k]));
  return false;
}

static const Shape *shape_of(const Core *c, int k) { return elab_shape(c->e, c->arg[k]); }
static Value tensor(const Core *c, NodeId node) { return elab_tensor(c->e, node, &c->arg[0]); }
static bool is_number(Value v) { return v.kind == VALUE_INT || v.kind == VALUE_FLOAT; }

// ---- pointwise -----------------------------------------------------------------------------------------------------

static Value unary_number(const Core *c) {
  Value v = c->arg[0];
  bool keeps = op_info(c->op)->types == OPT_N_N;
  if (v.kind == VALUE_INT && keeps) {
    if (c->op == OP_abs) return v.integer < 0 ? elab_unary(c->e, AST_NEG, v, c->span) : v;
    if (c->op == OP_sign) return value_int((v.integer > 0) - (v.integer < 0));
    return v;
  }
  double x = v.kind == VALUE_INT ? (double)v.integer : v.number;
  return value_float(eval_pointwise(c->op, DT_F32, &x));
}

static Value core_unary(const Core *c) {
  if (is_number(c->arg[0])) return unary_number(c);
  Value v = c->arg[0].kind == VALUE_DIM ? elab_convert(c->e, c->arg[0], DT_F32, c->span) : c->arg[0];
  if (v.kind != VALUE_TENSOR && !is_tensor(c, 0)) return value_poison();
  DType type = elab_dtype(c->e, v);
  if (type == DT_BOOL || (type == DT_I32 && op_info(c->op)->types == OPT_F_F))
    return fail(c, DIAG_E0116, "an f32 tensor is needed, but this is %s; f32(...) converts", value_describe(c->e, v));
  return elab_tensor(c->e, build_unary(&c->e->builder, c->op, v.node), &v);
}

static Value core_extreme(const Core *c) {
  Value a = c->arg[0], b = c->arg[1];
  if (!is_number(a) || !is_number(b)) return elab_pointwise(c->e, c->op, AST_ADD, a, b, c->span);
  Value larger;
  if (!elab_fold(c->e, AST_LT, a, b, c->span, &larger)) dlc_bug("numbers compare");
  return larger.boolean == (c->op == OP_max) ? b : a;
}

// The branches of a select meet in f32 as soon as one of them is.
static bool branches_are_integers(const Core *c) {
  for (int k = 1; k <= 2; k++) {
    Value v = c->arg[k];
    if (v.kind == VALUE_FLOAT || (v.kind == VALUE_TENSOR && elab_dtype(c->e, v) == DT_F32)) return false;
  }
  return true;
}

static NodeId branch_node(const Core *c, Value v, DType type) {
  NodeId node = elab_node(c->e, v, type == DT_I32, c->span);
  if (node == NODE_NONE || graph_node(c->e->builder.graph, node)->type == type) return node;
  if (graph_node(c->e->builder.graph, node)->type == DT_I32) return build_unary(&c->e->builder, OP_to_f32, node);
  fail(c, DIAG_E0116, "the values must be numbers, but this is %s", value_describe(c->e, v));
  return NODE_NONE;
}

static Value core_select(const Core *c) {
  if (c->arg[0].kind == VALUE_BOOL) return c->arg[0].boolean ? c->arg[1] : c->arg[2];
  if (!is_tensor(c, 0)) return value_poison();
  if (elab_dtype(c->e, c->arg[0]) != DT_BOOL)
    return fail(c, DIAG_E0116, "the condition must be bool, but it is %s", value_describe(c->e, c->arg[0]));
  DType type = branches_are_integers(c) ? DT_I32 : DT_F32;
  NodeId node[3] = {c->arg[0].node, NODE_NONE, NODE_NONE};
  Shape shape = *shape_of(c, 0);
  for (int k = 1; k < 3; k++) {
    node[k] = branch_node(c, c->arg[k], type);
    if (node[k] == NODE_NONE) return value_poison();
    const Shape before = shape, own = graph_node(c->e->builder.graph, node[k])->shape;
    if (!elab_broadcast_shape(&before, &own, &shape))
      return fail(c, DIAG_E0201, "the shapes %s and %s do not fit", elab_shape_text(c->e, &before),
                  elab_shape_text(c->e, &own));
  }
  if (!elab_fits(c->e, &shape, c->span)) return value_poison();
  for (int k = 0; k < 3; k++)
    if (graph_node(c->e->builder.graph, node[k])->shape.rank) node[k] = elab_broadcast(c->e, node[k], &shape, c->span);
  return elab_tensor(c->e, build_select(&c->e->builder, node[0], node[1], node[2]), &c->arg[1]);
}

// ---- sizes ---------------------------------------------------------------------------------------------------------

static Value core_rank(const Core *c) { return is_tensor(c, 0) ? value_int(shape_of(c, 0)->rank) : value_poison(); }

static Value core_shape(const Core *c) {
  if (!is_tensor(c, 0)) return value_poison();
  const Shape *shape = shape_of(c, 0);
  Value *items = arena_array(c->e->arena, (size_t)shape->rank, sizeof *items);
  for (int k = 0; k < shape->rank; k++) items[k] = value_dim(shape->dim[k]);
  return (Value){.kind = VALUE_LIST, .items = items, .n = shape->rank};
}

static Value core_len(const Core *c) {
  Value v = c->arg[0];
  if (v.kind == VALUE_LIST) return value_int(v.n);
  return fail(c, DIAG_E0105, "a list is needed, but this is %s", value_describe(c->e, v));
}

// A list argument of sizes; false after reporting.
static bool sizes(const Core *c, int k, Shape *shape) {
  Value list = c->arg[k];
  *shape = (Shape){0};
  bool fits = list.kind == VALUE_LIST && list.n <= IR_MAX_RANK;
  for (int i = 0; fits && i < list.n; i++) {
    if (list.items[i].kind == VALUE_DIM)
      shape->dim[shape->rank++] = list.items[i].dim;
    else if (list.items[i].kind == VALUE_INT)
      shape->dim[shape->rank++] = dim_const(list.items[i].integer);
    else
      fits = false;
  }
  if (!fits) fail(c, DIAG_E0208, "a list of up to 8 sizes is needed, but this is %s", value_describe(c->e, list));
  return fits;
}

// Replaces one -1 by what is left of the elements.
static bool infer_size(const Dim *elements, Shape *shape) {
  int open = -1;
  Shape rest = *shape;
  for (int k = 0; k < shape->rank; k++) {
    if (!dim_is_const(shape->dim[k]) || shape->dim[k].scale >= 0) continue;
    if (shape->dim[k].scale != -1 || open >= 0) return false;
    open = k;
    rest.dim[k] = dim_const(1);
  }
  Dim known;
  if (!shape_elements(&rest, &known)) return false;
  if (open < 0) return dim_equal(known, *elements);
  if (known.symbol && known.symbol != elements->symbol) return false;
  if (!known.scale || elements->scale % known.scale) return false;
  shape->dim[open] = (Dim){elements->scale / known.scale, known.symbol ? 0 : elements->symbol};
  return true;
}

static Value core_reshape(const Core *c) {
  Shape shape;
  Dim elements;
  if (!is_tensor(c, 0) || !sizes(c, 1, &shape)) return value_poison();
  const char *from = elab_shape_text(c->e, shape_of(c, 0));
  if (!shape_elements(shape_of(c, 0), &elements) || !infer_size(&elements, &shape))
    return fail(c, DIAG_E0208, "%s cannot become %s: the number of elements differs", from,
                elab_shape_text(c->e, &shape));
  if (shape_equal(shape_of(c, 0), &shape)) return c->arg[0];
  return tensor(c, build_reshape(&c->e->builder, c->arg[0].node, &shape));
}

// ---- axes ----------------------------------------------------------------------------------------------------------

static bool mark_axis(const Core *c, Value axis, int rank, bool *marked) {
  const char *name = value_describe(c->e, axis);
  if (axis.kind != VALUE_INT || axis.integer < -rank || axis.integer >= rank) {
    fail(c, DIAG_E0208, "%s is no axis of %s", name, value_describe(c->e, c->arg[0]));
    return false;
  }
  int k = (int)(axis.integer < 0 ? axis.integer + rank : axis.integer);
  if (marked[k]) fail(c, DIAG_E0208, "axis %lld stands twice", (long long)axis.integer);
  bool fresh = !marked[k];
  marked[k] = true;
  return fresh;
}

// The axes that an argument names: one, a list, a range, or `all`.
static bool axes(const Core *c, int k, bool *marked) {
  int rank = shape_of(c, 0)->rank;
  Value v = c->arg[k];
  for (int d = 0; d < rank; d++) marked[d] = v.kind == VALUE_WORD;
  if (v.kind == VALUE_WORD && !strcmp(v.text, "all")) return true;
  if (v.kind == VALUE_LIST) {
    for (int i = 0; i < v.n; i++)
      if (!mark_axis(c, v.items[i], rank, marked)) return false;
    return true;
  }
  if (v.kind == VALUE_RANGE) {
    for (int64_t i = v.from; i < v.to; i++)
      if (!mark_axis(c, value_int(i), rank, marked)) return false;
    return true;
  }
  return mark_axis(c, v, rank, marked);
}

static bool one_axis(const Core *c, int k, int *axis) {
  bool marked[IR_MAX_RANK] = {false};
  int rank = shape_of(c, 0)->rank;
  if (!mark_axis(c, c->arg[k], rank, marked)) return false;
  for (*axis = 0; !marked[*axis];) ++*axis;
  return true;
}

static Combine combine_of(const char *name) {
  for (int k = 0; k < COMBINE_COUNT; k++)
    if (!strcmp(name, combine_name((Combine)k))) return (Combine)k;
  dlc_bug("no reduction '%s'", name);
}

// Positions are i32; how large the batch is shows only at run time.
static bool positions_fit(const Core *c, const bool *reduced) {
  int64_t places = 1;
  for (int d = 0; d < shape_of(c, 0)->rank; d++)
    if (reduced[d] && (!checked_mul(places, shape_of(c, 0)->dim[d].scale, &places) || places > INT32_MAX)) return false;
  return true;
}

// core.reduce(x, "sum", axis, keep)
static Value core_reduce(const Core *c) {
  bool reduced[IR_MAX_RANK];
  Combine combine = combine_of(c->arg[1].text);
  if (!is_tensor(c, 0) || !axes(c, 2, reduced)) return value_poison();
  if (c->arg[3].kind != VALUE_BOOL)
    return fail(c, DIAG_E0105, "'keep' must be true or false, but it is %s", value_describe(c->e, c->arg[3]));
  bool any = false, position = combine == COMBINE_ARGMAX || combine == COMBINE_ARGMIN;
  for (int d = 0; d < shape_of(c, 0)->rank; d++) any |= reduced[d];
  if (position && !positions_fit(c, reduced))
    return fail(c, DIAG_E0205, "%s has more places than an i32 can number", value_describe(c->e, c->arg[0]));
  if (position && !any) return fail(c, DIAG_E0208, "%s has no axis to choose along", value_describe(c->e, c->arg[0]));
  Value x = c->arg[0];
  if (elab_dtype(c->e, x) == DT_BOOL && combine == COMBINE_SUM) x = elab_convert(c->e, x, DT_I32, c->span);
  if (elab_dtype(c->e, x) == DT_BOOL)
    return fail(c, DIAG_E0116, "numbers are needed, but this is %s", value_describe(c->e, x));
  for (int d = 0; d < shape_of(c, 0)->rank; d++)
    if (reduced[d] && combine != COMBINE_SUM && combine != COMBINE_PROD && shape_of(c, 0)->dim[d].scale == 0)
      return fail(c, DIAG_E0208, "%s has no elements to choose from", value_describe(c->e, x));
  return tensor(c, build_reduce(&c->e->builder, combine, x.node, reduced, c->arg[3].boolean));
}

// How many elements the axes hold: a number or a multiple of the batch.
static Value core_count(const Core *c) {
  bool reduced[IR_MAX_RANK];
  if (!is_tensor(c, 0) || !axes(c, 1, reduced)) return value_poison();
  Shape shape = {0};
  Dim count;
  for (int d = 0; d < shape_of(c, 0)->rank; d++)
    if (reduced[d]) shape.dim[shape.rank++] = shape_of(c, 0)->dim[d];
  int open = 0;
  for (int d = 0; d < shape.rank; d++) open += !dim_is_const(shape.dim[d]);
  if (open > 1)
    return fail(c, DIAG_E0205, "the elements of %s are counted by two open sizes: take one of the axes first",
                value_describe(c->e, c->arg[0]));
  if (!shape_elements(&shape, &count)) return fail(c, DIAG_E0205, "the sizes are too large");
  return value_dim(count);
}

// ---- moving --------------------------------------------------------------------------------------------------------

static Value core_transpose(const Core *c) {
  int rank, order[IR_MAX_RANK];
  bool seen[IR_MAX_RANK] = {false};
  if (!is_tensor(c, 0)) return value_poison();
  rank = shape_of(c, 0)->rank;
  Value list = c->arg[1];
  if (list.kind != VALUE_LIST || list.n != rank)
    return fail(c, DIAG_E0208, "a list of every axis of %s is needed, but this is %s", value_describe(c->e, c->arg[0]),
                value_describe(c->e, list));
  for (int k = 0; k < rank; k++) {
    if (!mark_axis(c, list.items[k], rank, seen)) return value_poison();
    order[k] = (int)(list.items[k].integer < 0 ? list.items[k].integer + rank : list.items[k].integer);
  }
  return tensor(c, build_transpose(&c->e->builder, c->arg[0].node, order));
}

static bool parts_fit(const Core *c, const Value *first, const Value *part, int axis) {
  const Shape *a = elab_shape(c->e, *first), *b = elab_shape(c->e, *part);
  bool fits = a->rank == b->rank && elab_dtype(c->e, *first) == elab_dtype(c->e, *part);
  for (int d = 0; fits && d < a->rank; d++) fits = dim_equal(a->dim[d], b->dim[d]) || d == axis;
  if (fits && (!dim_is_const(a->dim[axis]) || !dim_is_const(b->dim[axis]))) {
    fail(c, DIAG_E0208, "axis %d is the open batch: parts are joined along axes of known size", axis);
    return false;
  }
  if (!fits)
    fail(c, DIAG_E0208, "%s and %s do not fit together", value_describe(c->e, *first), value_describe(c->e, *part));
  return fits;
}

// core.concat([a, b], axis)
static Value core_concat(const Core *c) {
  Value list = c->arg[0];
  if (list.kind != VALUE_LIST || !list.n)
    return fail(c, DIAG_E0105, "a list of tensors is needed, but this is %s", value_describe(c->e, list));
  NodeId *in = arena_array(c->e->arena, (size_t)list.n, sizeof *in);
  int64_t total = 0;
  int axis = 0;
  for (int k = 0; k < list.n; k++) {
    Core part = {c->e, (Value[]){list.items[k], c->arg[1]}, c->span, c->op};
    if (!is_tensor(&part, 0) || (k == 0 && !one_axis(&part, 1, &axis))) return value_poison();
    if (!parts_fit(c, &list.items[0], &list.items[k], axis)) return value_poison();
    if (!checked_add(total, elab_shape(c->e, list.items[k])->dim[axis].scale, &total))
      return fail(c, DIAG_E0205, "the sizes are too large");
    in[k] = list.items[k].node;
  }
  Shape whole = *elab_shape(c->e, list.items[0]);
  whole.dim[axis] = dim_const(total);
  if (!elab_fits(c->e, &whole, c->span)) return value_poison();
  return elab_tensor(c->e, build_concat(&c->e->builder, axis, in, list.n), &list.items[0]);
}

// core.slice(x, axis, start, count): in range, as the library has checked.
static Value core_slice(const Core *c) {
  int axis;
  if (!is_tensor(c, 0) || !one_axis(c, 1, &axis)) return value_poison();
  Dim size = shape_of(c, 0)->dim[axis];
  int64_t start = c->arg[2].integer, count = c->arg[3].integer;
  bool whole = c->arg[2].kind == VALUE_INT && c->arg[3].kind == VALUE_INT && dim_is_const(size);
  if (!whole || start < 0 || count < 0 || start > size.scale - count)
    return fail(c, DIAG_E0208, "this part is not inside %s", value_describe(c->e, c->arg[0]));
  return tensor(c, build_slice(&c->e->builder, c->arg[0].node, axis, start, count, 1));
}

// core.pad(x, before, after): zeros around, a number for every axis.
static Value core_pad(const Core *c) {
  Shape before, after;
  if (!is_tensor(c, 0) || !sizes(c, 1, &before) || !sizes(c, 2, &after)) return value_poison();
  int64_t low[IR_MAX_RANK], high[IR_MAX_RANK];
  int rank = shape_of(c, 0)->rank;
  Shape padded = {.rank = rank};
  for (int d = 0; d < rank; d++) {
    int64_t total;
    Dim size = shape_of(c, 0)->dim[d];
    bool fits = before.rank == rank && after.rank == rank && before.dim[d].scale >= 0 && after.dim[d].scale >= 0;
    fits = fits && checked_add(before.dim[d].scale, after.dim[d].scale, &total);
    if (!fits || (total && !dim_is_const(size)) || !checked_add(total, size.scale, &total))
      return fail(c, DIAG_E0208, "%s cannot be padded so", value_describe(c->e, c->arg[0]));
    low[d] = before.dim[d].scale;
    high[d] = after.dim[d].scale;
    padded.dim[d] = (Dim){total, size.symbol};
  }
  if (!elab_fits(c->e, &padded, c->span)) return value_poison();
  return tensor(c, build_pad(&c->e->builder, c->arg[0].node, low, high));
}

static Value core_broadcast(const Core *c) {
  Shape shape;
  if (!is_tensor(c, 0) || !sizes(c, 1, &shape)) return value_poison();
  NodeId node = elab_broadcast(c->e, c->arg[0].node, &shape, c->span);
  return node == NODE_NONE ? value_poison() : tensor(c, node);
}

// core.gather(rows, index): rows[index[i..], ..]
static Value core_gather(const Core *c) {
  if (!is_tensor(c, 0) || !is_tensor(c, 1)) return value_poison();
  const Shape *rows = shape_of(c, 0), *index = shape_of(c, 1);
  if (elab_dtype(c->e, c->arg[1]) != DT_I32 || !rows->rank || rows->rank + index->rank - 1 > IR_MAX_RANK)
    return fail(c, DIAG_E0208, "%s cannot be gathered by %s", value_describe(c->e, c->arg[0]),
                value_describe(c->e, c->arg[1]));
  Shape shape = *index;
  for (int d = 1; d < rows->rank; d++) shape.dim[shape.rank++] = rows->dim[d];
  if (!elab_fits(c->e, &shape, c->span)) return value_poison();
  return tensor(c, build_gather(&c->e->builder, c->arg[0].node, c->arg[1].node));
}

// ---- random numbers and networks -----------------------------------------------------------------------------------

// core.random(sizes): uniform numbers. The stream is named after the layer's place; a shared layer's next use gets
// another.
static Value core_random(const Core *c) {
  Elab *e = c->e;
  Shape shape;
  if (!sizes(c, 0, &shape) || !elab_fits(e, &shape, c->span)) return value_poison();
  const char *place = e->builder.origin.path ? e->builder.origin.path : "", *name = place;
  for (int k = 2; hash_find(&e->streams, hash_text(name)) >= 0; k++) name = arena_printf(e->arena, "%s/%d", place, k);
  hash_add(e->arena, &e->streams, hash_text(name), 1);
  return elab_tensor(e, build_random(&e->builder, random_stream(name), &shape), NULL);
}

// The decayed parameters of a network that was called at top level.
static Value core_params(const Core *c) {
  Elab *e = c->e;
  Value net = c->arg[0];
  if (net.kind != VALUE_FUNCTION || net.decl->kind != DECL_MODEL)
    return fail(c, DIAG_E0105, "the name of a network is needed, but this is %s", value_describe(e, net));
  const char *prefix = arena_printf(e->arena, "%s.", net.decl->name->text);
  Value *items = arena_array(e->arena, (size_t)e->params.n_items, sizeof *items);
  int n = 0, of_net = 0;
  for (int k = 0; k < e->params.n_items; k++) {
    if (strncmp(e->params.items[k].path, prefix, strlen(prefix))) continue;
    of_net++;
    if (e->params.items[k].decay) items[n++] = elab_tensor(e, e->param_nodes[k], NULL);
  }
  if (!of_net) return fail(c, DIAG_E0105, "'%s' has no parameters here; call it before", net.decl->name->text);
  return (Value){.kind = VALUE_LIST, .items = items, .n = n};
}

static const char *kind_name(ValueKind kind) {
  switch (kind) {
    case VALUE_INT:
      return "integer";
    case VALUE_FLOAT:
      return "number";
    case VALUE_LIST:
      return "list";
    case VALUE_TENSOR:
      return "tensor";
    case VALUE_DIM:
      return "size";
    default:
      return "other";
  }
}

static Value core_kind(const Core *c) { return value_string(kind_name(c->arg[0].kind)); }

static Value core_text(const Core *c) {
  Text out = text_new(c->e->arena);
  value_print(c->e, c->arg[0], &out);
  return value_string(out.bytes);
}

// ---- the table -----------------------------------------------------------------------------------------------------

typedef struct CoreRow {
  const char *name;
  int arity;
  Value (*run)(const Core *call);
  Op op;
} CoreRow;

static const CoreRow rows[] = {
    {"abs", 1, core_unary, OP_abs},
    {"sign", 1, core_unary, OP_sign},
    {"floor", 1, core_unary, OP_floor},
    {"exp", 1, core_unary, OP_exp},
    {"log", 1, core_unary, OP_log},
    {"sqrt", 1, core_unary, OP_sqrt},
    {"rsqrt", 1, core_unary, OP_rsqrt},
    {"tanh", 1, core_unary, OP_tanh},
    {"sigmoid", 1, core_unary, OP_sigmoid},
    {"erf", 1, core_unary, OP_erf},
    {"detach", 1, core_unary, OP_detach},
    {"max", 2, core_extreme, OP_max},
    {"min", 2, core_extreme, OP_min},
    {"where", 3, core_select, OP_select},
    {"rank", 1, core_rank, OP_COUNT},
    {"shape", 1, core_shape, OP_COUNT},
    {"len", 1, core_len, OP_COUNT},
    {"kind", 1, core_kind, OP_COUNT},
    {"text", 1, core_text, OP_COUNT},
    {"reshape", 2, core_reshape, OP_COUNT},
    {"transpose", 2, core_transpose, OP_COUNT},
    {"concat", 2, core_concat, OP_COUNT},
    {"slice", 4, core_slice, OP_COUNT},
    {"pad", 3, core_pad, OP_COUNT},
    {"broadcast", 2, core_broadcast, OP_COUNT},
    {"gather", 2, core_gather, OP_COUNT},
    {"reduce", 4, core_reduce, OP_COUNT},
    {"count", 2, core_count, OP_COUNT},
    {"random", 1, core_random, OP_COUNT},
    {"params", 1, core_params, OP_COUNT},
};

// A field stands for its tensor, which must be known by now.
static bool resolve_fields(Elab *e, Value *args, int n, Span span) {
  for (int k = 0; k < n; k++) {
    if (args[k].kind != VALUE_FIELD) continue;
    if (args[k].field->node == NODE_NONE) {
      elab_report_open_field(e, args[k].field, span);
      return false;
    }
    args[k] = elab_field_tensor(e, args[k].field);
  }
  return true;
}

Value core_call(Elab *e, const char *name, const CallArg *args, int n_args, Span span) {
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    if (strcmp(rows[k].name, name)) continue;
    if (rows[k].arity != n_args) dlc_bug("core.%s takes %d arguments", name, rows[k].arity);
    Value *values = arena_array(e->arena, (size_t)n_args, sizeof *values);
    for (int i = 0; i < n_args; i++) values[i] = args[i].value;
    if (!resolve_fields(e, values, n_args, span)) return value_poison();
    return rows[k].run(&(Core){e, values, span, rows[k].op});
  }
  dlc_bug("no primitive 'core.%s'", name);
}
