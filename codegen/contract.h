// Product-sums as strided loops: what the micro-kernel emitter compiles.
//
// A contraction y[out] = sum over red of a[..] * b[..] whose reads are in bounds becomes, for each residue class of its
// output indices (one class where nothing is divided), a plain nest of loops with constant element strides: outer
// loops, a row axis (the rows of the register tile: b does not move), a lane axis (the result's last index: b and the
// result are contiguous, a does not move), and the reduction, outermost first, in the order that strict numerics fixes.
#pragma once
#include "codegen.h"

enum { CONTRACT_MAX_AXES = 12, CONTRACT_MAX_PARTS = 4 };

// One loop. A merged axis runs over several of the node's indices; part[0] is the fastest.
typedef struct Axis {
  Dim extent;
  int64_t a, b, c;  // element strides in the two operands and the result
  int n_parts;
  struct {
    int index;              // of the node
    int64_t extent;         // of this part; not used for the slowest one, which takes what is left
    int64_t scale, offset;  // the node's index = position * scale + offset (residue classes)
  } part[CONTRACT_MAX_PARTS];
} Axis;

// One residue class of the output indices.
typedef struct Phase {
  Axis outer[CONTRACT_MAX_AXES];
  int n_outer;
  Axis row, lane;
  Axis red[CONTRACT_MAX_AXES];
  int n_red;
  bool empty;                     // no element of the reduction is inside: the sum is 0
  int64_t a0, b0, c0;             // element offsets of the first point
  int64_t first[IR_MAX_INDICES];  // the node's output indices there: those of axes of extent 1 stay so
} Phase;

typedef struct Tile {
  int lanes;    // floats of a vector
  int vectors;  // vectors of a row
  int rows;
} Tile;

// The sizes of tiles that cover a row axis, the largest first: full ones, then the exact rest of a constant extent, or
// 4, 2 and 1 of a symbolic one. Returns their number.
enum { CONTRACT_ROW_SIZES = 8 };
int contract_row_sizes(Dim extent, int full, int *sizes);

typedef struct Contract {
  const Node *root;
  int a, b;       // which operand of the root is broadcast, which is contiguous
  int64_t chunk;  // of red[0], or 0
  // Not 0: the kernel adds up sums over its points on its way, in chunks of so many values of the first output index
  // (product_in_order). A work item then visits a chunk's points in order.
  int64_t tally;
  Phase *phases;
  int n_phases;
} Contract;

// Recasts the root of a kernel; chunk: 0, or the values of red[0] that are summed apart. False where it has to go
// through the loop emitter: a symbolic dimension that is not the leading one, a residue class that would need two
// interleaved sums, too many axes.
bool contract_analyse(Arena *arena, const Graph *g, NodeId root, int64_t chunk, Contract *contract);

// The register tile for a phase: the one that covers its rows and lanes with the fewest cycles, tails included, under
// KERNELS' rules (rows * vectors + vectors + 1 registers; at most 8 rows where rows are 4 KB apart, for they fall into
// one set of the first cache). Never affects bits.
Tile contract_tile(const Phase *phase, const Target *target, const int64_t *symbol_values);

// How the reduction is cut into blocks, so that what a block reads stays in a cache while all rows of a work item are
// summed over it. Between two blocks a sum waits in the thread's working memory and then goes on in order, so no bit
// changes. A work item is a block of rows and a strip of panels, at one position of everything outside.
enum { TURNED_POINTS = 16 };  // blocks of a turned b are a multiple of these
typedef struct Blocking {
  int level;            // the level of the reduction that is cut; those outside it run outside the blocks
  int64_t size;         // its values in a block; 0: not cut
  int64_t panels;       // of a strip
  bool packs;           // b's part of a block is copied to the thread's working memory
  int64_t packed_at;    // where: floats from its beginning, behind the sums that wait
  int64_t local_bytes;  // of working memory, a multiple of 64
} Blocking;

// How a phase's loops are shared out. Levels, slowest first: chunk, outer[0], panel, outer[1..], block of rows. The
// first `item_levels` of them make up a work item; the rest run inside it. With Contract.tally: chunk (one), parts of
// the slowest axis, panel, all else.
typedef struct Shares {
  int64_t panels;      // of the lane axis, the last one maybe partial
  int64_t block_rows;  // rows of a block, a multiple of tile.rows or the whole extent
  int item_levels;
  int64_t part;  // with Contract.tally: values of the slowest axis (outer[0], else row) that an item visits
  DlcCount items;
  int64_t item_cost;  // nanoseconds, roughly
} Shares;
enum { CONTRACT_LEVELS = CONTRACT_MAX_AXES + 3 };
Shares contract_shares(const Contract *contract, const Phase *phase, Tile tile, const int64_t *symbol_values);
// Where blocks pay, or b has to be turned: the blocks, and in *shares the work items that go with them.
Blocking contract_blocking(const Contract *contract, const Phase *phase, Tile tile, const int64_t *symbol_values,
                           Shares *shares);

void contract_print_phase(const Contract *contract, const Graph *g, const Phase *phase, Tile tile, const Shares *shares,
                          const Blocking *blocking, int indent, Text *out);
