// The reduction of a register tile: loops around acc[row][vector] = fma(splat(a[row]), b[vector], acc[row][vector]).
//
// It runs in the order of the node's indices, so tiles and vector widths never change a bit.
#include "tile_inside.h"

static bool packs(const TileEmit *e) { return e->job->blocking.size > 0 && e->job->blocking.packs; }

static int64_t stride_b(const TileEmit *e, int level) {
  return packs(e) ? tile_packed_stride(e, level) : e->phase->red[level].b;
}

// ---- reading ahead --------------------------------------------------------------------------------------------------

enum { AHEAD = 8 };  // floats behind a tile's column

static void prefetch(const TileEmit *e, LLVMValueRef address) {
  LLVMValueRef read = irb_int(e->irb.i32, 0), keep = irb_int(e->irb.i32, 3), data = irb_int(e->irb.i32, 1);
  irb_call(&e->irb, "llvm.prefetch", (LLVMValueRef[]){address, read, keep, data}, 4);
}

// What the next tile of rows will read of a at this point. Where a point's rows are side by side in memory, one line
// holds them; else one for each row, if the tile has loads to spare beside its FMAs. Nothing is read: an address behind
// the tensor does no harm. Products within somebody else's blocks (tile.h, `store`) have a in a cache.
static void read_ahead(const TileEmit *e, int rows, LLVMValueRef pa) {
  int64_t step = e->phase->row.a;
  int n_red = e->phase->n_red;
  bool by_rows = n_red > 0 && e->phase->red[n_red - 1].a == 1;
  if (!e->job->store || rows == 1 || (by_rows && (e->vectors < 2 || e->job->tile.lanes < 16))) return;
  if (step == 1) prefetch(e, tile_element(e, pa, tile_number(e, rows + AHEAD)));
  for (int i = 0; by_rows && step != 1 && i < rows; i++)
    prefetch(e, tile_element(e, pa, tile_number(e, (rows + i) * step)));
}

// ---- the reduction --------------------------------------------------------------------------------------------------

// One point, at pa and pb.
static void multiply_add(const TileEmit *e, int rows, LLVMValueRef pa, LLVMValueRef pb, LLVMValueRef *acc) {
  LLVMValueRef b[TILE_MOST_ACCUMULATORS];
  int lanes = e->job->tile.lanes;
  for (int j = 0; j < e->vectors; j++)
    b[j] = tile_load(e, tile_element(e, pb, tile_number(e, (int64_t)j * lanes)), packs(e) ? lanes : tile_live(e, j));
  read_ahead(e, rows, pa);
  for (int i = 0; i < rows; i++) {
    LLVMValueRef address = tile_element(e, pa, tile_number(e, i * e->phase->row.a));
    LLVMValueRef scalar = LLVMBuildLoad2(e->irb.b, e->irb.f32, address, "");
    LLVMSetAlignment(scalar, 4);
    LLVMValueRef a = irb_splat(&e->irb, scalar, lanes);
    for (int j = 0; j < e->vectors; j++) acc[i * e->vectors + j] = irb_fma(&e->irb, a, b[j], acc[i * e->vectors + j]);
  }
}

// Loops run at least once (symbols are at least 1), so each is one block with its test at the end. Pointers and
// accumulators are phis.
static void reduce_level(const TileEmit *e, int level, int rows, LLVMValueRef pa, LLVMValueRef pb, LLVMValueRef *acc) {
  if (level == e->phase->n_red) {
    multiply_add(e, rows, pa, pb, acc);
    return;
  }
  int n = rows * e->vectors;
  bool cut = e->job->blocking.size > 0 && level == e->job->blocking.level;
  LLVMValueRef trips = cut ? e->trips : tile_trips(e, level), zero = tile_number(e, 0);
  LLVMValueRef phi_acc[TILE_MOST_ACCUMULATORS];
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->irb.b), body = tile_block(e, "reduce"),
                    done = tile_block(e, "reduced");
  LLVMBuildBr(e->irb.b, body);
  LLVMPositionBuilderAtEnd(e->irb.b, body);
  LLVMValueRef k = LLVMBuildPhi(e->irb.b, e->irb.i64, "k"), a = LLVMBuildPhi(e->irb.b, e->irb.ptr, "a"),
               b = LLVMBuildPhi(e->irb.b, e->irb.ptr, "b");
  LLVMAddIncoming(k, &zero, &before, 1);
  LLVMAddIncoming(a, &pa, &before, 1);
  LLVMAddIncoming(b, &pb, &before, 1);
  for (int t = 0; t < n; t++) {
    phi_acc[t] = LLVMBuildPhi(e->irb.b, e->vector, "acc");
    LLVMAddIncoming(phi_acc[t], &acc[t], &before, 1);
    acc[t] = phi_acc[t];
  }
  reduce_level(e, level + 1, rows, a, b, acc);
  LLVMBasicBlockRef last = LLVMGetInsertBlock(e->irb.b);
  LLVMValueRef next = tile_plus(e, k, tile_number(e, 1));
  LLVMValueRef next_a = tile_element(e, a, tile_number(e, e->phase->red[level].a));
  LLVMValueRef next_b = tile_element(e, b, tile_number(e, stride_b(e, level)));
  LLVMAddIncoming(k, &next, &last, 1);
  LLVMAddIncoming(a, &next_a, &last, 1);
  LLVMAddIncoming(b, &next_b, &last, 1);
  for (int t = 0; t < n; t++) LLVMAddIncoming(phi_acc[t], &acc[t], &last, 1);
  LLVMBuildCondBr(e->irb.b, LLVMBuildICmp(e->irb.b, LLVMIntSLT, next, trips, ""), body, done);
  LLVMPositionBuilderAtEnd(e->irb.b, done);
}

void tile_reduce(const TileEmit *e, int rows, LLVMValueRef row, LLVMValueRef *acc) {
  LLVMValueRef a = tile_block_offset(e, SIDE_A, tile_offset(e, SIDE_A, row)), pb;
  if (packs(e))
    pb = tile_packed(e);
  else
    pb = tile_element(e, e->base_b, tile_block_offset(e, SIDE_B, tile_offset(e, SIDE_B, row)));
  reduce_level(e, e->job->blocking.size > 0 ? e->job->blocking.level : 0, rows, tile_element(e, e->base_a, a), pb, acc);
}
