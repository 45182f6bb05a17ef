// A graph whose backward part computes anew what it can: less memory for a little more work, the same bits.
//
// On entry: a graph that has been through the passes. On exit: an elementwise value or a copy that comes before the
// loss and is read after it too (a normalised and padded activation) is computed again for those late readers, from
// what a reduction has stored or the caller gives. So it need not be kept from the forward part to the backward part: a
// convolution's own sums are, and everything between them and the next one is not. (Chen, Xu, Zhang and Guestrin,
// Training Deep Nets with Sublinear Memory Cost, 2016, drop more: whole layers.)
#include "fuse.h"
#include "plan_inside.h"

enum { MAX_STEPS = 32 };  // values computed anew in a row

typedef struct Recompute {
  const Graph *from;
  Builder b;
  NodeId *map;   // [n_nodes] in the new graph
  NodeId *anew;  // [n_nodes] the copy for late readers, or NODE_NONE
  NodeId loss;
} Recompute;

static bool is_elementwise(const Node *node) {
  OpClass class = op_info(node->op)->class;
  return class == OPC_POINTWISE || class == OPC_RANDOM || (class == OPC_INDEX && !fuse_is_root(node)) ||
         class == OPC_VIEW;
}

static NodeId late(Recompute *r, NodeId id, int steps);

// Node `id` in the new graph, its operands as late readers see them, or as they are.
static NodeId copy_node(Recompute *r, NodeId id, bool is_late, int steps) {
  const Node *node = graph_node(r->from, id);
  NodeId *held = arena_array(r->from->arena, (size_t)node->n_in, sizeof *held);
  NodeId *wanted = arena_array(r->from->arena, (size_t)node->n_in, sizeof *wanted);
  for (int k = 0; k < node->n_in; k++) {
    held[k] = r->map[node->in[k]];
    wanted[k] = is_late ? late(r, node->in[k], steps) : held[k];
  }
  for (int k = 0; k < node->n_in; k++) r->map[node->in[k]] = wanted[k];
  NodeId copy = build_copy(&r->b, r->from, id, r->map);
  for (int k = 0; k < node->n_in; k++) r->map[node->in[k]] = held[k];
  return copy;
}

static NodeId late(Recompute *r, NodeId id, int steps) {
  const Node *node = graph_node(r->from, id);
  if (id > r->loss || !is_elementwise(node) || node->shape.rank == 0 || steps > MAX_STEPS) return r->map[id];
  if (r->anew[id] == NODE_NONE) r->anew[id] = copy_node(r, id, true, steps + 1);
  return r->anew[id];
}

const Graph *plan_recompute(Arena *arena, const Graph *g) {
  const Output *loss = graph_find_output(g, OUT_LOSS, NULL);
  if (!loss) return g;
  Recompute r = {.from = g, .b = {.graph = graph_like(g)}, .loss = loss->value};
  r.map = arena_array(arena, g->n_nodes, sizeof *r.map);
  r.anew = arena_array(arena, g->n_nodes, sizeof *r.anew);
  for (size_t k = 0; k < g->n_nodes; k++) r.anew[k] = NODE_NONE;
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) r.map[id] = copy_node(&r, id, id > r.loss, 0);
  for (size_t k = 0; k < g->n_outputs; k++)
    graph_output(r.b.graph, g->outputs[k].kind, g->outputs[k].name, r.map[g->outputs[k].value]);
  return r.b.graph;
}
