// Small pieces of IR of the micro-kernel: arithmetic, loops, vectors, addresses.
#include "llvm_shim.h"
#include "tile_inside.h"

LLVMValueRef tile_number(const TileEmit *e, int64_t n) { return irb_i64(&e->irb, n); }

LLVMValueRef tile_times(const TileEmit *e, LLVMValueRef value, int64_t n) {
  if (n == 1) return value;
  return LLVMBuildNSWMul(e->irb.b, value, tile_number(e, n), "");
}

LLVMValueRef tile_plus(const TileEmit *e, LLVMValueRef value, LLVMValueRef other) {
  return LLVMBuildNSWAdd(e->irb.b, value, other, "");
}

LLVMValueRef tile_smaller(const TileEmit *e, LLVMValueRef a, LLVMValueRef c) {
  return irb_select(&e->irb, LLVMBuildICmp(e->irb.b, LLVMIntSLT, a, c, ""), a, c);
}

LLVMValueRef tile_extent(const TileEmit *e, Dim extent) {
  if (dim_is_const(extent)) return tile_number(e, extent.scale);
  LLVMValueRef at = tile_number(e, extent.symbol - 1);
  LLVMValueRef address = LLVMBuildInBoundsGEP2(e->irb.b, e->irb.i64, e->rt, &at, 1, "");
  return tile_times(e, LLVMBuildLoad2(e->irb.b, e->irb.i64, address, "n"), extent.scale);
}

LLVMValueRef tile_element(const TileEmit *e, LLVMValueRef base, LLVMValueRef offset) {
  return LLVMBuildInBoundsGEP2(e->irb.b, e->irb.f32, base, &offset, 1, "");
}

LLVMBasicBlockRef tile_block(const TileEmit *e, const char *name) {
  return LLVMAppendBasicBlockInContext(e->irb.context, e->function, name);
}

// ---- vectors --------------------------------------------------------------------------------------------------------

int tile_live(const TileEmit *e, int vector) { return vector == e->vectors - 1 ? e->live : e->job->tile.lanes; }

LLVMValueRef tile_load(const TileEmit *e, LLVMValueRef address, int live) {
  if (live < e->job->tile.lanes)
    return shim_masked_load(e->irb.b, e->irb.module, e->vector, address, irb_mask(&e->irb, e->job->tile.lanes, live),
                            4);
  LLVMValueRef load = LLVMBuildLoad2(e->irb.b, e->vector, address, "");
  LLVMSetAlignment(load, 4);
  return load;
}

void tile_store(const TileEmit *e, LLVMValueRef value, LLVMValueRef address, int live) {
  if (live < e->job->tile.lanes) {
    shim_masked_store(e->irb.b, e->irb.module, value, address, irb_mask(&e->irb, e->job->tile.lanes, live), 4);
    return;
  }
  LLVMSetAlignment(LLVMBuildStore(e->irb.b, value, address), 4);
}

// ---- addresses ------------------------------------------------------------------------------------------------------

static int64_t stride_on(const Axis *axis, Side side) {
  return side == SIDE_A ? axis->a : side == SIDE_B ? axis->b : axis->c;
}

LLVMValueRef tile_offset(const TileEmit *e, Side side, LLVMValueRef row) {
  const Phase *p = e->phase;
  LLVMValueRef sum = tile_number(e, side == SIDE_A ? p->a0 : side == SIDE_B ? p->b0 : p->c0);
  for (int k = 0; k < p->n_outer; k++) {
    int64_t stride = stride_on(&p->outer[k], side);
    if (stride) sum = tile_plus(e, sum, tile_times(e, e->outer[k], stride));
  }
  if (stride_on(&p->row, side)) sum = tile_plus(e, sum, tile_times(e, row, stride_on(&p->row, side)));
  int64_t chunk = e->job->contract->chunk;
  if (chunk > 0 && side != SIDE_C && stride_on(&p->red[0], side))
    sum = tile_plus(e, sum, tile_times(e, e->chunk, chunk * stride_on(&p->red[0], side)));
  if (side != SIDE_A) sum = tile_plus(e, sum, tile_times(e, e->panel_start, stride_on(&p->lane, side)));
  return sum;
}

LLVMValueRef tile_block_offset(const TileEmit *e, Side side, LLVMValueRef offset) {
  if (e->job->blocking.size == 0) return offset;
  for (int k = 0; k <= e->job->blocking.level; k++)
    offset = tile_plus(e, offset, tile_times(e, e->block[k], stride_on(&e->phase->red[k], side)));
  return offset;
}

LLVMValueRef tile_trips(const TileEmit *e, int level) {
  LLVMValueRef extent = tile_extent(e, e->phase->red[level].extent);
  int64_t chunk = e->job->contract->chunk;
  if (level > 0 || chunk == 0) return extent;
  LLVMValueRef left = LLVMBuildNSWSub(e->irb.b, extent, tile_times(e, e->chunk, chunk), "");
  return tile_smaller(e, left, tile_number(e, chunk));
}

LLVMValueRef tile_waiting(const TileEmit *e, LLVMValueRef row, int vector) {
  int64_t width = (int64_t)e->job->tile.vectors * e->job->tile.lanes;
  LLVMValueRef panel = LLVMBuildNSWSub(e->irb.b, e->panel, e->first_panel, "");
  row = LLVMBuildNSWSub(e->irb.b, row, e->first_row, "");
  LLVMValueRef offset = tile_times(e, tile_plus(e, tile_times(e, panel, e->job->shares.block_rows), row), width);
  return tile_element(e, e->local, tile_plus(e, offset, tile_number(e, (int64_t)vector * e->job->tile.lanes)));
}
