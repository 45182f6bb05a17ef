// Other ways to write a graph that must give the same bits of every output.
#pragma once
#include "check_graph.h"

// The graph with some of its nodes rewritten: operands of what commutes swapped, movements there and back, pointwise
// ops as index nodes, values taken apart and put together again.
const Graph *twin_of(Check *check, const Graph *g);
// Do two graphs give the same bits of every output but gradients?
Fault check_same(Check *check, const Graph *g, const Graph *twin);
Fault check_twins(Check *check, const Graph *g);
