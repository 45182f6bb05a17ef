// Inside of fusion: what its steps share. fuse_seats decides what is stored and what is recomputed, fuse_join puts what
// is stored into groups, fuse_emit makes kernels of the groups.
#pragma once
#include "plan.h"

typedef enum Seat {
  SEAT_DEAD,    // no output needs it
  SEAT_MEMORY,  // a source with a place of its own
  SEAT_CONST,   // a number in the code
  SEAT_VIEW,
  SEAT_INLINE,  // evaluated by whoever reads it
  SEAT_HOME     // belongs to one group; stored where anybody else needs it
} Seat;

typedef struct FuseNode {
  Seat seat;
  bool contract;     // a product-sum for the micro-kernel
  bool stored;       // SEAT_HOME: some other group, a view or the caller reads it
  bool moved;        // SEAT_HOME: a moved output of its group
  int group;         // SEAT_HOME
  NodeId base;       // the node whose memory it is: itself but for views
  int uses;          // operands of live nodes and outputs that name it
  double elements;   // at the plan's symbol values
  const char *must;  // why it has to be in memory, or NULL
  int reader;        // the latest rootless group that reads it at its point, or -1
  int summer;        // the latest group that sums over its points, or -1
  int rows;          // the latest group of row sums that reads it at their points, or -1
  int seen[3];       // marks of walks, by Where
} FuseNode;

// Where an operand is read: at the node's own point, of a sum its whole body's; at leading indices of it (a row's
// result, plan.h); anywhere else.
typedef enum Where { ELSEWHERE, AT_ROW, AT_POINT } Where;

typedef struct Group {
  NodeId root, space;  // of several row sums the last
  int n_roots;
  bool takes_more;  // nodes may come after the root
  bool behind;      // Fuse.behind of all its nodes
  double key;       // along every dependency keys grow: kernels run in their order
  NodeId *homes;    // in order of their ids
  size_t n_homes, homes_capacity;
  int *before;  // groups that must run first
  size_t n_before, before_capacity;
  int work;                            // nodes evaluated inside, roughly
  int sums[KERNEL_SUMS_MOST], n_sums;  // groups whose root's chunks this one adds up on its way
  int carrier;                         // the group that does it for this one's root, or -1
  const char *why_alone;
} Group;

typedef struct Fuse {
  Arena *arena;
  const Graph *g;
  const int64_t *symbol_values;
  const PlanOptions *options;
  FuseNode *nodes;  // [n_nodes]
  Group *groups;
  size_t n_groups, groups_capacity;
  int mark;  // of the current walk
  // Where values are computed anew in the backward part (plan.h): the loss, and whether the node that is being placed
  // comes after it. Then no group has nodes of both parts, or what is computed anew would be computed at once. Else
  // NODE_NONE.
  NodeId border;
  bool behind;
} Fuse;

// Fills f->nodes but for group, stored and reader.
void fuse_seats(Fuse *f);
// Puts every SEAT_HOME node into a group.
void fuse_join(Fuse *f);
// The kernels, in execution order, into *plan.
void fuse_emit(Fuse *f, Plan *plan);
// Unique, readable names for the plan's kernels.
void fuse_name(Arena *arena, Plan *plan);

// A reducing index node, concat, gather or scatter_add: the root of its own kernel.
bool fuse_is_root(const Node *node);
// Is operand k of a pointwise or MAP node read at the node's own point?
bool fuse_at_point(const Graph *g, const Node *node, int k);
Where fuse_where(const Graph *g, const Node *node, int k);
// The whole of fusion: sets plan->kernels, but for the scratch.
void fuse_groups(Arena *arena, const PlanOptions *options, Plan *plan);
