// Padded and transposed copies that the kernel of what they copy can store.
#include "plan.h"

// One index with factor 1, undivided.
static bool is_shifted_index(const IndexExpr *e) {
  return e->n_terms == 1 && e->term[0].coef == 1 && e->kind == DIV_NONE;
}

// Does every point of a dimension of extent `from`, moved by -offset, fall inside one of extent `to`?
static bool lands_inside(Dim from, Dim to, int64_t offset) {
  if (offset == 0 && dim_equal(from, to)) return true;
  return dim_is_const(from) && dim_is_const(to) && offset <= 0 && from.scale - offset <= to.scale;
}

bool kernel_moved_output(const Graph *g, NodeId output, NodeId source, int *axis, int64_t *offset) {
  const Node *node = graph_node(g, output);
  if (node->op != OP_index || !index_is_movement(node->index) || node->in[0] != source) return false;
  const Read *read = &node->index->reads[0];
  const Shape *from = &graph_node(g, source)->shape;
  if (read->rank != node->shape.rank) return false;
  if (read_is_identity(node->index, read) && shape_equal(from, &node->shape)) return false;  // a copy, at the point
  bool used[IR_MAX_RANK] = {false};
  for (int d = 0; d < read->rank; d++) {
    const IndexExpr *e = &read->at[d];
    int to = is_shifted_index(e) ? e->term[0].index : -1;
    if (to < 0 || used[to] || !lands_inside(from->dim[d], node->shape.dim[to], e->offset)) return false;
    if (d == read->rank - 1 && to != d) return false;
    used[to] = true;
    if (axis) axis[d] = to;
    if (offset) offset[d] = e->offset;
  }
  return true;
}
