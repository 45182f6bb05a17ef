#include "twin.h"

#include "traits.h"

#define LAST "halo,layout,order,winograd,outputs"

typedef struct Twin {
  Builder b;
  Choice *chance;
  Check *check;
} Twin;

static const Node *node_of(const Twin *t, NodeId id) { return graph_node(t->b.graph, id); }

// ---- values another way ---------------------------------------------------------------------------------------------

static NodeId there_and_back(Twin *t, NodeId x) {
  int order[IR_MAX_RANK], back[IR_MAX_RANK], rank = node_of(t, x)->shape.rank;
  for (int d = 0; d < rank; d++) order[d] = (d + 1) % rank;
  for (int d = 0; d < rank; d++) back[order[d]] = d;
  return build_transpose(&t->b, build_transpose(&t->b, x, order), back);
}

static NodeId other_shape_and_back(Twin *t, NodeId x) {
  Shape shape = node_of(t, x)->shape, other = shape;
  if (shape.rank == IR_MAX_RANK) return x;
  other.dim[other.rank++] = dim_const(1);
  return build_reshape(&t->b, build_reshape(&t->b, x, &other), &shape);
}

// The parts of the first axis of two or more, one after the other again.
static NodeId cut_and_joined(Twin *t, NodeId x) {
  Shape shape = node_of(t, x)->shape;
  for (int d = 0; d < shape.rank; d++) {
    int64_t size = shape.dim[d].scale, cut = size / 2;
    if (shape.dim[d].symbol || size < 2) continue;
    NodeId parts[] = {build_slice(&t->b, x, d, 0, cut, 1), build_slice(&t->b, x, d, cut, size - cut, 1)};
    return build_concat(&t->b, d, parts, 2);
  }
  return x;
}

static NodeId padded_and_cut(Twin *t, NodeId x) {
  Shape shape = node_of(t, x)->shape;
  int64_t before[IR_MAX_RANK] = {0}, after[IR_MAX_RANK] = {0};
  for (int d = 0; d < shape.rank; d++) {
    if (shape.dim[d].symbol || shape.dim[d].scale == 0) continue;
    before[d] = 2, after[d] = 1;
    NodeId padded = build_pad(&t->b, x, before, after);
    return build_slice(&t->b, padded, d, 2, shape.dim[d].scale, 1);
  }
  return x;
}

// Row k of x at row k.
static NodeId gathered(Twin *t, NodeId x) {
  Shape shape = node_of(t, x)->shape;
  if (shape.rank == 0) return x;
  Scalar body = {.kind = SCALAR_INDEX, .arg = {0}};
  IndexDef def = {.combine = COMBINE_MAP, .n_out = 1, .extent = {shape.dim[0]}, .n_body = 1, .body = &body};
  return build_gather(&t->b, x, build_index(&t->b, &def, NULL, 0));
}

static NodeId negated_twice(Twin *t, NodeId x) {
  DType type = node_of(t, x)->type;
  if (type == DT_BOOL) return build_unary(&t->b, OP_not, build_unary(&t->b, OP_not, x));
  return type == DT_U8 ? x : build_unary(&t->b, OP_neg, build_unary(&t->b, OP_neg, x));
}

static NodeId times_one(Twin *t, NodeId x) {
  DType type = node_of(t, x)->type;
  if (type != DT_F32 && type != DT_I32) return x;
  return build_binary(&t->b, OP_mul, x, build_const(&t->b, type, 1));
}

static NodeId less_nothing(Twin *t, NodeId x) {
  DType type = node_of(t, x)->type;
  if (type != DT_F32 && type != DT_I32) return x;
  return build_binary(&t->b, OP_sub, x, build_const(&t->b, type, 0));
}

static NodeId chosen(Twin *t, NodeId x) {
  DType type = node_of(t, x)->type;
  if (type == DT_U8) return x;
  Shape shape = node_of(t, x)->shape;
  NodeId random = build_random(&t->b, 77, &shape);
  return build_select(&t->b, build_binary(&t->b, OP_lt, random, build_const(&t->b, DT_F32, 0.5)), x, x);
}

static NodeId another_way(Twin *t, NodeId x) {
  static NodeId (*const ways[])(Twin *, NodeId) = {there_and_back, other_shape_and_back, cut_and_joined, padded_and_cut,
                                                   gathered,       negated_twice,        times_one,      less_nothing,
                                                   chosen};
  if (node_of(t, x)->op == OP_const || choice_once_in(t->chance, 2))
    return x;  // a product with a constant is no plain one
  return CHOICE_OF(t->chance, ways)(t, x);
}

// ---- ops another way ------------------------------------------------------------------------------------------------

// A pointwise node as an index node: the op is its body.
static NodeId as_formula(Twin *t, const Node *node, const NodeId *in) {
  IndexDef def = {.combine = COMBINE_MAP, .n_out = node->shape.rank};
  Read reads[3];
  Scalar body[4];
  for (int d = 0; d < def.n_out; d++) def.extent[d] = node->shape.dim[d];
  for (int a = 0; a < node->n_in; a++) {
    reads[a].rank = node_of(t, in[a])->shape.rank;
    for (int d = 0; d < reads[a].rank; d++) reads[a].at[d] = index_of(d);
    body[a] = (Scalar){.kind = SCALAR_READ, .arg = {a}};
  }
  body[node->n_in] = (Scalar){.kind = SCALAR_OP, .op = node->op, .arg = {0, 1, 2}};
  def.reads = reads, def.body = body, def.n_body = node->n_in + 1;
  return build_index(&t->b, &def, in, node->n_in);
}

static NodeId pointwise_twin(Twin *t, const Node *node, NodeId *in) {
  if (op_has(node->op, TRAIT_COMMUTES) && choice_once_in(t->chance, 2)) {
    NodeId first = in[0];
    in[0] = in[1], in[1] = first;
  }
  if (node->op == OP_select && choice_once_in(t->chance, 2))
    return build_select(&t->b, build_unary(&t->b, OP_not, in[0]), in[2], in[1]);
  if (node->op == OP_sub && choice_once_in(t->chance, 3) && node->type == DT_I32)
    return build_binary(&t->b, OP_add, in[0], build_unary(&t->b, OP_neg, in[1]));
  if (node->op == OP_rsqrt && choice_once_in(t->chance, 2))
    return build_binary(&t->b, OP_div, build_const(&t->b, DT_F32, 1), build_unary(&t->b, OP_sqrt, in[0]));
  if (node->op == OP_le && choice_once_in(t->chance, 2) && node_of(t, in[0])->type == DT_I32)
    return build_unary(&t->b, OP_not, build_binary(&t->b, OP_lt, in[1], in[0]));
  if (choice_once_in(t->chance, 3)) return as_formula(t, node, in);
  return build_pointwise(&t->b, node->op, node->n_in, in);
}

static NodeId node_twin(Twin *t, const Graph *g, NodeId id, const NodeId *map) {
  const Node *node = graph_node(g, id);
  if (op_info(node->op)->class != OPC_POINTWISE) return build_copy(&t->b, g, id, map);
  NodeId in[3];
  for (int a = 0; a < node->n_in; a++) in[a] = map[node->in[a]];
  return pointwise_twin(t, node, in);
}

const Graph *twin_of(Check *check, const Graph *g) {
  Twin t = {.b = {.graph = graph_like(g)}, .chance = check->chance, .check = check};
  NodeId *map = arena_array(g->arena, g->n_nodes, sizeof *map);
  for (size_t k = 0; k < g->n_nodes; k++) map[k] = another_way(&t, node_twin(&t, g, (NodeId)k, map));
  for (size_t k = 0; k < g->n_outputs; k++)
    graph_output(t.b.graph, g->outputs[k].kind, g->outputs[k].name, map[g->outputs[k].value]);
  return t.b.graph;
}

// ---- both ways ------------------------------------------------------------------------------------------------------

static const EvalTensor *results_of(Check *c, const Graph *g) {
  int64_t symbols[IR_MAX_SYMBOLS];
  EvalEnv env = fill_env(&c->fill, symbols);
  EvalTensor *values = arena_array(c->arena, g->n_nodes, sizeof *values);
  EvalTensor *outputs = arena_array(c->arena, g->n_outputs, sizeof *outputs);
  reference_eval(c->functions, g, &env, c->arena, values, NULL);
  for (size_t k = 0; k < g->n_outputs; k++) outputs[k] = values[g->outputs[k].value];
  return outputs;
}

static bool same_results(Check *c, const Graph *g, const EvalTensor *want, const EvalTensor *got, const char *what) {
  for (size_t k = 0; k < g->n_outputs; k++)
    for (int64_t i = 0; i < shape_count(&want[k].shape, NULL); i++) {
      if (same_number(want[k].data[i], got[k].data[i])) continue;
      text_printf(&c->why, "%s: element %lld of '%s' is %.9g, not %.9g", what, (long long)i,
                  g->outputs[k].name ? g->outputs[k].name : "", got[k].data[i], want[k].data[i]);
      return false;
    }
  return true;
}

Fault check_same(Check *check, const Graph *g, const Graph *twin) {
  Check c = *check;
  c.train = false;  // gradients are added up in another order
  const Graph *plain = check_passes(&c, g, LAST), *other = NULL;
  Text why = text_new(c.arena);
  bool good = graph_verify(twin, &why);
  if (good) other = check_passes(&c, twin, choice_once_in(c.chance, 2) ? NULL : LAST);
  if (good && plain && other && reference_is_exact(plain) && reference_is_exact(other)) {
    tally_add(c.tally, "twins compared", 1);
    good = same_results(&c, plain, results_of(&c, plain), results_of(&c, other), "the graph written another way");
  }
  check->why = c.why;
  text_add(&check->why, why.bytes);
  if (!good) graph_print(twin, &check->why);
  return good && plain && other ? FAULT_NONE : FAULT_TWIN;
}

Fault check_twins(Check *check, const Graph *g) { return check_same(check, g, twin_of(check, g)); }
