// Rows: sums over what lies together, and what can be computed of a row beside them, as softmax, layer norm and cross
// entropy do.
#include "plan.h"
#include "product.h"

static bool is_one(Dim dim) { return dim_equal(dim, dim_const(1)); }

// The next index, from k on, that takes more than one value; n_out + n_red where there is none.
static int next_moving(const IndexDef *def, int k) {
  while (k < def->n_out + def->n_red && is_one(def->extent[k])) k++;
  return k;
}

static bool stands_at_zero(const IndexDef *def, const IndexExpr *e) {
  if (e->n_terms == 0) return e->offset == 0;
  return is_one(def->extent[e->term[0].index]) && index_is(e, e->term[0].index);
}

bool kernel_reads_row(const Graph *g, const Node *node, int k, bool *whole) {
  const IndexDef *def = node->index;
  const Read *read = &def->reads[k];
  const Shape *operand = &graph_node(g, node->in[k])->shape;
  int next = next_moving(def, 0);
  for (int d = 0; d < read->rank; d++) {
    if (is_one(operand->dim[d]) && stands_at_zero(def, &read->at[d])) continue;
    if (next == def->n_out + def->n_red || !index_is(&read->at[d], next)) return false;
    if (!dim_equal(operand->dim[d], def->extent[next])) return false;
    next = next_moving(def, next + 1);
  }
  *whole = next == def->n_out + def->n_red;
  return true;
}

static bool is_empty(const IndexDef *def) {
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (def->extent[k].scale == 0) return true;
  return false;
}

bool kernel_sums_rows(const Graph *g, const Node *node) {
  if (!kernel_reduces(node) || is_empty(node->index)) return false;
  const IndexDef *def = node->index;
  bool reduces = next_moving(def, def->n_out) < def->n_out + def->n_red, whole = false;
  if (!reduces || def->order.chunk > 0 || def->order.winograd || product_fits(g, node)) return false;
  for (int k = 0; k < node->n_in; k++)
    if (kernel_reads_row(g, node, k, &whole) && whole) return true;
  return false;
}

bool kernel_same_rows(const Graph *g, const Node *a, const Node *b) {
  const IndexDef *x = a->index, *y = b->index;
  if (x->n_out != y->n_out || x->n_red != y->n_red || reduction_lanes(g, a) != reduction_lanes(g, b)) return false;
  for (int k = 0; k < x->n_out + x->n_red; k++)
    if (!dim_equal(x->extent[k], y->extent[k])) return false;
  return true;
}

bool kernel_has_row_shape(const Node *sum, const Shape *shape, int *index) {
  const IndexDef *def = sum->index;
  int next = next_moving(def, 0);
  for (int d = 0; d < shape->rank; d++) {
    if (index) index[d] = is_one(shape->dim[d]) ? -1 : next;
    if (is_one(shape->dim[d])) continue;
    if (next == def->n_out + def->n_red || !dim_equal(shape->dim[d], def->extent[next])) return false;
    next = next_moving(def, next + 1);
  }
  return next == def->n_out + def->n_red;
}
