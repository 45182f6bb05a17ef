// Gradients by values in the middle of a graph. Each probed node is followed by "+ an input of zeros": the derivative
// by that input is the derivative by the node, and one run of autodiff gives them all.
#pragma once
#include "ir.h"

typedef struct Probes {
  Graph *graph;
  NodeId *map;         // [g->n_nodes]: where a node of g, its zeros added, is in the graph; NODE_NONE: left out
  const char **names;  // [g->n_nodes]: the input whose derivative is the node's, or NULL
} Probes;

// A copy of what the graph's loss needs, and of all that `keep` marks (NULL: nothing more), with a probe behind each
// f32 node that `wanted` marks. Inputs stay, all of them. Only the loss stays an output.
Probes probe_graph(const Graph *g, const bool *wanted, const bool *keep);
// Is it the name of a probe's input?
bool probe_is_name(const char *name);
