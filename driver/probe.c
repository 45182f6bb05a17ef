// Probes: zeros added behind the nodes whose gradients are wanted.
#include "probe.h"

#include <string.h>

#define PREFIX "probe of "  // no input of a program has such a name

bool probe_is_name(const char *name) { return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0; }

static bool *needed_nodes(const Graph *g, const bool *keep) {
  bool *needed = arena_array(g->arena, g->n_nodes, sizeof *needed);
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_LOSS) needed[g->outputs[k].value] = true;
  for (size_t k = g->n_nodes; k-- > 0;) {
    if (keep && keep[k]) needed[k] = true;
    for (int i = 0; needed[k] && i < g->nodes[k].n_in; i++) needed[g->nodes[k].in[i]] = true;
  }
  return needed;
}

static NodeId add_probe(Builder *b, const Node *node, size_t id, NodeId value, const char **name) {
  *name = arena_printf(b->graph->arena, PREFIX "%zu", id);
  b->origin = (Origin){.tag = "probe", .path = node->path, .span = node->span};
  return build_binary(b, OP_add, value, build_input(b, *name, DT_F32, &node->shape));
}

Probes probe_graph(const Graph *g, const bool *wanted, const bool *keep) {
  Builder b = {.graph = graph_like(g)};
  Probes probes = {.graph = b.graph,
                   .map = arena_array(g->arena, g->n_nodes, sizeof(NodeId)),
                   .names = arena_array(g->arena, g->n_nodes, sizeof(char *))};
  const bool *needed = needed_nodes(g, keep);
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    probes.map[k] = NODE_NONE;
    if (!needed[k] && node->op != OP_input) continue;
    probes.map[k] = build_copy(&b, g, (NodeId)k, probes.map);
    if (wanted[k] && node->type == DT_F32) probes.map[k] = add_probe(&b, node, k, probes.map[k], &probes.names[k]);
  }
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_LOSS)
      graph_output(b.graph, OUT_LOSS, g->outputs[k].name, probes.map[g->outputs[k].value]);
  return probes;
}
