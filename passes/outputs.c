// Pass `outputs`: makes every output a node of its own, so that the memory plan can put each where it belongs
// (gradients and states into their blocks) without asking who else it is.
//
// On entry: any graph. On exit: every output's value is computed by a kernel (no source, no view of something), and no
// two outputs share one. Where that did not hold already, the output becomes a copy: a MAP that reads its operand in
// place.
#include "rewrite.h"

static NodeId build_identity(Builder *b, NodeId a) {
  const Shape shape = graph_node(b->graph, a)->shape;
  Scalar body = {.kind = SCALAR_READ};
  Read read = {.rank = shape.rank};
  IndexDef def = {.combine = COMBINE_MAP, .n_out = shape.rank, .reads = &read, .n_body = 1, .body = &body};
  for (int d = 0; d < shape.rank; d++) {
    def.extent[d] = shape.dim[d];
    read.at[d] = index_of(d);
  }
  return build_index(b, &def, &a, 1);
}

static bool is_computed(const Graph *g, NodeId id) {
  OpClass class = op_info(graph_node(g, id)->op)->class;
  return class != OPC_SOURCE && class != OPC_VIEW;
}

Graph *pass_outputs(PassContext *ctx, const Graph *g) {
  Builder b = {.graph = graph_prefix(g, g->n_nodes)};
  bool *taken = arena_array(ctx->arena, g->n_nodes, sizeof *taken);
  for (size_t k = 0; k < g->n_outputs; k++) {
    const Output *output = &g->outputs[k];
    NodeId value = output->value;
    const Node *node = graph_node(g, output->value);
    b.origin = (Origin){"output", node->path, node->span};
    if (taken[output->value] || !is_computed(g, output->value)) value = build_identity(&b, value);
    taken[output->value] = true;
    graph_output(b.graph, output->kind, output->name, value);
  }
  return b.graph;
}
