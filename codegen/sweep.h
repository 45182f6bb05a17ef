// One sweep over a box of points: what becomes one launch. A kernel is one sweep, or several where one pass over its
// points cannot do it: chunked sums (chunks, then their combination), concat (one per operand), scatter_add (clear,
// then add), the zeros around a padded output.
#pragma once
#include "lower.h"

typedef enum SweepKind {
  SWEEP_POINTS,  // no reduction: stores the kernel's outputs
  SWEEP_REDUCE,  // reduces, then stores; of rows: all the kernel's sums, then once more over the row
  SWEEP_CHUNKS,  // reduces one chunk into the scratch
  SWEEP_TALLY,  // goes over the points of a space in chunks: stores the outputs of a kernel without root, and reduces a
                // chunk of each of the kernel's sums (sweep_sums) into its scratch
  SWEEP_COMBINE,  // adds up the chunks' sums, then stores
  SWEEP_PART,     // copies operand `part` of a concat to its place
  SWEEP_CLEAR,    // stores zeros
  SWEEP_SCATTER,  // adds rows, in order: the index tensor's dimensions are the first `n_ordered` indices
  SWEEP_BORDER    // zeros of output `part` that no point of the space reaches
} SweepKind;

enum { SWEEP_MAX_INDICES = IR_MAX_INDICES, SWEEP_TILE_MOST = 16 };

typedef struct Sweep {
  SweepKind kind;
  const Plan *plan;
  const Kernel *kernel;
  int n_out, n_red;
  Dim extent[SWEEP_MAX_INDICES];  // outputs first
  const char *name[SWEEP_MAX_INDICES];
  int n_ordered;
  int part;
  int64_t chunk;  // CHUNKS, COMBINE
} Sweep;

// An axis runs over several neighbouring indices of the sweep, the last the fastest.
typedef struct SweepAxis {
  int n;
  int index[SWEEP_MAX_INDICES];
  Size extent;
  const char *name;
  int64_t period;  // > 1: of one index, which is position * period + residue; every residue has code of its own
  int64_t block;  // > 1: its loop is over blocks of so many; those of a block come one after the other inside the lanes
} SweepAxis;

// The loops chosen for a sweep. They decide speed, never bits: what a sum's order fixes is taken from the node.
typedef struct Scheme {
  SweepAxis out[SWEEP_MAX_INDICES], red[SWEEP_MAX_INDICES];
  int n_out, n_red;
  int lanes;             // along the last output axis; 1: scalar code
  bool along_reduction;  // or: 16 lanes along the last reduced axis
  bool unrolled;         // the reduction is straight-line code
  bool turned;           // blocks of an axis are turned in registers
  int64_t tile[2];       // > 1 both: the sums of so many points of out[0] and out[1] are taken at once
  int n_parallel;        // leading output axes that make up the work items
  int64_t block;         // their points in an item
  int64_t lane_chunk;    // elements of the last output axis in an item; 0: all
  int64_t item_cost;     // nanoseconds
} Scheme;

// The sweeps of a kernel, in order. Returns their number.
int sweep_list(Arena *arena, const Plan *plan, const Kernel *kernel, Sweep **sweeps);
// NULL where the sweep has no points.
Nest *sweep_nest(Arena *arena, const Sweep *sweep);

// What follows a micro-kernel's sum at one vector of points: the outputs' stores, with the sum as VALUE_GIVEN, the
// output indices as given variables vars[n_out], and `lanes` lanes along the last of them, `live` of them inside. The
// sums that the kernel carries are updated: sum k is accumulator k.
Nest *sweep_given(Arena *arena, const Sweep *sweep, int lanes, int live, int *vars);

// The sums whose chunks a sweep adds up on its way: those that its kernel carries and, of a kernel that sums over
// points itself, its root's.
typedef struct SweepSum {
  const Node *node;
  int slot;  // of its scratch
} SweepSum;
enum { SWEEP_SUMS_MOST = KERNEL_SUMS_MOST + 1 };
int sweep_sums(const Plan *plan, const Kernel *kernel, SweepSum *sums);

// Is the output of the shape of the rows that the kernel sums (plan.h, Rows)?
bool sweep_stores_row(const Plan *plan, const Kernel *kernel, NodeId output);
// Several sums of the same rows, or something stored row by row?
bool sweep_goes_over_rows(const Sweep *sweep);

// Does the sweep go over the first reduced index in chunks, each an item?
static inline bool sweep_is_chunked(const Sweep *sweep) {
  return sweep->kind == SWEEP_CHUNKS || sweep->kind == SWEEP_TALLY;
}

// ---- inside: what the files of sweeps share ------------------------------------------------------------------------

// The nest of a sweep by points, with these loops. vars: NULL, or [n_out + n_red] where the variables of axes of one
// index are noted.
Nest *sweep_build(Arena *arena, const Sweep *sweep, const Scheme *scheme, int *vars);
Nest *border_build(Arena *arena, const Sweep *sweep);
Scheme scheme_choose(Arena *arena, const Sweep *sweep);

// A part of a vectorised axis.
enum { SWEEP_MAX_PIECES = 8 };
typedef struct SweepPiece {
  const Expr *from, *to;
  int lanes, live;
} SweepPiece;
// Whole vectors from `from` on, then what is left: of a constant extent halves of the width down to 16 lanes and one
// partial vector (of `lanes` lanes where `fixed`), of a symbolic one single elements. Returns the number of pieces.
int sweep_pieces(ExprPool *pool, Size extent, int lanes, bool fixed, const Expr *from, SweepPiece *pieces);
