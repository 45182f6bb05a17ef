// Functional rewriting: what every pass that turns one graph into another shares. A pass walks the nodes in order and
// says of each what it becomes; `map` then holds the new id of every node before the current one.
//
// Nothing is copied until something differs: a pass that changes nothing returns the graph that it was given, and the
// nodes before the first change are shared. Index definitions are shared wherever they stay as they are, so nobody may
// change one in place.
#pragma once
#include "passes.h"

typedef struct Rewrite {
  PassContext *ctx;
  const Graph *from;
  Graph *to;        // NULL as long as nothing differs: ids are then those of `from`
  NodeId *map;      // [from->n_nodes], NODE_NONE for what was dropped
  NodeId at;        // the node that is being rewritten
  Builder builder;  // into `to`; see rewrite_builder
  Arena *scratch;   // for what one edit of a body leaves behind nothing of
} Rewrite;

// For (Rewrite w = rewrite_begin(ctx, g); rewrite_more(&w); w.at++) { exactly one of keep, replace and drop }
Rewrite rewrite_begin(PassContext *ctx, const Graph *g);
static inline bool rewrite_more(const Rewrite *w) { return (size_t)w->at < w->from->n_nodes; }
// The node that is being rewritten, as it was.
static inline const Node *rewrite_node(const Rewrite *w) { return graph_node(w->from, w->at); }
// The graph that new ids belong to. Node pointers into it are valid until the next node is built.
static inline const Graph *rewrite_graph(const Rewrite *w) { return w->to ? w->to : w->from; }
// What operand k of the current node has become.
static inline NodeId rewrite_operand(const Rewrite *w, int k) { return w->map[rewrite_node(w)->in[k]]; }

void rewrite_keep(Rewrite *w);                  // the node stays, with its operands renamed
void rewrite_replace(Rewrite *w, NodeId with);  // its users get `with`, an id of rewrite_graph
void rewrite_drop(Rewrite *w);                  // nobody uses it
// Where new nodes are built; they get the origin of the current node.
Builder *rewrite_builder(Rewrite *w);
// The result, with the outputs renamed; `from` itself where nothing differs.
Graph *rewrite_end(Rewrite *w);

// A graph with the first `count` nodes of g, shared, and no outputs.
Graph *graph_prefix(const Graph *g, size_t count);
// A graph with the nodes and the outputs of g, for a pass that leaves both where they are.
Graph *graph_twin(const Graph *g);
// The definition of an index node of a graph that shares its nodes, which may then be changed: a copy of its own.
IndexDef *graph_own_index(Graph *g, NodeId id);
// The origin that nodes made for this one get.
static inline Origin node_origin(const Node *node) { return (Origin){node->tag, node->path, node->span}; }
