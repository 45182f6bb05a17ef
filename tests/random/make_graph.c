// The frame: sources, what a new node may read, how many of what.
#include "make_inside.h"

#include <string.h>

bool make_fits(const Shape *shape) {
  static const int64_t most[IR_MAX_SYMBOLS] = {9, 9, 9, 9};
  Dim elements;
  return shape_elements(shape, &elements) && shape_count(shape, most) <= MAKE_ELEMENTS;
}

int64_t make_size(Maker *m) { return CHOICE_OF(m->chance, m->size); }

Dim make_dim(Maker *m) {
  if (choice_once_in(m->chance, 60)) return dim_const(0);
  return choice_once_in(m->chance, 6) ? (Dim){choice_in(m->chance, 1, 2), 1} : dim_const(make_size(m));
}

Shape make_shape(Maker *m, int rank) {
  Shape shape = {.rank = rank};
  for (int d = 0; d < rank; d++) shape.dim[d] = make_dim(m);
  while (!make_fits(&shape)) shape.dim[choice_below(m->chance, rank)] = dim_const(choice_in(m->chance, 1, 2));
  return shape;
}

static int random_rank(Maker *m) {
  static const int ranks[] = {0, 1, 1, 2, 2, 2, 3, 3, 4, 5, 8};
  return CHOICE_OF(m->chance, ranks);
}

NodeId make_source(Maker *m, DType type, const Shape *shape) {
  const char *name = arena_printf(m->b.graph->arena, "s%d", m->sources++);
  bool is_constant = true;
  for (int d = 0; d < shape->rank; d++) is_constant &= dim_is_const(shape->dim[d]);
  int64_t kind = choice_below(m->chance, 6);
  if (type == DT_F32 && is_constant && kind < 2) return build_param(&m->b, name, shape);
  if (type == DT_F32 && is_constant && kind == 2) return build_state(&m->b, name, shape);
  return build_input(&m->b, name, type, shape);
}

// A node that is there, of that type and, unless -1, rank, or of that shape: the later ones more often.
static NodeId find(Maker *m, DType type, int rank, const Shape *shape) {
  size_t n = m->b.graph->n_nodes;
  for (int tries = 0; n && tries < 8; tries++) {
    NodeId a = (NodeId)choice_below(m->chance, (int64_t)n), b = (NodeId)choice_below(m->chance, (int64_t)n);
    NodeId id = a > b ? a : b;
    const Node *node = make_node(m, id);
    if (node->type == type && (rank < 0 || node->shape.rank == rank) && (!shape || shape_equal(shape, &node->shape)))
      return id;
  }
  return NODE_NONE;
}

NodeId make_operand(Maker *m, DType type, int rank) {
  NodeId found = choice_once_in(m->chance, 6) ? NODE_NONE : find(m, type, rank, NULL);
  if (found != NODE_NONE) return found;
  Shape shape = make_shape(m, rank < 0 ? random_rank(m) : rank);
  return make_source(m, type, &shape);
}

NodeId make_number(Maker *m, DType type) {
  static const double numbers[] = {0, 1, -1, 0.5, 2, -0.0, 3, 0.1, -1.75, 1e-3, 7};
  double number = CHOICE_OF(m->chance, numbers);
  if (!m->options.tame && type == DT_F32 && choice_once_in(m->chance, 4)) number = choice_real(m->chance, -100, 100);
  if (type == DT_I32) number = (double)choice_in(m->chance, -3, 5);
  if (type == DT_BOOL) number = (double)choice_below(m->chance, 2);
  return build_const(&m->b, type, number);
}

NodeId make_like(Maker *m, DType type, const Shape *shape, bool scalar) {
  static const Shape none = {0};
  if (scalar && choice_once_in(m->chance, 6))
    return type != DT_U8 && choice_once_in(m->chance, 2) ? make_number(m, type) : make_source(m, type, &none);
  NodeId found = find(m, type, -1, shape);
  if (found != NODE_NONE) return found;
  Shape less = *shape;
  if (shape->rank && choice_once_in(m->chance, 2)) {  // a row of it, stretched
    for (int d = 0; d < less.rank; d++)
      if (choice_once_in(m->chance, 2)) less.dim[d] = dim_const(1);
    return build_broadcast_to(&m->b, make_source(m, type, &less), shape);
  }
  return make_source(m, type, shape);
}

NodeId make_moderate(Maker *m, NodeId x) { return m->options.tame ? build_unary(&m->b, OP_tanh, x) : x; }

// ---- ops that are not pointwise -------------------------------------------------------------------------------------

static DType any_type(Maker *m) {
  static const DType types[] = {DT_F32, DT_F32, DT_F32, DT_I32, DT_BOOL, DT_U8};
  return CHOICE_OF(m->chance, types);
}

static NodeId make_reshape(Maker *m) {
  NodeId x = make_operand(m, any_type(m), -1);
  Shape from = make_node(m, x)->shape, to = {0};
  for (int d = 0; d < from.rank; d++) {  // merge some neighbours, split some sizes, add some ones
    Dim dim = from.dim[d];
    bool merges = to.rank && choice_once_in(m->chance, 2) && !(dim.symbol && to.dim[to.rank - 1].symbol);
    if (merges) {
      Dim *last = &to.dim[to.rank - 1];
      *last = (Dim){last->scale * dim.scale, last->symbol ? last->symbol : dim.symbol};
      if (last->scale == 0) last->symbol = 0;
    } else {
      to.dim[to.rank++] = dim;
    }
  }
  for (int64_t parts = 2; parts <= 3 && to.rank && to.rank < IR_MAX_RANK; parts++) {
    Dim *last = &to.dim[to.rank - 1];
    if (last->scale % parts || !choice_once_in(m->chance, 2)) continue;
    last->scale /= parts;
    to.dim[to.rank++] = dim_const(parts);
  }
  if (to.rank < IR_MAX_RANK && choice_once_in(m->chance, 3)) to.dim[to.rank++] = dim_const(1);
  return build_reshape(&m->b, x, &to);
}

static NodeId make_concat(Maker *m) {
  NodeId in[4];
  DType type = any_type(m);
  in[0] = make_operand(m, type, (int)choice_in(m->chance, 1, 4));
  Shape shape = make_node(m, in[0])->shape;
  int n = (int)choice_in(m->chance, 1, 4), axis = (int)choice_below(m->chance, shape.rank);
  for (int k = 1; k < n; k++) {
    Shape other = shape;
    if (!shape.dim[axis].symbol) other.dim[axis] = dim_const(choice_in(m->chance, 0, 5));
    in[k] = make_like(m, type, &other, false);
  }
  return build_concat(&m->b, axis, in, n);
}

static NodeId make_gather(Maker *m) {
  NodeId rows = make_operand(m, any_type(m), (int)choice_in(m->chance, 1, 3));
  NodeId index = make_operand(m, DT_I32, (int)choice_in(m->chance, 0, 2));
  Shape shape = make_node(m, index)->shape;
  for (int d = 1; d < make_node(m, rows)->shape.rank; d++) shape.dim[shape.rank++] = make_node(m, rows)->shape.dim[d];
  return make_fits(&shape) ? build_gather(&m->b, rows, index) : NODE_NONE;
}

static NodeId make_scatter(Maker *m) {
  DType type = choice_once_in(m->chance, 4) ? DT_I32 : DT_F32;
  NodeId rows = make_operand(m, type, (int)choice_in(m->chance, 1, 3));
  Shape shape = make_node(m, rows)->shape, head = shape, result = {1, {dim_const(choice_in(m->chance, 1, 6))}};
  head.rank = (int)choice_in(m->chance, 0, shape.rank < 2 ? shape.rank : 2);
  for (int d = head.rank; d < shape.rank; d++) result.dim[result.rank++] = shape.dim[d];
  if (!make_fits(&result)) return NODE_NONE;
  return build_scatter_add(&m->b, make_like(m, DT_I32, &head, false), rows, result.dim[0]);
}

static NodeId make_random(Maker *m) {
  Shape shape = make_shape(m, random_rank(m));
  return build_random(&m->b, (uint64_t)choice_below(m->chance, INT64_MAX), &shape);
}

static NodeId make_tensor_op(Maker *m, Op op) {
  switch (op) {
    case OP_index:
      return make_index(m);
    case OP_reshape:
      return make_reshape(m);
    case OP_concat:
      return make_concat(m);
    case OP_gather:
      return make_gather(m);
    case OP_scatter_add:
      return make_scatter(m);
    case OP_random:
      return make_random(m);
    default:
      return make_number(m, DT_F32);
  }
}

// ---- the whole ------------------------------------------------------------------------------------------------------

// Every op as often as every other, but for the index node, which is every third.
static void add_node(Maker *m) {
  Op op = choice_once_in(m->chance, 3) ? OP_index : (Op)choice_below(m->chance, OP_COUNT);
  NodeId made = op_info(op)->class == OPC_POINTWISE ? make_pointwise(m, op) : make_tensor_op(m, op);
  if (made != NODE_NONE && make_node(m, made)->type == DT_F32 && choice_once_in(m->chance, 3)) make_moderate(m, made);
}

static void add_outputs(Maker *m) {
  Graph *g = m->b.graph;
  bool *used = arena_array(g->arena, g->n_nodes, sizeof *used);
  for (size_t k = 0; k < g->n_nodes; k++)
    for (int a = 0; a < g->nodes[k].n_in; a++) used[g->nodes[k].in[a]] = true;
  int n = 0;
  for (size_t k = 0; k < g->n_nodes; k++)
    if (!used[k] || choice_once_in(m->chance, 12))
      graph_output(g, OUT_RESULT, arena_printf(g->arena, "y%d", n++), (NodeId)k);
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *state = &g->nodes[k];
    if (state->op != OP_state) continue;
    NodeId next = (NodeId)k;  // any later value of its shape
    for (size_t j = k; j < g->n_nodes; j++)
      if (g->nodes[j].type == DT_F32 && shape_equal(&g->nodes[j].shape, &state->shape)) next = (NodeId)j;
    if (choice_once_in(m->chance, 2)) graph_output(g, OUT_STATE, state->name, next);
  }
}

Graph *make_graph(Arena *arena, Choice *chance, const MakeOptions *options) {
  static const int64_t sizes[] = {1, 2, 3, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33};
  Maker m = {.b = {.graph = graph_new(arena, "random")}, .chance = chance, .options = *options};
  graph_symbol(m.b.graph, "N");
  for (int k = 0; k < 4; k++) m.size[k] = CHOICE_OF(chance, sizes);
  int wanted = (int)choice_in(chance, 1, options->most);
  for (int k = 0; k < wanted; k++) add_node(&m);
  add_outputs(&m);
  return m.b.graph;
}
