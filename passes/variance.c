// Pass `variance`: the variance of what a convolution gives, in the sweep that gives it.
//
// On entry: pass `factor` has run. On exit: a sum of squared distances from the mean, over all but the last dimension
// of what a product-sum gives (pointwise steps may lie between), is taken from a value t near the mean instead:
//
//   mean = sum(x) / n,  sum((x - mean)^2)   becomes   max(0, sum((x - t)^2) - n * (mean - t)^2)
//
// so that it does not wait for the mean, and both sums can be added up as x is computed. t is x at one point, in the
// middle of the first image, computed apart: for a few points among thousands that costs nothing, and it is as near to
// the mean as the values are to each other, whatever the mean is. So nothing cancels but the square of a distance of
// the order of the spread (Chan, Golub and LeVeque, Algorithms for Computing the Sample Variance, 1983: shifted data).
// This changes how results round, so it is part of what a program means: the pass always runs.
#include "product.h"
#include "rewrite.h"

enum { MAX_STEPS = 8 };  // pointwise steps between the product-sum and what is summed

// ---- the form -------------------------------------------------------------------------------------------------------

// x of sum[c | n, i, ..] over all of x[n, i, .., c]; NODE_NONE for anything else.
static NodeId summed_leading(const Node *node) {
  if (node->op != OP_index || node->type != DT_F32 || node->n_in != 1) return NODE_NONE;
  const IndexDef *def = node->index;
  if (def->combine != COMBINE_SUM || def->n_body != 1 || def->n_out != 1 || def->n_red < 2) return NODE_NONE;
  if (def->reads[0].rank != 1 + def->n_red || !index_is(&def->reads[0].at[def->n_red], 0)) return NODE_NONE;
  for (int d = 0; d < def->n_red; d++)
    if (!index_is(&def->reads[0].at[d], 1 + d)) return NODE_NONE;
  return node->in[0];
}

// The operand of a node, passed through `detach`.
static NodeId attached(const Graph *g, NodeId id) {
  const Node *node = graph_node(g, id);
  return node->op == OP_detach ? node->in[0] : id;
}

// The vector that a map repeats along all dimensions but the last; NODE_NONE for anything else.
static NodeId repeated(const Graph *g, NodeId id) {
  const Node *map = graph_node(g, id);
  if (map->op != OP_index || !index_is_movement(map->index) || map->index->reads[0].rank != 1) return NODE_NONE;
  return index_is(&map->index->reads[0].at[0], map->shape.rank - 1) ? attached(g, map->in[0]) : NODE_NONE;
}

typedef struct Spread {
  NodeId x, mean, count;  // mean = sum(x) / count
} Spread;

// Is the node the sum of the squares of x - mean?
static bool is_spread(const Graph *g, const Node *node, Spread *s) {
  NodeId square = summed_leading(node);
  if (square == NODE_NONE || graph_node(g, square)->op != OP_mul) return false;
  const Node *mul = graph_node(g, square), *sub = graph_node(g, mul->in[0]);
  if (mul->in[0] != mul->in[1] || sub->op != OP_sub) return false;
  s->x = sub->in[0];
  s->mean = repeated(g, sub->in[1]);
  if (s->mean == NODE_NONE || graph_node(g, s->mean)->op != OP_div) return false;
  const Node *div = graph_node(g, s->mean);
  s->count = div->in[1];
  return summed_leading(graph_node(g, div->in[0])) == s->x && graph_node(g, s->count)->shape.rank == 0;
}

// ---- x at one point -------------------------------------------------------------------------------------------------

// Index d of the point, for every dimension of x but the last.
static int64_t middle(const Shape *shape, int d) { return d == 0 ? 0 : shape->dim[d].scale / 2; }

// The index node with all its output indices but the last standing at the point: [c].
static NodeId index_at_point(Rewrite *w, const Node *node) {
  const IndexDef *old = node->index;
  int gone = old->n_out - 1;
  IndexDef def = *old;
  Read *reads = arena_array(w->from->arena, (size_t)node->n_in, sizeof *reads);
  NodeId in[IR_MAX_INDICES];
  if (node->n_in > IR_MAX_INDICES) return NODE_NONE;
  for (int k = 0; k < node->n_in; k++) {
    reads[k] = old->reads[k];
    in[k] = w->map[node->in[k]];
    for (int d = 0; d < reads[k].rank; d++) {
      IndexExpr e = old->reads[k].at[d], *to = &reads[k].at[d];
      to->n_terms = 0;
      for (int t = 0; t < e.n_terms; t++) {
        if (e.term[t].index < gone)
          to->offset += e.term[t].coef * middle(&node->shape, e.term[t].index);
        else
          index_add_term(to, e.term[t].index - gone, e.term[t].coef);
      }
    }
  }
  for (int k = 0; k < old->n_body; k++)
    if (old->body[k].kind == SCALAR_INDEX) return NODE_NONE;
  def.reads = reads;
  def.n_out = 1;
  def.order = (Order){0};
  for (int k = 0; k < 1 + old->n_red; k++) {
    def.extent[k] = old->extent[gone + k];
    def.name[k] = old->name[gone + k];
  }
  return build_index(rewrite_builder(w), &def, in, node->n_in);
}

// The value of `id`, of x's shape, at the point: [c]. NODE_NONE where that is more than a product-sum's and a few
// steps. *found: a product-sum was among what it comes from.
static NodeId value_at_point(Rewrite *w, NodeId id, int steps, bool *found) {
  const Node *node = graph_node(w->from, id);
  if (node->shape.rank == 0) return w->map[id];
  if (steps > MAX_STEPS) return NODE_NONE;
  if (node->op == OP_index && (node->index->combine == COMBINE_MAP || index_is_plain_product(node->index))) {
    *found |= node->index->combine != COMBINE_MAP && !(product_analyse(w->from, node).needs & PRODUCT_UNFIT);
    return index_at_point(w, node);
  }
  if (op_info(node->op)->class != OPC_POINTWISE || node->op == OP_detach) return NODE_NONE;
  NodeId args[3];
  for (int k = 0; k < node->n_in; k++) {
    args[k] = value_at_point(w, node->in[k], steps + 1, found);
    if (args[k] == NODE_NONE) return NODE_NONE;
  }
  return build_pointwise(rewrite_builder(w), node->op, node->n_in, args);
}

// ---- the sum --------------------------------------------------------------------------------------------------------

static NodeId binary(Rewrite *w, Op op, NodeId a, NodeId b) { return build_binary(rewrite_builder(w), op, a, b); }

static void sum_around(Rewrite *w, const Node *sum, const Spread *s, NodeId t) {
  Builder *b = rewrite_builder(w);
  NodeId x = w->map[s->x], from = binary(w, OP_sub, x, build_broadcast_to(b, t, &graph_node(w->from, s->x)->shape));
  NodeId square = binary(w, OP_mul, from, from);
  NodeId around = build_index(b, sum->index, &square, 1);
  NodeId off = binary(w, OP_sub, w->map[s->mean], t);
  NodeId excess = binary(w, OP_mul, binary(w, OP_mul, off, off), w->map[s->count]);
  rewrite_replace(w, binary(w, OP_max, build_const(b, DT_F32, 0), binary(w, OP_sub, around, excess)));
}

Graph *pass_variance(PassContext *ctx, const Graph *g) {
  Rewrite w = rewrite_begin(ctx, g);
  for (; rewrite_more(&w); w.at++) {
    Spread s;
    bool found = false;
    const Node *node = rewrite_node(&w);
    NodeId t = is_spread(g, node, &s) ? value_at_point(&w, s.x, 0, &found) : NODE_NONE;
    if (t != NODE_NONE && found)
      sum_around(&w, node, &s, t);
    else
      rewrite_keep(&w);
  }
  return rewrite_end(&w);
}
