// What of an inference step is computed once: everything that follows from parameters and states alone, and not from
// the number of rows either: the last batch of a split may be smaller.
//
// On entry: kernels in order. On exit: kernels say whether they, or only their scratch, are computed once. A graph that
// gives gradients or new states is a training step, whose parameters change after it: nothing is.
#include "plan_inside.h"
#include "winograd.h"

static bool is_inference(const Graph *g) {
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_GRAD || g->outputs[k].kind == OUT_STATE) return false;
  return true;
}

static bool holds_chance(const Graph *g, const Kernel *kernel) {
  for (int k = 0; k < kernel->n_nodes; k++)
    if (op_info(graph_node(g, kernel->nodes[k])->op)->class == OPC_RANDOM) return true;
  return false;
}

static bool is_open(const Node *node) {
  for (int d = 0; d < node->shape.rank; d++)
    if (!dim_is_const(node->shape.dim[d])) return true;
  for (int i = 0; node->op == OP_index && i < node->index->n_out + node->index->n_red; i++)
    if (!dim_is_const(node->index->extent[i])) return true;
  return false;
}

// Does it depend on the batch, as the count of rows by which a mean divides?
static bool holds_open_size(const Graph *g, const Kernel *kernel) {
  for (int k = 0; k < kernel->n_nodes; k++)
    if (is_open(graph_node(g, kernel->nodes[k]))) return true;
  return false;
}

// `fixed`: of every node in memory, whether it stays as it is.
static bool reads_fixed(const Graph *g, const Kernel *kernel, const bool *fixed) {
  for (int k = 0; k < kernel->n_inputs; k++)
    if (!fixed[plan_base(g, kernel->inputs[k])]) return false;
  return true;
}

// The transformed weights of a convolution.
static bool has_fixed_scratch(const Graph *g, const Kernel *kernel, const bool *fixed) {
  Winograd w;
  if (kernel->root == NODE_NONE) return false;
  const Node *root = graph_node(g, kernel->root);
  if (root->op != OP_index || !root->index->order.winograd || !winograd_analyse(g, root, &w)) return false;
  return !w.gradient && fixed[plan_base(g, root->in[w.other])];
}

void plan_find_once(Arena *arena, Plan *plan) {
  const Graph *g = plan->graph;
  if (!is_inference(g)) return;
  bool *fixed = arena_array(arena, g->n_nodes, sizeof *fixed);
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++)
    fixed[id] = graph_node(g, id)->op == OP_param || graph_node(g, id)->op == OP_state;
  for (int k = 0; k < plan->n_kernels; k++) {
    Kernel *kernel = &plan->kernels[k];
    kernel->once = reads_fixed(g, kernel, fixed) && !holds_chance(g, kernel) && !holds_open_size(g, kernel);
    kernel->scratch_once = !kernel->once && has_fixed_scratch(g, kernel, fixed);
    for (int o = 0; o < kernel->n_outputs; o++) fixed[kernel->outputs[o]] = kernel->once;
  }
}
