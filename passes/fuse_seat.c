// Fusion, first step: which values are stored and which are recomputed by whoever reads them.
//
// On exit every live node has its seat. SEAT_HOME: roots; what a micro-kernel, a movement op, a view or the caller
// reads from memory; the last of a tail (below); and pointwise, MAP and random nodes that several groups would compute
// at more cost than a load, or one group at many more points than they have. All others are SEAT_INLINE.
//
// A tail hangs on a root: each node reads the one before at the point, as its only user, and everything else it needs
// can be had before the root runs: bias, ReLU, the affine form of a batch norm, a residual sum. Storing the last of the
// tail instead of the root costs nothing, and whoever reads it is spared the rest.
//
// Two sweeps. Forward: the tails, and what it would cost to compute a node anew, given that its cheap operands are
// computed anew as well and the others loaded. Backward: who would evaluate it, at how many points.
#include "fuse.h"
#include "product.h"

enum {
  CHEAP_WEIGHT = 8,       // operations that cost no more than storing and loading a value
  TRIVIAL_WEIGHT = 2,     // operations that may be repeated at every read
  SPREAD = 16,            // evaluations of an element by one group from which on it is small, and read all over
  SPREAD_WORK = 1 << 15,  // operations on small tensors that cost no more than starting a kernel for them
  FUNCTION_WEIGHT = 10,   // exp and the like, division
  RANDOM_WEIGHT = 4,
  MAX_REPEATS = 2,    // evaluations of an element by one group
  MAX_DEPTH = 48,     // inlined nodes in a row: bounds the recursion of everybody who walks a kernel
  MAX_INLINED = 128,  // nodes inlined behind one home
  MAX_LEAVES = 6,
  SMALL_SHARE = 4  // a tensor with less than a quarter of the elements is loaded for nothing
};

typedef struct Cost {  // of computing a node anew
  int weight;
  int n_nodes;
  int n_leaves;  // distinct tensors loaded; MAX_LEAVES + 1: too many
  NodeId leaf[MAX_LEAVES];
  int n_big;  // of those, tensors not much smaller than the node's own
  bool cheap;
} Cost;

typedef struct Tail {
  NodeId root;    // whose tail the node belongs to (a root to its own), or NODE_NONE
  NodeId latest;  // the last root that the node depends on, or NODE_NONE
  bool goes_on;   // its user belongs to the tail too
} Tail;

enum { SITE_NONE = -1, SITE_MANY = -2 };
typedef struct Demand {  // by whom a node would be evaluated if it were inlined
  int site;              // the home that would do it
  int n_sites;           // how many would
  int context;           // equal numbers: at the same points
  double evaluations;
  int depth;
} Demand;

typedef struct Seats {
  Fuse *f;
  Tail *tail;      // [n_nodes]
  Cost *cost;      // [n_nodes]
  Demand *demand;  // [n_nodes]
  int *inlined;    // [n_nodes]: nodes inlined behind this home
  int n_contexts;
} Seats;

bool fuse_is_root(const Node *node) { return kernel_reduces(node) || op_info(node->op)->class == OPC_MOVE; }

bool fuse_at_point(const Graph *g, const Node *node, int k) {
  if (!shape_equal(&node->shape, &graph_node(g, node->in[k])->shape)) return false;
  return node->op == OP_index ? read_is_identity(node->index, &node->index->reads[k]) : true;
}

Where fuse_where(const Graph *g, const Node *node, int k) {
  bool whole = false;
  if (op_info(node->op)->class == OPC_MOVE) return ELSEWHERE;
  if (!fuse_is_root(node) && fuse_at_point(g, node, k)) return AT_POINT;
  if (node->op != OP_index) return graph_node(g, node->in[k])->shape.rank == 0 ? AT_ROW : ELSEWHERE;
  if (!kernel_reads_row(g, node, k, &whole)) return ELSEWHERE;
  return whole && fuse_is_root(node) ? AT_POINT : AT_ROW;
}

// ---- what is live, and what must be in memory -----------------------------------------------------------------------

static Seat seat_of_class(const Node *node) {
  if (node->op == OP_const) return SEAT_CONST;
  OpClass class = op_info(node->op)->class;
  if (class == OPC_SOURCE) return SEAT_MEMORY;
  return class == OPC_VIEW ? SEAT_VIEW : SEAT_HOME;
}

static void mark_live(Fuse *f) {
  const Graph *g = f->g;
  for (size_t k = 0; k < g->n_outputs; k++) f->nodes[g->outputs[k].value].uses++;
  for (NodeId id = (NodeId)g->n_nodes - 1; id >= 0; id--) {
    const Node *node = graph_node(g, id);
    if (f->nodes[id].uses == 0) continue;
    f->nodes[id].seat = seat_of_class(node);
    for (int k = 0; k < node->n_in; k++) f->nodes[node->in[k]].uses++;
  }
}

static void describe_nodes(Fuse *f) {
  for (NodeId id = 0; (size_t)id < f->g->n_nodes; id++) {
    const Node *node = graph_node(f->g, id);
    FuseNode *n = &f->nodes[id];
    n->group = n->reader = n->summer = n->rows = -1;
    n->base = op_info(node->op)->class == OPC_VIEW ? f->nodes[node->in[0]].base : id;
    n->elements = shape_points(&node->shape, f->symbol_values);
    n->contract = n->seat == SEAT_HOME && product_fits(f->g, node);
  }
}

static void must_be_stored(Fuse *f, NodeId id, const char *why) {
  FuseNode *base = &f->nodes[f->nodes[id].base];
  if (!base->must) base->must = why;
  if (base->seat == SEAT_CONST) base->seat = SEAT_HOME;  // a number that somebody wants to see as a tensor
}

static const char *operands_must(const Fuse *f, NodeId id) {
  const Node *node = graph_node(f->g, id);
  if (f->nodes[id].contract) return "the micro-kernel reads its operands from memory";
  if (op_info(node->op)->class == OPC_MOVE) return "rows are moved from memory to memory";
  if (op_info(node->op)->class == OPC_VIEW) return "a reshape shows it";
  return f->options->no_fuse ? "fusion is off" : NULL;
}

// Pointwise and index nodes hold numbers in their code.
static bool takes_numbers(const Node *node) {
  OpClass class = op_info(node->op)->class;
  return class == OPC_POINTWISE || class == OPC_INDEX;
}

static void find_musts(Fuse *f) {
  const Graph *g = f->g;
  for (size_t k = 0; k < g->n_outputs; k++) must_be_stored(f, g->outputs[k].value, "it is an output");
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    const char *why = f->nodes[id].seat == SEAT_DEAD ? NULL : operands_must(f, id);
    for (int k = 0; why && k < node->n_in; k++)
      if (graph_node(g, node->in[k])->op != OP_const || !takes_numbers(node)) must_be_stored(f, node->in[k], why);
  }
}

// ---- forward: tails -------------------------------------------------------------------------------------------------

// Operand k of the node belongs to a tail that the node may continue.
static bool continues(const Seats *s, const Node *node, int k) {
  const Fuse *f = s->f;
  NodeId root = s->tail[node->in[k]].root;
  if (root == NODE_NONE || f->nodes[node->in[k]].uses != 1 || f->nodes[node->in[k]].must) return false;
  if (!fuse_at_point(f->g, node, k)) return false;
  for (int j = 0; j < node->n_in; j++)
    if (j != k && s->tail[node->in[j]].latest >= root) return false;
  return true;
}

static void find_tail(Seats *s, NodeId id) {
  const Node *node = graph_node(s->f->g, id);
  Tail *tail = &s->tail[id];
  *tail = (Tail){NODE_NONE, NODE_NONE, false};
  for (int k = 0; k < node->n_in; k++)
    if (s->tail[node->in[k]].latest > tail->latest) tail->latest = s->tail[node->in[k]].latest;
  if (s->f->nodes[id].seat != SEAT_HOME) return;
  if (fuse_is_root(node)) {
    tail->latest = id;
    if (node->op == OP_index) tail->root = id;
    return;
  }
  for (int k = 0; k < node->n_in && tail->root == NODE_NONE; k++) {
    if (!continues(s, node, k)) continue;
    tail->root = s->tail[node->in[k]].root;
    s->tail[node->in[k]].goes_on = true;
  }
}

// ---- forward: the cost of computing anew ----------------------------------------------------------------------------

static int op_weight(Op op) {
  const OpInfo *info = op_info(op);
  if (info->class == OPC_RANDOM) return RANDOM_WEIGHT;
  return info->types == OPT_F_F ? FUNCTION_WEIGHT : 1;
}

static int own_weight(const Node *node) {
  if (node->op != OP_index) return op_weight(node->op);
  int weight = 0;
  for (int k = 0; k < node->index->n_body; k++)
    if (node->index->body[k].kind == SCALAR_OP) weight += op_weight(node->index->body[k].op);
  return weight;
}

static void add_leaf(Cost *cost, NodeId leaf) {
  for (int k = 0; k < cost->n_leaves && k < MAX_LEAVES; k++)
    if (cost->leaf[k] == leaf) return;
  if (cost->n_leaves < MAX_LEAVES) cost->leaf[cost->n_leaves] = leaf;
  if (cost->n_leaves <= MAX_LEAVES) cost->n_leaves++;
}

static bool may_be_inlined(const Fuse *f, NodeId id) {
  const FuseNode *n = &f->nodes[id];
  return n->seat == SEAT_HOME && !n->must && !fuse_is_root(graph_node(f->g, id));
}

static void add_operand(const Seats *s, Cost *cost, NodeId id) {
  const FuseNode *n = &s->f->nodes[id];
  if (n->seat == SEAT_CONST) return;
  const Cost *of = &s->cost[id];
  if (!may_be_inlined(s->f, id) || !of->cheap) {
    add_leaf(cost, n->base);
    return;
  }
  cost->weight += of->weight;
  cost->n_nodes += of->n_nodes;
  for (int k = 0; k < of->n_leaves; k++) add_leaf(cost, of->leaf[k]);
}

static int big_leaves(const Fuse *f, const Cost *cost, double elements) {
  if (cost->n_leaves > MAX_LEAVES) return cost->n_leaves;
  int n = 0;
  for (int k = 0; k < cost->n_leaves; k++) n += f->nodes[cost->leaf[k]].elements * SMALL_SHARE > elements;
  return n;
}

// Could the node be stored by the kernel of the last root that it depends on? Then nothing is read for it.
static bool follows_root(const Seats *s, NodeId id) {
  NodeId root = s->tail[id].latest;
  return root != NODE_NONE && shape_equal(&graph_node(s->f->g, root)->shape, &graph_node(s->f->g, id)->shape);
}

static void find_costs(Seats *s) {
  const Fuse *f = s->f;
  for (NodeId id = 0; (size_t)id < f->g->n_nodes; id++) {
    const Node *node = graph_node(f->g, id);
    if (f->nodes[id].seat != SEAT_HOME || fuse_is_root(node)) continue;
    Cost *cost = &s->cost[id];
    *cost = (Cost){.weight = own_weight(node), .n_nodes = 1};
    for (int k = 0; k < node->n_in; k++) add_operand(s, cost, node->in[k]);
    cost->n_big = big_leaves(f, cost, f->nodes[id].elements);
    bool light = cost->weight <= CHEAP_WEIGHT && cost->n_nodes <= 2 * CHEAP_WEIGHT;
    cost->cheap = light && (cost->n_big <= 1 || (cost->n_big == 2 && !follows_root(s, id)));
  }
}

// ---- backward: who evaluates it
// ---------------------------------------------------------------------------------------

static void add_demand(Demand *d, const Demand *more) {
  bool first = d->site == SITE_NONE;
  if (first || d->site != more->site || d->site == SITE_MANY) d->n_sites += more->n_sites;
  if (more->depth > d->depth) d->depth = more->depth;
  if (first || d->site != more->site) {
    d->site = first ? more->site : SITE_MANY;
    d->context = more->context;
    if (more->evaluations > d->evaluations) d->evaluations = more->evaluations;
  } else if (d->context != more->context) {
    d->context = more->context;
    d->evaluations += more->evaluations;
  }
}

// What node `id`, evaluated as `own` says, asks of its operands.
static void pass_demand(Seats *s, NodeId id, Demand own) {
  const Node *node = graph_node(s->f->g, id);
  for (int k = 0; k < node->n_in; k++) {
    Demand d = own;
    d.depth++;
    if (fuse_is_root(node) || !fuse_at_point(s->f->g, node, k)) d.context = s->n_contexts++;
    add_demand(&s->demand[node->in[k]], &d);
  }
}

// Is the node computed from a value of its own shape that is computed and stored, so that it can be stored beside it?
static bool has_company(const Seats *s, NodeId id) {
  const Cost *cost = &s->cost[id];
  for (int k = 0; k < cost->n_leaves && k < MAX_LEAVES; k++) {
    NodeId leaf = cost->leaf[k];
    bool same = shape_equal(&graph_node(s->f->g, leaf)->shape, &graph_node(s->f->g, id)->shape);
    if (same && s->f->nodes[leaf].seat == SEAT_HOME) return true;
  }
  return false;
}

// May the node be computed at every point where it is read?
static bool may_repeat(const Seats *s, NodeId id) {
  const Demand *d = &s->demand[id];
  int weight = s->cost[id].weight;
  double elements = s->f->nodes[id].elements > 1 ? s->f->nodes[id].elements : 1;
  if (weight == 0 || d->evaluations <= MAX_REPEATS * elements) return true;
  if (weight > TRIVIAL_WEIGHT) return false;
  if (d->evaluations <= SPREAD * elements) return true;
  return d->evaluations * weight <= SPREAD_WORK && !has_company(s, id);
}

static bool should_inline(const Seats *s, NodeId id) {
  const Demand *d = &s->demand[id];
  const Tail *tail = &s->tail[id];
  if (tail->root != NODE_NONE && !tail->goes_on) return false;
  if (!may_repeat(s, id) || d->depth > MAX_DEPTH) return false;
  // Two readers of two tensors each load four; with the value stored, two are loaded, one is stored and loaded twice.
  if (d->site == SITE_MANY) return s->cost[id].cheap && (s->cost[id].n_big <= 1 || d->n_sites <= 2);
  return s->inlined[d->site] < MAX_INLINED;
}

// A padded copy asks for its operand's points only.
static double points_of(const Fuse *f, NodeId id) {
  const Node *node = graph_node(f->g, id);
  if (node->n_in == 1 && kernel_moved_output(f->g, id, node->in[0], NULL, NULL)) return f->nodes[node->in[0]].elements;
  return node->op == OP_index ? index_points(node->index, f->symbol_values) : f->nodes[id].elements;
}

static void decide(Seats *s, NodeId id) {
  FuseNode *n = &s->f->nodes[id];
  Demand own = s->demand[id];
  if (may_be_inlined(s->f, id) && should_inline(s, id)) {
    n->seat = SEAT_INLINE;
    if (own.site >= 0) s->inlined[own.site]++;
  } else {
    own = (Demand){.site = id, .n_sites = 1, .context = s->n_contexts++, .evaluations = points_of(s->f, id)};
  }
  pass_demand(s, id, own);
}

void fuse_seats(Fuse *f) {
  size_t n = f->g->n_nodes;
  Seats s = {.f = f};
  s.tail = arena_array(f->arena, n, sizeof *s.tail);
  s.cost = arena_array(f->arena, n, sizeof *s.cost);
  s.demand = arena_array(f->arena, n, sizeof *s.demand);
  s.inlined = arena_array(f->arena, n, sizeof *s.inlined);
  for (size_t k = 0; k < n; k++) s.demand[k].site = SITE_NONE;
  mark_live(f);
  describe_nodes(f);
  find_musts(f);
  for (NodeId id = 0; (size_t)id < n; id++) find_tail(&s, id);
  find_costs(&s);
  for (NodeId id = (NodeId)n - 1; id >= 0; id--)
    if (f->nodes[id].seat == SEAT_HOME) decide(&s, id);
}
