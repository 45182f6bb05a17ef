// Pass `narrow`: product-sums whose result has too few elements along its last index for a vector are taken with
// another index last: one channel of an image by its columns, the weights of one filter by the channels that it reads.
//
// On entry: before pass `halo`. On exit: a product-sum that only the width of its result kept from the micro-kernel
// (product.h), and that another of its output indices lets in, is computed with that index last and shown in its own
// order: by a reshape, or by a transposed copy of the result. An operand that is not contiguous along it is read from a
// transposed copy, where there is work enough for each of its elements; pass `halo` then pads that. The order of the
// sum is the micro-kernel's.
#include "passes.h"
#include "product.h"
#include "rewrite.h"

enum {
  LEAST_WIDTH = 8  // of the index that takes the vector
};

typedef struct Turned {  // the node with another output index last
  IndexDef def;
  Read reads[2];
  Node node;
  Product product;
} Turned;

// The definition with output index k last.
static void move_index_last(IndexDef *def, Read *reads, int k) {
  int place[IR_MAX_INDICES];
  const IndexDef old = *def;
  for (int j = 0; j < old.n_out + old.n_red; j++) place[j] = j > k && j < old.n_out ? j - 1 : j;
  place[k] = old.n_out - 1;
  for (int j = 0; j < old.n_out + old.n_red; j++) {
    def->extent[place[j]] = old.extent[j];
    def->name[place[j]] = old.name[j];
  }
  def->reads = reads;
  for (int r = 0; r < 2; r++) {
    reads[r] = old.reads[r];
    read_renumber(&reads[r], place);
  }
}

static Shape shape_of_indices(const IndexDef *def) {
  Shape shape = {.rank = def->n_out};
  for (int k = 0; k < def->n_out; k++) shape.dim[k] = def->extent[k];
  return shape;
}

static void turn_index(const Graph *g, const Node *node, int k, Turned *t) {
  t->def = *node->index;
  move_index_last(&t->def, t->reads, k);
  t->node = *node;
  t->node.index = &t->def;
  t->node.shape = shape_of_indices(&t->def);
  t->product = product_analyse(g, &t->node);
}

// The operand's elements with the frame of zeros that this read needs.
static double padded_points(const IndexDef *def, const Read *read, const Shape *shape) {
  double points = shape_points(shape, NULL);
  for (int d = 0; d < read->rank; d++) {
    int64_t before, after;
    double dim = (double)shape->dim[d].scale;
    if (read_overhang(def, read, d, shape->dim[d], &before, &after)) points *= (dim + (double)(before + after)) / dim;
  }
  return points;
}

// Would the micro-kernel take the node with index k last, as it is or with what can be prepared?
static bool fits_with_last(const Graph *g, const Node *node, int k, Turned *t) {
  Dim extent = node->index->extent[k];
  if (!dim_is_const(extent) || extent.scale < LEAST_WIDTH) return false;
  turn_index(g, node, k, t);
  if (t->product.needs & PRODUCT_UNFIT) return false;
  if (!(t->product.needs & PRODUCT_NEEDS_PACK)) return true;
  double padded = padded_points(&t->def, &t->reads[t->product.b], &graph_node(g, node->in[t->product.b])->shape);
  return index_points(node->index, NULL) >= PRODUCT_MIN_REUSE * padded;
}

// The output index to take last, the latest of those that fit; -1: none, or none is needed.
static int better_last(const Graph *g, const Node *node, Turned *t) {
  if (node->op != OP_index || !index_is_plain_product(node->index)) return -1;
  int last = node->index->n_out - 1;
  if (last < 1 || !dim_is_const(node->index->extent[last])) return -1;
  if (node->index->extent[last].scale >= PRODUCT_MIN_WIDTH) return -1;
  for (int k = last - 1; k >= 0; k--)
    if (fits_with_last(g, node, k, t)) return k;
  return -1;
}

// A copy of old node `id` with `dim` last; the read is that of the copy.
static NodeId copy_with_last(Rewrite *w, NodeId id, int dim, Read *read) {
  int permutation[IR_MAX_RANK];
  const Read old = *read;
  for (int d = 0; d < old.rank; d++) {
    permutation[d] = d < dim ? d : d == old.rank - 1 ? dim : d + 1;
    read->at[d] = old.at[permutation[d]];
  }
  return build_transpose(rewrite_builder(w), w->map[id], permutation);
}

static void turn(Rewrite *w, int k, Turned *t) {
  const Node *node = rewrite_node(w);
  int last = node->index->n_out - 1, permutation[IR_MAX_RANK], b = t->product.b;
  Builder *builder = rewrite_builder(w);
  NodeId in[2] = {rewrite_operand(w, 0), rewrite_operand(w, 1)};
  if (t->product.needs & PRODUCT_NEEDS_PACK) in[b] = copy_with_last(w, node->in[b], t->product.b_dim, &t->reads[b]);
  NodeId sum = build_index(builder, &t->def, in, 2);
  bool moves = false;  // anything but indices of one value
  for (int d = 0; d <= last; d++) {
    permutation[d] = d < k ? d : d == k ? last : d - 1;
    moves |= d > k && !dim_equal(node->index->extent[d], dim_const(1));
  }
  rewrite_replace(w, moves ? build_transpose(builder, sum, permutation) : build_reshape(builder, sum, &node->shape));
}

Graph *pass_narrow(PassContext *ctx, const Graph *g) {
  Rewrite w = rewrite_begin(ctx, g);
  for (; rewrite_more(&w); w.at++) {
    Turned t;
    int k = better_last(g, rewrite_node(&w), &t);
    if (k >= 0)
      turn(&w, k, &t);
    else
      rewrite_keep(&w);
  }
  return rewrite_end(&w);
}
