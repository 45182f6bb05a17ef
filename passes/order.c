// Pass `order`: gives every f32 sum the order in which it adds up. The order is part of what the sum means under strict
// numerics, so it follows from the node and its operands' shapes alone: never from the target, the number of threads,
// the batch that a run happens to have, or fusion.
//
// On entry: passes `halo` and `layout` have run. On exit: every f32 SUM carries the order that these rules give. Let F
// be the extent of the first reduced index, R the product of the other reduced extents, E the number of the result's
// elements; a symbol counts as 32 in R.
//
//   chunk  0, unless E is constant and at most 2^18 and the first reduced index is in no division. Then c = the least
//          power of two with c * R >= 512, and at least 8 where the node fits the micro-kernel (product.h); chunk = c
//          where F is a symbol's or at least 2c, else 0.
//          Few results and a long sum: weight and bias gradients, batch statistics, losses. The chunks can be summed by
//          different threads. A chunk of 8 images stays in the cache while all results of a weight gradient are added
//          to; what is summed over the points of a kernel on its way (fuse.h) is cut into an image or a few.
//   lanes  1 where the node fits the micro-kernel (product.h): its vector runs along the result's last index.
//          Else row_lanes (product.h): 16 for row sums and full sums, 1 for others.
//
// What is then computed stands with Order in ir.h.
#include "passes.h"
#include "product.h"
#include "rewrite.h"

enum {
  ORDER_MAX_RESULTS = 1 << 18,  // elements of chunked results
  ORDER_MIN_CHUNK = 8,          // values of the first reduced index, of a product-sum
  ORDER_MIN_POINTS = 512        // points of a chunk
};

static bool is_divided(const Node *node, int index) {
  for (int k = 0; k < node->n_in; k++)
    for (int d = 0; d < node->index->reads[k].rank; d++) {
      const IndexExpr *e = &node->index->reads[k].at[d];
      if (e->kind != DIV_NONE && index_coef(e, index)) return true;
    }
  return false;
}

static double other_points(const IndexDef *def) {
  double points = 1;
  for (int k = def->n_out + 1; k < def->n_out + def->n_red; k++) {
    Dim d = def->extent[k];
    points *= (double)d.scale * (dim_is_const(d) ? 1 : NOMINAL_SYMBOL);
  }
  return points;
}

static int64_t chunk_of(const Graph *g, const Node *node) {
  const IndexDef *def = node->index;
  Dim elements, first = def->extent[def->n_out];
  if (!shape_elements(&node->shape, &elements) || !dim_is_const(elements)) return 0;
  if (elements.scale > ORDER_MAX_RESULTS || is_divided(node, def->n_out)) return 0;
  int64_t chunk = product_fits(g, node) ? ORDER_MIN_CHUNK : 1;
  double others = other_points(def);
  while ((double)chunk * others < ORDER_MIN_POINTS && chunk < ORDER_MIN_POINTS) chunk *= 2;
  return !dim_is_const(first) || first.scale >= 2 * chunk ? chunk : 0;
}

Graph *pass_order(PassContext *ctx, const Graph *g) {
  (void)ctx;
  Graph *to = graph_twin(g);
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    if (node->op != OP_index || node->index->combine != COMBINE_SUM || node->type != DT_F32) continue;
    graph_own_index(to, id)->order =
        (Order){.chunk = chunk_of(g, node), .lanes = product_fits(g, node) ? 1 : row_lanes(g, node)};
  }
  return to;
}
