// Fusion, second step: which stored values share a kernel.
//
// On entry every node has its seat (fuse_seat.c). On exit every SEAT_HOME node is in one group, and the groups' keys
// grow along every dependency. Nodes are taken in order; a root joins a group that sums the same rows (plan.h, Rows)
// and gives it what it needs at the row, or reads a tensor that it reads, or opens a group; every other node tries, in
// this order,
//   to follow a group: all that it reads of it, it reads at the point, or at the row of a group of rows, and all else
//   it needs can run before the group; for a padded or transposed copy: to be stored by the group that computes what it
//   copies; to run beside: in a group without root over the same shape that reads one of its inputs at the same point;
// and opens a group where none takes it. A sum over the points of such a group, a group of its own, looks for one that
// adds up its chunks on its way (plan.h): the group that computes what it sums, or one that reads it anyway.
//
// That all else can run before is known by keys alone: a group whose key is smaller cannot depend on this one. A group
// with a greater key that depends on nothing later is moved to the front of it, by lowering its key (and, a few steps
// deep, its dependencies' keys): the scale and shift of a batch norm, computed from parameters, come after the
// convolution in the graph and before it in the plan.
#include "fuse.h"
#include "product.h"

#include <math.h>

enum {
  MAX_WORK = 256,       // nodes evaluated by a kernel
  LOWERING_STEPS = 32,  // groups looked at when one is to be moved forward
  MAX_TRIES = 4,
  SHORT_ROW = 1 << 12,  // elements
  LONG_ROW = 1 << 16,
  MANY_ROWS = 32,
  // Of a sum that an elementwise kernel carries: its vectors go along the channels then, and the sums are chains of
  // additions; with fewer the kernel is faster over whole rows, and the sum by itself.
  LEAST_CHANNELS = 32
};

// ---- what a node reads ----------------------------------------------------------------------------------------------

typedef struct Reach {  // what one node, or several, would need in a kernel
  struct Dependency {
    int group;
    Where where;  // the farthest that it is read at
  } *items;
  size_t n, capacity;
  NodeId *leaves;  // tensors read at the point
  size_t n_leaves, leaves_capacity;
  int work;
} Reach;

static Where farther(Where a, Where b) { return a < b ? a : b; }

static void reach_group(Fuse *f, Reach *r, int group, Where where) {
  for (size_t k = 0; k < r->n; k++) {
    if (r->items[k].group != group) continue;
    r->items[k].where = farther(r->items[k].where, where);
    return;
  }
  r->items = arena_grow(f->arena, r->items, r->n, &r->capacity, sizeof *r->items);
  r->items[r->n].group = group;
  r->items[r->n++].where = where;
}

static void reach_leaf(Fuse *f, Reach *r, NodeId id) {
  r->leaves = arena_grow(f->arena, r->leaves, r->n_leaves, &r->leaves_capacity, sizeof *r->leaves);
  r->leaves[r->n_leaves++] = id;
}

static void reach_operands(Fuse *f, Reach *r, NodeId id, Where where);

static void reach_value(Fuse *f, Reach *r, NodeId id, Where where) {
  FuseNode *n = &f->nodes[id];
  if (n->seen[where] == f->mark) return;
  n->seen[where] = f->mark;
  if (n->seat == SEAT_CONST) return;
  if (n->seat == SEAT_INLINE) {
    reach_operands(f, r, id, where);
    return;
  }
  int group = f->nodes[n->base].group;
  if (group >= 0) reach_group(f, r, group, n->seat == SEAT_HOME && !n->moved ? where : ELSEWHERE);
  if (where == AT_POINT) reach_leaf(f, r, id);
}

static void reach_operands(Fuse *f, Reach *r, NodeId id, Where where) {
  const Node *node = graph_node(f->g, id);
  r->work++;
  for (int k = 0; k < node->n_in; k++) reach_value(f, r, node->in[k], farther(where, fuse_where(f->g, node, k)));
}

// ---- groups ---------------------------------------------------------------------------------------------------------

static int new_group(Fuse *f, NodeId root, NodeId space, const char *why) {
  f->groups = arena_grow(f->arena, f->groups, f->n_groups, &f->groups_capacity, sizeof *f->groups);
  Group *group = &f->groups[f->n_groups];
  *group = (Group){.root = root,
                   .space = space,
                   .n_roots = root != NODE_NONE,
                   .key = (double)(f->n_groups + 1),
                   .behind = f->behind,
                   .carrier = -1,
                   .why_alone = why};
  group->takes_more = !f->options->no_fuse && (root == NODE_NONE || graph_node(f->g, root)->op == OP_index);
  return (int)f->n_groups++;
}

static void add_before(Fuse *f, Group *group, int before) {
  for (size_t k = 0; k < group->n_before; k++)
    if (group->before[k] == before) return;
  group->before = arena_grow(f->arena, group->before, group->n_before, &group->before_capacity, sizeof *group->before);
  group->before[group->n_before++] = before;
}

static void put(Fuse *f, int number, NodeId id, const Reach *r) {
  Group *group = &f->groups[number];
  group->homes = arena_grow(f->arena, group->homes, group->n_homes, &group->homes_capacity, sizeof *group->homes);
  group->homes[group->n_homes++] = id;
  group->work += r->work;
  f->nodes[id].group = number;
  for (size_t k = 0; k < r->n; k++)
    if (r->items[k].group != number) add_before(f, group, r->items[k].group);
  for (size_t k = 0; k < r->n_leaves && group->root == NODE_NONE; k++) f->nodes[r->leaves[k]].reader = number;
}

// Makes the group's key less than `limit`, the key of group `stop`, where dependencies allow.
static bool lower(Fuse *f, int number, int stop, double limit, int *steps) {
  Group *group = &f->groups[number];
  if (number == stop || --*steps < 0) return false;
  if (group->key < limit) return true;
  double floor = limit - 1;
  for (size_t k = 0; k < group->n_before; k++) {
    if (!lower(f, group->before[k], stop, limit, steps)) return false;
    floor = fmax(floor, f->groups[group->before[k]].key);
  }
  double key = limit - (limit - floor) / 4;
  if (!(key > floor && key < limit)) return false;  // no double left between
  group->key = key;
  return true;
}

// Can everything in the reach but the group itself run before it?
static bool others_run_before(Fuse *f, const Reach *r, int number) {
  int steps = LOWERING_STEPS;
  for (size_t k = 0; k < r->n; k++) {
    int other = r->items[k].group;
    if (other != number && !lower(f, other, number, f->groups[number].key, &steps)) return false;
  }
  return true;
}

static bool has_room(const Fuse *f, int number, const Reach *r, const Shape *shape) {
  const Group *group = &f->groups[number];
  return group->takes_more && group->behind == f->behind && group->work + r->work <= MAX_WORK &&
         shape_equal(&graph_node(f->g, group->space)->shape, shape);
}

// Rows that are worth keeping together: short, or so many that sharing out the rows is enough.
static bool are_fit_rows(const Fuse *f, const Node *sum) {
  if (!kernel_sums_rows(f->g, sum)) return false;
  double rows = shape_points(&sum->shape, f->symbol_values), points = index_points(sum->index, f->symbol_values);
  double row = points / (rows > 1 ? rows : 1);
  return row <= SHORT_ROW || (row <= LONG_ROW && rows >= MANY_ROWS);
}

static bool is_of_rows(const Fuse *f, const Group *group) {
  return group->root != NODE_NONE && are_fit_rows(f, graph_node(f->g, group->root));
}

// May a node of this shape be stored by the group, row by row?
static bool has_rows(const Fuse *f, int number, const Reach *r, const Shape *shape) {
  const Group *group = &f->groups[number];
  return group->takes_more && group->behind == f->behind && group->work + r->work <= MAX_WORK && is_of_rows(f, group) &&
         kernel_has_row_shape(graph_node(f->g, group->root), shape, NULL);
}

// ---- where a node goes ----------------------------------------------------------------------------------------------

// The group of the reach with the greatest key below `below`, or -1.
static int latest(const Fuse *f, const Reach *r, double below) {
  int found = -1;
  for (size_t k = 0; k < r->n; k++) {
    double key = f->groups[r->items[k].group].key;
    if (key < below && (found < 0 || key > f->groups[r->items[found].group].key)) found = (int)k;
  }
  return found;
}

// What waits for others too does not follow a count, a sum that waits for nothing: what needs the count alone would
// wait.
static bool would_hold_up(const Fuse *f, int number, const Reach *r) {
  NodeId root = f->groups[number].root;
  return r->n > 1 && root != NODE_NONE && graph_node(f->g, root)->n_in == 0;
}

// A group that computes what `shape`'s points need of it: at the point, or, of row sums, at the row. -1: none.
static int group_to_follow(Fuse *f, const Reach *r, const Shape *shape, bool rows_too) {
  double below = INFINITY;
  for (int tries = 0; tries < MAX_TRIES; tries++) {
    int k = latest(f, r, below);
    if (k < 0) return -1;
    int number = r->items[k].group;
    below = f->groups[number].key;
    if (would_hold_up(f, number, r)) continue;
    bool room = r->items[k].where == AT_POINT && has_room(f, number, r, shape);
    if (!room && rows_too) room = r->items[k].where != ELSEWHERE && has_rows(f, number, r, shape);
    if (room && others_run_before(f, r, number)) return number;
  }
  return -1;
}

static bool reaches(const Reach *r, int group) {
  for (size_t k = 0; k < r->n; k++)
    if (r->items[k].group == group) return true;
  return false;
}

static int group_to_run_beside(Fuse *f, const Reach *r, const Shape *shape) {
  int tries = 0;
  for (size_t k = 0; k < r->n_leaves && tries < MAX_TRIES; k++) {
    int number = f->nodes[r->leaves[k]].reader;
    if (number < 0 || reaches(r, number) || !has_room(f, number, r, shape)) continue;
    tries++;
    if (others_run_before(f, r, number)) return number;
  }
  return -1;
}

static const char *why_not(const Fuse *f, const Reach *r, const Shape *shape) {
  if (f->options->no_fuse) return "fusion is off";
  if (r->n == 0) return "reads only sources";
  const struct Dependency *last = &r->items[latest(f, r, INFINITY)];
  const Group *group = &f->groups[last->group];
  if (last->where != AT_POINT) return "reads what comes before it at other points, or through a reshape";
  if (!group->takes_more) return "nothing can follow the kernel before it";
  if (!shape_equal(&graph_node(f->g, group->space)->shape, shape))
    return "the kernel before it runs over another shape";
  if (group->work + r->work > MAX_WORK) return "the kernel before it is full";
  return "needs a value that is computed after the kernel before it";
}

// A padded or transposed copy of a computed value: stored by the group that computes the value at the point. False
// where it is none, or where reading the value back from memory is as good.
static bool place_moved(Fuse *f, NodeId id) {
  const Node *node = graph_node(f->g, id);
  if (node->n_in != 1 || !kernel_moved_output(f->g, id, node->in[0], NULL, NULL)) return false;
  NodeId source = node->in[0];
  const Shape *shape = &graph_node(f->g, source)->shape;
  Reach r = {0};
  f->mark++;
  reach_value(f, &r, source, AT_POINT);
  r.work++;
  int group = group_to_follow(f, &r, shape, false);
  if (group < 0 && f->nodes[source].seat != SEAT_INLINE) return false;
  if (group < 0) group = group_to_run_beside(f, &r, shape);
  if (group < 0) group = new_group(f, NODE_NONE, source, why_not(f, &r, shape));
  put(f, group, id, &r);
  f->nodes[id].moved = true;
  return true;
}

// ---- sums that others carry -----------------------------------------------------------------------------------------

// More than one chunk at the plan's symbol values.
static bool has_chunks(const Fuse *f, const Node *sum) {
  const IndexDef *def = sum->index;
  return dim_value(def->extent[def->n_out], f->symbol_values) > def->order.chunk;
}

static void reach_sum(Fuse *f, Reach *r, const Node *sum) {
  r->work++;
  for (int k = 0; k < sum->n_in; k++)
    reach_value(f, r, sum->in[k], kernel_sum_reads_point(sum, k) ? AT_POINT : ELSEWHERE);
}

static bool has_points_of(const Node *sum, const Shape *shape) {
  const IndexDef *def = sum->index;
  if (shape->rank != def->n_red + 1 || !dim_equal(shape->dim[def->n_red], def->extent[0])) return false;
  for (int d = 0; d < def->n_red; d++)
    if (!dim_equal(shape->dim[d], def->extent[1 + d])) return false;
  return true;
}

// A group without root over the points, a product-sum that visits them in order, or another sum over the same points.
static bool goes_over_points(const Fuse *f, const Group *group, const Node *sum) {
  const Node *root = group->root == NODE_NONE ? NULL : graph_node(f->g, group->root);
  if (!root && sum->index->extent[0].scale < LEAST_CHANNELS) return false;
  bool contract = root && f->nodes[group->root].contract;
  if (!root || (contract && product_in_order(f->g, root)))
    return has_points_of(sum, &graph_node(f->g, group->space)->shape);
  if (group->carrier >= 0 || contract || root->op != OP_index || !kernel_may_carry(root)) return false;
  const IndexDef *a = root->index, *b = sum->index;
  bool same = a->n_red == b->n_red && a->order.chunk == b->order.chunk;
  for (int k = 0; same && k < 1 + a->n_red; k++) same = dim_equal(a->extent[k], b->extent[k]);
  return same;
}

static bool may_carry(Fuse *f, int number, const Reach *r, const Node *sum) {
  const Group *group = &f->groups[number];
  int others = group->root != NODE_NONE && !f->nodes[group->root].contract;  // its own sum
  return group->takes_more && group->behind == f->behind && group->n_sums + others < KERNEL_SUMS_MOST &&
         group->work + r->work <= MAX_WORK && goes_over_points(f, group, sum) && others_run_before(f, r, number);
}

static int carrier_for(Fuse *f, const Reach *r, const Node *sum) {
  double below = INFINITY;
  for (int tries = 0; tries < MAX_TRIES; tries++) {
    int k = latest(f, r, below);
    if (k < 0) break;
    int number = r->items[k].group;
    below = f->groups[number].key;
    if (r->items[k].where == AT_POINT && may_carry(f, number, r, sum)) return number;
  }
  for (size_t k = 0; k < r->n_leaves; k++) {
    const int beside[] = {f->nodes[r->leaves[k]].summer, f->nodes[r->leaves[k]].reader};
    for (int b = 0; b < 2; b++)
      if (beside[b] >= 0 && !reaches(r, beside[b]) && may_carry(f, beside[b], r, sum)) return beside[b];
  }
  return -1;
}

// The sum `id`, root of the new group `number`, handed to a carrier. False where none takes it.
static bool place_sum(Fuse *f, int number, NodeId id) {
  const Node *sum = graph_node(f->g, id);
  if (f->options->no_fuse || sum->op != OP_index || !kernel_may_carry(sum) || !has_chunks(f, sum)) return false;
  Reach r = {0};
  f->mark++;
  reach_sum(f, &r, sum);
  int carrier = carrier_for(f, &r, sum);
  if (carrier < 0) {
    for (size_t k = 0; k < r.n_leaves; k++) f->nodes[r.leaves[k]].summer = number;
    return false;
  }
  Group *group = &f->groups[carrier];
  group->sums[group->n_sums++] = number;
  group->work += r.work;
  for (size_t k = 0; k < r.n; k++)
    if (r.items[k].group != carrier) add_before(f, group, r.items[k].group);
  f->groups[number].carrier = carrier;
  Reach only = {0};
  reach_group(f, &only, carrier, AT_POINT);
  put(f, number, id, &only);
  return true;
}

// ---- sums of the same rows ------------------------------------------------------------------------------------------

static bool may_join_rows(Fuse *f, int number, const Reach *r, const Node *sum) {
  const Group *group = &f->groups[number];
  return group->takes_more && group->behind == f->behind && group->n_roots < KERNEL_ROOTS_MOST &&
         group->work + r->work <= MAX_WORK && is_of_rows(f, group) &&
         kernel_same_rows(f->g, graph_node(f->g, group->root), sum) && others_run_before(f, r, number);
}

// A group that sums the same rows: what this sum needs of it, it reads at the row; or both read a tensor. -1: none.
static int rows_to_join(Fuse *f, const Reach *r, const Node *sum) {
  if (f->options->no_fuse || sum->op != OP_index || !are_fit_rows(f, sum)) return -1;
  double below = INFINITY;
  for (int tries = 0; tries < MAX_TRIES; tries++) {
    int k = latest(f, r, below);
    if (k < 0) break;
    int number = r->items[k].group;
    below = f->groups[number].key;
    if (r->items[k].where != ELSEWHERE && may_join_rows(f, number, r, sum)) return number;
  }
  for (size_t k = 0; k < r->n_leaves; k++) {
    int number = f->nodes[r->leaves[k]].rows;
    if (number >= 0 && !reaches(r, number) && may_join_rows(f, number, r, sum)) return number;
  }
  return -1;
}

static void place_root(Fuse *f, NodeId id, const Reach *r) {
  const Node *node = graph_node(f->g, id);
  int number = rows_to_join(f, r, node);
  if (number >= 0) {
    f->groups[number].root = f->groups[number].space = id;
    f->groups[number].n_roots++;
  } else {
    number = new_group(f, id, id, "a reduction or a move of rows has a kernel of its own");
    if (place_sum(f, number, id)) return;
  }
  put(f, number, id, r);
  if (node->op != OP_index || !are_fit_rows(f, node)) return;
  for (size_t k = 0; k < r->n_leaves; k++) f->nodes[r->leaves[k]].rows = number;
}

static void place(Fuse *f, NodeId id) {
  const Node *node = graph_node(f->g, id);
  bool root = fuse_is_root(node);
  if (!root && !f->options->no_fuse && place_moved(f, id)) return;
  Reach r = {0};
  f->mark++;
  reach_operands(f, &r, id, AT_POINT);
  if (root) {
    place_root(f, id, &r);
    return;
  }
  int group = f->options->no_fuse ? -1 : group_to_follow(f, &r, &node->shape, true);
  if (group < 0 && !f->options->no_fuse) group = group_to_run_beside(f, &r, &node->shape);
  if (group < 0) group = new_group(f, NODE_NONE, id, why_not(f, &r, &node->shape));
  put(f, group, id, &r);
}

void fuse_join(Fuse *f) {
  for (NodeId id = 0; (size_t)id < f->g->n_nodes; id++) {
    f->behind = f->border != NODE_NONE && id > f->border;
    if (f->nodes[id].seat == SEAT_HOME) place(f, id);
  }
}

void fuse_groups(Arena *arena, const PlanOptions *options, Plan *plan) {
  Fuse f = {.arena = arena, .g = plan->graph, .symbol_values = plan->symbol_values, .options = options};
  f.border = plan->recomputes ? graph_find_output(f.g, OUT_LOSS, NULL)->value : NODE_NONE;
  f.nodes = arena_array(arena, f.g->n_nodes, sizeof *f.nodes);
  fuse_seats(&f);
  fuse_join(&f);
  fuse_emit(&f, plan);
  fuse_name(arena, plan);
}
