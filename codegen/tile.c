// The register-tile micro-kernel, emitted as plain LLVM IR with explicit vectors; no IR pass runs over it.
//
//   for each work item: the positions of its levels from its number
//     for the levels inside the item
//       for rows in tiles of T.rows, then the tails
//         acc[row][vector] = 0
//         for the reduction, outermost first: b = load, acc = fma(splat(a), b, acc)
//         store
//
// Where the kernel adds up sums over its points (Contract.tally), an item is a part of the slowest axis and visits its
// points in order, panel by panel; the sums' chunks are added up in the scratch, tile by tile.
//
// A blocked reduction (contract.h, Blocking) has its blocks among the levels inside the item, panels and rows inside
// them; the sums of all rows and panels of the item wait in working memory from one block to the next.
#include "llvm_shim.h"
#include "tile_inside.h"

#include <stddef.h>

// ---- levels ---------------------------------------------------------------------------------------------------------

static void push(Level *levels, int *n, LevelKind kind, int axis) { levels[(*n)++] = (Level){kind, axis}; }

// Slowest first. Those that may make up a work item are counted by Shares.item_levels.
static int list_levels(const TileJob *job, Level *levels) {
  bool blocked = job->blocking.size > 0, in_order = job->contract->tally > 0;
  int n = 0, n_outer = job->phase->n_outer, first = n_outer > 0 && !in_order;
  push(levels, &n, LEVEL_CHUNK, 0);
  if (in_order) push(levels, &n, LEVEL_PART, 0);
  for (int k = 0; k < first; k++) push(levels, &n, LEVEL_OUTER, k);
  push(levels, &n, blocked ? LEVEL_STRIP : LEVEL_PANEL, 0);
  for (int k = first; k < n_outer; k++) push(levels, &n, LEVEL_OUTER, k);
  push(levels, &n, LEVEL_ROWS, 0);
  for (int k = 0; blocked && k <= job->blocking.level; k++) push(levels, &n, LEVEL_BLOCK, k);
  if (blocked) push(levels, &n, LEVEL_PANEL, 0);
  push(levels, &n, LEVEL_TILES, 0);
  dlc_assert(n <= TILE_MOST_LEVELS);
  return n;
}

static int64_t pieces(int64_t whole, int64_t size) { return (whole + size - 1) / size; }

static LLVMValueRef blocks_of(const TileEmit *e, Dim extent, int64_t size) {
  if (dim_is_const(extent)) return tile_number(e, pieces(extent.scale, size));
  LLVMValueRef most = tile_plus(e, tile_extent(e, extent), tile_number(e, size - 1));
  return LLVMBuildUDiv(e->irb.b, most, tile_number(e, size), "");
}

static Dim slowest_extent(const TileEmit *e) {
  return e->phase->n_outer > 0 ? e->phase->outer[0].extent : e->phase->row.extent;
}

// Rows from..to.
static LLVMValueRef row_begin(const TileEmit *e) {
  return e->part && e->phase->n_outer == 0 ? e->part_begin : tile_number(e, 0);
}

static LLVMValueRef row_end(const TileEmit *e) {
  return e->part && e->phase->n_outer == 0 ? e->part_end : tile_extent(e, e->phase->row.extent);
}

static LLVMValueRef count_row_blocks(const TileEmit *e) {
  int64_t size = e->job->shares.block_rows;
  if (!e->part || e->phase->n_outer > 0) return blocks_of(e, e->phase->row.extent, size);
  LLVMValueRef rows = LLVMBuildNSWSub(e->irb.b, e->part_end, e->part_begin, "");
  return LLVMBuildUDiv(e->irb.b, tile_plus(e, rows, tile_number(e, size - 1)), tile_number(e, size), "");
}

// The position at which a loop over a level ends: how many it has, or for what has a range inside another level, where
// that ends.
static LLVMValueRef level_count(const TileEmit *e, Level level) {
  const TileJob *job = e->job;
  int64_t chunk = job->contract->chunk;
  switch (level.kind) {
    case LEVEL_CHUNK:
      return chunk > 0 ? blocks_of(e, e->phase->red[0].extent, chunk) : tile_number(e, 1);
    case LEVEL_PART:
      return blocks_of(e, slowest_extent(e), job->shares.part);
    case LEVEL_OUTER:
      return e->part && level.axis == 0 ? e->part_end : tile_extent(e, e->phase->outer[level.axis].extent);
    case LEVEL_STRIP:
      return tile_number(e, pieces(job->shares.panels, job->blocking.panels));
    case LEVEL_PANEL:
      if (!e->first_panel) return tile_number(e, job->shares.panels);
      return tile_smaller(e, tile_plus(e, e->first_panel, tile_number(e, job->blocking.panels)),
                          tile_number(e, job->shares.panels));
    case LEVEL_ROWS:
      return count_row_blocks(e);
    case LEVEL_BLOCK:
      return tile_trips(e, level.axis);
    case LEVEL_TILES:
      return tile_number(e, 1);
  }
  return NULL;
}

static int64_t level_step(const TileEmit *e, Level level) {
  return level.kind == LEVEL_BLOCK && level.axis == e->job->blocking.level ? e->job->blocking.size : 1;
}

// ---- what a position means ------------------------------------------------------------------------------------------

static void emit_levels(TileEmit *e, int level);

// The code of a panel differs where it is the last, partial one.
static void emit_panel_kind(TileEmit *e, bool partial, int level) {
  Tile tile = e->job->tile;
  int64_t width = (int64_t)tile.lanes * tile.vectors, rest = e->phase->lane.extent.scale % width;
  e->vectors = partial ? (int)((rest + tile.lanes - 1) / tile.lanes) : tile.vectors;
  e->live = partial ? (int)(rest - (int64_t)(e->vectors - 1) * tile.lanes) : tile.lanes;
  emit_levels(e, level);
}

static void emit_panel(TileEmit *e, LLVMValueRef panel, int level) {
  int64_t width = (int64_t)e->job->tile.lanes * e->job->tile.vectors;
  int64_t full = e->phase->lane.extent.scale / width;
  bool has_partial = full < e->job->shares.panels;
  e->panel = panel;
  e->panel_start = tile_times(e, panel, width);
  if (!has_partial || full == 0) {
    emit_panel_kind(e, full == 0, level);
    return;
  }
  LLVMBasicBlockRef whole = tile_block(e, "whole"), partial = tile_block(e, "partial"), after = tile_block(e, "after");
  LLVMBuildCondBr(e->irb.b, LLVMBuildICmp(e->irb.b, LLVMIntSLT, panel, tile_number(e, full), ""), whole, partial);
  LLVMPositionBuilderAtEnd(e->irb.b, whole);
  emit_panel_kind(e, false, level);
  LLVMBuildBr(e->irb.b, after);
  LLVMPositionBuilderAtEnd(e->irb.b, partial);
  emit_panel_kind(e, true, level);
  LLVMBuildBr(e->irb.b, after);
  LLVMPositionBuilderAtEnd(e->irb.b, after);
}

static void set_rows(TileEmit *e, LLVMValueRef at) {
  int64_t size = e->job->shares.block_rows;
  e->first_row = tile_plus(e, row_begin(e), tile_times(e, at, size));
  e->end_row = tile_smaller(e, tile_plus(e, e->first_row, tile_number(e, size)), row_end(e));
}

static void set_part(TileEmit *e, LLVMValueRef at) {
  int64_t size = e->job->shares.part;
  e->part = at;
  e->part_begin = tile_times(e, at, size);
  e->part_end = tile_smaller(e, tile_plus(e, e->part_begin, tile_number(e, size)), tile_extent(e, slowest_extent(e)));
}

// From `at` on values of a level of the reduction, of `end` in all.
static void emit_block(TileEmit *e, LLVMValueRef at, LLVMValueRef end, int64_t step, int level) {
  LLVMValueRef was_first = e->is_first, was_last = e->is_last, left = LLVMBuildNSWSub(e->irb.b, end, at, "");
  LLVMValueRef first = LLVMBuildICmp(e->irb.b, LLVMIntEQ, at, tile_number(e, 0), "");
  LLVMValueRef last = LLVMBuildICmp(e->irb.b, LLVMIntSLE, left, tile_number(e, step), "");
  e->block[e->levels[level].axis] = at;
  e->trips = tile_smaller(e, left, tile_number(e, step));
  e->is_first = was_first ? LLVMBuildAnd(e->irb.b, was_first, first, "") : first;
  e->is_last = was_last ? LLVMBuildAnd(e->irb.b, was_last, last, "") : last;
  emit_levels(e, level + 1);
  e->is_first = was_first;
  e->is_last = was_last;
}

static void emit_tiles(const TileEmit *e) {
  if (e->job->blocking.packs) tile_pack(e);
  tile_rows(e, e->first_row, e->end_row);
}

static LLVMValueRef level_begin(const TileEmit *e, Level level) {
  if (level.kind == LEVEL_PANEL && e->first_panel) return e->first_panel;
  return level.kind == LEVEL_OUTER && level.axis == 0 && e->part ? e->part_begin : tile_number(e, 0);
}

// Level by level: the item's levels have their position already, the others are loops here.
static void emit_levels(TileEmit *e, int level) {
  Level here = e->levels[level];
  if (here.kind == LEVEL_TILES) {
    emit_tiles(e);
    return;
  }
  bool inside = level >= e->job->shares.item_levels;
  IrbLoop loop = {0};
  LLVMValueRef end = level_count(e, here);
  if (inside) loop = irb_loop_begin(&e->irb, level_begin(e, here), end, "level");
  LLVMValueRef at = inside ? loop.variable : e->position[level];
  if (here.kind == LEVEL_CHUNK) e->chunk = at;
  if (here.kind == LEVEL_PART) set_part(e, at);
  if (here.kind == LEVEL_OUTER) e->outer[here.axis] = at;
  if (here.kind == LEVEL_STRIP) e->first_panel = tile_times(e, at, e->job->blocking.panels);
  if (here.kind == LEVEL_ROWS) set_rows(e, at);
  if (here.kind == LEVEL_PANEL)
    emit_panel(e, at, level + 1);
  else if (here.kind == LEVEL_BLOCK)
    emit_block(e, at, end, level_step(e, here), level);
  else
    emit_levels(e, level + 1);
  if (inside) irb_loop_end(&e->irb, &loop, level_step(e, here));
}

// Work items begin..end: each item's number is taken apart into its levels' positions, the last level fastest.
static void emit_items(TileEmit *e, LLVMValueRef begin, LLVMValueRef end) {
  list_levels(e->job, e->levels);
  IrbLoop loop = irb_loop_begin(&e->irb, begin, end, "item");
  LLVMValueRef rest = loop.variable;
  for (int k = e->job->shares.item_levels - 1; k > 0; k--) {
    LLVMValueRef count = level_count(e, e->levels[k]);
    e->position[k] = LLVMBuildURem(e->irb.b, rest, count, "");
    rest = LLVMBuildUDiv(e->irb.b, rest, count, "");
  }
  e->position[0] = rest;
  emit_levels(e, 0);
  irb_loop_end(&e->irb, &loop, 1);
}

// ---- the function ---------------------------------------------------------------------------------------------------

static LLVMValueRef argument(const TileEmit *e, int slot) {
  LLVMValueRef at = tile_number(e, slot);
  LLVMValueRef address = LLVMBuildInBoundsGEP2(e->irb.b, e->irb.ptr, LLVMGetParam(e->function, 0), &at, 1, "");
  return LLVMBuildLoad2(e->irb.b, e->irb.ptr, address, "");
}

static LLVMValueRef working_memory(const TileEmit *e) {
  LLVMValueRef at = tile_number(e, (int64_t)offsetof(DlcRt, local));
  LLVMValueRef address = LLVMBuildInBoundsGEP2(e->irb.b, e->irb.i8, e->rt, &at, 1, "");
  return LLVMBuildLoad2(e->irb.b, e->irb.ptr, address, "local");
}

LLVMValueRef tile_emit(LLVMModuleRef module, const char *name, const TileJob *job) {
  TileEmit e = {.job = job, .phase = job->phase, .irb = irb_new(module)};
  e.vector = irb_vector(e.irb.f32, job->tile.lanes);
  e.function = shim_kernel_function(module, name);
  e.rt = LLVMGetParam(e.function, 1);
  LLVMPositionBuilderAtEnd(e.irb.b, tile_block(&e, "entry"));
  e.base_a = argument(&e, job->slot_a);
  e.base_b = argument(&e, job->slot_b);
  if (!job->store) e.base_c = argument(&e, job->slot_c);
  for (int k = 0; k < job->n_sums; k++) e.base_sum[k] = argument(&e, job->slot_sum[k]);
  if (tile_is_blocked(&e)) e.local = working_memory(&e);
  if (job->contract->chunk > 0)
    e.scratch = argument(&e, job->slot_scratch);
  else if (job->begin)
    job->begin(job->state, e.irb.b, e.function);
  emit_items(&e, LLVMGetParam(e.function, 2), LLVMGetParam(e.function, 3));
  LLVMBuildRetVoid(e.irb.b);
  irb_free(&e.irb);
  return e.function;
}
