// Pieces of vectorised axes, and the zeros around a padded output.
#include "sweep.h"

// ---- pieces -------------------------------------------------------------------------------------------------------

static int round_up_to_power(int n) {
  int power = 1;
  while (power < n) power *= 2;
  return power;
}

static int rest_pieces(ExprPool *pool, int64_t from, int64_t extent, int lanes, bool fixed, SweepPiece *pieces) {
  int n = 0;
  for (int width = lanes / 2; width >= 16; width /= 2)
    if (extent - from >= width) {
      pieces[n++] = (SweepPiece){expr_const(pool, from), expr_const(pool, from + width), width, width};
      from += width;
    }
  int live = (int)(extent - from), width = fixed ? lanes : round_up_to_power(live);
  if (live > 0) pieces[n++] = (SweepPiece){expr_const(pool, from), expr_const(pool, extent), width, live};
  return n;
}

int sweep_pieces(ExprPool *pool, Size extent, int lanes, bool fixed, const Expr *from, SweepPiece *pieces) {
  const Expr *end = expr_size(pool, extent);
  const Expr *whole = expr_scale(pool, expr_div(pool, end, size_const(lanes)), size_const(lanes));
  int n = 0;
  int64_t known = 0, whole_known = 0;
  bool constant = expr_is_const(end, &known) && expr_is_const(whole, &whole_known);
  if (!constant || whole_known > 0) pieces[n++] = (SweepPiece){from, whole, lanes, lanes};
  if (constant) return n + rest_pieces(pool, whole_known, known, lanes, fixed, pieces + n);
  if (whole != end) pieces[n++] = (SweepPiece){whole, end, 1, 1};
  return n;
}

// ---- borders ------------------------------------------------------------------------------------------------------

typedef struct Border {
  Nest *nest;
  const Shape *shape;  // of the output
  int slot;
  int64_t before[IR_MAX_RANK];  // elements of a dimension in front of the points
  Dim inside[IR_MAX_RANK];      // elements that are points
  Size stride[IR_MAX_RANK];
} Border;

static bool is_padded(const Border *b, int d) { return !dim_equal(b->shape->dim[d], b->inside[d]); }

// Zeros from element `base` on.
static void fill(const Border *b, const Expr *base, Size count) {
  ExprPool *pool = &b->nest->pool;
  SweepPiece pieces[SWEEP_MAX_PIECES];
  int n = count.scale ? sweep_pieces(pool, count, 16, false, expr_const(pool, 0), pieces) : 0;
  for (int k = 0; k < n; k++) {
    int var = nest_var(b->nest, "z", count);
    Loop loop = {.var = var, .from = pieces[k].from, .to = pieces[k].to, .live = pieces[k].live};
    loop.step = loop.lanes = pieces[k].lanes;
    nest_open_loop(b->nest, &loop);
    ValueId zero = nest_const(b->nest, b->nest->args[b->slot].type, 0);
    nest_store(b->nest, b->slot, expr_add(pool, base, expr_var(pool, var)), zero, VALUE_NONE, false);
    nest_close(b->nest);
  }
}

static const char *const names[IR_MAX_RANK] = {"i", "j", "k", "l", "m", "n", "p", "q"};

// The border from dimension d on, of the part of the output that begins at element `base`. Before and behind a padded
// dimension's points whole runs are zero; among its points the later dimensions decide.
static void fill_from(const Border *b, int d, const Expr *base) {
  ExprPool *pool = &b->nest->pool;
  int last = b->shape->rank - 1;
  while (last >= 0 && !is_padded(b, last)) last--;
  if (d > last) return;
  int64_t before = b->before[d], behind = before + b->inside[d].scale;
  if (is_padded(b, d)) {
    fill(b, base, size_times(b->stride[d], size_const(before)));
    const Expr *rest = expr_add(pool, base, expr_scale(pool, expr_const(pool, behind), b->stride[d]));
    fill(b, rest, size_times(b->stride[d], size_const(b->shape->dim[d].scale - behind)));
  }
  if (d == last) return;
  int var = nest_var(b->nest, names[d], size_of(b->inside[d]));
  nest_open_for(b->nest, var, expr_const(pool, 0), expr_size(pool, size_of(b->inside[d])), NULL);
  const Expr *row = expr_offset(pool, expr_var(pool, var), before);
  fill_from(b, d + 1, expr_add(pool, base, expr_scale(pool, row, b->stride[d])));
  nest_close(b->nest);
}

static Border border_of(const Sweep *sweep, Nest *nest) {
  const Graph *g = sweep->plan->graph;
  NodeId output = sweep->kernel->outputs[sweep->part], source = lower_output_source(sweep->plan, sweep->kernel, output);
  Border b = {.nest = nest, .shape = &graph_node(g, output)->shape, .slot = lower_output_slot(sweep->kernel, output)};
  int axis[IR_MAX_RANK];
  int64_t offset[IR_MAX_RANK];
  dlc_assert(kernel_moved_output(g, output, source, axis, offset));
  for (int d = 0; d < b.shape->rank; d++) {
    b.before[axis[d]] = -offset[d];
    b.inside[axis[d]] = graph_node(g, source)->shape.dim[d];
  }
  shape_strides(b.shape, b.stride);
  return b;
}

// Items are indices of the first dimension where that is not padded, else there is one.
Nest *border_build(Arena *arena, const Sweep *sweep) {
  int n = lower_arg_count(sweep->kernel);
  NestArg *args = arena_array(arena, (size_t)n, sizeof *args);
  lower_args(sweep->plan, sweep->kernel, args);
  Nest *nest = nest_new(arena, sweep->plan->graph, args, n);
  Border b = border_of(sweep, nest);
  bool padded = false;
  for (int d = 0; d < b.shape->rank; d++) padded |= is_padded(&b, d);
  if (!padded) return NULL;
  ExprPool *pool = &nest->pool;
  bool shared = !is_padded(&b, 0);
  Dim first = shared ? b.shape->dim[0] : dim_const(1);
  int var = nest_var(nest, names[0], size_of(first));
  nest_open_for(nest, var, expr_var(pool, nest->begin), expr_var(pool, nest->end), NULL);
  const Expr *base = shared ? expr_scale(pool, expr_var(pool, var), b.stride[0]) : expr_const(pool, 0);
  fill_from(&b, shared ? 1 : 0, base);
  nest_close(nest);
  nest->items = (DlcCount){first.scale, first.symbol, 1, 1};
  nest->item_cost = 200;
  return nest;
}
