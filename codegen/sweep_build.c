// From a sweep and its loops to a nest.
//
//   items: positions of the parallel axes
//     the other output axes
//       residues, each with code of its own
//         pieces of the lane axis: whole vectors, then what is left
//           the reduction, and what is stored
//
// of rows (plan.h) the reductions one after the other, what is stored at the point, then once more over the row what is
// stored of it; or, where sums share what they read,
//   items: blocks of rows
//     tiles of rows, then the rows that are left
//       tiles of columns, then the columns that are left
//         the reduction of all of the tile's points, and what is stored
#include "sweep.h"

typedef struct Build {
  const Sweep *sweep;
  const Scheme *scheme;
  Nest *nest;
  Lower lower;
  const Expr *index[SWEEP_MAX_INDICES];  // where the loops stand
  const Expr *chunk;                     // CHUNKS: its number
  const Node *sum;                       // what is being reduced
  int *vars;                             // [index] the variable of a plain axis is noted here, or NULL
  const Expr *lane_from, *lane_limit;    // part of the lane axis that belongs to the item; limit NULL: all
  SweepSum sums[SWEEP_SUMS_MOST];        // TALLY
  int n_sums, acc[SWEEP_SUMS_MOST];
  void (*visit)(struct Build *b);           // what is done at a point of a row, or of a tally; NULL: its sum is updated
  int n_tile;                               // points whose sums are taken at once; 0: one, where the loops stand
  const Expr *tile_at[SWEEP_TILE_MOST][2];  // their positions on out[0] and out[1]
} Build;

static const Expr *number(Build *b, int64_t n) { return expr_const(&b->nest->pool, n); }

// ---- axes ---------------------------------------------------------------------------------------------------------

// Sets the axis' indices for its position.
static void set_axis(Build *b, const SweepAxis *axis, const Expr *position) {
  ExprPool *pool = &b->nest->pool;
  for (int k = axis->n - 1; k > 0; k--) {
    Size extent = size_of(b->sweep->extent[axis->index[k]]);
    b->index[axis->index[k]] = expr_mod(pool, position, extent);
    position = expr_div(pool, position, extent);
  }
  b->index[axis->index[0]] = position;
}

static void open_axis(Build *b, const SweepAxis *axis, const Expr *from, const Expr *to, const Expr *limit) {
  // A row that is gone over more than once has one variable to those who look at its accesses.
  int noted = b->vars ? b->vars[axis->index[0]] : -1,
      var = noted >= 0 ? noted : nest_var(b->nest, axis->name, axis->extent);
  nest_open_for(b->nest, var, from, to, limit);
  if (b->vars) b->vars[axis->index[0]] = var;
  set_axis(b, axis, expr_var(&b->nest->pool, var));
}

static void open_whole_axis(Build *b, const SweepAxis *axis) {
  open_axis(b, axis, number(b, 0), expr_size(&b->nest->pool, axis->extent), NULL);
}

static void close_blocks(Build *b, int n) {
  while (n-- > 0) nest_close(b->nest);
}

// ---- pieces of a vectorised axis ----------------------------------------------------------------------------------

static void open_piece(Build *b, const SweepAxis *axis, const SweepPiece *piece, const Expr *limit) {
  int var = nest_var(b->nest, axis->name, axis->extent);
  Loop loop = {.var = var, .from = piece->from, .to = piece->to, .limit = limit, .live = piece->live};
  loop.step = loop.lanes = piece->lanes;
  nest_open_loop(b->nest, &loop);
  set_axis(b, axis, expr_var(&b->nest->pool, var));
}

// ---- stores -------------------------------------------------------------------------------------------------------

static void store_output(Build *b, int k, NodeId source, ValueId value) {
  const Graph *g = b->sweep->plan->graph;
  NodeId id = b->sweep->kernel->outputs[k];
  const Expr *at[IR_MAX_RANK];
  const Expr *const *where = b->lower.point;
  if (source != id) {
    int axis[IR_MAX_RANK];
    int64_t offset[IR_MAX_RANK];
    dlc_assert(kernel_moved_output(g, id, source, axis, offset));
    for (int d = 0; d < graph_node(g, id)->shape.rank; d++)
      at[axis[d]] = expr_offset(&b->nest->pool, b->lower.point[d], -offset[d]);
    where = at;
  }
  nest_store(b->nest, lower_output_slot(b->sweep->kernel, id), lower_linear(b->nest, &graph_node(g, id)->shape, where),
             value, VALUE_NONE, false);
}

// Stores the outputs at the point and updates the sums, whose indices are index[]. Everything is loaded before anything
// is stored: an output may have the place of an input (Plan.in_place). Outputs of rows are left to store_rows.
static void finish_point(Build *b, bool stores, const Expr *const *index) {
  const Kernel *kernel = b->sweep->kernel;
  int n = stores ? kernel->n_outputs : 0;
  NodeId *source = arena_array(b->nest->arena, (size_t)kernel->n_outputs, sizeof *source);
  ValueId *value = arena_array(b->nest->arena, (size_t)kernel->n_outputs, sizeof *value);
  Body body[SWEEP_SUMS_MOST];
  for (int k = 0; k < n; k++) {
    source[k] = NODE_NONE;
    if (sweep_stores_row(b->sweep->plan, kernel, kernel->outputs[k])) continue;
    source[k] = lower_output_source(b->sweep->plan, kernel, kernel->outputs[k]);
    value[k] = lower_value(&b->lower, source[k], b->lower.point, VALUE_NONE);
  }
  for (int k = 0; k < b->n_sums; k++) body[k] = lower_sum_body(&b->lower, b->sums[k].node, index, NULL);
  for (int k = 0; k < n; k++)
    if (source[k] != NODE_NONE) store_output(b, k, source[k], value[k]);
  for (int k = 0; k < b->n_sums; k++)
    nest_update(b->nest,
                &(Stmt){.slot = b->acc[k], .value = body[k].value, .factor = body[k].factor, .guard = VALUE_NONE});
}

static void store_outputs(Build *b) { finish_point(b, true, NULL); }

// ---- the reduction ------------------------------------------------------------------------------------------------

static const Node *root_of(const Build *b) { return graph_node(b->sweep->plan->graph, b->sweep->kernel->root); }

static bool takes_extreme(Combine combine) { return combine != COMBINE_SUM && combine != COMBINE_PROD; }
static bool finds_position(Combine combine) { return combine == COMBINE_ARGMAX || combine == COMBINE_ARGMIN; }

// Row-major position in the reduced space.
static const Expr *reduced_position(Build *b) {
  const Expr *sum = number(b, 0);
  for (int k = b->sweep->n_out; k < b->sweep->n_out + b->sweep->n_red; k++) {
    sum = expr_scale(&b->nest->pool, sum, size_of(b->sweep->extent[k]));
    sum = expr_add(&b->nest->pool, sum, b->index[k]);
  }
  return sum;
}

static bool all_known(const Build *b, const IndexExpr *e) {
  for (int t = 0; t < e->n_terms; t++)
    if (!b->index[e->term[t].index]) return false;
  return true;
}

// Opens an IF for each condition of dimension d of read k that is the same for all lanes. False where one never holds.
static bool open_conditions(Build *b, const Node *root, int k, int d, int *opened) {
  ValueId conditions[2];
  int n = lower_read_inside(&b->lower, root, k, d, b->index, conditions);
  for (int c = 0; c < n; c++) {
    if (nest_is_false(b->nest, conditions[c])) return false;
    if (nest_value(b->nest, conditions[c])->vector) continue;
    nest_open_if(b->nest, conditions[c]);
    ++*opened;
  }
  return true;
}

// The same for all reads whose outside makes the whole point count for nothing, as soon as their indices are known.
static bool open_decided(Build *b, int *opened) {
  if (b->visit || b->n_tile > 0) return true;  // their points are inside of everything
  const Node *root = b->sum;
  for (int k = 0; k < root->n_in; k++) {
    if (!lower_read_decides(root, k)) continue;
    for (int d = 0; d < root->index->reads[k].rank; d++) {
      bool known = all_known(b, &root->index->reads[k].at[d]);
      if (known && !open_conditions(b, root, k, d, opened)) return false;
    }
  }
  return true;
}

static void update_point(Build *b, int acc, const Expr *lane) {
  Combine combine = b->sum->index->combine;
  ValueId counts = VALUE_NONE;
  Body body = lower_sum_body(&b->lower, b->sum, b->index, takes_extreme(combine) ? &counts : NULL);
  Stmt stmt = {
      .slot = acc, .value = body.value, .factor = body.factor, .guard = counts, .at = lane, .lane = lane != NULL};
  if (finds_position(combine)) stmt.at = reduced_position(b);
  nest_update(b->nest, &stmt);
}

static void set_tile_point(Build *b, int k) {
  for (int a = 0; a < 2; a++) b->index[b->scheme->out[a].index[0]] = b->tile_at[k][a];
}

// The accumulators of a tile's points follow one another from `acc` on.
static void update(Build *b, int acc, const Expr *lane) {
  if (b->n_tile == 0) update_point(b, acc, lane);
  for (int k = 0; k < b->n_tile; k++) {
    set_tile_point(b, k);
    update_point(b, acc + k, lane);
  }
}

// A point [n, i, .., c] of a tally, whose indices are c, n, i, ..
static void tally_point(Build *b) {
  int n = b->sweep->n_red;
  for (int d = 0; d < n; d++) b->lower.point[d] = b->index[1 + d];
  b->lower.point[n] = b->index[0];
  finish_point(b, b->sweep->kernel->root == NODE_NONE, b->index);
}

// The bounds of reduced axis k: all of it, or this chunk's part of the first.
static void reduced_bounds(Build *b, int k, const Expr **from, const Expr **limit) {
  *from = number(b, 0);
  *limit = NULL;
  if (k > 0 || !b->chunk) return;
  *from = expr_scale(&b->nest->pool, b->chunk, size_const(b->sweep->chunk));
  *limit = expr_offset(&b->nest->pool, *from, b->sweep->chunk);
}

// The last reduced axis, 16 lanes along it.
static void reduce_lanes(Build *b, int acc) {
  int last = b->scheme->n_red - 1;
  const SweepAxis *axis = &b->scheme->red[last];
  const Expr *from, *limit;
  reduced_bounds(b, last, &from, &limit);
  SweepPiece pieces[SWEEP_MAX_PIECES];
  int n = sweep_pieces(&b->nest->pool, axis->extent, 16, true, from, pieces);
  for (int k = 0; k < n; k++) {
    int opened = 1;
    open_piece(b, axis, &pieces[k], limit);
    const Expr *lane = pieces[k].lanes == 1 ? b->index[axis->index[axis->n - 1]] : NULL;
    if (b->visit)
      b->visit(b);
    else if (open_decided(b, &opened))
      update(b, acc, lane);
    close_blocks(b, opened);
  }
}

// Indices that are not known yet must not be taken for those of an earlier point.
static void forget_axis(Build *b, const SweepAxis *axis) {
  for (int i = 0; i < axis->n; i++) b->index[axis->index[i]] = NULL;
}

static void reduce_axes(Build *b, int k, int acc);

static void reduce_unrolled(Build *b, int k, int acc) {
  const SweepAxis *axis = &b->scheme->red[k];
  for (int64_t at = 0; at < axis->extent.scale; at++) {
    set_axis(b, axis, number(b, at));
    reduce_axes(b, k + 1, acc);
  }
  forget_axis(b, axis);
}

static void reduce_loop(Build *b, int k, int acc) {
  const Expr *from, *limit;
  const SweepAxis *axis = &b->scheme->red[k];
  reduced_bounds(b, k, &from, &limit);
  open_axis(b, axis, from, expr_size(&b->nest->pool, axis->extent), limit);
  reduce_axes(b, k + 1, acc);
  nest_close(b->nest);
}

static void reduce_axes(Build *b, int k, int acc) {
  int opened = 0;
  bool counts = open_decided(b, &opened), last = k == b->scheme->n_red - 1;
  if (k == b->scheme->n_red && b->visit)
    b->visit(b);
  else if (counts && k == b->scheme->n_red)
    update(b, acc, NULL);
  else if (counts && last && b->scheme->along_reduction)
    reduce_lanes(b, acc);
  else if (counts && b->scheme->unrolled)
    reduce_unrolled(b, k, acc);
  else if (counts)
    reduce_loop(b, k, acc);
  close_blocks(b, opened);
}

static int start_sum(Build *b) {
  const IndexDef *def = b->sum->index;
  DType type = def->body[def->n_body - 1].type;
  bool along = b->scheme->along_reduction;
  return nest_start(b->nest, (Acc){def->combine, type, along ? 16 : b->nest->lanes, along});
}

// Returns the first accumulator.
static int reduce_all(Build *b) {
  int acc = start_sum(b);
  for (int k = 1; k < b->n_tile; k++) (void)start_sum(b);
  for (int k = 0; k < b->scheme->n_red; k++) forget_axis(b, &b->scheme->red[k]);
  reduce_axes(b, 0, acc);
  return acc;
}

static ValueId reduce(Build *b) {
  b->sum = root_of(b);
  return nest_result(b->nest, reduce_all(b));
}

// ---- rows -----------------------------------------------------------------------------------------------------------

// All the kernel's sums at the point, in the order of their ids: each may need those before it.
static void reduce_rows(Build *b) {
  const Kernel *kernel = b->sweep->kernel;
  for (int k = 0; k < kernel->n_nodes; k++) {
    const Node *node = graph_node(b->sweep->plan->graph, kernel->nodes[k]);
    if (!kernel_reduces(node)) continue;
    b->sum = node;
    lower_know_sum(&b->lower, kernel->nodes[k], nest_result(b->nest, reduce_all(b)));
  }
}

// The outputs of rows at one of their points.
static void store_row_point(Build *b) {
  const Kernel *kernel = b->sweep->kernel;
  const Graph *g = b->sweep->plan->graph;
  const Node *root = root_of(b);
  for (int k = 0; k < kernel->n_outputs; k++) {
    if (!sweep_stores_row(b->sweep->plan, kernel, kernel->outputs[k])) continue;
    const Shape *shape = &graph_node(g, kernel->outputs[k])->shape;
    const Expr *at[IR_MAX_RANK];
    int index[IR_MAX_RANK];
    dlc_assert(kernel_has_row_shape(root, shape, index));
    for (int d = 0; d < shape->rank; d++) at[d] = index[d] < 0 ? number(b, 0) : b->index[index[d]];
    ValueId value = lower_value(&b->lower, kernel->outputs[k], at, VALUE_NONE);
    nest_store(b->nest, lower_output_slot(kernel, kernel->outputs[k]), lower_linear(b->nest, shape, at), value,
               VALUE_NONE, false);
  }
}

static void store_rows(Build *b) {
  bool any = false;
  for (int k = 0; k < b->sweep->kernel->n_outputs; k++)
    any |= sweep_stores_row(b->sweep->plan, b->sweep->kernel, b->sweep->kernel->outputs[k]);
  if (!any) return;
  b->visit = store_row_point;
  for (int k = 0; k < b->scheme->n_red; k++) forget_axis(b, &b->scheme->red[k]);
  reduce_axes(b, 0, -1);
  b->visit = NULL;
}

// The chunks' sums of this result, first to last.
static ValueId combine(Build *b) {
  const Node *root = root_of(b);
  Size stride[IR_MAX_RANK], elements = shape_strides(&root->shape, stride);
  ExprPool *pool = &b->nest->pool;
  Size first = size_of(root->index->extent[root->index->n_out]);
  const Expr *chunks =
      expr_div(pool, expr_offset(pool, expr_size(pool, first), b->sweep->chunk - 1), size_const(b->sweep->chunk));
  int acc = nest_start(b->nest, (Acc){root->index->combine, DT_F32, b->nest->lanes, false});
  int var = nest_unbounded_var(b->nest, "chunk");
  nest_open_for(b->nest, var, number(b, 0), chunks, NULL);
  const Expr *at = expr_add(pool, expr_scale(pool, expr_var(pool, var), elements),
                            lower_linear(b->nest, &root->shape, b->lower.point));
  ValueId value = nest_load(b->nest, lower_scratch_slot(b->sweep->kernel), at, VALUE_NONE);
  nest_update(b->nest, &(Stmt){.slot = acc, .value = value, .factor = VALUE_NONE, .guard = VALUE_NONE});
  nest_close(b->nest);
  return nest_result(b->nest, acc);
}

// ---- what is done at a point --------------------------------------------------------------------------------------

static void store_chunk(Build *b, const Node *root, int slot, ValueId sum) {
  Size stride[IR_MAX_RANK], elements = shape_strides(&root->shape, stride);
  const Expr *chunk = b->chunk ? b->chunk : number(b, 0);
  const Expr *at = expr_add(&b->nest->pool, expr_scale(&b->nest->pool, chunk, elements),
                            lower_linear(b->nest, &root->shape, b->index));
  nest_store(b->nest, slot, at, sum, VALUE_NONE, false);
}

static void tally(Build *b) {
  b->n_sums = sweep_sums(b->sweep->plan, b->sweep->kernel, b->sums);
  for (int k = 0; k < b->n_sums; k++)
    b->acc[k] = nest_start(b->nest, (Acc){COMBINE_SUM, DT_F32, b->nest->lanes, false});
  for (int k = 0; k < b->scheme->n_red; k++) forget_axis(b, &b->scheme->red[k]);
  b->visit = tally_point;
  reduce_axes(b, 0, -1);
  b->visit = NULL;
  for (int k = 0; k < b->n_sums; k++) store_chunk(b, b->sums[k].node, b->sums[k].slot, nest_result(b->nest, b->acc[k]));
}

// Copies one element of a concat's operand.
static void copy_part(Build *b) {
  const Graph *g = b->sweep->plan->graph;
  const Node *root = root_of(b);
  const Expr *at[IR_MAX_RANK], *start = number(b, 0);
  for (int k = 0; k < b->sweep->part; k++)
    start = expr_add(&b->nest->pool, start,
                     expr_size(&b->nest->pool, size_of(graph_node(g, root->in[k])->shape.dim[root->axis])));
  for (int d = 0; d < root->shape.rank; d++) at[d] = b->index[d];
  at[root->axis] = expr_add(&b->nest->pool, at[root->axis], start);
  ValueId value = lower_value(&b->lower, root->in[b->sweep->part], b->index, VALUE_NONE);
  nest_store(b->nest, lower_output_slot(b->sweep->kernel, b->sweep->kernel->root),
             lower_linear(b->nest, &root->shape, at), value, VALUE_NONE, false);
}

static void clear(Build *b) {
  const Node *root = root_of(b);
  nest_store(b->nest, lower_output_slot(b->sweep->kernel, b->sweep->kernel->root),
             lower_linear(b->nest, &root->shape, b->index), nest_const(b->nest, root->type, 0), VALUE_NONE, false);
}

// Row b[i..] += a[i.., j..]; rows that are not there are passed over.
static void scatter(Build *b) {
  const Node *root = root_of(b);
  int n = b->sweep->n_ordered;
  const Expr *at[IR_MAX_RANK];
  at[0] = expr_data(&b->nest->pool, lower_value(&b->lower, root->in[0], b->index, VALUE_NONE));
  for (int d = 1; d < root->shape.rank; d++) at[d] = b->index[n + d - 1];
  ValueId inside = nest_inside(b->nest, at[0], size_of(root->shape.dim[0]));
  if (inside != VALUE_NONE) nest_open_if(b->nest, inside);
  ValueId value = lower_value(&b->lower, root->in[1], b->index, VALUE_NONE);
  nest_store(b->nest, lower_output_slot(b->sweep->kernel, b->sweep->kernel->root),
             lower_linear(b->nest, &root->shape, at), value, VALUE_NONE, true);
  if (inside != VALUE_NONE) nest_close(b->nest);
}

static void at_point(Build *b) {
  for (int k = 0; k < b->sweep->n_out; k++) b->lower.point[k] = b->index[k];
  b->lower.n_known = 0;
  switch (b->sweep->kind) {
    case SWEEP_REDUCE:
      reduce_rows(b);
      break;
    case SWEEP_COMBINE:
      lower_know_sum(&b->lower, b->sweep->kernel->root, combine(b));
      break;
    case SWEEP_POINTS:
      break;
    case SWEEP_CHUNKS:
      return store_chunk(b, root_of(b), lower_scratch_slot(b->sweep->kernel), reduce(b));
    case SWEEP_TALLY:
      return tally(b);
    case SWEEP_PART:
      return copy_part(b);
    case SWEEP_CLEAR:
      return clear(b);
    case SWEEP_SCATTER:
      return scatter(b);
    case SWEEP_BORDER:
      dlc_bug("a border is not swept by points");
  }
  store_outputs(b);
  store_rows(b);
}

// ---- tiles of points whose sums are taken at once -----------------------------------------------------------------

static void at_tile(Build *b) {
  b->sum = root_of(b);
  int acc = reduce_all(b);
  ValueId sum[SWEEP_TILE_MOST];
  for (int k = 0; k < b->n_tile; k++) sum[k] = nest_result(b->nest, acc + k);
  for (int k = 0; k < b->n_tile; k++) {
    set_tile_point(b, k);
    for (int d = 0; d < b->sweep->n_out; d++) b->lower.point[d] = b->index[d];
    b->lower.n_known = 0;
    lower_know_sum(&b->lower, b->sweep->kernel->root, sum[k]);
    store_outputs(b);
  }
}

// A loop over out[a] by `size` elements.
static const Expr *open_tiles(Build *b, int a, const Expr *from, const Expr *to, const Expr *limit, int64_t size) {
  const SweepAxis *axis = &b->scheme->out[a];
  int var = nest_var(b->nest, axis->name, axis->extent);
  nest_open_loop(b->nest,
                 &(Loop){.var = var, .from = from, .to = to, .limit = limit, .step = size, .lanes = 1, .live = 1});
  const Expr *at = expr_var(&b->nest->pool, var);
  for (int64_t k = 1; k < size; k++) nest_know_inside(b->nest, expr_offset(&b->nest->pool, at, k), axis->extent);
  return at;
}

static void tile_of(Build *b, const Expr *row, int64_t rows, const Expr *column, int64_t columns) {
  b->n_tile = 0;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      b->tile_at[b->n_tile][0] = expr_offset(&b->nest->pool, row, i);
      b->tile_at[b->n_tile++][1] = expr_offset(&b->nest->pool, column, j);
    }
  at_tile(b);
}

// The elements of an axis that whole tiles cover.
static const Expr *whole_tiles(Build *b, int a) {
  ExprPool *pool = &b->nest->pool;
  Size size = size_const(b->scheme->tile[a]);
  return expr_scale(pool, expr_div(pool, expr_size(pool, b->scheme->out[a].extent), size), size);
}

static void sweep_columns(Build *b, const Expr *row, int64_t rows) {
  const Expr *end = expr_size(&b->nest->pool, b->scheme->out[1].extent), *whole = whole_tiles(b, 1);
  int64_t columns = b->scheme->tile[1];
  tile_of(b, row, rows, open_tiles(b, 1, number(b, 0), whole, NULL, columns), columns);
  nest_close(b->nest);
  if (whole == end) return;
  tile_of(b, row, rows, open_tiles(b, 1, whole, end, NULL, 1), 1);
  nest_close(b->nest);
}

// Items are blocks of rows, whole tiles; what is left of the rows belongs to the last block.
static void sweep_tiles(Build *b) {
  ExprPool *pool = &b->nest->pool;
  Size extent = b->scheme->out[0].extent, block = size_const(b->scheme->block);
  const Expr *from = expr_scale(pool, expr_var(pool, b->nest->begin), block);
  const Expr *to = expr_scale(pool, expr_var(pool, b->nest->end), block), *whole = whole_tiles(b, 0);
  int64_t rows = b->scheme->tile[0];
  sweep_columns(b, open_tiles(b, 0, from, to, whole, rows), rows);
  nest_close(b->nest);
  if (whole != expr_size(pool, extent)) {
    sweep_columns(b, open_tiles(b, 0, whole, to, expr_size(pool, extent), 1), 1);
    nest_close(b->nest);
  }
  b->nest->items = (DlcCount){extent.scale, 0, b->scheme->block, 1};
  for (int k = 0; k < IR_MAX_SYMBOLS; k++)
    if (extent.power[k]) b->nest->items.symbol = k + 1;
}

// ---- the loops around it ------------------------------------------------------------------------------------------

// The points of the current blocks of axes from k on.
static void sweep_blocks_inside(Build *b, int k) {
  while (k < b->scheme->n_out && b->scheme->out[k].block == 1) k++;
  if (k == b->scheme->n_out) {
    at_point(b);
    return;
  }
  const SweepAxis *axis = &b->scheme->out[k];
  const Expr *number_of_block = b->index[axis->index[0]];
  Size extent = size_of(b->sweep->extent[axis->index[0]]);
  const Expr *from = expr_scale(&b->nest->pool, number_of_block, size_const(axis->block));
  int var = nest_var(b->nest, b->sweep->name[axis->index[0]], extent);
  const Expr *to = expr_offset(&b->nest->pool, from, axis->block), *limit = expr_size(&b->nest->pool, extent);
  Loop loop = {.var = var, .from = from, .to = to, .limit = limit, .step = 1, .lanes = 1, .live = 1};
  loop.turned = b->scheme->turned;
  nest_open_loop(b->nest, &loop);
  b->index[axis->index[0]] = expr_var(&b->nest->pool, var);
  sweep_blocks_inside(b, k + 1);
  nest_close(b->nest);
  b->index[axis->index[0]] = number_of_block;
}

static void sweep_lanes(Build *b) {
  const Scheme *scheme = b->scheme;
  if (scheme->lanes == 1) {
    at_point(b);
    return;
  }
  const SweepAxis *axis = &scheme->out[scheme->n_out - 1];
  SweepPiece pieces[SWEEP_MAX_PIECES];
  int n = sweep_pieces(&b->nest->pool, axis->extent, scheme->lanes, false, b->lane_from, pieces);
  for (int k = 0; k < n; k++) {
    open_piece(b, axis, &pieces[k], b->lane_limit);
    sweep_blocks_inside(b, 0);
    nest_close(b->nest);
  }
}

// Of each axis with residues from k on, all of them.
static void sweep_residues(Build *b, int k) {
  while (k < b->scheme->n_out && b->scheme->out[k].period == 1) k++;
  if (k == b->scheme->n_out) {
    sweep_lanes(b);
    return;
  }
  const SweepAxis *axis = &b->scheme->out[k];
  const Expr *position = b->index[axis->index[0]];
  Size extent = size_of(b->sweep->extent[axis->index[0]]);
  for (int64_t residue = 0; residue < axis->period; residue++) {
    const Expr *index = expr_scale(&b->nest->pool, position, size_const(axis->period));
    b->index[axis->index[0]] = expr_offset(&b->nest->pool, index, residue);
    ValueId inside = nest_inside(b->nest, b->index[axis->index[0]], extent);
    if (inside != VALUE_NONE) nest_open_if(b->nest, inside);
    sweep_residues(b, k + 1);
    if (inside != VALUE_NONE) nest_close(b->nest);
  }
  b->index[axis->index[0]] = position;
}

static void sweep_axes(Build *b, int k) {
  if (k == b->scheme->n_out - (b->scheme->lanes > 1)) {
    sweep_residues(b, 0);
    return;
  }
  open_whole_axis(b, &b->scheme->out[k]);
  sweep_axes(b, k + 1);
  nest_close(b->nest);
}

static Size parallel_points(const Scheme *scheme) {
  Size points = size_const(1);
  for (int k = 0; k < scheme->n_parallel; k++) points = size_times(points, scheme->out[k].extent);
  return points;
}

// Gives the parallel axes their positions in a point number.
static void set_parallel(Build *b, const Expr *point) {
  for (int k = b->scheme->n_parallel - 1; k > 0; k--) {
    set_axis(b, &b->scheme->out[k], expr_mod(&b->nest->pool, point, b->scheme->out[k].extent));
    point = expr_div(&b->nest->pool, point, b->scheme->out[k].extent);
  }
  if (b->scheme->n_parallel > 0) set_axis(b, &b->scheme->out[0], point);
}

static const char *parallel_name(const Build *b) {
  return b->scheme->n_parallel == 1 ? b->scheme->out[0].name : "point";
}

// Items that are blocks of points: begin*block .. min(end*block, points).
static void sweep_blocks(Build *b) {
  ExprPool *pool = &b->nest->pool;
  Size points = parallel_points(b->scheme), block = size_const(b->scheme->block);
  const Expr *from = expr_scale(pool, expr_var(pool, b->nest->begin), block);
  const Expr *to = expr_scale(pool, expr_var(pool, b->nest->end), block);
  int var = nest_var(b->nest, parallel_name(b), points);
  nest_open_for(b->nest, var, from, to, b->scheme->block > 1 ? expr_size(pool, points) : NULL);
  set_parallel(b, expr_var(pool, var));
  sweep_axes(b, b->scheme->n_parallel);
  nest_close(b->nest);
  int symbol = 0;
  for (int k = 0; k < IR_MAX_SYMBOLS; k++)
    if (points.power[k]) symbol = k + 1;
  b->nest->items = (DlcCount){points.scale, symbol, b->scheme->block, 1};
}

// The number of parts of the lane axis. 0: it depends on a symbol.
static int64_t lane_parts(const Scheme *scheme) {
  if (scheme->lane_chunk == 0) return 1;
  Size extent = scheme->out[scheme->n_out - 1].extent;
  return size_is_const(extent) ? (extent.scale + scheme->lane_chunk - 1) / scheme->lane_chunk : 0;
}

static void set_lane_part(Build *b, const Expr *part) {
  b->lane_from = expr_scale(&b->nest->pool, part, size_const(b->scheme->lane_chunk));
  b->lane_limit = expr_offset(&b->nest->pool, b->lane_from, b->scheme->lane_chunk);
}

static void count_part_items(Build *b, int64_t parts) {
  Size points = parallel_points(b->scheme);
  Dim chunks = sweep_is_chunked(b->sweep) ? b->sweep->extent[b->sweep->n_out] : dim_const(1);
  DlcCount *items = &b->nest->items;
  if (sweep_is_chunked(b->sweep)) {
    *items = (DlcCount){chunks.scale, chunks.symbol, b->sweep->chunk, parts * points.scale};
  } else if (parts == 0) {
    Size extent = b->scheme->out[b->scheme->n_out - 1].extent;
    *items = (DlcCount){extent.scale, 0, b->scheme->lane_chunk, 1};
    for (int k = 0; k < IR_MAX_SYMBOLS; k++)
      if (extent.power[k]) items->symbol = k + 1;
  } else {
    *items = (DlcCount){points.scale, 0, 1, parts};
    for (int k = 0; k < IR_MAX_SYMBOLS; k++)
      if (points.power[k]) items->symbol = k + 1;
  }
}

// Items that are (chunk, point, part of the lane axis), the last the fastest.
static void sweep_parts(Build *b) {
  ExprPool *pool = &b->nest->pool;
  Size points = parallel_points(b->scheme);
  int64_t parts = lane_parts(b->scheme);
  int var = nest_unbounded_var(b->nest, "item");
  nest_open_for(b->nest, var, expr_var(pool, b->nest->begin), expr_var(pool, b->nest->end), NULL);
  const Expr *rest = expr_var(pool, var);
  if (b->scheme->lane_chunk > 0) {
    bool alone = !sweep_is_chunked(b->sweep) && size_equal(points, size_const(1));
    set_lane_part(b, alone ? rest : expr_mod(pool, rest, size_const(parts)));
    rest = alone ? number(b, 0) : expr_div(pool, rest, size_const(parts));
  }
  if (sweep_is_chunked(b->sweep)) {
    b->chunk = expr_div(pool, rest, points);
    rest = expr_mod(pool, rest, points);
  }
  set_parallel(b, rest);
  sweep_axes(b, b->scheme->n_parallel);
  nest_close(b->nest);
  count_part_items(b, parts);
}

Nest *sweep_build(Arena *arena, const Sweep *sweep, const Scheme *scheme, int *vars) {
  int n = lower_arg_count(sweep->kernel);
  NestArg *args = arena_array(arena, (size_t)n, sizeof *args);
  lower_args(sweep->plan, sweep->kernel, args);
  Nest *nest = nest_new(arena, sweep->plan->graph, args, n);
  Build b = {.sweep = sweep, .scheme = scheme, .nest = nest, .vars = vars};
  b.lower = (Lower){.plan = sweep->plan, .kernel = sweep->kernel, .nest = nest};
  b.lane_from = expr_const(&nest->pool, 0);
  for (int k = 0; k < sweep->n_out + sweep->n_red; k++) b.index[k] = expr_const(&nest->pool, 0);
  if (scheme->tile[0] > 0)
    sweep_tiles(&b);
  else if (sweep_is_chunked(sweep) || scheme->lane_chunk > 0)
    sweep_parts(&b);
  else
    sweep_blocks(&b);
  nest->item_cost = scheme->item_cost;
  return nest;
}

Nest *sweep_given(Arena *arena, const Sweep *sweep, int lanes, int live, int *vars) {
  int n = lower_arg_count(sweep->kernel);
  NestArg *args = arena_array(arena, (size_t)n, sizeof *args);
  lower_args(sweep->plan, sweep->kernel, args);
  Nest *nest = nest_new(arena, sweep->plan->graph, args, n);
  Build b = {.sweep = sweep, .nest = nest};
  b.lower = (Lower){.plan = sweep->plan, .kernel = sweep->kernel, .nest = nest};
  for (int k = 0; k < sweep->n_out; k++) {
    vars[k] = nest_given_var(nest, sweep->name[k], size_of(sweep->extent[k]));
    b.lower.point[k] = expr_var(&nest->pool, vars[k]);
  }
  nest->lane_var = vars[sweep->n_out - 1];
  nest->lanes = lanes;
  nest->live = live;
  lower_know_sum(&b.lower, sweep->kernel->root, nest_given(nest, DT_F32));
  b.n_sums = sweep->chunk ? 0 : sweep_sums(sweep->plan, sweep->kernel, b.sums);
  for (int k = 0; k < b.n_sums; k++) b.acc[k] = nest_given_acc(nest, (Acc){COMBINE_SUM, DT_F32, lanes, false});
  const Expr *index[IR_MAX_INDICES];
  index[0] = b.lower.point[sweep->n_out - 1];
  for (int k = 0; k + 1 < sweep->n_out; k++) index[1 + k] = b.lower.point[k];
  finish_point(&b, true, index);
  return nest;
}
