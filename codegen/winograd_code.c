// How convolutions in transformed tiles are cut into work. Decides speed, never bits.
#include "winograd_code.h"

#include <string.h>

enum {
  BLOCK = 32,                // tiles: V and M stay in the second-level cache up to 128 channels
  LEAST_BLOCK = 8,           // below, the products' tiles have too few rows
  WANTED_ITEMS = 4,          // for two threads that may lose their core for a while
  LEAST_PART = 32,           // outputs of a part
  CACHE_FLOATS = 1 << 17,    // half of the second-level cache that a core is sure to have
  FLOATS_A_NANOSECOND = 64,  // multiply-adds, roughly
};

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Rows that are not a multiple of 2 KB apart, so that they do not share cache sets; whole lines.
static int64_t row_stride(int64_t n) {
  int64_t stride = round_up(n, 16);
  return stride % 512 == 0 ? stride + 16 : stride;
}

static int vector_lanes(const Target *target, int64_t n) {
  int lanes = target->vector_floats;
  while (lanes > 4 && n <= lanes / 2) lanes /= 2;
  return lanes;
}

enum { WIDE_LANES = 64, WIDE_VALUES = 24 };  // values of what follows that still has registers for them

// What follows works on several vectors at once where it is little: whole lines are stored, sums hide their latency.
static int wide_lanes(Arena *arena, const WinogradCode *code) {
  int vars[IR_MAX_INDICES], wide = code->lanes;
  if (sweep_given(arena, code->sweep, code->lanes, code->lanes, vars)->n_values > WIDE_VALUES) return wide;
  while (2 * wide <= WIDE_LANES && code->part_outputs % (2 * wide) == 0) wide *= 2;
  return wide;
}

static int64_t batch_capacity(const WinogradCode *code) {
  return dim_value(code->shape.batch, code->sweep->plan->symbol_values);
}

// ---- the micro-kernel's part ----------------------------------------------------------------------------------------

// Outputs of the product: point of the transform, row, lane.
static const Node *product_node(Arena *arena) {
  IndexDef *def = arena_alloc(arena, sizeof *def);
  *def = (IndexDef){.combine = COMBINE_SUM, .n_out = 3, .n_red = 1, .name = {"e", "m", "o", "k"}};
  Node *node = arena_alloc(arena, sizeof *node);
  *node = (Node){.op = OP_index, .type = DT_F32, .index = def};
  return node;
}

static Axis axis_of(Dim extent, int64_t a, int64_t b, int64_t c, int index) {
  Axis axis = {.extent = extent, .a = a, .b = b, .c = c, .n_parts = 1};
  axis.part[0].index = index;
  axis.part[0].extent = extent.scale;
  axis.part[0].scale = 1;
  return axis;
}

static void set_product(Arena *arena, WinogradCode *code, const Target *target) {
  const Winograd *w = &code->shape;
  int64_t c = w->channels, o = code->part_outputs, v = code->v_stride, m = code->m_stride, block = code->block;
  Phase *p = &code->phase;
  p->n_outer = p->n_red = 1;
  p->lane = axis_of(dim_const(o), 0, 1, 1, 2);
  if (w->gradient) {
    p->outer[0] = axis_of(dim_const(WINOGRAD_POINTS), block * v, block * m, c * o, 0);
    p->row = axis_of(dim_const(c), 1, 0, o, 1);
    p->red[0] = axis_of((Dim){1, 1}, v, m, 0, 3);  // as many tiles as the block has
  } else {
    p->outer[0] = axis_of(dim_const(WINOGRAD_POINTS), block * v, c * w->outputs, block * m, 0);
    p->row = axis_of(dim_const(block), v, 0, m, 1);
    p->red[0] = axis_of(dim_const(c), 1, w->outputs, 0, 3);
  }
  code->product = (Contract){.root = product_node(arena), .a = 0, .b = 1};
  int64_t values[IR_MAX_SYMBOLS] = {block};
  code->tile = contract_tile(p, target, values);
  int64_t width = (int64_t)code->tile.lanes * code->tile.vectors;
  code->shares =
      (Shares){.panels = (o + width - 1) / width, .block_rows = round_up(p->row.extent.scale, code->tile.rows)};
}

// ---- blocks and parts -----------------------------------------------------------------------------------------------

// Halves the outputs while more items are wanted, or S would not stay in the cache.
static int64_t choose_parts(const WinogradCode *code, int64_t items, int64_t wanted) {
  int64_t parts = 1, outputs = code->shape.outputs;
  while (items * parts < wanted && outputs % (2 * parts) == 0 && outputs / (2 * parts) >= LEAST_PART &&
         outputs / (2 * parts) % 16 == 0)
    parts *= 2;
  return parts;
}

static void cut_sums(WinogradCode *code) {
  const Winograd *w = &code->shape;
  int64_t tiles = code->rows * code->columns * batch_capacity(code);
  bool heavy = WINOGRAD_POINTS * w->channels * w->outputs > CACHE_FLOATS * 4;
  code->block = least(BLOCK, tiles);
  while (!heavy && code->block >= 2 * LEAST_BLOCK && tiles / code->block < WANTED_ITEMS) code->block /= 2;
  int64_t blocks = (tiles + code->block - 1) / code->block;
  code->parts = choose_parts(code, blocks, WANTED_ITEMS);
  code->part_outputs = w->outputs / code->parts;
  code->items = (DlcCount){.scale = code->rows * code->columns * w->batch.scale,
                           .symbol = w->batch.symbol,
                           .divisor = code->block,
                           .times = code->parts};
}

static int64_t images_of_item(const WinogradCode *code) {
  int64_t batch = batch_capacity(code);
  return code->chunk > 0 ? least(code->chunk, batch) : batch;
}

static DlcCount count_chunks(const WinogradCode *code) {
  Dim batch = code->shape.batch;
  return (DlcCount){.scale = batch.scale, .symbol = batch.symbol, .divisor = code->chunk, .times = code->parts};
}

// Items of the chunks that the sums add up, in blocks of about as many whole rows of tiles.
static void cut_carrying(WinogradCode *code) {
  code->chunk = code->sums[0].node->index->order.chunk;
  int64_t images = images_of_item(code), rows = images * code->rows;
  int64_t at_once = BLOCK / code->columns > 1 ? BLOCK / code->columns : 1, blocks = (rows + at_once - 1) / at_once;
  code->block = (rows + blocks - 1) / blocks * code->columns;
  code->parts = choose_parts(code, (batch_capacity(code) + images - 1) / images, WANTED_ITEMS);
  code->part_outputs = code->shape.outputs / code->parts;
  code->items = count_chunks(code);
}

static void cut_gradient(WinogradCode *code) {
  const Winograd *w = &code->shape;
  code->chunk = code->sweep->chunk;
  int64_t images = images_of_item(code);
  code->parts = choose_parts(code, (batch_capacity(code) + images - 1) / images, 2);
  code->part_outputs = w->outputs / code->parts;
  // S is loaded and stored once a block: where it is larger than the cache, blocks are longer.
  int64_t sums = w->channels * code->part_outputs, sides = w->channels + code->part_outputs;
  code->block = WINOGRAD_POINTS * sums > CACHE_FLOATS * 2 ? round_up(2 * sums / sides, BLOCK) : BLOCK;
  code->block = least(code->block, images * code->rows * code->columns);
  code->items = (DlcCount){.scale = 1, .divisor = 1, .times = code->parts};
  if (code->chunk > 0) code->items = count_chunks(code);
}

static void place_local(WinogradCode *code) {
  const Winograd *w = &code->shape;
  int64_t points = WINOGRAD_POINTS, block = code->block;
  code->v_stride = row_stride(w->channels);
  code->m_stride = row_stride(code->part_outputs);
  code->m_at = code->v_at + points * block * code->v_stride + 16;
  code->s_at = code->m_at + points * block * code->m_stride + 16;
  int64_t tiles = code->n_sums ? code->columns : 1;
  int64_t sums = w->gradient ? points * w->channels * code->part_outputs : tiles * w->tile * w->tile * code->m_stride;
  code->edge_at = code->s_at + round_up(sums, 16) + 16;
  int64_t widest = code->v_stride > code->m_stride ? code->v_stride : code->m_stride;
  code->local_bytes = round_up((code->edge_at + points * widest) * (int64_t)sizeof(float), 64);
}

static int64_t item_cost(const WinogradCode *code) {
  int64_t tiles = code->block;
  if (code->shape.gradient || code->n_sums) tiles = images_of_item(code) * code->rows * code->columns;
  int64_t c = code->shape.channels, o = code->part_outputs;
  return WINOGRAD_POINTS * tiles * (c * o + 16 * (c + o)) / FLOATS_A_NANOSECOND + 100;
}

static WinogradCode new_code(const Sweep *sweep, const Winograd *w, const Target *target) {
  WinogradCode code = {.stage = w->gradient ? WINOGRAD_GRADIENT : WINOGRAD_SUMS,
                       .sweep = sweep,
                       .root = graph_node(sweep->plan->graph, sweep->kernel->root),
                       .shape = *w,
                       .lanes = vector_lanes(target, w->outputs)};
  code.rows = (w->height + w->tile - 1) / w->tile;
  code.columns = (w->width + w->tile - 1) / w->tile;
  return code;
}

static WinogradCode weights_code(const WinogradCode *sums) {
  WinogradCode code = *sums;
  code.stage = WINOGRAD_WEIGHTS;
  code.local_bytes = 0;
  code.items = (DlcCount){.scale = 1, .divisor = 1, .times = code.shape.channels};
  code.item_cost = code.shape.outputs * 8;
  return code;
}

int winograd_list(Arena *arena, const Sweep *sweep, const Target *target, WinogradCode **codes) {
  bool reduces = sweep->kind == SWEEP_REDUCE || sweep->kind == SWEEP_CHUNKS;
  if (sweep->kernel->kind != KERNEL_CONTRACT || !reduces) return 0;
  const Node *root = graph_node(sweep->plan->graph, sweep->kernel->root);
  if (!root->index->order.winograd) return 0;
  Winograd w;
  if (!winograd_analyse(sweep->plan->graph, root, &w)) dlc_bug("%s has not the form for tiles", sweep->kernel->name);
  WinogradCode code = new_code(sweep, &w, target);
  code.n_sums = w.gradient ? 0 : sweep_sums(sweep->plan, sweep->kernel, code.sums);
  if (w.gradient)
    cut_gradient(&code);
  else if (code.n_sums)
    cut_carrying(&code);
  else
    cut_sums(&code);
  code.wide = w.gradient ? code.lanes : wide_lanes(arena, &code);
  place_local(&code);
  set_product(arena, &code, target);
  code.item_cost = item_cost(&code);
  *codes = arena_array(arena, 2, sizeof **codes);
  int n = 0;
  if (!w.gradient) (*codes)[n++] = weights_code(&code);
  (*codes)[n++] = code;
  return n;
}

// ---- text -----------------------------------------------------------------------------------------------------------

void winograd_key(Arena *arena, const WinogradCode *code, Text *out) {
  const Winograd *w = &code->shape;
  const Kernel *kernel = code->sweep->kernel;
  text_printf(out, "winograd %d, %d %d lanes, tile %d %d %d, block %lld, parts %lld: ", code->stage, code->lanes,
              code->wide, code->tile.rows, code->tile.vectors, code->tile.lanes, (long long)code->block,
              (long long)code->parts);
  const int64_t numbers[] = {w->filter,
                             w->height,
                             w->width,
                             w->channels,
                             w->outputs,
                             w->image_rows,
                             w->image_columns,
                             w->first_row,
                             w->first_column,
                             w->turn_rows,
                             w->turn_columns,
                             w->other_rows,
                             w->other_columns,
                             w->other_first_row,
                             w->other_first_column,
                             w->batch.scale,
                             w->batch.symbol,
                             code->sweep->chunk,
                             code->chunk,
                             code->part_outputs,
                             code->v_stride,
                             code->m_stride,
                             code->v_at,
                             code->m_at,
                             code->s_at,
                             code->edge_at,
                             code->shares.block_rows,
                             code->shares.item_levels,
                             lower_input_slot(kernel, code->root->in[w->images]),
                             lower_input_slot(kernel, code->root->in[w->other])};
  for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) text_printf(out, "%lld ", (long long)numbers[k]);
  if (kernel->scratch_bytes > 0) text_printf(out, "scratch %d ", lower_scratch_slot(kernel));
  for (int k = 0; k < code->n_sums; k++) text_printf(out, "sum %d ", code->sums[k].slot);
  int vars[IR_MAX_INDICES];
  if (code->stage == WINOGRAD_WEIGHTS || code->sweep->chunk > 0)
    text_printf(out, "%d arguments", lower_arg_count(kernel));
  else
    nest_key(sweep_given(arena, code->sweep, code->wide, code->wide, vars), out);
}

void winograd_print(Arena *arena, const WinogradCode *code, int indent, Text *out) {
  const Winograd *w = &code->shape;
  long long c = (long long)w->channels, o = (long long)code->part_outputs, block = (long long)code->block;
  const Node *root = code->root;
  if (code->stage == WINOGRAD_WEIGHTS) {
    text_printf(out, "%*sparallel c:%lld\n%*stransformed weights [36,%lld,%lld] = G %%%d G'\n", indent, "", c,
                indent + 2, "", c, (long long)w->outputs, root->in[w->other]);
    return;
  }
  bool by_images = w->gradient || code->n_sums;
  text_printf(out, "%*sparallel %s by %lld, outputs by %lld\n", indent, "", by_images ? "chunks of images" : "tiles",
              (long long)(by_images ? images_of_item(code) : code->block), o);
  text_printf(out, "%*swindows [36,%lld,%lld] = B' %%%d B\n", indent + 2, "", block, c, root->in[w->images]);
  if (w->gradient)
    text_printf(out, "%*stiles [36,%lld,%lld] = A %%%d A'\n", indent + 2, "", block, o, root->in[w->other]);
  text_printf(out, "%*s36 products, tile of %d rows, %d vectors of %d lanes, over %s\n", indent + 2, "",
              code->tile.rows, code->tile.vectors, code->tile.lanes, w->gradient ? "tiles" : "channels");
  text_printf(out, "%*ssum = %s\n", indent + 2, "", w->gradient ? "G' products G" : "A' products A");
  int vars[IR_MAX_INDICES];
  if (code->sweep->chunk > 0)
    text_printf(out, "%*schunk sums = sum\n", indent + 2, "");
  else
    nest_print(sweep_given(arena, code->sweep, code->wide, code->wide, vars), indent + 2, out);
}
