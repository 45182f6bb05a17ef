// Pass `dce`: dead code elimination. On exit every node is needed by an output, but for inputs, params and states: they
// are what the graph's callers know it by, and a param that nothing needs is a mistake that autodiff reports.
#include "rewrite.h"

static bool is_interface(const Node *node) { return op_info(node->op)->class == OPC_SOURCE && node->op != OP_const; }

Graph *pass_dce(PassContext *ctx, const Graph *g) {
  bool *needed = arena_array(g->arena, g->n_nodes, sizeof *needed);
  for (size_t k = 0; k < g->n_outputs; k++) needed[g->outputs[k].value] = true;
  for (size_t k = g->n_nodes; k-- > 0;) {
    needed[k] |= is_interface(&g->nodes[k]);
    for (int a = 0; needed[k] && a < g->nodes[k].n_in; a++) needed[g->nodes[k].in[a]] = true;
  }
  Rewrite w = rewrite_begin(ctx, g);
  for (; rewrite_more(&w); w.at++) {
    if (needed[w.at])
      rewrite_keep(&w);
    else
      rewrite_drop(&w);
  }
  return rewrite_end(&w);
}
