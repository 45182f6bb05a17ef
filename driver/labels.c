// Labels are recognised by what is done with them: cross_entropy, hinge, one_hot and formulas like them compare a label
// with the index that runs over the classes.
#include "labels.h"

#include "data.h"

// The range of the index that a body's comparison sets against operand `operand`; 0 where it does not.
static int64_t compared_range(const IndexDef *def, const Scalar *comparison, int operand) {
  for (int side = 0; side < 2; side++) {
    const Scalar *read = &def->body[comparison->arg[side]], *index = &def->body[comparison->arg[1 - side]];
    if (read->kind != SCALAR_READ || read->arg[0] != operand || index->kind != SCALAR_INDEX) continue;
    Dim range = def->extent[index->arg[0]];
    return dim_is_const(range) ? range.scale : 0;
  }
  return 0;
}

static int64_t smaller(int64_t a, int64_t b) { return a && (!b || a < b) ? a : b; }

static int64_t classes_in(const Node *node, int operand) {
  int64_t classes = 0;
  for (int k = 0; k < node->index->n_body; k++) {
    const Scalar *scalar = &node->index->body[k];
    if (scalar->kind == SCALAR_OP && scalar->op == OP_eq)
      classes = smaller(compared_range(node->index, scalar, operand), classes);
  }
  return classes;
}

int64_t labels_classes(const Graph *graph, const char *input) {
  bool *holds =
      arena_array(graph->arena, graph->n_nodes, sizeof *holds);  // the input's values, perhaps in another shape
  int64_t classes = 0;
  for (size_t k = 0; k < graph->n_nodes; k++) {
    const Node *node = &graph->nodes[k];
    if ((NodeId)k == graph_find_source(graph, OP_input, input)) holds[k] = true;
    for (int n = 0; n < node->n_in; n++) {
      if (!holds[node->in[n]]) continue;
      if (op_info(node->op)->class == OPC_VIEW) holds[k] = true;
      if (node->op == OP_index) classes = smaller(classes_in(node, n), classes);
    }
  }
  return classes;
}

bool labels_fit(const void *values, int type, int64_t count, int64_t classes, int64_t *outside) {
  for (int64_t k = 0; k < count; k++) {
    *outside = type == DATA_U8 ? ((const uint8_t *)values)[k] : ((const int32_t *)values)[k];
    if (*outside < 0 || *outside >= classes) return false;
  }
  return true;
}
