// Pass `factor`: what a sum does not move over stands behind it.
//
// On entry: pass `autodiff` has run. On exit: no f32 sum of the elements of a tensor has a product for that tensor of
// which one factor is a number or is repeated along everything that is summed, nor a negation:
//
//   sum over n, i, j of dy[n, i, j, c] * scale[c]   becomes   scale[c] * sum over n, i, j of dy[n, i, j, c]
//
// Gradients through a repeated tensor (a bias, a batch norm's mean) are such sums, and several of them are then one.
// This changes how results round, so it is part of what a program means: the pass always runs.
#include "rewrite.h"

// The operand of a node that sums one tensor's elements, each once, in the tensor's order of dimensions apart: out
// indices and reduced indices are its dimensions. NODE_NONE for any other node.
static NodeId summed(const Node *node) {
  if (node->op != OP_index || node->type != DT_F32 || node->n_in != 1) return NODE_NONE;
  const IndexDef *def = node->index;
  if (def->combine != COMBINE_SUM || def->n_body != 1 || def->reads[0].rank != def->n_out + def->n_red)
    return NODE_NONE;
  bool seen[IR_MAX_INDICES] = {false};
  for (int d = 0; d < def->reads[0].rank; d++) {
    const IndexExpr *e = &def->reads[0].at[d];
    if (e->n_terms != 1 || !index_is(e, e->term[0].index) || seen[e->term[0].index]) return NODE_NONE;
    seen[e->term[0].index] = true;
  }
  return node->in[0];
}

// The sum's output index that runs over dimension d of what it sums, or -1.
static int output_of(const IndexDef *sum, int d) {
  int index = sum->reads[0].at[d].term[0].index;
  return index < sum->n_out ? index : -1;
}

// A map that repeats a tensor, read at the sum's output indices only: its read with the sum's indices in *read.
static bool is_repeated(const Node *map, const IndexDef *sum, Read *read) {
  if (map->op != OP_index || !index_is_movement(map->index)) return false;
  *read = map->index->reads[0];
  for (int d = 0; d < read->rank; d++) {
    IndexExpr *e = &read->at[d];
    if (e->kind != DIV_NONE || e->n_terms > 1) return false;
    if (e->n_terms == 1 && output_of(sum, e->term[0].index) < 0) return false;
    if (e->n_terms == 1) e->term[0].index = output_of(sum, e->term[0].index);
  }
  return true;
}

// The factor, of the sum's shape or rank 0, that `id` stands for inside the sum; NODE_NONE where it moves.
static NodeId factor_of(Rewrite *w, const IndexDef *sum, NodeId id, const Shape *shape) {
  const Node *node = graph_node(w->from, id);
  if (node->shape.rank == 0) return w->map[id];
  Read read;
  if (!is_repeated(node, sum, &read)) return NODE_NONE;
  IndexDef def = {.combine = COMBINE_MAP, .n_out = shape->rank, .reads = &read, .n_body = 1};
  Scalar body = {.kind = SCALAR_READ};
  def.body = &body;
  for (int d = 0; d < shape->rank; d++) def.extent[d] = shape->dim[d];
  NodeId operand = w->map[node->in[0]];
  return build_index(rewrite_builder(w), &def, &operand, 1);
}

// The sum of `part`, an operand of what was summed, in its stead.
static NodeId sum_of(Rewrite *w, const Node *sum, NodeId part) {
  NodeId operand = w->map[part];
  return build_index(rewrite_builder(w), sum->index, &operand, 1);
}

static bool factor_product(Rewrite *w, const Node *sum, const Node *product) {
  for (int k = 0; k < 2; k++) {
    const Node *rest = graph_node(w->from, product->in[1 - k]);
    if (rest->shape.rank != product->shape.rank) continue;
    NodeId factor = factor_of(w, sum->index, product->in[k], &sum->shape);
    if (factor == NODE_NONE) continue;
    rewrite_replace(w, build_binary(rewrite_builder(w), OP_mul, sum_of(w, sum, product->in[1 - k]), factor));
    return true;
  }
  return false;
}

static bool factor_sum(Rewrite *w) {
  const Node *sum = rewrite_node(w);
  NodeId id = summed(sum);
  if (id == NODE_NONE) return false;
  const Node *what = graph_node(w->from, id);
  if (what->op == OP_mul) return factor_product(w, sum, what);
  if (what->op != OP_neg) return false;
  rewrite_replace(w, build_unary(rewrite_builder(w), OP_neg, sum_of(w, sum, what->in[0])));
  return true;
}

static Graph *factor_once(PassContext *ctx, const Graph *g) {
  Rewrite w = rewrite_begin(ctx, g);
  for (; rewrite_more(&w); w.at++)
    if (!factor_sum(&w)) rewrite_keep(&w);
  return rewrite_end(&w);
}

// Every round takes one factor off a sum: a product of products takes several.
Graph *pass_factor(PassContext *ctx, const Graph *g) {
  const Graph *next = factor_once(ctx, g);
  while (next != g) g = next, next = factor_once(ctx, g);
  return (Graph *)g;
}
