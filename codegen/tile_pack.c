// Packing: a block of b, a panel wide, copied to the thread's working memory, so that the rows of all tiles of a work
// item read it from a cache, one line after the other. Where b's lanes are apart in memory (a matrix that the product
// needs transposed), squares of it are turned in registers on the way.
#include "llvm_shim.h"
#include "tile_inside.h"

static int64_t panel_width(const TileEmit *e) { return (int64_t)e->vectors * e->job->tile.lanes; }

int64_t tile_packed_stride(const TileEmit *e, int level) {
  int64_t stride = panel_width(e);
  for (int k = level + 1; k < e->phase->n_red; k++) stride *= e->phase->red[k].extent.scale;
  return stride;
}

LLVMValueRef tile_packed(const TileEmit *e) {
  return tile_element(e, e->local, tile_number(e, e->job->blocking.packed_at));
}

// Loops over the block's points, `to` and `from` as phis of the innermost.
static void copy_level(const TileEmit *e, int level, LLVMValueRef from, LLVMValueRef to) {
  if (level == e->phase->n_red) {
    for (int j = 0; j < e->vectors; j++) {
      LLVMValueRef at = tile_number(e, (int64_t)j * e->job->tile.lanes);
      tile_store(e, tile_load(e, tile_element(e, from, at), tile_live(e, j)), tile_element(e, to, at),
                 e->job->tile.lanes);
    }
    return;
  }
  LLVMValueRef trips = level == e->job->blocking.level ? e->trips : tile_trips(e, level);
  IrbLoop loop = irb_loop_begin(&e->irb, tile_number(e, 0), trips, "pack");
  copy_level(e, level + 1, tile_element(e, from, tile_times(e, loop.variable, e->phase->red[level].b)),
             tile_element(e, to, tile_times(e, loop.variable, tile_packed_stride(e, level))));
  irb_loop_end(&e->irb, &loop, 1);
}

// ---- turned ---------------------------------------------------------------------------------------------------------

// `count` points from `from` on, turned: lane k of the panel's vector j is read at (j * lanes + k) * lane stride.
static void turn_square(const TileEmit *e, int vector, int count, LLVMValueRef from, LLVMValueRef to) {
  int lanes = e->job->tile.lanes, live = tile_live(e, vector);
  LLVMValueRef rows[IRB_MOST_LANES];
  for (int k = 0; k < lanes; k++) {
    LLVMValueRef at = tile_number(e, ((int64_t)vector * lanes + k) * e->phase->lane.b);
    rows[k] = k < live ? tile_load(e, tile_element(e, from, at), count) : LLVMConstNull(e->vector);
  }
  irb_transpose(&e->irb, rows, lanes);
  for (int k = 0; k < count; k++) {
    LLVMValueRef at = tile_number(e, k * panel_width(e) + (int64_t)vector * lanes);
    tile_store(e, rows[k], tile_element(e, to, at), lanes);
  }
}

// Squares of `size` points while there are as many from `at` on. Returns the first point left.
static LLVMValueRef turn_points(const TileEmit *e, int size, LLVMValueRef at, LLVMValueRef from, LLVMValueRef to) {
  LLVMValueRef end = LLVMBuildNSWSub(e->irb.b, e->trips, tile_number(e, size - 1), "");
  IrbLoop loop = irb_loop_begin(&e->irb, at, end, "turn");
  LLVMValueRef row = tile_element(e, to, tile_times(e, loop.variable, panel_width(e)));
  for (int j = 0; j < e->vectors; j++) turn_square(e, j, size, tile_element(e, from, loop.variable), row);
  irb_loop_end(&e->irb, &loop, size);
  return loop.variable;
}

static void turn_block(const TileEmit *e, LLVMValueRef from, LLVMValueRef to) {
  LLVMValueRef at = turn_points(e, e->job->tile.lanes, tile_number(e, 0), from, to);
  int64_t rest = e->phase->red[0].extent.scale % e->job->tile.lanes;
  if (rest > 0) turn_points(e, (int)rest, at, from, to);
}

void tile_pack(const TileEmit *e) {
  LLVMValueRef offset = tile_block_offset(e, SIDE_B, tile_offset(e, SIDE_B, tile_number(e, 0)));
  LLVMValueRef from = tile_element(e, e->base_b, offset), to = tile_packed(e);
  if (e->phase->lane.b == 1)
    copy_level(e, e->job->blocking.level, from, to);
  else
    turn_block(e, from, to);
}
