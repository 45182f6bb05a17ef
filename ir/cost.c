// What a node costs.
#include "checked.h"
#include "inside.h"

static bool is_arithmetic(Op op) {
  OpTypes types = op_info(op)->types;
  return op != OP_detach && types != OPT_TO_F && types != OPT_TO_I && types != OPT_OWN;
}

static bool divided_before(const IndexDef *def, int n_in, int operand, int d) {
  for (int k = 0; k <= operand && k < n_in; k++)
    for (int c = 0; c < def->reads[k].rank && (k < operand || c < d); c++)
      if (index_equal(&def->reads[k].at[c], &def->reads[operand].at[d])) return true;
  return false;
}

// One point in how many gets through the DIV_EXACT reads; expressions that are the same let the same points through.
static int64_t thinning(const Node *node) {
  int64_t factor = 1;
  for (int k = 0; k < node->n_in; k++)
    for (int d = 0; d < node->index->reads[k].rank; d++) {
      const IndexExpr *e = &node->index->reads[k].at[d];
      if (e->kind != DIV_EXACT || divided_before(node->index, node->n_in, k, d)) continue;
      if (!checked_mul(factor, e->divisor, &factor)) return INT64_MAX;
    }
  return factor;
}

static int64_t index_flops(const Node *node, const int64_t *symbol_values) {
  const IndexDef *def = node->index;
  int64_t flops = def->combine != COMBINE_MAP;
  for (int k = 0; k < def->n_body; k++) flops += def->body[k].kind == SCALAR_OP && is_arithmetic(def->body[k].op);
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (!checked_mul(flops, dim_value(def->extent[k], symbol_values), &flops)) return INT64_MAX;
  return def->combine == COMBINE_SUM ? flops / thinning(node) : flops;
}

int64_t node_flops(const Graph *g, NodeId id, const int64_t *symbol_values) {
  const Node *node = graph_node(g, id);
  if (node->op == OP_index) return index_flops(node, symbol_values);
  if (node->op == OP_scatter_add) return shape_count(&graph_node(g, node->in[1])->shape, symbol_values);
  return is_arithmetic(node->op) ? shape_count(&node->shape, symbol_values) : 0;
}
