// Makes a graph smaller as long as something still holds of it: what is wrong with a graph of thirty nodes is seen in
// one of three.
#pragma once
#include "ir.h"

typedef bool (*ReduceTest)(void *state, const Graph *g);

// The smallest graph found, in g's arena: outputs are left out, nodes become inputs or one of their operands, bodies
// and reads are simplified, sizes shrink. `holds` is asked of graphs that verify only, and must hold of g. Tests go on
// until nothing more can be taken away; each keeps the names of sources that stay.
const Graph *reduce_graph(const Graph *g, ReduceTest holds, void *state);
// Nodes that compute something: all but sources.
int reduce_size(const Graph *g);
