// Operators on tensors as graph nodes, with NumPy's broadcasting.
//
// Types: `/` gives f32, and so does an f32 operand; nothing else turns integers into floats. A compile-time whole
// number takes the tensor's type, a compile-time number with a point is f32. bool takes part in `and or not == !=`
// only.
#include "elab_inside.h"

#include "checked.h"

// ---- values as nodes -----------------------------------------------------------------------------------------------

Value elab_tensor(Elab *e, NodeId node, const Value *from) {
  (void)e;
  return (Value){.kind = VALUE_TENSOR, .node = node, .history = from ? from->history : NULL};
}

NodeId elab_dim_node(Elab *e, Dim dim, DType type) {
  if (dim_is_const(dim)) return build_const(&e->builder, type, (double)dim.scale);
  // The batch is known to kernels as a bound only: count it.
  Scalar one = {.kind = SCALAR_CONST, .type = type, .number = 1};
  IndexDef def = {.combine = COMBINE_SUM, .n_red = 1, .n_body = 1, .body = &one};
  def.extent[0] = (Dim){1, dim.symbol};
  def.name[0] = "n";
  NodeId count = build_index(&e->builder, &def, NULL, 0);
  if (dim.scale == 1) return count;
  return build_binary(&e->builder, OP_mul, count, build_const(&e->builder, type, (double)dim.scale));
}

// Whole numbers meet i32 tensors in 32 bits.
static bool fits_i32(Elab *e, int64_t number, Span span) {
  if (number >= INT32_MIN && number <= INT32_MAX) return true;
  elab_error(e, DIAG_E0113, span, "the number %lld does not fit i32", (long long)number);
  return false;
}

NodeId elab_node(Elab *e, Value v, bool integers, Span span) {
  switch (v.kind) {
    case VALUE_TENSOR:
      return v.node;
    case VALUE_INT:
      if (integers && !fits_i32(e, v.integer, span)) return NODE_NONE;
      return build_const(&e->builder, integers ? DT_I32 : DT_F32, (double)v.integer);
    case VALUE_FLOAT:
      return build_const(&e->builder, DT_F32, v.number);
    case VALUE_BOOL:
      return build_const(&e->builder, DT_BOOL, v.boolean);
    case VALUE_DIM:
      if (integers && !fits_i32(e, v.dim.scale, span)) return NODE_NONE;
      return elab_dim_node(e, v.dim, integers ? DT_I32 : DT_F32);
    case VALUE_POISON:
      return NODE_NONE;
    case VALUE_FIELD:
      if (v.field->node != NODE_NONE) return v.field->node;
      elab_report_open_field(e, v.field, span);
      return NODE_NONE;
    default:
      elab_error(e, DIAG_E0105, span, "a tensor or a number is needed here, but this is %s", value_describe(e, v));
  }
  return NODE_NONE;
}

void elab_report_open_field(Elab *e, const Field *field, Span span) {
  Diag *diag = elab_error(e, DIAG_E0231, span, "the type of the field '%s' does not follow from here", field->name);
  diag_line(e->sink, diag, DIAG_NOTE, "a field's first use must say what it is: a model's input, a loss, a comparison");
}

// ---- operators on tensors ------------------------------------------------------------------------------------------

typedef enum Element {
  ELEMENT_INT,
  ELEMENT_F32,
  ELEMENT_I32,
  ELEMENT_BOOL,
  ELEMENT_OTHER
} Element;  // INT: of any type

static Element element_of(const Elab *e, Value v) {
  if (v.kind == VALUE_INT || v.kind == VALUE_DIM) return ELEMENT_INT;
  if (v.kind == VALUE_FLOAT) return ELEMENT_F32;
  if (v.kind == VALUE_BOOL) return ELEMENT_BOOL;
  if (v.kind != VALUE_TENSOR) return ELEMENT_OTHER;
  DType type = elab_dtype(e, v);
  return type == DT_F32 ? ELEMENT_F32 : type == DT_BOOL ? ELEMENT_BOOL : ELEMENT_I32;
}

static const char *operand_text(const Elab *e, Value v) {
  if (v.kind == VALUE_TENSOR) return elab_type_text(e, elab_dtype(e, v), elab_shape(e, v));
  return value_describe(e, v);
}

static void report_operands(Elab *e, AstOp op, Value a, Value b, Span span) {
  Diag *diag = elab_error(e, DIAG_E0116, span, "'%s' does not take %s and %s", ast_op_name(op), operand_text(e, a),
                          operand_text(e, b));
  Element x = element_of(e, a), y = element_of(e, b);
  bool has_bool = x == ELEMENT_BOOL || y == ELEMENT_BOOL;
  if (has_bool && x != ELEMENT_OTHER && y != ELEMENT_OTHER && op != AST_AND && op != AST_OR)
    diag_line(e->sink, diag, DIAG_HELP, "f32(...) makes true 1.0 and false 0.0");
  if (op == AST_POW && !has_bool && x != ELEMENT_OTHER && y != ELEMENT_OTHER)
    diag_line(e->sink, diag, DIAG_HELP, "f32(...) converts integers");
}

// The type in which the operands meet; false where the operator does not take them.
static bool operand_type(AstOp op, Element a, Element b, DType *type) {
  if (a == ELEMENT_OTHER || b == ELEMENT_OTHER) return false;
  bool logic = op == AST_AND || op == AST_OR;
  if (a == ELEMENT_BOOL || b == ELEMENT_BOOL) {
    *type = logic ? DT_BOOL : DT_I32;  // == and != compare truth values as 0 and 1
    return a == b && (logic || op == AST_EQ || op == AST_NE);
  }
  bool f32 = a == ELEMENT_F32 || b == ELEMENT_F32 || op == AST_DIV;
  *type = f32 ? DT_F32 : DT_I32;
  return !logic && (op != AST_POW || f32);
}

static NodeId convert_node(Elab *e, NodeId node, DType type) {
  if (graph_node(e->builder.graph, node)->type == type) return node;
  return build_unary(&e->builder, type == DT_F32 ? OP_to_f32 : OP_to_i32, node);
}

static NodeId operand_node(Elab *e, Value v, DType type, Span span) {
  NodeId node = elab_node(e, v, type == DT_I32, span);
  return node == NODE_NONE ? node : convert_node(e, node, type);
}

typedef struct OpRow {
  Op op;
  bool swapped;
} OpRow;

static OpRow tensor_op(AstOp op) {
  static const OpRow rows[] = {
      [AST_ADD] = {OP_add, false},
      [AST_SUB] = {OP_sub, false},
      [AST_MUL] = {OP_mul, false},
      [AST_DIV] = {OP_div, false},
      [AST_FLOORDIV] = {OP_floordiv, false},
      [AST_MOD] = {OP_mod, false},
      [AST_POW] = {OP_pow, false},
      [AST_EQ] = {OP_eq, false},
      [AST_NE] = {OP_ne, false},
      [AST_LT] = {OP_lt, false},
      [AST_LE] = {OP_le, false},
      [AST_GT] = {OP_lt, true},
      [AST_GE] = {OP_le, true},
      [AST_AND] = {OP_and, false},
      [AST_OR] = {OP_or, false},
  };
  return rows[op];
}

// One number for each row of the other: what NumPy aligns at the wrong end.
static void advise_column(Elab *e, Diag *diag, const Shape *one, const Shape *rows) {
  if (one->rank != 1 || rows->rank < 2 || !dim_equal(one->dim[0], rows->dim[0])) return;
  Text sizes = text_new(e->arena);
  for (int d = 1; d < rows->rank; d++) text_add(&sizes, ", 1");
  diag_line(e->sink, diag, DIAG_HELP, "for one number a row: reshape(.., [-1%s])", sizes.bytes);
}

static void report_broadcast(Elab *e, AstOp op, Value a, Value b, Span span) {
  const Shape *x = elab_shape(e, a), *y = elab_shape(e, b);
  Diag *diag = elab_error(e, DIAG_E0201, span, "'%s' does not fit the shapes %s and %s", ast_op_name(op),
                          elab_shape_text(e, x), elab_shape_text(e, y));
  for (int k = 0; k < x->rank && k < y->rank; k++) {
    Dim p = x->dim[x->rank - 1 - k], q = y->dim[y->rank - 1 - k];
    bool fit = dim_equal(p, q) || (dim_is_const(p) && p.scale == 1) || (dim_is_const(q) && q.scale == 1);
    if (fit) continue;
    Text text = text_new(e->arena);
    value_print(e, value_dim(p), &text);
    text_add(&text, " and ");
    value_print(e, value_dim(q), &text);
    diag_line(e->sink, diag, DIAG_NOTE, "counted from the right, sizes must be equal or 1: %s are neither", text.bytes);
    break;
  }
  elab_history_line(e, diag, a);
  elab_history_line(e, diag, b);
  advise_column(e, diag, x, y);
  advise_column(e, diag, y, x);
}

// Which operand's history the result carries: the first of the larger rank.
static const Value *main_operand(const Elab *e, const Value *a, const Value *b) {
  if (a->kind != VALUE_TENSOR) return b;
  if (b->kind != VALUE_TENSOR) return a;
  return elab_shape(e, *b)->rank > elab_shape(e, *a)->rank ? b : a;
}

static Value operator_result(Elab *e, NodeId node, Value a, Value b, Span span) {
  Value v = elab_tensor(e, node, main_operand(e, &a, &b));
  const Shape *shape = elab_shape(e, v);
  if (v.history && !shape_equal(shape, &v.history->shape) && !elab_in_library(e, span))
    v.history = elab_history(e, elab_source_text(e, span), span, shape, v.history);
  return v;
}

// x ** 2 is x * x: exact, and its gradient needs no logarithm. Whole powers of integers are products.
static bool small_power(Elab *e, Value a, Value b, Value *result) {
  enum { MOST = 31 };
  bool integers = a.kind == VALUE_TENSOR && elab_dtype(e, a) == DT_I32;
  if (a.kind != VALUE_TENSOR || b.kind != VALUE_INT) return false;
  if (!(b.integer == 2 || (integers && b.integer >= 1 && b.integer <= MOST))) return false;
  if (elab_dtype(e, a) == DT_BOOL) return false;
  NodeId product = a.node;
  for (int64_t k = 1; k < b.integer; k++) product = build_binary(&e->builder, OP_mul, product, a.node);
  *result = elab_tensor(e, product, &a);
  return true;
}

// One pointwise op on two operands that meet as those of `like` do.
Value elab_pointwise(Elab *e, Op op, AstOp like, Value a, Value b, Span span) {
  DType type;
  if (!operand_type(like, element_of(e, a), element_of(e, b), &type)) {
    report_operands(e, like, a, b, span);
    return value_poison();
  }
  NodeId x = operand_node(e, a, type, span), y = operand_node(e, b, type, span);
  if (x == NODE_NONE || y == NODE_NONE) return value_poison();
  const Shape p = graph_node(e->builder.graph, x)->shape, q = graph_node(e->builder.graph, y)->shape;
  Shape shape;
  if (!elab_broadcast_shape(&p, &q, &shape)) {
    report_broadcast(e, like, a, b, span);
    return value_poison();
  }
  if (!elab_fits(e, &shape, span)) return value_poison();
  if (p.rank) x = elab_broadcast(e, x, &shape, span);
  if (q.rank) y = elab_broadcast(e, y, &shape, span);
  return operator_result(e, build_binary(&e->builder, op, x, y), a, b, span);
}

static Value tensor_binary(Elab *e, AstOp op, Value a, Value b, Span span) {
  Value power;
  if (op == AST_POW && small_power(e, a, b, &power)) return power;
  OpRow row = tensor_op(op);
  return row.swapped ? elab_pointwise(e, row.op, op, b, a, span) : elab_pointwise(e, row.op, op, a, b, span);
}

// A field beside a tensor is like it.
static Value field_beside(Elab *e, Value field, Value other, Span span) {
  if (field.kind != VALUE_FIELD) return field;
  if (field.field->node != NODE_NONE) return elab_field_tensor(e, field.field);
  if (other.kind == VALUE_TENSOR)
    return elab_field_as(e, field.field, elab_dtype(e, other), elab_shape(e, other), span);
  elab_report_open_field(e, field.field, span);
  return value_poison();
}

Value elab_binary(Elab *e, AstOp op, Value a, Value b, Span span) {
  Value result;
  if (value_is_poison(a) || value_is_poison(b)) return value_poison();
  a = field_beside(e, a, b, span);
  b = field_beside(e, b, a, span);
  if (value_is_poison(a) || value_is_poison(b)) return value_poison();
  if (elab_fold(e, op, a, b, span, &result)) return result;
  if (op == AST_MATMUL) return elab_matmul(e, a, b, span);
  return tensor_binary(e, op, a, b, span);
}

Value elab_unary(Elab *e, AstOp op, Value a, Span span) {
  Value result;
  if (a.kind == VALUE_FIELD) a = field_beside(e, a, a, span);
  if (value_is_poison(a)) return a;
  bool negates = op == AST_NEG;
  if (negates && a.kind == VALUE_INT && elab_fold(e, AST_SUB, value_int(0), a, span, &result)) return result;
  if (negates && a.kind == VALUE_FLOAT) return value_float(-a.number);
  if (!negates && a.kind == VALUE_BOOL) return value_bool(!a.boolean);
  if (a.kind == VALUE_DIM) a = elab_tensor(e, elab_dim_node(e, a.dim, DT_I32), NULL);
  bool fits = a.kind == VALUE_TENSOR && (elab_dtype(e, a) == DT_BOOL) != negates;
  if (fits) return elab_tensor(e, build_unary(&e->builder, negates ? OP_neg : OP_not, a.node), &a);
  elab_error(e, DIAG_E0116, span, "'%s' does not take %s", ast_op_name(op), operand_text(e, a));
  return value_poison();
}

// ---- matrix product ------------------------------------------------------------------------------------------------

// c[batch.., i, j] = sum(k) a[batch.., i, k] * b[batch.., k, j]; a vector has no i (or j).
typedef struct Product {
  Shape a, b, batch;
  bool has_i, has_j;
  Dim k;
} Product;

static bool product_shapes(Product *p) {
  if (!p->a.rank || !p->b.rank) return false;
  p->has_i = p->a.rank > 1;
  p->has_j = p->b.rank > 1;
  p->k = p->a.dim[p->a.rank - 1];
  if (!dim_equal(p->k, p->b.dim[p->has_j ? p->b.rank - 2 : 0])) return false;
  Shape x = p->a, y = p->b;
  x.rank -= 1 + p->has_i;
  y.rank -= 1 + p->has_j;
  return elab_broadcast_shape(&x, &y, &p->batch) && p->batch.rank + p->has_i + p->has_j <= IR_MAX_RANK;
}

// An operand's leading dimensions follow the result's from the right; a size of 1 is read at 0.
static void batch_reads(Read *read, const Shape *operand, int n_batch, const Shape *batch) {
  for (int d = 0; d < n_batch; d++) {
    int index = batch->rank - n_batch + d;
    bool stretched = !dim_equal(operand->dim[d], batch->dim[index]);
    read->at[d] = stretched ? index_const(0) : index_of(index);
  }
}

static NodeId build_product(Elab *e, const Product *p, const NodeId *in, DType type) {
  static const char *const batch_names[] = {"b", "b2", "b3", "b4", "b5", "b6", "b7", "b8"};
  int n = p->batch.rank, i = n, j = n + p->has_i, k = j + p->has_j;
  Read reads[2] = {{.rank = p->a.rank}, {.rank = p->b.rank}};
  Scalar body[3] = {{.kind = SCALAR_READ, .type = type, .arg = {0}},
                    {.kind = SCALAR_READ, .type = type, .arg = {1}},
                    {.kind = SCALAR_OP, .op = OP_mul, .type = type, .arg = {0, 1}}};
  IndexDef def = {.combine = COMBINE_SUM, .n_out = k, .n_red = 1, .reads = reads, .n_body = 3, .body = body};
  for (int d = 0; d < n; d++) {
    def.extent[d] = p->batch.dim[d];
    def.name[d] = batch_names[d];
  }
  if (p->has_i) def.extent[i] = p->a.dim[p->a.rank - 2], def.name[i] = "i";
  if (p->has_j) def.extent[j] = p->b.dim[p->b.rank - 1], def.name[j] = "j";
  def.extent[k] = p->k;
  def.name[k] = "k";
  batch_reads(&reads[0], &p->a, p->a.rank - 1 - p->has_i, &p->batch);
  batch_reads(&reads[1], &p->b, p->b.rank - 1 - p->has_j, &p->batch);
  if (p->has_i) reads[0].at[p->a.rank - 2] = index_of(i);
  reads[0].at[p->a.rank - 1] = index_of(k);
  reads[1].at[p->has_j ? p->b.rank - 2 : 0] = index_of(k);
  if (p->has_j) reads[1].at[p->b.rank - 1] = index_of(j);
  return build_index(&e->builder, &def, in, 2);
}

// The result, and all the products that it is summed from, must be countable.
static bool product_fits(Elab *e, const Product *p, Span span) {
  Shape shape = p->batch;
  if (p->has_i) shape.dim[shape.rank++] = p->a.dim[p->a.rank - 2];
  if (p->has_j) shape.dim[shape.rank++] = p->b.dim[p->b.rank - 1];
  Dim elements;
  int64_t products;
  if (!elab_fits(e, &shape, span) || !shape_elements(&shape, &elements)) return false;
  if (checked_mul(elements.scale, p->k.scale, &products)) return true;
  elab_error(e, DIAG_E0205, span, "a matrix product of shape %s over %lld places is too large",
             elab_shape_text(e, &shape), (long long)p->k.scale);
  return false;
}

Value elab_matmul(Elab *e, Value a, Value b, Span span) {
  DType type;
  bool tensors = a.kind == VALUE_TENSOR && b.kind == VALUE_TENSOR;
  if (!tensors || !operand_type(AST_MUL, element_of(e, a), element_of(e, b), &type)) {
    report_operands(e, AST_MATMUL, a, b, span);
    return value_poison();
  }
  Product p = {.a = *elab_shape(e, a), .b = *elab_shape(e, b)};
  if (!product_shapes(&p)) {
    Diag *diag = elab_error(e, DIAG_E0204, span, "'@' does not fit the shapes %s and %s", elab_shape_text(e, &p.a),
                            elab_shape_text(e, &p.b));
    diag_line(e->sink, diag, DIAG_NOTE, "the last size on the left must be the last but one on the right");
    elab_history_line(e, diag, a);
    elab_history_line(e, diag, b);
    return value_poison();
  }
  if (!product_fits(e, &p, span)) return value_poison();
  NodeId in[2] = {convert_node(e, a.node, type), convert_node(e, b.node, type)};
  return operator_result(e, build_product(e, &p, in, type), a, b, span);
}
