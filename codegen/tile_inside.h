// What the files of the micro-kernel share: where emission stands, and small pieces of IR.
#pragma once
#include "irb.h"
#include "tile.h"

enum { TILE_MOST_ACCUMULATORS = 32, TILE_MOST_LEVELS = 2 * CONTRACT_MAX_AXES + 6 };

// The loops around a tile.
typedef enum LevelKind {
  LEVEL_CHUNK,  // of the reduction, each summed apart
  LEVEL_PART,   // of the slowest axis: what an item visits whose points are visited in order (Contract.tally)
  LEVEL_OUTER,  // an outer axis
  LEVEL_STRIP,  // so many panels
  LEVEL_PANEL,
  LEVEL_ROWS,   // so many rows
  LEVEL_BLOCK,  // a level of a blocked reduction, down to the one that is cut
  LEVEL_TILES   // the tiles of a panel and a block of rows
} LevelKind;

typedef struct Level {
  LevelKind kind;
  int axis;  // OUTER, BLOCK: which
} Level;

typedef struct TileEmit {
  const TileJob *job;
  const Phase *phase;
  Irb irb;
  LLVMValueRef function, rt, base_a, base_b, base_c, base_sum[KERNEL_SUMS_MOST], scratch, local;
  LLVMTypeRef vector;
  Level levels[TILE_MOST_LEVELS];           // outermost first, TILES last
  LLVMValueRef position[TILE_MOST_LEVELS];  // of the levels of the work item
  // where the loops stand
  LLVMValueRef chunk, outer[CONTRACT_MAX_AXES], panel, panel_start, first_row, end_row;
  LLVMValueRef part, part_begin, part_end;  // with Contract.tally: its number, its values of the slowest axis
  int vectors, live;                        // of the panel being emitted: vectors, and lanes inside the last one
  // of a blocked reduction
  LLVMValueRef first_panel;               // of the strip
  LLVMValueRef block[CONTRACT_MAX_AXES];  // where the block begins
  LLVMValueRef trips;                     // values in it of the level that is cut
  LLVMValueRef is_first, is_last;         // of the blocks of a sum
} TileEmit;

typedef enum Side { SIDE_A, SIDE_B, SIDE_C } Side;

// ---- tile_ir.c: small pieces ----------------------------------------------------------------------------------------

LLVMValueRef tile_number(const TileEmit *e, int64_t n);
LLVMValueRef tile_times(const TileEmit *e, LLVMValueRef value, int64_t n);
LLVMValueRef tile_plus(const TileEmit *e, LLVMValueRef value, LLVMValueRef other);
LLVMValueRef tile_smaller(const TileEmit *e, LLVMValueRef a, LLVMValueRef c);
LLVMValueRef tile_extent(const TileEmit *e, Dim extent);
LLVMValueRef tile_element(const TileEmit *e, LLVMValueRef base, LLVMValueRef offset);  // address of a float
LLVMBasicBlockRef tile_block(const TileEmit *e, const char *name);

int tile_live(const TileEmit *e, int vector);  // lanes of the panel's vector that are inside
LLVMValueRef tile_load(const TileEmit *e, LLVMValueRef address, int live);
void tile_store(const TileEmit *e, LLVMValueRef value, LLVMValueRef address, int live);

// Element offset of the tile whose first row is `row`, at the first point of the reduction.
LLVMValueRef tile_offset(const TileEmit *e, Side side, LLVMValueRef row);
// What the block's first point adds to it.
LLVMValueRef tile_block_offset(const TileEmit *e, Side side, LLVMValueRef offset);
// The number of values of a level of the reduction: its extent, or the chunk's or the block's part of it.
LLVMValueRef tile_trips(const TileEmit *e, int level);

// ---- tile_rows.c, tile_reduce.c, tile_pack.c
// -----------------------------------------------------------------------------

static inline bool tile_is_blocked(const TileEmit *e) { return e->job->blocking.size > 0; }

// Rows from..to of the panel in full tiles, then in smaller ones.
void tile_rows(const TileEmit *e, LLVMValueRef from, LLVMValueRef to);

// Adds to acc[rows * vectors] the products of the reduction, or of the block, for the rows from `row` on.
void tile_reduce(const TileEmit *e, int rows, LLVMValueRef row, LLVMValueRef *acc);

// The block's part of b to working memory: a row of e->vectors whole vectors for each point, zeros behind the lanes
// that are inside.
void tile_pack(const TileEmit *e);
LLVMValueRef tile_packed(const TileEmit *e);  // where it is
int64_t tile_packed_stride(const TileEmit *e,
                           int level);  // floats from one value of a level of the reduction to the next
// The sum of a row's vector that waits for the next block.
LLVMValueRef tile_waiting(const TileEmit *e, LLVMValueRef row, int vector);
