// A register tile from beginning to end: its sums begin, are reduced, and are stored or wait; tiles over a range of
// rows.
#include "tile_inside.h"

// ---- stores -------------------------------------------------------------------------------------------------------

// The node's own indices at a position of an axis.
static void set_indices(const TileEmit *e, const Axis *axis, LLVMValueRef position, LLVMValueRef *index) {
  for (int p = 0; p < axis->n_parts; p++) {
    LLVMValueRef here = position;
    if (p + 1 < axis->n_parts) {
      LLVMValueRef extent = tile_number(e, axis->part[p].extent);
      here = LLVMBuildURem(e->irb.b, position, extent, "");
      position = LLVMBuildUDiv(e->irb.b, position, extent, "");
    }
    index[axis->part[p].index] =
        tile_plus(e, tile_times(e, here, axis->part[p].scale), tile_number(e, axis->part[p].offset));
  }
}

// The node's output indices of a row; the last one: of the panel's vector.
static void row_indices(const TileEmit *e, LLVMValueRef row, int vector, LLVMValueRef *index) {
  const IndexDef *def = e->job->contract->root->index;
  for (int k = 0; k < def->n_out; k++) index[k] = tile_number(e, e->phase->first[k]);
  for (int k = 0; k < e->phase->n_outer; k++) set_indices(e, &e->phase->outer[k], e->outer[k], index);
  set_indices(e, &e->phase->row, row, index);
  index[def->n_out - 1] = tile_plus(e, e->panel_start, tile_number(e, (int64_t)vector * e->job->tile.lanes));
}

static void store_row(const TileEmit *e, LLVMValueRef row, const LLVMValueRef *acc) {
  LLVMValueRef index[IR_MAX_INDICES];
  for (int j = 0; j < e->vectors; j++) {
    row_indices(e, row, j, index);
    e->job->store(e->job->state, e->irb.b, index, acc[j], e->job->tile.lanes, tile_live(e, j), NULL);
  }
}

// ---- sums over the points -------------------------------------------------------------------------------------------

// Is the tile at `row` the first of its part and panel?
static LLVMValueRef is_first_tile(const TileEmit *e, LLVMValueRef row) {
  LLVMValueRef begin = e->phase->n_outer > 0 ? tile_number(e, 0) : e->part_begin;
  LLVMValueRef first = LLVMBuildICmp(e->irb.b, LLVMIntEQ, row, begin, "");
  for (int k = 0; k < e->phase->n_outer; k++) {
    begin = k == 0 ? e->part_begin : tile_number(e, 0);
    first = LLVMBuildAnd(e->irb.b, first, LLVMBuildICmp(e->irb.b, LLVMIntEQ, e->outer[k], begin, ""), "");
  }
  return first;
}

static LLVMValueRef sum_address(const TileEmit *e, int sum, int vector) {
  LLVMValueRef at = tile_times(e, e->part, e->phase->lane.extent.scale);
  at = tile_plus(e, at, tile_plus(e, e->panel_start, tile_number(e, (int64_t)vector * e->job->tile.lanes)));
  return tile_element(e, e->base_sum[sum], at);
}

// A vector of all rows, top to bottom, with the sums in registers.
static void store_and_sum(const TileEmit *e, int rows, LLVMValueRef row, int vector, const LLVMValueRef *acc) {
  const TileJob *job = e->job;
  int live = tile_live(e, vector);
  LLVMValueRef sum[KERNEL_SUMS_MOST], index[IR_MAX_INDICES], first = is_first_tile(e, row);
  for (int k = 0; k < job->n_sums; k++) {
    LLVMValueRef held = tile_load(e, sum_address(e, k, vector), live);
    sum[k] = LLVMBuildSelect(e->irb.b, first, LLVMConstNull(e->vector), held, "");
  }
  for (int i = 0; i < rows; i++) {
    row_indices(e, tile_plus(e, row, tile_number(e, i)), vector, index);
    job->store(job->state, e->irb.b, index, acc[i * e->vectors + vector], job->tile.lanes, live, sum);
  }
  for (int k = 0; k < job->n_sums; k++) tile_store(e, sum[k], sum_address(e, k, vector), live);
}

// ---- where a tile's sums go -----------------------------------------------------------------------------------------

static void store_chunk_row(const TileEmit *e, LLVMValueRef row, const LLVMValueRef *acc) {
  int64_t elements = shape_count(&e->job->contract->root->shape, NULL);
  LLVMValueRef offset = tile_plus(e, tile_offset(e, SIDE_C, row), tile_times(e, e->chunk, elements));
  for (int j = 0; j < e->vectors; j++) {
    LLVMValueRef at = tile_plus(e, offset, tile_number(e, (int64_t)j * e->job->tile.lanes));
    tile_store(e, acc[j], tile_element(e, e->scratch, at), tile_live(e, j));
  }
}

static LLVMValueRef result_address(const TileEmit *e, LLVMValueRef row, int vector) {
  LLVMValueRef at = tile_number(e, (int64_t)vector * e->job->tile.lanes);
  return tile_element(e, e->base_c, tile_plus(e, tile_offset(e, SIDE_C, row), at));
}

static void store_plain_row(const TileEmit *e, LLVMValueRef row, const LLVMValueRef *acc) {
  for (int j = 0; j < e->vectors; j++) tile_store(e, acc[j], result_address(e, row, j), tile_live(e, j));
}

static void store_rows(const TileEmit *e, int rows, LLVMValueRef row, const LLVMValueRef *acc) {
  if (e->job->n_sums > 0) {
    for (int j = 0; j < e->vectors; j++) store_and_sum(e, rows, row, j, acc);
    return;
  }
  for (int i = 0; i < rows; i++) {
    LLVMValueRef at = tile_plus(e, row, tile_number(e, i));
    if (e->job->contract->chunk > 0)
      store_chunk_row(e, at, acc + i * e->vectors);
    else if (!e->job->store)
      store_plain_row(e, at, acc + i * e->vectors);
    else
      store_row(e, at, acc + i * e->vectors);
  }
}

// ---- a tile ---------------------------------------------------------------------------------------------------------

// What the sums begin with: 0, or in all blocks but the first what waits from the block before.
static void begin_sums(const TileEmit *e, int rows, LLVMValueRef row, LLVMValueRef *acc) {
  int n = rows * e->vectors, lanes = e->job->tile.lanes;
  for (int t = 0; t < n; t++) {
    LLVMValueRef at = tile_plus(e, row, tile_number(e, t / e->vectors));
    bool goes_on = !e->job->store && e->job->goes_on;
    acc[t] = goes_on ? tile_load(e, result_address(e, at, t % e->vectors), tile_live(e, t % e->vectors))
                     : LLVMConstNull(e->vector);
  }
  if (!tile_is_blocked(e)) return;
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->irb.b), fetch = tile_block(e, "fetch"),
                    begin = tile_block(e, "begin");
  LLVMBuildCondBr(e->irb.b, e->is_first, begin, fetch);
  LLVMPositionBuilderAtEnd(e->irb.b, fetch);
  LLVMValueRef waiting[TILE_MOST_ACCUMULATORS];
  for (int t = 0; t < n; t++) {
    LLVMValueRef at = tile_plus(e, row, tile_number(e, t / e->vectors));
    waiting[t] = tile_load(e, tile_waiting(e, at, t % e->vectors), lanes);
  }
  LLVMBuildBr(e->irb.b, begin);
  LLVMPositionBuilderAtEnd(e->irb.b, begin);
  for (int t = 0; t < n; t++) {
    LLVMValueRef from[2] = {acc[t], waiting[t]};
    acc[t] = LLVMBuildPhi(e->irb.b, e->vector, "acc");
    LLVMAddIncoming(acc[t], from, (LLVMBasicBlockRef[]){before, fetch}, 2);
  }
}

// After the last block the sums are stored, after the others they wait.
static void end_sums(const TileEmit *e, int rows, LLVMValueRef row, const LLVMValueRef *acc) {
  if (!tile_is_blocked(e)) {
    store_rows(e, rows, row, acc);
    return;
  }
  LLVMBasicBlockRef store = tile_block(e, "store"), wait = tile_block(e, "wait"), end = tile_block(e, "end");
  LLVMBuildCondBr(e->irb.b, e->is_last, store, wait);
  LLVMPositionBuilderAtEnd(e->irb.b, wait);
  for (int t = 0; t < rows * e->vectors; t++) {
    LLVMValueRef at = tile_plus(e, row, tile_number(e, t / e->vectors));
    tile_store(e, acc[t], tile_waiting(e, at, t % e->vectors), e->job->tile.lanes);
  }
  LLVMBuildBr(e->irb.b, end);
  LLVMPositionBuilderAtEnd(e->irb.b, store);
  store_rows(e, rows, row, acc);
  LLVMBuildBr(e->irb.b, end);
  LLVMPositionBuilderAtEnd(e->irb.b, end);
}

// `rows` rows from `row` on.
static void emit_tile(const TileEmit *e, int rows, LLVMValueRef row) {
  LLVMValueRef acc[TILE_MOST_ACCUMULATORS];
  dlc_assert(rows * e->vectors <= TILE_MOST_ACCUMULATORS);
  begin_sums(e, rows, row, acc);
  if (!e->phase->empty) tile_reduce(e, rows, row, acc);
  end_sums(e, rows, row, acc);
}

void tile_rows(const TileEmit *e, LLVMValueRef from, LLVMValueRef to) {
  int sizes[CONTRACT_ROW_SIZES], n = contract_row_sizes(e->phase->row.extent, e->job->tile.rows, sizes);
  for (int k = 0; k < n; k++) {
    LLVMValueRef last = LLVMBuildNSWSub(e->irb.b, to, tile_number(e, sizes[k] - 1), "");
    IrbLoop loop = irb_loop_begin(&e->irb, from, last, "row");
    emit_tile(e, sizes[k], loop.variable);
    irb_loop_end(&e->irb, &loop, sizes[k]);
    from = loop.variable;
  }
}
