// Convolutions in transformed tiles to LLVM IR (winograd_code.h says what a function does).
//
// The transforms run over channels, a vector at a time, with 36 vectors alive: what has no register waits on the stack.
// The products are a function of their own in the same module, made by the micro-kernel's emitter and called once a
// block.
#include <stddef.h>

#include "dlc_abi.h"
#include "follow.h"
#include "llvm_shim.h"
#include "tile.h"
#include "winograd_code.h"
#include "winograd_math.h"

enum { MOST_POINTS = WINOGRAD_POINTS };

typedef struct Emit {
  Arena *arena;
  Irb irb;
  const WinogradCode *code;
  const Winograd *w;
  const WinogradTransforms *math;
  Follow *follow;
  LLVMValueRef function, rt, batch;
  LLVMValueRef v, m, s, edge;            // in the thread's memory
  int lanes;                             // of the vectors that are being worked on
  LLVMValueRef product, args, inner_rt;  // the micro-kernel's function and what it is called with
} Emit;

static LLVMValueRef number(const Emit *e, int64_t n) { return irb_i64(&e->irb, n); }

static LLVMValueRef plus(const Emit *e, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildNSWAdd(e->irb.b, a, b, ""); }

static LLVMValueRef times(const Emit *e, LLVMValueRef a, int64_t n) {
  return n == 1 ? a : LLVMBuildNSWMul(e->irb.b, a, number(e, n), "");
}

static LLVMValueRef over(const Emit *e, LLVMValueRef a, int64_t n) {
  return n == 1 ? a : LLVMBuildUDiv(e->irb.b, a, number(e, n), "");
}

static LLVMValueRef rest(const Emit *e, LLVMValueRef a, int64_t n) {
  return n == 1 ? number(e, 0) : LLVMBuildURem(e->irb.b, a, number(e, n), "");
}

static LLVMValueRef smaller(const Emit *e, LLVMValueRef a, LLVMValueRef b) {
  return irb_select(&e->irb, LLVMBuildICmp(e->irb.b, LLVMIntSLT, a, b, ""), a, b);
}

static LLVMValueRef element(const Emit *e, LLVMValueRef base, LLVMValueRef at) {
  return LLVMBuildInBoundsGEP2(e->irb.b, e->irb.f32, base, &at, 1, "");
}

static LLVMTypeRef vector_type(const Emit *e) { return irb_vector(e->irb.f32, e->lanes); }

static LLVMValueRef load(const Emit *e, LLVMValueRef address, int live) {
  if (live < e->lanes) {
    LLVMValueRef mask = irb_mask(&e->irb, e->lanes, live);
    return shim_masked_load(e->irb.b, e->irb.module, vector_type(e), address, mask, 4);
  }
  LLVMValueRef value = LLVMBuildLoad2(e->irb.b, vector_type(e), address, "");
  LLVMSetAlignment(value, 4);
  return value;
}

static void store(const Emit *e, LLVMValueRef value, LLVMValueRef address, int live) {
  if (live < e->lanes)
    shim_masked_store(e->irb.b, e->irb.module, value, address, irb_mask(&e->irb, e->lanes, live), 4);
  else
    LLVMSetAlignment(LLVMBuildStore(e->irb.b, value, address), 4);
}

// ---- over channels --------------------------------------------------------------------------------------------------

// What is done for one vector of channels that begins at `at`, `live` of them inside.
typedef void (*VectorBody)(Emit *e, LLVMValueRef at, int live, void *state);

static void for_vectors(Emit *e, int64_t channels, VectorBody body, void *state) {
  int lanes = e->lanes;
  int64_t whole = channels / lanes * lanes;
  if (whole) {
    IrbLoop loop = irb_loop_begin(&e->irb, number(e, 0), number(e, whole), "channel");
    body(e, loop.variable, lanes, state);
    irb_loop_end(&e->irb, &loop, lanes);
  }
  if (channels > whole) body(e, number(e, whole), (int)(channels - whole), state);
}

// The same with vectors of what follows the sums.
static void for_wide_vectors(Emit *e, int64_t channels, VectorBody body, void *state) {
  e->lanes = e->code->wide;
  for_vectors(e, channels, body, state);
  e->lanes = e->code->lanes;
}

// A transform from rows * columns vectors in memory to as many again elsewhere.
typedef struct Transform {
  WinogradMath math;
  int from, to;  // a side
  bool turn_rows, turn_columns;
  LLVMValueRef in, in_row;  // address; floats between rows, between columns
  int64_t in_column;
  LLVMValueRef out;
  int64_t out_point;  // floats between points
} Transform;

static void transform_vector(Emit *e, LLVMValueRef at, int live, void *state) {
  const Transform *t = state;
  LLVMValueRef in[MOST_POINTS], out[MOST_POINTS];
  for (int r = 0; r < t->from; r++) {
    LLVMValueRef row = LLVMBuildNSWMul(e->irb.b, t->in_row, number(e, t->turn_rows ? t->from - 1 - r : r), "");
    LLVMValueRef base = element(e, element(e, t->in, row), at);
    for (int c = 0; c < t->from; c++) {
      int column = t->turn_columns ? t->from - 1 - c : c;
      in[r * t->from + c] = load(e, element(e, base, number(e, column * t->in_column)), live);
    }
  }
  winograd_both(&e->irb, t->math, t->from, t->to, in, out);
  LLVMValueRef base = element(e, t->out, at);
  for (int k = 0; k < t->to * t->to; k++) store(e, out[k], element(e, base, number(e, k * t->out_point)), live);
}

static void transform(Emit *e, int64_t channels, const Transform *t) {
  for_vectors(e, channels, transform_vector, (void *)t);
}

// ---- windows --------------------------------------------------------------------------------------------------------

// A square of a tensor [n, rows, columns, channels]: of `side` elements from first + a tile on, zeros outside the
// limits.
typedef struct Square {
  LLVMValueRef base;
  int64_t rows, columns, channels;  // of the tensor
  int64_t first_row, first_column, limit_row, limit_column;
  int side;
} Square;

typedef struct Position {  // a tile: image, row, column
  LLVMValueRef image, row, column;
} Position;

static Position position_of(const Emit *e, LLVMValueRef tile) {
  int64_t an_image = e->code->rows * e->code->columns;
  LLVMValueRef in_image = rest(e, tile, an_image);
  return (Position){over(e, tile, an_image), over(e, in_image, e->code->columns), rest(e, in_image, e->code->columns)};
}

static bool sticks_out(const Emit *e, const Square *q) {
  return e->w->tile * (e->code->rows - 1) + q->first_row + q->side > q->limit_row ||
         e->w->tile * (e->code->columns - 1) + q->first_column + q->side > q->limit_column;
}

static LLVMValueRef square_address(const Emit *e, const Square *q, Position p) {
  LLVMValueRef row = plus(e, times(e, p.row, e->w->tile), number(e, q->first_row));
  LLVMValueRef column = plus(e, times(e, p.column, e->w->tile), number(e, q->first_column));
  LLVMValueRef line = plus(e, times(e, p.image, q->rows), row);
  return element(e, q->base, times(e, plus(e, times(e, line, q->columns), column), q->channels));
}

typedef struct Copy {
  LLVMValueRef from, to;
} Copy;

static void copy_vector(Emit *e, LLVMValueRef at, int live, void *state) {
  const Copy *c = state;
  LLVMValueRef value = c->from ? load(e, element(e, c->from, at), live) : LLVMConstNull(vector_type(e));
  store(e, value, element(e, c->to, at), live);
}

// The part of the square that is inside, with zeros around it, in the thread's memory: [side, side, channels].
static void copy_square(Emit *e, const Square *q, Position p, LLVMValueRef address) {
  Copy zeros = {NULL, e->edge};
  for_vectors(e, (int64_t)q->side * q->side * q->channels, copy_vector, &zeros);
  LLVMValueRef rows =
      LLVMBuildNSWSub(e->irb.b, number(e, q->limit_row - q->first_row), times(e, p.row, e->w->tile), "");
  LLVMValueRef columns =
      LLVMBuildNSWSub(e->irb.b, number(e, q->limit_column - q->first_column), times(e, p.column, e->w->tile), "");
  IrbLoop row = irb_loop_begin(&e->irb, number(e, 0), smaller(e, rows, number(e, q->side)), "row");
  IrbLoop column = irb_loop_begin(&e->irb, number(e, 0), smaller(e, columns, number(e, q->side)), "column");
  LLVMValueRef from = plus(e, times(e, row.variable, q->columns), column.variable);
  LLVMValueRef to = plus(e, times(e, row.variable, q->side), column.variable);
  Copy copy = {element(e, address, times(e, from, q->channels)), element(e, e->edge, times(e, to, q->channels))};
  for_vectors(e, q->channels, copy_vector, &copy);
  irb_loop_end(&e->irb, &column, 1);
  irb_loop_end(&e->irb, &row, 1);
}

// Where the square can be read, and the floats between its rows: in place, or a copy where it sticks out.
static void find_square(Emit *e, const Square *q, Position p, Transform *t) {
  LLVMValueRef address = square_address(e, q, p), in_place = number(e, q->columns * q->channels);
  t->in = address, t->in_row = in_place, t->in_column = q->channels;
  if (!sticks_out(e, q)) return;
  int64_t last_row = (q->limit_row - q->first_row - q->side) / e->w->tile;
  int64_t last_column = (q->limit_column - q->first_column - q->side) / e->w->tile;
  if (q->limit_row - q->first_row < q->side) last_row = -1;
  if (q->limit_column - q->first_column < q->side) last_column = -1;
  LLVMValueRef inside = LLVMBuildAnd(e->irb.b, LLVMBuildICmp(e->irb.b, LLVMIntSLE, p.row, number(e, last_row), ""),
                                     LLVMBuildICmp(e->irb.b, LLVMIntSLE, p.column, number(e, last_column), ""), "");
  LLVMBasicBlockRef before = LLVMGetInsertBlock(e->irb.b), sticks = irb_block(&e->irb, "sticks"),
                    ready = irb_block(&e->irb, "ready");
  LLVMBuildCondBr(e->irb.b, inside, ready, sticks);
  LLVMPositionBuilderAtEnd(e->irb.b, sticks);
  copy_square(e, q, p, address);
  LLVMBasicBlockRef copied = LLVMGetInsertBlock(e->irb.b);
  LLVMBuildBr(e->irb.b, ready);
  LLVMPositionBuilderAtEnd(e->irb.b, ready);
  LLVMBasicBlockRef from[2] = {before, copied};
  LLVMValueRef addresses[2] = {address, e->edge}, strides[2] = {in_place, number(e, q->side * q->channels)};
  t->in = LLVMBuildPhi(e->irb.b, e->irb.ptr, "square");
  LLVMAddIncoming(t->in, addresses, from, 2);
  t->in_row = LLVMBuildPhi(e->irb.b, e->irb.i64, "row");
  LLVMAddIncoming(t->in_row, strides, from, 2);
}

// ---- the parts of a block -------------------------------------------------------------------------------------------

static Square window_square(const Emit *e) {
  const Winograd *w = e->w;
  return (Square){
      .base = follow_base(e->follow, lower_input_slot(e->code->sweep->kernel, e->code->root->in[w->images])),
      .rows = w->image_rows,
      .columns = w->image_columns,
      .channels = w->channels,
      .first_row = w->first_row,
      .first_column = w->first_column,
      .limit_row = w->image_rows,
      .limit_column = w->image_columns,
      .side = WINOGRAD_WINDOW};
}

// V[36][t][c] of tile number `tile`.
static void transform_window(Emit *e, Position p, LLVMValueRef t) {
  Square square = window_square(e);
  Transform to_v = {.math = winograd_window, .from = WINOGRAD_WINDOW, .to = WINOGRAD_WINDOW};
  find_square(e, &square, p, &to_v);
  to_v.out = element(e, e->v, times(e, t, e->code->v_stride));
  to_v.out_point = e->code->block * e->code->v_stride;
  transform(e, square.channels, &to_v);
}

static void call_product(const Emit *e) {
  LLVMValueRef arguments[4] = {e->args, e->inner_rt, number(e, 0), number(e, 1)};
  LLVMBuildCall2(e->irb.b, LLVMGlobalGetValueType(e->product), e->product, arguments, 4, "");
}

static void set_product_args(const Emit *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
  LLVMValueRef values[3] = {a, b, c};
  for (int k = 0; k < 3; k++) {
    LLVMValueRef at = number(e, k);
    LLVMBuildStore(e->irb.b, values[k], LLVMBuildInBoundsGEP2(e->irb.b, e->irb.ptr, e->args, &at, 1, ""));
  }
}

typedef struct Pixel {
  LLVMValueRef index[4];  // of the root; the last: where the part begins
  LLVMValueRef from;
} Pixel;

static void store_sum(Emit *e, LLVMValueRef at, int live, void *state) {
  const Pixel *pixel = state;
  LLVMValueRef index[4] = {pixel->index[0], pixel->index[1], pixel->index[2], plus(e, pixel->index[3], at)};
  LLVMValueRef value = load(e, element(e, pixel->from, at), e->lanes);
  follow_store(e->follow, e->irb.b, index, value, e->lanes, live, NULL);
}

// The results of the block's tile number t, as [tile][tile][outputs] from `to` on.
static void transform_back(Emit *e, LLVMValueRef t, LLVMValueRef to) {
  Transform back = {.math = e->math->result, .from = WINOGRAD_WINDOW, .to = e->w->tile};
  back.in = element(e, e->m, times(e, t, e->code->m_stride));
  back.in_column = e->code->block * e->code->m_stride;
  back.in_row = number(e, WINOGRAD_WINDOW * back.in_column);
  back.out = to;
  back.out_point = e->code->m_stride;
  transform(e, (e->code->part_outputs + 15) / 16 * 16, &back);
}

// The tile's results, by way of the thread's memory, to what follows.
static void finish_tile(Emit *e, Position p, LLVMValueRef t, LLVMValueRef first_output) {
  transform_back(e, t, e->s);
  LLVMValueRef row0 = times(e, p.row, e->w->tile), column0 = times(e, p.column, e->w->tile),
               side = number(e, e->w->tile);
  LLVMValueRef rows = smaller(e, side, LLVMBuildNSWSub(e->irb.b, number(e, e->w->height), row0, ""));
  LLVMValueRef columns = smaller(e, side, LLVMBuildNSWSub(e->irb.b, number(e, e->w->width), column0, ""));
  IrbLoop row = irb_loop_begin(&e->irb, number(e, 0), rows, "row");
  IrbLoop column = irb_loop_begin(&e->irb, number(e, 0), columns, "column");
  LLVMValueRef place = plus(e, times(e, row.variable, e->w->tile), column.variable);
  Pixel pixel = {{p.image, plus(e, row0, row.variable), plus(e, column0, column.variable), first_output},
                 element(e, e->s, times(e, place, e->code->m_stride))};
  for_wide_vectors(e, e->code->part_outputs, store_sum, &pixel);
  irb_loop_end(&e->irb, &column, 1);
  irb_loop_end(&e->irb, &row, 1);
}

// ---- the sums -------------------------------------------------------------------------------------------------------

static LLVMValueRef batch_images(const Emit *e) {
  Dim batch = e->w->batch;
  if (dim_is_const(batch)) return number(e, batch.scale);
  LLVMValueRef at = number(e, batch.symbol - 1);
  LLVMValueRef address = LLVMBuildInBoundsGEP2(e->irb.b, e->irb.i64, e->rt, &at, 1, "");
  return times(e, LLVMBuildLoad2(e->irb.b, e->irb.i64, address, "n"), batch.scale);
}

// The windows of `count` tiles from number `first` of the batch on.
static void transform_windows(Emit *e, LLVMValueRef first, LLVMValueRef count) {
  IrbLoop in = irb_loop_begin(&e->irb, number(e, 0), count, "tile");
  transform_window(e, position_of(e, plus(e, first, in.variable)), in.variable);
  irb_loop_end(&e->irb, &in, 1);
}

static void multiply_weights(Emit *e, LLVMValueRef first_output) {
  LLVMValueRef weights = follow_base(e->follow, lower_scratch_slot(e->code->sweep->kernel));
  set_product_args(e, e->v, element(e, weights, first_output), e->m);
  call_product(e);
}

static void sums_item(Emit *e, LLVMValueRef item, LLVMValueRef total, LLVMValueRef blocks) {
  const WinogradCode *code = e->code;
  LLVMValueRef part = number(e, 0), block = item;
  if (code->parts > 1) {
    part = LLVMBuildUDiv(e->irb.b, item, blocks, "part");
    block = LLVMBuildURem(e->irb.b, item, blocks, "block");
  }
  LLVMValueRef first = times(e, block, code->block), first_output = times(e, part, code->part_outputs);
  LLVMValueRef left = LLVMBuildNSWSub(e->irb.b, total, first, ""), count = smaller(e, left, number(e, code->block));
  transform_windows(e, first, count);
  multiply_weights(e, first_output);
  IrbLoop out = irb_loop_begin(&e->irb, number(e, 0), count, "tile");
  finish_tile(e, position_of(e, plus(e, first, out.variable)), out.variable, first_output);
  irb_loop_end(&e->irb, &out, 1);
}

static void emit_sums(Emit *e, LLVMValueRef begin, LLVMValueRef end) {
  LLVMValueRef total = times(e, e->batch, e->code->rows * e->code->columns);
  LLVMValueRef blocks = over(e, plus(e, total, number(e, e->code->block - 1)), e->code->block);
  IrbLoop loop = irb_loop_begin(&e->irb, begin, end, "item");
  sums_item(e, loop.variable, total, blocks);
  irb_loop_end(&e->irb, &loop, 1);
}

// ---- the sums, with others carried ----------------------------------------------------------------------------------

// A row of tiles: image rows [columns][tile][tile][outputs] in the thread's memory, and where its pixels belong.
typedef struct Strip {
  LLVMValueRef image, row;  // of the first pixel
  LLVMValueRef first_output, chunk;
} Strip;

// Where the chunk's value of sum k is for the outputs from `output` on.
static LLVMValueRef sum_address(const Emit *e, int k, LLVMValueRef chunk, LLVMValueRef output) {
  return element(e, follow_base(e->follow, e->code->sums[k].slot), plus(e, times(e, chunk, e->w->outputs), output));
}

static void clear_sums(Emit *e, LLVMValueRef at, int live, void *state) {
  const Strip *strip = state;
  for (int k = 0; k < e->code->n_sums; k++) {
    LLVMValueRef to = sum_address(e, k, strip->chunk, plus(e, strip->first_output, at));
    store(e, LLVMConstNull(vector_type(e)), to, live);
  }
}

// Pixel i, j of the strip: what follows, and the accumulators of the sums.
static void strip_pixel(Emit *e, const Strip *strip, LLVMValueRef i, LLVMValueRef j, LLVMValueRef at, int live,
                        LLVMValueRef *acc) {
  LLVMValueRef tile = over(e, j, e->w->tile), column = rest(e, j, e->w->tile);
  LLVMValueRef place = plus(e, times(e, plus(e, times(e, tile, e->w->tile), i), e->w->tile), column);
  LLVMValueRef from = element(e, e->s, plus(e, times(e, place, e->code->m_stride), at));
  LLVMValueRef index[4] = {strip->image, plus(e, strip->row, i), j, plus(e, strip->first_output, at)};
  follow_store(e->follow, e->irb.b, index, load(e, from, e->lanes), e->lanes, live, acc);
}

static void finish_strip(Emit *e, LLVMValueRef at, int live, void *state) {
  const Strip *strip = state;
  int n = e->code->n_sums;
  LLVMValueRef address[SWEEP_SUMS_MOST], outer[SWEEP_SUMS_MOST], inner[SWEEP_SUMS_MOST], acc[SWEEP_SUMS_MOST];
  for (int k = 0; k < n; k++) address[k] = sum_address(e, k, strip->chunk, plus(e, strip->first_output, at));
  for (int k = 0; k < n; k++) acc[k] = load(e, address[k], live);
  LLVMValueRef left = LLVMBuildNSWSub(e->irb.b, number(e, e->w->height), strip->row, "");
  IrbLoop row = irb_loop_begin(&e->irb, number(e, 0), smaller(e, left, number(e, e->w->tile)), "row");
  for (int k = 0; k < n; k++) outer[k] = irb_loop_carried(&e->irb, &row, acc[k]);
  IrbLoop column = irb_loop_begin(&e->irb, number(e, 0), number(e, e->w->width), "column");
  for (int k = 0; k < n; k++) acc[k] = inner[k] = irb_loop_carried(&e->irb, &column, outer[k]);
  strip_pixel(e, strip, row.variable, column.variable, at, live, acc);
  for (int k = 0; k < n; k++) irb_loop_carry(&e->irb, inner[k], acc[k]);
  irb_loop_end(&e->irb, &column, 1);
  for (int k = 0; k < n; k++) irb_loop_carry(&e->irb, outer[k], inner[k]);
  irb_loop_end(&e->irb, &row, 1);
  for (int k = 0; k < n; k++) store(e, outer[k], address[k], live);
}

// Row number `row` of the block's tiles, which is row `in_all` of the batch's.
static void finish_row(Emit *e, LLVMValueRef row, LLVMValueRef in_all, Strip strip) {
  IrbLoop tile = irb_loop_begin(&e->irb, number(e, 0), number(e, e->code->columns), "tile");
  LLVMValueRef in_block = plus(e, times(e, row, e->code->columns), tile.variable);
  LLVMValueRef to = element(e, e->s, times(e, tile.variable, e->w->tile * e->w->tile * e->code->m_stride));
  transform_back(e, in_block, to);
  irb_loop_end(&e->irb, &tile, 1);
  strip.image = over(e, in_all, e->code->rows);
  strip.row = times(e, rest(e, in_all, e->code->rows), e->w->tile);
  for_wide_vectors(e, e->code->part_outputs, finish_strip, &strip);
}

static void carrying_block(Emit *e, LLVMValueRef first_row, LLVMValueRef left, const Strip *strip) {
  const WinogradCode *code = e->code;
  LLVMValueRef rows = smaller(e, left, number(e, code->block / code->columns));
  LLVMValueRef first = times(e, first_row, code->columns);
  transform_windows(e, first, times(e, rows, code->columns));
  multiply_weights(e, strip->first_output);
  IrbLoop row = irb_loop_begin(&e->irb, number(e, 0), rows, "strip");
  finish_row(e, row.variable, plus(e, first_row, row.variable), *strip);
  irb_loop_end(&e->irb, &row, 1);
}

static void carrying_item(Emit *e, LLVMValueRef item, LLVMValueRef chunks) {
  const WinogradCode *code = e->code;
  Strip strip = {.chunk = item, .first_output = number(e, 0)};
  if (code->parts > 1) {
    strip.chunk = LLVMBuildURem(e->irb.b, item, chunks, "chunk");
    strip.first_output = times(e, LLVMBuildUDiv(e->irb.b, item, chunks, "part"), code->part_outputs);
  }
  for_vectors(e, code->part_outputs, clear_sums, &strip);
  LLVMValueRef image = times(e, strip.chunk, code->chunk), left = LLVMBuildNSWSub(e->irb.b, e->batch, image, "");
  LLVMValueRef rows = times(e, smaller(e, left, number(e, code->chunk)), code->rows);
  IrbLoop block = irb_loop_begin(&e->irb, number(e, 0), rows, "block");
  LLVMValueRef first_row = plus(e, times(e, image, code->rows), block.variable);
  carrying_block(e, first_row, LLVMBuildNSWSub(e->irb.b, rows, block.variable, ""), &strip);
  irb_loop_end(&e->irb, &block, code->block / code->columns);
}

static void emit_carrying(Emit *e, LLVMValueRef begin, LLVMValueRef end) {
  LLVMValueRef chunks = over(e, plus(e, e->batch, number(e, e->code->chunk - 1)), e->code->chunk);
  IrbLoop loop = irb_loop_begin(&e->irb, begin, end, "item");
  carrying_item(e, loop.variable, chunks);
  irb_loop_end(&e->irb, &loop, 1);
}

// ---- the weights ----------------------------------------------------------------------------------------------------

static void emit_weights(Emit *e, LLVMValueRef begin, LLVMValueRef end) {
  const Winograd *w = e->w;
  const Kernel *kernel = e->code->sweep->kernel;
  LLVMValueRef from = follow_base(e->follow, lower_input_slot(kernel, e->code->root->in[w->other]));
  LLVMValueRef to = follow_base(e->follow, lower_scratch_slot(kernel));
  IrbLoop loop = irb_loop_begin(&e->irb, begin, end, "c");
  LLVMValueRef line = times(e, loop.variable, w->outputs);
  Transform t = {.math = e->math->filter, .from = w->filter, .to = WINOGRAD_WINDOW};
  t.turn_rows = w->turn_rows, t.turn_columns = w->turn_columns;
  t.in = element(e, from, line);
  t.in_column = w->channels * w->outputs;
  t.in_row = number(e, w->filter * t.in_column);
  t.out = element(e, to, line);
  t.out_point = w->channels * w->outputs;
  transform(e, w->outputs, &t);
  irb_loop_end(&e->irb, &loop, 1);
}

// ---- the gradient of the weights ------------------------------------------------------------------------------------

static Square result_square(const Emit *e) {
  const Winograd *w = e->w;
  return (Square){.base = follow_base(e->follow, lower_input_slot(e->code->sweep->kernel, e->code->root->in[w->other])),
                  .rows = w->other_rows,
                  .columns = w->other_columns,
                  .channels = w->outputs,
                  .first_row = w->other_first_row,
                  .first_column = w->other_first_column,
                  .limit_row = w->other_first_row + w->height,
                  .limit_column = w->other_first_column + w->width,
                  .side = e->w->tile};
}

// Z[36][t][o]: those outputs of the tile that belong to the part.
static void transform_result(Emit *e, Position p, LLVMValueRef t, LLVMValueRef first_output) {
  Square square = result_square(e);
  Transform to_z = {.math = e->math->spread, .from = e->w->tile, .to = WINOGRAD_WINDOW};
  find_square(e, &square, p, &to_z);
  to_z.in = element(e, to_z.in, first_output);
  to_z.out = element(e, e->m, times(e, t, e->code->m_stride));
  to_z.out_point = e->code->block * e->code->m_stride;
  transform(e, e->code->part_outputs, &to_z);
}

typedef struct Filter {
  LLVMValueRef channel, first_output, chunk, in;
} Filter;

static void store_filter(Emit *e, const Filter *f, LLVMValueRef at, int live, const LLVMValueRef *value) {
  const Winograd *w = e->w;
  LLVMValueRef output = plus(e, f->first_output, at);
  int taps = w->filter * w->filter;
  for (int k = 0; k < taps; k++) {
    LLVMValueRef index[4] = {number(e, k / w->filter), number(e, k % w->filter), f->channel, output};
    if (!f->chunk) {
      follow_store(e->follow, e->irb.b, index, value[k], e->lanes, live, NULL);
      continue;
    }
    LLVMValueRef line = plus(e, times(e, f->chunk, taps), number(e, k));
    line = plus(e, times(e, line, w->channels), f->channel);
    LLVMValueRef base = follow_base(e->follow, lower_scratch_slot(e->code->sweep->kernel));
    store(e, value[k], element(e, base, plus(e, times(e, line, w->outputs), output)), live);
  }
}

static void finish_filter(Emit *e, LLVMValueRef at, int live, void *state) {
  const Filter *f = state;
  LLVMValueRef in[MOST_POINTS], out[MOST_POINTS];
  int64_t point = e->w->channels * e->code->part_outputs;
  LLVMValueRef base = element(e, f->in, at);
  for (int k = 0; k < WINOGRAD_POINTS; k++) in[k] = load(e, element(e, base, number(e, k * point)), live);
  winograd_both(&e->irb, e->math->to_filter, WINOGRAD_WINDOW, e->w->filter, in, out);
  store_filter(e, f, at, live, out);
}

static void add_block(Emit *e, LLVMValueRef first, LLVMValueRef left, LLVMValueRef first_output) {
  LLVMValueRef count = smaller(e, left, number(e, e->code->block));
  IrbLoop in = irb_loop_begin(&e->irb, number(e, 0), count, "tile");
  Position p = position_of(e, plus(e, first, in.variable));
  transform_window(e, p, in.variable);
  transform_result(e, p, in.variable, first_output);
  irb_loop_end(&e->irb, &in, 1);
  LLVMBuildStore(e->irb.b, count, e->inner_rt);
  call_product(e);
}

static void gradient_item(Emit *e, LLVMValueRef item) {
  const WinogradCode *code = e->code;
  int64_t chunk = code->sweep->chunk, an_image = code->rows * code->columns;
  LLVMValueRef first_output = times(e, rest(e, item, code->parts), code->part_outputs);
  LLVMValueRef number_of_chunk = over(e, item, code->parts), image = times(e, number_of_chunk, chunk),
               images = e->batch;
  if (chunk > 0) images = smaller(e, LLVMBuildNSWSub(e->irb.b, e->batch, image, ""), number(e, chunk));
  Copy zeros = {NULL, e->s};
  for_vectors(e, WINOGRAD_POINTS * e->w->channels * code->part_outputs, copy_vector, &zeros);
  LLVMValueRef first = times(e, image, an_image), total = times(e, images, an_image);
  IrbLoop blocks = irb_loop_begin(&e->irb, number(e, 0), total, "block");
  LLVMValueRef left = LLVMBuildNSWSub(e->irb.b, total, blocks.variable, "");
  add_block(e, plus(e, first, blocks.variable), left, first_output);
  irb_loop_end(&e->irb, &blocks, code->block);
  IrbLoop channels = irb_loop_begin(&e->irb, number(e, 0), number(e, e->w->channels), "c");
  Filter filter = {channels.variable, first_output, chunk > 0 ? number_of_chunk : NULL,
                   element(e, e->s, times(e, channels.variable, code->part_outputs))};
  for_vectors(e, code->part_outputs, finish_filter, &filter);
  irb_loop_end(&e->irb, &channels, 1);
}

static void emit_gradient(Emit *e, LLVMValueRef begin, LLVMValueRef end) {
  set_product_args(e, e->v, e->m, e->s);
  IrbLoop loop = irb_loop_begin(&e->irb, begin, end, "item");
  gradient_item(e, loop.variable);
  irb_loop_end(&e->irb, &loop, 1);
}

// ---- the function ---------------------------------------------------------------------------------------------------

static LLVMValueRef emit_product(Arena *arena, LLVMModuleRef module, const char *symbol, const WinogradCode *code) {
  TileJob job = {.graph = code->sweep->plan->graph,
                 .contract = &code->product,
                 .phase = &code->phase,
                 .tile = code->tile,
                 .shares = code->shares,
                 .slot_a = 0,
                 .slot_b = 1,
                 .slot_c = 2,
                 .goes_on = code->shape.gradient};
  LLVMValueRef function = tile_emit(module, arena_printf(arena, "%s_products", symbol), &job);
  LLVMSetLinkage(function, LLVMInternalLinkage);
  return function;
}

static void open_local(Emit *e) {
  LLVMValueRef at = number(e, offsetof(DlcRt, local));
  LLVMValueRef address = LLVMBuildInBoundsGEP2(e->irb.b, e->irb.i8, e->rt, &at, 1, "");
  LLVMValueRef local = LLVMBuildLoad2(e->irb.b, e->irb.ptr, address, "local");
  e->v = element(e, local, number(e, e->code->v_at));
  e->m = element(e, local, number(e, e->code->m_at));
  e->s = element(e, local, number(e, e->code->s_at));
  e->edge = element(e, local, number(e, e->code->edge_at));
  e->args = LLVMBuildArrayAlloca(e->irb.b, e->irb.ptr, number(e, 3), "args");
  e->inner_rt = LLVMBuildArrayAlloca(e->irb.b, e->irb.i64, number(e, DLC_MAX_SYMBOLS), "tiles");
}

void winograd_emit(Arena *arena, LLVMModuleRef module, const char *symbol, const WinogradCode *code) {
  Emit e = {.arena = arena,
            .irb = irb_new(module),
            .code = code,
            .w = &code->shape,
            .math = winograd_transforms(code->shape.filter),
            .lanes = code->lanes};
  if (code->stage != WINOGRAD_WEIGHTS) e.product = emit_product(arena, module, symbol, code);
  e.function = shim_kernel_function(module, symbol);
  e.rt = LLVMGetParam(e.function, 1);
  LLVMPositionBuilderAtEnd(e.irb.b, LLVMAppendBasicBlockInContext(e.irb.context, e.function, "entry"));
  e.follow = follow_new(arena, code->sweep, module);
  follow_begin(e.follow, e.irb.b, e.function);
  LLVMValueRef begin = LLVMGetParam(e.function, 2), end = LLVMGetParam(e.function, 3);
  if (code->stage == WINOGRAD_WEIGHTS) {
    emit_weights(&e, begin, end);
  } else {
    open_local(&e);
    e.batch = batch_images(&e);
    if (code->stage == WINOGRAD_GRADIENT)
      emit_gradient(&e, begin, end);
    else if (code->n_sums)
      emit_carrying(&e, begin, end);
    else
      emit_sums(&e, begin, end);
  }
  LLVMBuildRetVoid(e.irb.b);
  irb_free(&e.irb);
}
