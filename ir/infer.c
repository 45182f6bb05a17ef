// Result type and shape of each op: the one place that knows these rules. The builder takes results from here, the
// verifier compares with it.
#include "checked.h"
#include "inside.h"

static const Node *operand(const Graph *g, const Node *node, int k) { return graph_node(g, node->in[k]); }

// Each operand has the result's shape or rank 0.
static bool pointwise_shape(const Graph *g, const Node *node, Shape *shape, Text *why) {
  *shape = (Shape){0};
  for (int k = 0; k < node->n_in; k++) {
    const Shape *s = &operand(g, node, k)->shape;
    if (s->rank == 0) continue;
    if (shape->rank == 0) *shape = *s;
    if (shape_equal(shape, s)) continue;
    text_printf(why, "%s: operands of shapes ", op_info(node->op)->name);
    shape_print(shape, g->symbols, why);
    text_add(why, " and ");
    shape_print(s, g->symbols, why);
    return false;
  }
  return true;
}

static bool pointwise_type(const Graph *g, const Node *node, DType *type, Text *why) {
  DType in[3];
  for (int k = 0; k < node->n_in; k++) in[k] = operand(g, node, k)->type;
  if (op_result_type(node->op, in, type)) return true;
  const OpInfo *info = op_info(node->op);
  text_printf(why, "%s takes %s, not", info->name, op_types_meaning(info->types));
  for (int k = 0; k < node->n_in; k++) text_printf(why, "%s %s", k ? "," : "", dtype_name(in[k]));
  return false;
}

static bool index_infer(const Node *node, DType *type, Shape *shape, Text *why) {
  const IndexDef *def = node->index;
  if (def->n_out < 0 || def->n_out > IR_MAX_RANK || def->n_body < 1) {
    text_add(why, "index: bad result rank or empty body");
    return false;
  }
  bool position = def->combine == COMBINE_ARGMAX || def->combine == COMBINE_ARGMIN;
  *type = position ? DT_I32 : def->body[def->n_body - 1].type;
  *shape = (Shape){.rank = def->n_out};
  for (int d = 0; d < def->n_out; d++) shape->dim[d] = def->extent[d];
  return true;
}

static bool reshape_infer(const Graph *g, const Node *node, DType *type, Shape *shape, Text *why) {
  const Node *a = operand(g, node, 0);
  *type = a->type;
  *shape = node->shape;
  if (shape_same_elements(&a->shape, shape)) return true;
  text_add(why, "reshape: ");
  shape_print(&a->shape, g->symbols, why);
  text_add(why, " and ");
  shape_print(shape, g->symbols, why);
  text_add(why, " have different numbers of elements");
  return false;
}

// a + b along an axis: both constants, or multiples of one symbol.
static bool dim_add(Dim a, Dim b, Dim *sum) {
  if (a.symbol != b.symbol && a.scale && b.scale) return false;
  sum->symbol = a.scale ? a.symbol : b.symbol;
  return checked_add(a.scale, b.scale, &sum->scale);
}

static bool concat_infer(const Graph *g, const Node *node, DType *type, Shape *shape, Text *why) {
  const Node *first = operand(g, node, 0);
  *type = first->type;
  *shape = first->shape;
  if (node->axis < 0 || node->axis >= shape->rank) {
    text_printf(why, "concat: no axis %d in rank %d", node->axis, shape->rank);
    return false;
  }
  for (int k = 1; k < node->n_in; k++) {
    const Node *next = operand(g, node, k);
    Shape rest = next->shape, sum = *shape;
    if (next->type != *type || rest.rank != sum.rank ||
        !dim_add(sum.dim[node->axis], rest.dim[node->axis], &sum.dim[node->axis])) {
      text_printf(why, "concat: operand %d does not fit the ones before it", k);
      return false;
    }
    rest.dim[node->axis] = sum.dim[node->axis];
    if (!shape_equal(&rest, &sum)) {
      text_printf(why, "concat: operand %d differs in another axis than %d", k, node->axis);
      return false;
    }
    *shape = sum;
  }
  return true;
}

// y[i.., j..] = a[b[i..], j..]
static bool gather_infer(const Graph *g, const Node *node, DType *type, Shape *shape, Text *why) {
  const Node *rows = operand(g, node, 0), *index = operand(g, node, 1);
  int tail = rows->shape.rank - 1;
  if (index->type != DT_I32 || tail < 0 || index->shape.rank + tail > IR_MAX_RANK) {
    text_add(why, "gather takes rows of rank 1 or more and an i32 index, together of rank 8 at most");
    return false;
  }
  *type = rows->type;
  *shape = index->shape;
  for (int d = 0; d < tail; d++) shape->dim[shape->rank++] = rows->shape.dim[1 + d];
  return true;
}

// zeros, then row index[i..] += rows[i.., ..]
static bool scatter_infer(const Graph *g, const Node *node, DType *type, Shape *shape, Text *why) {
  const Node *index = operand(g, node, 0), *rows = operand(g, node, 1);
  int lead = index->shape.rank;
  Shape head = rows->shape;
  if (head.rank >= lead) head.rank = lead;
  bool numbers = rows->type == DT_F32 || rows->type == DT_I32;
  if (index->type != DT_I32 || !numbers || !shape_equal(&head, &index->shape) ||
      rows->shape.rank - lead >= IR_MAX_RANK || node->rows.scale < 0) {
    text_add(why, "scatter_add takes an i32 index, f32 or i32 rows whose shape starts with the index's, and rows >= 0");
    return false;
  }
  *type = rows->type;
  *shape = (Shape){.rank = 1, .dim = {node->rows}};
  for (int d = lead; d < rows->shape.rank; d++) shape->dim[shape->rank++] = rows->shape.dim[d];
  return true;
}

bool node_infer(const Graph *g, const Node *node, DType *type, Shape *shape, Text *why) {
  *type = node->type;
  *shape = node->shape;
  switch (node->op) {
    case OP_param:
    case OP_state:
    case OP_random:
      *type = DT_F32;
      return true;
    case OP_const:
      *shape = (Shape){0};
      return true;
    case OP_index:
      return index_infer(node, type, shape, why);
    case OP_reshape:
      return reshape_infer(g, node, type, shape, why);
    case OP_concat:
      return concat_infer(g, node, type, shape, why);
    case OP_gather:
      return gather_infer(g, node, type, shape, why);
    case OP_scatter_add:
      return scatter_infer(g, node, type, shape, why);
    default:
      break;
  }
  if (op_info(node->op)->class != OPC_POINTWISE) return true;  // input: as it says
  return pointwise_shape(g, node, shape, why) && pointwise_type(g, node, type, why);
}
