// The register-tile micro-kernel, emitted as plain LLVM IR with explicit vectors; no IR pass runs over it.
//
//   for each work item: its levels' positions from its number
//     for the levels inside the item
//       for rows in tiles of T.rows, then the tails
//         acc[row][vector] = 0
//         for the reduction, outermost first: b = load, acc = fma(splat(a), b, acc)
//         store
//
// The reduction runs in the order of the node's indices, so tiles and vector widths never change a bit.
#include "tile.h"

#include "llvm_shim.h"

#include <string.h>

enum { MOST_VECTORS = 4, MOST_ROWS = 32, MOST_ACCUMULATORS = MOST_VECTORS * MOST_ROWS };

typedef struct Emit {
  const TileJob *job;
  const Phase *phase;
  LLVMModuleRef module;
  LLVMContextRef context;
  LLVMBuilderRef b;
  LLVMValueRef function, rt, base_a, base_b, base_c, scratch;
  LLVMTypeRef i64, f32, ptr, vector;
  LLVMValueRef fma, masked_load, masked_store;
  LLVMTypeRef fma_type;
  // where the loops stand
  LLVMValueRef chunk, outer[CONTRACT_MAX_AXES], panel_start;
  int vectors, live;  // of the panel being emitted: vectors, and lanes inside the last one
} Emit;

// ---- small pieces -------------------------------------------------------------------------------------------------

static LLVMValueRef number(const Emit *e, int64_t n) { return LLVMConstInt(e->i64, (unsigned long long)n, true); }

static LLVMValueRef times(const Emit *e, LLVMValueRef value, int64_t n) {
  if (n == 1) return value;
  return LLVMBuildNSWMul(e->b, value, number(e, n), "");
}

static LLVMValueRef plus(const Emit *e, LLVMValueRef value, LLVMValueRef other) {
  return LLVMBuildNSWAdd(e->b, value, other, "");
}

static LLVMValueRef extent_value(const Emit *e, Dim extent) {
  if (dim_is_const(extent)) return number(e, extent.scale);
  LLVMValueRef at = number(e, extent.symbol - 1);
  LLVMValueRef address = LLVMBuildInBoundsGEP2(e->b, e->i64, e->rt, &at, 1, "");
  return times(e, LLVMBuildLoad2(e->b, e->i64, address, "n"), extent.scale);
}

static LLVMValueRef element(const Emit *e, LLVMValueRef base, LLVMValueRef offset) {
  return LLVMBuildInBoundsGEP2(e->b, e->f32, base, &offset, 1, "");
}

static LLVMBasicBlockRef block(const Emit *e, const char *name) {
  return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

static LLVMValueRef smaller(const Emit *e, LLVMValueRef a, LLVMValueRef c) {
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, c, ""), a, c, "");
}

// A counted loop: begin, body, end. Trip count may be 0.
typedef struct Loop {
  LLVMBasicBlockRef head, done;
  LLVMValueRef variable;
} Loop;

static Loop loop_begin(const Emit *e, LLVMValueRef from, LLVMValueRef to, const char *name) {
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b), body = block(e, name);
  Loop loop = {.head = block(e, "head"), .done = block(e, "done")};
  LLVMBuildBr(e->b, loop.head);
  LLVMPositionBuilderAtEnd(e->b, loop.head);
  loop.variable = LLVMBuildPhi(e->b, e->i64, name);
  LLVMAddIncoming(loop.variable, &from, &before, 1);
  LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, loop.variable, to, ""), body, loop.done);
  LLVMPositionBuilderAtEnd(e->b, body);
  return loop;
}

static void loop_end(const Emit *e, const Loop *loop, int64_t step) {
  LLVMValueRef next = plus(e, loop->variable, number(e, step));
  LLVMBasicBlockRef from = LLVMGetInsertBlock(e->b);
  LLVMAddIncoming(loop->variable, &next, &from, 1);
  LLVMBuildBr(e->b, loop->head);
  LLVMPositionBuilderAtEnd(e->b, loop->done);
}

// ---- vectors ------------------------------------------------------------------------------------------------------

static LLVMValueRef mask_of(const Emit *e, int live) {
  LLVMTypeRef bit = LLVMInt1TypeInContext(e->context);
  LLVMValueRef bits[64];
  for (int k = 0; k < e->job->tile.lanes; k++) bits[k] = LLVMConstInt(bit, k < live, false);
  return LLVMConstVector(bits, (unsigned)e->job->tile.lanes);
}

static int live_lanes(const Emit *e, int vector) { return vector == e->vectors - 1 ? e->live : e->job->tile.lanes; }

static LLVMValueRef load_vector(const Emit *e, LLVMValueRef address, int live) {
  if (live < e->job->tile.lanes) {
    LLVMValueRef mask = mask_of(e, live);
    return shim_masked_load(e->b, e->module, e->vector, address, mask, 4);
  }
  LLVMValueRef load = LLVMBuildLoad2(e->b, e->vector, address, "");
  LLVMSetAlignment(load, 4);
  return load;
}

static void store_vector(const Emit *e, LLVMValueRef value, LLVMValueRef address, int live) {
  if (live < e->job->tile.lanes) {
    shim_masked_store(e->b, e->module, value, address, mask_of(e, live), 4);
    return;
  }
  LLVMSetAlignment(LLVMBuildStore(e->b, value, address), 4);
}

static LLVMValueRef splat(const Emit *e, LLVMValueRef scalar) {
  LLVMTypeRef i32 = LLVMInt32TypeInContext(e->context);
  LLVMValueRef one = LLVMBuildInsertElement(e->b, LLVMGetPoison(e->vector), scalar, LLVMConstInt(i32, 0, false), "");
  LLVMValueRef zeros = LLVMConstNull(LLVMVectorType(i32, (unsigned)e->job->tile.lanes));
  return LLVMBuildShuffleVector(e->b, one, LLVMGetPoison(e->vector), zeros, "");
}

// ---- the reduction ------------------------------------------------------------------------------------------------

// One step at pa, pb: acc[row][vector] = fma(splat(a[row]), b[vector], acc).
static void multiply_add(const Emit *e, int rows, LLVMValueRef pa, LLVMValueRef pb, LLVMValueRef *acc) {
  LLVMValueRef b[MOST_VECTORS];
  for (int j = 0; j < e->vectors; j++)
    b[j] = load_vector(e, element(e, pb, number(e, (int64_t)j * e->job->tile.lanes)), live_lanes(e, j));
  for (int i = 0; i < rows; i++) {
    LLVMValueRef scalar = LLVMBuildLoad2(e->b, e->f32, element(e, pa, number(e, i * e->phase->row.a)), "");
    LLVMSetAlignment(scalar, 4);
    LLVMValueRef a = splat(e, scalar);
    for (int j = 0; j < e->vectors; j++) {
      LLVMValueRef operands[3] = {a, b[j], acc[i * e->vectors + j]};
      acc[i * e->vectors + j] = LLVMBuildCall2(e->b, e->fma_type, e->fma, operands, 3, "");
    }
  }
}

// The bounds of reduction level k: its extent, or the chunk's part of it.
static LLVMValueRef level_trips(const Emit *e, int level) {
  LLVMValueRef extent = extent_value(e, e->phase->red[level].extent);
  int64_t chunk = e->job->contract->chunk;
  if (level > 0 || chunk == 0) return extent;
  LLVMValueRef left = LLVMBuildNSWSub(e->b, extent, times(e, e->chunk, chunk), "");
  return smaller(e, left, number(e, chunk));
}

// Loops run at least once (symbols are at least 1), so each is one block with its test at the end. Pointers and
// accumulators are phis.
static void reduce_level(const Emit *e, int level, int rows, LLVMValueRef pa, LLVMValueRef pb, LLVMValueRef *acc) {
  if (level == e->phase->n_red) {
    multiply_add(e, rows, pa, pb, acc);
    return;
  }
  const Axis *axis = &e->phase->red[level];
  int n = rows * e->vectors;
  LLVMValueRef trips = level_trips(e, level), zero = number(e, 0), phi_acc[MOST_ACCUMULATORS];
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b), body = block(e, "reduce"), done = block(e, "reduced");
  LLVMBuildBr(e->b, body);
  LLVMPositionBuilderAtEnd(e->b, body);
  LLVMValueRef k = LLVMBuildPhi(e->b, e->i64, "k"), a = LLVMBuildPhi(e->b, e->ptr, "a"),
               b = LLVMBuildPhi(e->b, e->ptr, "b");
  LLVMAddIncoming(k, &zero, &before, 1);
  LLVMAddIncoming(a, &pa, &before, 1);
  LLVMAddIncoming(b, &pb, &before, 1);
  for (int t = 0; t < n; t++) {
    phi_acc[t] = LLVMBuildPhi(e->b, e->vector, "acc");
    LLVMAddIncoming(phi_acc[t], &acc[t], &before, 1);
    acc[t] = phi_acc[t];
  }
  reduce_level(e, level + 1, rows, a, b, acc);
  LLVMBasicBlockRef last = LLVMGetInsertBlock(e->b);
  LLVMValueRef next = plus(e, k, number(e, 1));
  LLVMValueRef next_a = element(e, a, number(e, axis->a)), next_b = element(e, b, number(e, axis->b));
  LLVMAddIncoming(k, &next, &last, 1);
  LLVMAddIncoming(a, &next_a, &last, 1);
  LLVMAddIncoming(b, &next_b, &last, 1);
  for (int t = 0; t < n; t++) LLVMAddIncoming(phi_acc[t], &acc[t], &last, 1);
  LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, next, trips, ""), body, done);
  LLVMPositionBuilderAtEnd(e->b, done);
}

// ---- addresses and stores -----------------------------------------------------------------------------------------

typedef enum Side { SIDE_A, SIDE_B, SIDE_C } Side;
static int64_t stride_on(const Axis *axis, Side side) {
  return side == SIDE_A ? axis->a : side == SIDE_B ? axis->b : axis->c;
}

// Element offset of the tile whose first row is `row`, lanes aside.
static LLVMValueRef offset_on(const Emit *e, Side side, LLVMValueRef row) {
  const Phase *p = e->phase;
  LLVMValueRef sum = number(e, side == SIDE_A ? p->a0 : side == SIDE_B ? p->b0 : p->c0);
  for (int k = 0; k < p->n_outer; k++) {
    int64_t stride = stride_on(&p->outer[k], side);
    if (stride) sum = plus(e, sum, times(e, e->outer[k], stride));
  }
  if (stride_on(&p->row, side)) sum = plus(e, sum, times(e, row, stride_on(&p->row, side)));
  int64_t chunk = e->job->contract->chunk;
  if (chunk > 0 && side != SIDE_C && stride_on(&p->red[0], side))
    sum = plus(e, sum, times(e, e->chunk, chunk * stride_on(&p->red[0], side)));
  if (side != SIDE_A) sum = plus(e, sum, e->panel_start);
  return sum;
}

// The node's own indices at a position of an axis.
static void set_indices(const Emit *e, const Axis *axis, LLVMValueRef position, LLVMValueRef *index) {
  for (int p = 0; p < axis->n_parts; p++) {
    LLVMValueRef here = position;
    if (p + 1 < axis->n_parts) {
      LLVMValueRef extent = number(e, axis->part[p].extent);
      here = LLVMBuildURem(e->b, position, extent, "");
      position = LLVMBuildUDiv(e->b, position, extent, "");
    }
    index[axis->part[p].index] = plus(e, times(e, here, axis->part[p].scale), number(e, axis->part[p].offset));
  }
}

static void store_row(const Emit *e, LLVMValueRef row, const LLVMValueRef *acc) {
  const IndexDef *def = e->job->contract->root->index;
  LLVMValueRef index[IR_MAX_INDICES];
  for (int k = 0; k < def->n_out; k++) index[k] = number(e, e->phase->first[k]);
  for (int k = 0; k < e->phase->n_outer; k++) set_indices(e, &e->phase->outer[k], e->outer[k], index);
  set_indices(e, &e->phase->row, row, index);
  for (int j = 0; j < e->vectors; j++) {
    index[def->n_out - 1] = plus(e, e->panel_start, number(e, (int64_t)j * e->job->tile.lanes));
    e->job->store(e->job->state, e->b, index, acc[j], e->job->tile.lanes, live_lanes(e, j));
  }
}

static void store_chunk_row(const Emit *e, LLVMValueRef row, const LLVMValueRef *acc) {
  int64_t elements = shape_count(&e->job->contract->root->shape, NULL);
  LLVMValueRef offset = plus(e, offset_on(e, SIDE_C, row), times(e, e->chunk, elements));
  for (int j = 0; j < e->vectors; j++) {
    LLVMValueRef at = plus(e, offset, number(e, (int64_t)j * e->job->tile.lanes));
    store_vector(e, acc[j], element(e, e->scratch, at), live_lanes(e, j));
  }
}

static LLVMValueRef result_address(const Emit *e, LLVMValueRef row, int vector) {
  LLVMValueRef at = plus(e, offset_on(e, SIDE_C, row), number(e, (int64_t)vector * e->job->tile.lanes));
  return element(e, e->base_c, at);
}

static void store_plain_row(const Emit *e, LLVMValueRef row, const LLVMValueRef *acc) {
  for (int j = 0; j < e->vectors; j++) store_vector(e, acc[j], result_address(e, row, j), live_lanes(e, j));
}

static void start_row(const Emit *e, LLVMValueRef row, LLVMValueRef *acc) {
  for (int j = 0; j < e->vectors; j++)
    acc[j] = e->job->goes_on ? load_vector(e, result_address(e, row, j), live_lanes(e, j)) : LLVMConstNull(e->vector);
}

// `rows` rows from `row` on.
static void emit_tile(const Emit *e, int rows, LLVMValueRef row) {
  LLVMValueRef acc[MOST_ACCUMULATORS];
  for (int i = 0; i < rows; i++) start_row(e, plus(e, row, number(e, i)), acc + i * e->vectors);
  if (!e->phase->empty) {
    LLVMValueRef pa = element(e, e->base_a, offset_on(e, SIDE_A, row));
    LLVMValueRef pb = element(e, e->base_b, offset_on(e, SIDE_B, row));
    reduce_level(e, 0, rows, pa, pb, acc);
  }
  for (int i = 0; i < rows; i++) {
    LLVMValueRef at = plus(e, row, number(e, i));
    if (e->job->contract->chunk > 0)
      store_chunk_row(e, at, acc + i * e->vectors);
    else if (!e->job->store)
      store_plain_row(e, at, acc + i * e->vectors);
    else
      store_row(e, at, acc + i * e->vectors);
  }
}

// ---- loops around the tile ----------------------------------------------------------------------------------------

// Rows from..to in full tiles, then in smaller ones: the exact remainder of a constant extent, 4, 2, 1 of a symbolic
// one.
static void emit_rows(const Emit *e, LLVMValueRef from, LLVMValueRef to) {
  int full = e->job->tile.rows, sizes[8] = {full}, n = 1;
  Dim extent = e->phase->row.extent;
  if (dim_is_const(extent)) {
    if (extent.scale % full) sizes[n++] = (int)(extent.scale % full);
  } else {
    for (int size = 16; size >= 1; size /= 2)
      if (size < full && (size <= 4 || size * 2 > full)) sizes[n++] = size;
  }
  for (int k = 0; k < n; k++) {
    LLVMValueRef last = LLVMBuildNSWSub(e->b, to, number(e, sizes[k] - 1), "");
    Loop loop = loop_begin(e, from, last, "row");
    emit_tile(e, sizes[k], loop.variable);
    loop_end(e, &loop, sizes[k]);
    from = loop.variable;
  }
}

// What stands at each level, slowest first: chunk, outer[0], panel, outer[1..], block of rows.
typedef enum LevelKind { LEVEL_CHUNK, LEVEL_OUTER, LEVEL_PANEL, LEVEL_ROWS } LevelKind;
typedef struct Level {
  LevelKind kind;
  int axis;  // LEVEL_OUTER
} Level;

static int list_levels(const Phase *phase, Level *levels) {
  int n = 0;
  levels[n++] = (Level){LEVEL_CHUNK, 0};
  if (phase->n_outer > 0) levels[n++] = (Level){LEVEL_OUTER, 0};
  levels[n++] = (Level){LEVEL_PANEL, 0};
  for (int k = 1; k < phase->n_outer; k++) levels[n++] = (Level){LEVEL_OUTER, k};
  levels[n++] = (Level){LEVEL_ROWS, 0};
  return n;
}

static LLVMValueRef blocks_of(const Emit *e, Dim extent, int64_t size) {
  if (dim_is_const(extent)) return number(e, (extent.scale + size - 1) / size);
  return LLVMBuildUDiv(e->b, plus(e, extent_value(e, extent), number(e, size - 1)), number(e, size), "");
}

static LLVMValueRef level_count(const Emit *e, Level level) {
  int64_t chunk = e->job->contract->chunk;
  switch (level.kind) {
    case LEVEL_CHUNK:
      return chunk > 0 ? blocks_of(e, e->phase->red[0].extent, chunk) : number(e, 1);
    case LEVEL_OUTER:
      return extent_value(e, e->phase->outer[level.axis].extent);
    case LEVEL_PANEL:
      return number(e, e->job->shares.panels);
    case LEVEL_ROWS:
      return blocks_of(e, e->phase->row.extent, e->job->shares.block_rows);
  }
  return NULL;
}

static void emit_inner(Emit *e, const Level *levels, int n, int level, const LLVMValueRef *position);

// The code of a panel differs where it is the last, partial one.
static void emit_panel_kind(Emit *e, bool partial, const Level *levels, int n, int level,
                            const LLVMValueRef *position) {
  Tile tile = e->job->tile;
  int64_t width = (int64_t)tile.lanes * tile.vectors, rest = e->phase->lane.extent.scale % width;
  e->vectors = partial ? (int)((rest + tile.lanes - 1) / tile.lanes) : tile.vectors;
  e->live = partial ? (int)(rest - (int64_t)(e->vectors - 1) * tile.lanes) : tile.lanes;
  emit_inner(e, levels, n, level, position);
}

static void emit_panel(Emit *e, LLVMValueRef panel, const Level *levels, int n, int level,
                       const LLVMValueRef *position) {
  int64_t width = (int64_t)e->job->tile.lanes * e->job->tile.vectors;
  int64_t full = e->phase->lane.extent.scale / width;
  bool has_partial = full < e->job->shares.panels;
  e->panel_start = times(e, panel, width);
  if (!has_partial || full == 0) {
    emit_panel_kind(e, full == 0, levels, n, level, position);
    return;
  }
  LLVMBasicBlockRef whole = block(e, "whole"), partial = block(e, "partial"), after = block(e, "after");
  LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, panel, number(e, full), ""), whole, partial);
  LLVMPositionBuilderAtEnd(e->b, whole);
  emit_panel_kind(e, false, levels, n, level, position);
  LLVMBuildBr(e->b, after);
  LLVMPositionBuilderAtEnd(e->b, partial);
  emit_panel_kind(e, true, levels, n, level, position);
  LLVMBuildBr(e->b, after);
  LLVMPositionBuilderAtEnd(e->b, after);
}

static void emit_row_block(Emit *e, LLVMValueRef number_of_block) {
  LLVMValueRef from = times(e, number_of_block, e->job->shares.block_rows);
  LLVMValueRef to =
      smaller(e, plus(e, from, number(e, e->job->shares.block_rows)), extent_value(e, e->phase->row.extent));
  emit_rows(e, from, to);
}

// Level by level: the item's levels have their position already, the others are loops here.
static void emit_inner(Emit *e, const Level *levels, int n, int level, const LLVMValueRef *position) {
  if (level == n) return;
  bool inside = level >= e->job->shares.item_levels;
  Loop loop = {0};
  if (inside) loop = loop_begin(e, number(e, 0), level_count(e, levels[level]), "level");
  LLVMValueRef at = inside ? loop.variable : position[level];
  switch (levels[level].kind) {
    case LEVEL_CHUNK:
      e->chunk = at;
      emit_inner(e, levels, n, level + 1, position);
      break;
    case LEVEL_OUTER:
      e->outer[levels[level].axis] = at;
      emit_inner(e, levels, n, level + 1, position);
      break;
    case LEVEL_PANEL:
      emit_panel(e, at, levels, n, level + 1, position);
      break;
    case LEVEL_ROWS:
      emit_row_block(e, at);
      break;
  }
  if (inside) loop_end(e, &loop, 1);
}

// Work items begin..end: each item's number is taken apart into its levels' positions, the last level fastest.
static void emit_items(Emit *e, LLVMValueRef begin, LLVMValueRef end) {
  Level levels[CONTRACT_LEVELS];
  LLVMValueRef count[CONTRACT_LEVELS], position[CONTRACT_LEVELS];
  int n = list_levels(e->phase, levels);
  for (int k = 0; k < n; k++) count[k] = level_count(e, levels[k]);
  Loop loop = loop_begin(e, begin, end, "item");
  LLVMValueRef rest = loop.variable;
  for (int k = e->job->shares.item_levels - 1; k > 0; k--) {
    position[k] = LLVMBuildURem(e->b, rest, count[k], "");
    rest = LLVMBuildUDiv(e->b, rest, count[k], "");
  }
  position[0] = rest;
  emit_inner(e, levels, n, 0, position);
  loop_end(e, &loop, 1);
}

// ---- the function -------------------------------------------------------------------------------------------------

static LLVMValueRef argument(const Emit *e, int slot) {
  LLVMValueRef at = number(e, slot);
  LLVMValueRef address = LLVMBuildInBoundsGEP2(e->b, e->ptr, LLVMGetParam(e->function, 0), &at, 1, "");
  return LLVMBuildLoad2(e->b, e->ptr, address, "");
}

static void declare_fma(Emit *e) {
  unsigned id = LLVMLookupIntrinsicID("llvm.fma", 8);
  e->fma = LLVMGetIntrinsicDeclaration(e->module, id, &e->vector, 1);
  e->fma_type = LLVMIntrinsicGetType(e->context, id, &e->vector, 1);
}

LLVMValueRef tile_emit(LLVMModuleRef module, const char *name, const TileJob *job) {
  Emit e = {.job = job, .phase = job->phase, .module = module, .context = LLVMGetModuleContext(module)};
  e.i64 = LLVMInt64TypeInContext(e.context);
  e.f32 = LLVMFloatTypeInContext(e.context);
  e.ptr = LLVMPointerTypeInContext(e.context, 0);
  e.vector = LLVMVectorType(e.f32, (unsigned)job->tile.lanes);
  declare_fma(&e);
  e.function = shim_kernel_function(module, name);
  e.rt = LLVMGetParam(e.function, 1);
  e.b = LLVMCreateBuilderInContext(e.context);
  LLVMPositionBuilderAtEnd(e.b, block(&e, "entry"));
  e.base_a = argument(&e, job->slot_a);
  e.base_b = argument(&e, job->slot_b);
  if (!job->store) e.base_c = argument(&e, job->slot_c);
  if (job->contract->chunk > 0)
    e.scratch = argument(&e, job->slot_scratch);
  else if (job->begin)
    job->begin(job->state, e.b, e.function);
  emit_items(&e, LLVMGetParam(e.function, 2), LLVMGetParam(e.function, 3));
  LLVMBuildRetVoid(e.b);
  LLVMDisposeBuilder(e.b);
  return e.function;
}
