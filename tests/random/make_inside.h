// What the parts of the graph generator share.
#pragma once
#include "make_graph.h"

enum { MAKE_ELEMENTS = 1500, MAKE_POINTS = 60000 };  // of one tensor, of one index space

typedef struct Maker {
  Builder b;
  Choice *chance;
  MakeOptions options;
  int64_t size[4];  // the sizes that this graph is made of
  int sources;      // named so far
} Maker;

bool make_fits(const Shape *shape);    // few enough elements, with every symbol 9
Dim make_dim(Maker *m);                // one of the graph's sizes; sometimes the batch
int64_t make_size(Maker *m);           // one of the graph's sizes
Shape make_shape(Maker *m, int rank);  // that fits
NodeId make_source(Maker *m, DType type, const Shape *shape);
// A node of that type: one that is there, or a new source. `rank` -1: any.
NodeId make_operand(Maker *m, DType type, int rank);
// A node of that type and shape: one that is there (also of rank 0, where `scalar`), broadcast, or a new source.
NodeId make_like(Maker *m, DType type, const Shape *shape, bool scalar);
NodeId make_number(Maker *m, DType type);  // a constant
NodeId make_moderate(Maker *m, NodeId x);  // tame graphs: an f32 value with no large numbers in it
static inline const Node *make_node(const Maker *m, NodeId id) { return graph_node(m->b.graph, id); }

NodeId make_pointwise(Maker *m, Op op);  // one more node with this op
NodeId make_index(Maker *m);             // one more index node, of any kind
NodeId make_free_index(Maker *m);        // one with reads and a body of no particular kind
