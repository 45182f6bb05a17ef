// See rewrite.h.
#include "rewrite.h"

#include <string.h>

Graph *graph_prefix(const Graph *g, size_t count) {
  Graph *prefix = graph_like(g);
  prefix->nodes_capacity = g->n_nodes + g->n_nodes / 4 + 1;
  prefix->nodes = arena_array(g->arena, prefix->nodes_capacity, sizeof *prefix->nodes);
  if (count) memcpy(prefix->nodes, g->nodes, count * sizeof *prefix->nodes);
  prefix->n_nodes = count;
  return prefix;
}

Graph *graph_twin(const Graph *g) {
  Graph *twin = graph_prefix(g, g->n_nodes);
  for (size_t k = 0; k < g->n_outputs; k++)
    graph_output(twin, g->outputs[k].kind, g->outputs[k].name, g->outputs[k].value);
  return twin;
}

IndexDef *graph_own_index(Graph *g, NodeId id) {
  Node *node = graph_node(g, id);
  IndexDef *own = arena_alloc(g->arena, sizeof *own);
  *own = *node->index;
  return node->index = own;
}

Rewrite rewrite_begin(PassContext *ctx, const Graph *g) {
  Rewrite w = {.ctx = ctx, .from = g};
  w.map = arena_array(g->arena, g->n_nodes, sizeof *w.map);
  w.scratch = arena_beside(g->arena);
  return w;
}

static void open_copy(Rewrite *w) {
  if (w->to) return;
  w->to = graph_prefix(w->from, (size_t)w->at);
  w->builder.graph = w->to;
}

Builder *rewrite_builder(Rewrite *w) {
  open_copy(w);
  w->builder.origin = node_origin(rewrite_node(w));
  return &w->builder;
}

// Do two operands become the same read of the same tensor? Then the definition is no longer in its canonical form.
static bool operands_meet(const Node *node, const NodeId *in) {
  for (int j = 0; node->op == OP_index && j < node->n_in; j++)
    for (int k = j + 1; k < node->n_in; k++)
      if (in[j] == in[k] && read_equal(&node->index->reads[j], &node->index->reads[k])) return true;
  return false;
}

static NodeId append_shared(Graph *g, const Node *node, NodeId *in) {
  g->nodes = arena_grow(g->arena, g->nodes, g->n_nodes, &g->nodes_capacity, sizeof *g->nodes);
  g->nodes[g->n_nodes] = *node;
  g->nodes[g->n_nodes].in = in;
  return (NodeId)g->n_nodes++;
}

// Operands of a plain product that have become one read would make it a square, which is summed by other roundings: one
// of them is computed again. They are not both sources, which are never equal.
static NodeId separate_product(Rewrite *w, const Node *node) {
  bool source = op_info(graph_node(w->from, node->in[1])->op)->class == OPC_SOURCE;
  NodeId again = node->in[source ? 0 : 1], kept = w->map[again];
  w->map[again] = build_copy(rewrite_builder(w), w->from, again, w->map);
  NodeId product = build_copy(rewrite_builder(w), w->from, w->at, w->map);
  w->map[again] = kept;
  return product;
}

void rewrite_keep(Rewrite *w) {
  w->map[w->at] = w->at;
  if (!w->to) return;
  const Node *node = rewrite_node(w);
  NodeId *in = arena_array(w->to->arena, (size_t)node->n_in, sizeof *in);
  for (int k = 0; k < node->n_in; k++) in[k] = w->map[node->in[k]];
  if (!operands_meet(node, in))
    w->map[w->at] = append_shared(w->to, node, in);
  else if (index_is_plain_product(node->index))
    w->map[w->at] = separate_product(w, node);
  else
    w->map[w->at] = build_copy(rewrite_builder(w), w->from, w->at, w->map);
}

void rewrite_replace(Rewrite *w, NodeId with) {
  open_copy(w);
  w->map[w->at] = with;
}

void rewrite_drop(Rewrite *w) {
  open_copy(w);
  w->map[w->at] = NODE_NONE;
}

Graph *rewrite_end(Rewrite *w) {
  arena_free(w->scratch);
  if (!w->to) return (Graph *)w->from;  // unchanged: whoever gets it only reads it, as we did
  for (size_t k = 0; k < w->from->n_outputs; k++) {
    const Output *output = &w->from->outputs[k];
    graph_output(w->to, output->kind, output->name, w->map[output->value]);
  }
  return w->to;
}
