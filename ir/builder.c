// Appending nodes. Operands are right on entry (user mistakes were found before); every node that comes out verifies.
#include "inside.h"

#include <string.h>

// Infers, appends, checks.
static NodeId build_node(Builder *b, Node node) {
  Graph *g = b->graph;
  for (int k = 0; k < node.n_in; k++) dlc_assert(node.in[k] >= 0 && (size_t)node.in[k] < g->n_nodes);
  node.tag = b->origin.tag;
  node.path = b->origin.path;
  node.span = b->origin.span;
  Text why = text_new(g->arena);
  if (!node_infer(g, &node, &node.type, &node.shape, &why)) dlc_bug("%s", why.bytes);
  NodeId id = graph_append(g, &node);
  if (!node_verify(g, id, &why)) dlc_bug("%s", why.bytes);
  return id;
}

static NodeId *copy_ids(Graph *g, const NodeId *in, int n_in) {
  NodeId *copy = arena_array(g->arena, (size_t)n_in, sizeof *copy);
  if (n_in) memcpy(copy, in, (size_t)n_in * sizeof *copy);
  return copy;
}

static NodeId build_op(Builder *b, Op op, const NodeId *in, int n_in) {
  return build_node(b, (Node){.op = op, .n_in = n_in, .in = copy_ids(b->graph, in, n_in)});
}

NodeId build_input(Builder *b, const char *name, DType type, const Shape *shape) {
  return build_node(b, (Node){.op = OP_input, .name = name, .type = type, .shape = *shape});
}

NodeId build_param(Builder *b, const char *path, const Shape *shape) {
  return build_node(b, (Node){.op = OP_param, .name = path, .shape = *shape});
}

NodeId build_state(Builder *b, const char *path, const Shape *shape) {
  return build_node(b, (Node){.op = OP_state, .name = path, .shape = *shape});
}

NodeId build_const(Builder *b, DType type, double number) {
  if (type == DT_F32) number = (double)(float)number;
  return build_node(b, (Node){.op = OP_const, .type = type, .number = number});
}

NodeId build_random(Builder *b, uint64_t stream, const Shape *shape) {
  return build_node(b, (Node){.op = OP_random, .stream = stream, .shape = *shape});
}

NodeId build_pointwise(Builder *b, Op op, int n_in, const NodeId *in) {
  dlc_assert(op_info(op)->class == OPC_POINTWISE);
  return build_op(b, op, in, n_in);
}

NodeId build_unary(Builder *b, Op op, NodeId a) { return build_pointwise(b, op, 1, &a); }

NodeId build_binary(Builder *b, Op op, NodeId a, NodeId c) {
  const NodeId in[] = {a, c};
  return build_pointwise(b, op, 2, in);
}

NodeId build_select(Builder *b, NodeId condition, NodeId yes, NodeId no) {
  const NodeId in[] = {condition, yes, no};
  return build_pointwise(b, OP_select, 3, in);
}

NodeId build_reshape(Builder *b, NodeId a, const Shape *shape) {
  return build_node(b, (Node){.op = OP_reshape, .n_in = 1, .in = copy_ids(b->graph, &a, 1), .shape = *shape});
}

NodeId build_concat(Builder *b, int axis, const NodeId *in, int n_in) {
  return build_node(b, (Node){.op = OP_concat, .n_in = n_in, .in = copy_ids(b->graph, in, n_in), .axis = axis});
}

NodeId build_gather(Builder *b, NodeId rows, NodeId index) {
  const NodeId in[] = {rows, index};
  return build_op(b, OP_gather, in, 2);
}

NodeId build_scatter_add(Builder *b, NodeId index, NodeId rows, Dim n_rows) {
  const NodeId in[] = {index, rows};
  return build_node(b, (Node){.op = OP_scatter_add, .n_in = 2, .in = copy_ids(b->graph, in, 2), .rows = n_rows});
}

// ---- the general node ---------------------------------------------------------------------------------------------

// What canonicalisation walks over must be in range.
static void check_def(const IndexDef *def, int n_in) {
  dlc_assert(def->n_out >= 0 && def->n_red >= 0 && def->n_out + def->n_red <= IR_MAX_INDICES && def->n_body >= 1);
  for (int k = 0; k < def->n_body; k++) {
    const Scalar *s = &def->body[k];
    if (s->kind == SCALAR_READ) dlc_assert(s->arg[0] >= 0 && s->arg[0] < n_in);
    for (int a = 0; s->kind == SCALAR_OP && a < op_info(s->op)->arity; a++) dlc_assert(s->arg[a] >= 0 && s->arg[a] < k);
  }
}

NodeId build_index(Builder *b, const IndexDef *def, const NodeId *in, int n_in) {
  Graph *g = b->graph;
  check_def(def, n_in);
  for (int k = 0; k < n_in; k++) dlc_assert(in[k] >= 0 && (size_t)in[k] < g->n_nodes);
  IndexDef *copy = arena_alloc(g->arena, sizeof *copy);
  *copy = *def;
  copy->reads = arena_array(g->arena, (size_t)n_in, sizeof *copy->reads);
  if (n_in) memcpy(copy->reads, def->reads, (size_t)n_in * sizeof *copy->reads);
  copy->body = arena_array(g->arena, (size_t)def->n_body, sizeof *copy->body);
  memcpy(copy->body, def->body, (size_t)def->n_body * sizeof *copy->body);
  NodeId *ids = copy_ids(g, in, n_in);
  index_canonicalise(g, copy, ids, &n_in);
  return build_node(b, (Node){.op = OP_index, .n_in = n_in, .in = ids, .index = copy});
}

NodeId build_copy(Builder *b, const Graph *from, NodeId id, const NodeId *map) {
  Graph *g = b->graph;
  Node node = *graph_node(from, id);
  Builder at = {g, {node.tag, node.path, node.span}};
  NodeId *in = arena_array(g->arena, (size_t)node.n_in, sizeof *in);
  for (int k = 0; k < node.n_in; k++) in[k] = map[node.in[k]];
  if (node.op == OP_index) return build_index(&at, node.index, in, node.n_in);
  node.in = in;
  return build_node(&at, node);
}
