// Which loops a sweep gets: merged axes, vector lanes, work items. Nothing here changes a bit of any result; the same
// choices are made for every target.
//
// The sweep is first lowered with one plain loop per index (the probe), and the memory accesses are read off that nest:
//   merge   neighbouring indices become one axis where every access moves evenly over both;
//   lanes   along the last output axis, or along the reduction where the node's order says so (or, for what has no
//           order, where only that is contiguous);
//   unroll  small windows, with code of its own for each residue of an exact division;
//   blocks  of an axis along which a transposing read is contiguous;
//   tiles   of points that share what they read, where lanes go along the reduction: several sums at once;
//   items   leading output axes, until what is inside costs enough to be worth handing out.
#include "product.h"
#include "checked.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Probe {
  const Sweep *sweep;
  const Nest *nest;
  int var[SWEEP_MAX_INDICES];     // of each index; -1 where its extent is 1
  bool fixed[SWEEP_MAX_INDICES];  // stands where it cannot be merged: a condition, a quotient, a value
  const Expr **access;            // [n] of memory, and positions
  size_t n, capacity;
  int gathers;  // accesses that move unevenly, or by more than one element, along the last output index
} Probe;

// ---- the probe ----------------------------------------------------------------------------------------------------

static bool is_one(Dim dim) { return dim_equal(dim, dim_const(1)); }

static Scheme plain_scheme(const Sweep *sweep) {
  Scheme scheme = {.lanes = 1, .block = 1};
  for (int k = 0; k < sweep->n_out + sweep->n_red; k++) {
    if (is_one(sweep->extent[k])) continue;
    SweepAxis axis = {
        .n = 1, .index = {k}, .extent = size_of(sweep->extent[k]), .name = sweep->name[k], .period = 1, .block = 1};
    if (k < sweep->n_out)
      scheme.out[scheme.n_out++] = axis;
    else
      scheme.red[scheme.n_red++] = axis;
  }
  return scheme;
}

static void fix(Probe *p, const Expr *e) {
  for (int k = 0; e && k < p->sweep->n_out + p->sweep->n_red; k++)
    if (p->var[k] >= 0 && expr_has_var(e, p->var[k])) p->fixed[k] = true;
}

static void add_access(Arena *arena, Probe *p, const Expr *e) {
  if (!e) return;
  p->access = arena_grow(arena, p->access, p->n, &p->capacity, sizeof *p->access);
  p->access[p->n++] = e;
  for (int k = 0; k < p->sweep->n_out + p->sweep->n_red; k++)
    if (p->var[k] >= 0 && expr_has_var(e, p->var[k]) && !expr_is_linear(e, p->var[k])) p->fixed[k] = true;
}

static void add_stores(Arena *arena, Probe *p, const Block *block) {
  for (size_t k = 0; k < block->n; k++) {
    const Stmt *s = &block->stmts[k];
    if (s->kind == STMT_STORE || s->kind == STMT_UPDATE) add_access(arena, p, s->at);
    if (s->kind == STMT_LOOP || s->kind == STMT_IF) add_stores(arena, p, s->body);
  }
}

static bool value_has_var(const Nest *nest, ValueId id, int var);

static bool data_has_var(const Nest *nest, const Expr *e, int var) {
  for (int k = 0; k < e->n; k++) {
    const Atom *atom = &e->term[k].atom;
    if (atom->kind == ATOM_DATA && value_has_var(nest, atom->id, var)) return true;
    if ((atom->kind == ATOM_DIV || atom->kind == ATOM_MOD) && data_has_var(nest, atom->of, var)) return true;
  }
  return false;
}

static bool value_has_var(const Nest *nest, ValueId id, int var) {
  const Value *v = nest_value(nest, id);
  if (v->at && (expr_has_var(v->at, var) || data_has_var(nest, v->at, var))) return true;
  for (int k = 0; k < 3; k++)
    if (v->arg[k] != VALUE_NONE && value_has_var(nest, v->arg[k], var)) return true;
  return false;
}

static void count_gathers(Probe *p) {
  int last = p->sweep->n_out - 1;
  while (last >= 0 && p->var[last] < 0) last--;
  for (size_t k = 0; k < p->n && last >= 0; k++) {
    const Expr *e = p->access[k];
    Size coef = expr_coef(e, p->var[last]);
    bool even = expr_is_linear(e, p->var[last]) && !data_has_var(p->nest, e, p->var[last]);
    p->gathers += !even || !(coef.scale == 0 || size_equal(coef, size_const(1)));
  }
}

static Probe probe(Arena *arena, const Sweep *sweep) {
  Probe p = {.sweep = sweep};
  for (int k = 0; k < sweep->n_out + sweep->n_red; k++) p.var[k] = -1;
  Scheme plain = plain_scheme(sweep);
  p.nest = sweep_build(arena, sweep, &plain, p.var);
  for (size_t k = 0; k < p.nest->n_values; k++) {
    const Value *v = &p.nest->values[k];
    if (v->kind == VALUE_LOAD || v->kind == VALUE_RANDOM)
      add_access(arena, &p, v->at);
    else
      fix(&p, v->at);
  }
  add_stores(arena, &p, p.nest->entry);
  count_gathers(&p);
  return p;
}

// ---- merging ------------------------------------------------------------------------------------------------------

static bool moves_evenly(const Probe *p, int slow, int fast) {
  Size extent = size_of(p->sweep->extent[fast]);
  if (extent.scale == 0) return false;  // a position cannot be taken apart by it
  for (size_t k = 0; k < p->n; k++) {
    Size outer = expr_coef(p->access[k], p->var[slow]), inner = expr_coef(p->access[k], p->var[fast]);
    if (!size_equal(outer, size_times(inner, extent))) return false;
  }
  return true;
}

static bool may_merge(const Probe *p, int slow, int fast) {
  const Sweep *sweep = p->sweep;
  if (p->fixed[slow] || p->fixed[fast] || !moves_evenly(p, slow, fast)) return false;
  if (sweep->kind == SWEEP_SCATTER && (slow < sweep->n_ordered) != (fast < sweep->n_ordered)) return false;
  return !(sweep_is_chunked(sweep) && slow == sweep->n_out);
}

// "ij" of single letters, else "row_column".
static const char *joined_name(Arena *arena, const SweepAxis *slow, const SweepAxis *fast) {
  bool letters = strlen(slow->name) == (size_t)slow->n && strlen(fast->name) == (size_t)fast->n;
  return arena_printf(arena, letters ? "%s%s" : "%s_%s", slow->name, fast->name);
}

// Merges what can be merged; `keep` > 0: not into a last axis whose extent is not a multiple of it.
static int merge_axes(Arena *arena, const Probe *p, SweepAxis *axes, int n, int64_t keep) {
  for (int k = n - 1; k > 0; k--) {
    SweepAxis *slow = &axes[k - 1], *fast = &axes[k];
    bool breaks_lanes = keep > 0 && k == n - 1 && (!size_is_const(fast->extent) || fast->extent.scale % keep);
    if (breaks_lanes || !may_merge(p, slow->index[slow->n - 1], fast->index[0])) continue;
    slow->name = joined_name(arena, slow, fast);
    slow->extent = size_times(slow->extent, fast->extent);
    for (int i = 0; i < fast->n; i++) slow->index[slow->n++] = fast->index[i];
    memmove(fast, fast + 1, (size_t)(n - 1 - k) * sizeof *fast);
    n--;
  }
  return n;
}

// ---- lanes --------------------------------------------------------------------------------------------------------

enum { LANES = 16 };

// A float sum or product says itself whether lanes go along its reduction. For the others the answer may not depend on
// fusion either (it decides which of two equal extremes, 0 and -0, is found), so it follows from the node alone.
static bool goes_along_reduction(const Sweep *sweep) {
  if (sweep->kind != SWEEP_REDUCE && sweep->kind != SWEEP_CHUNKS) return false;
  const Graph *g = sweep->plan->graph;
  const Node *root = graph_node(g, sweep->kernel->root);
  const IndexDef *def = root->index;
  if (def->n_red == 0 || is_one(def->extent[def->n_out + def->n_red - 1])) return false;
  return reduction_lanes(g, root) == LANES;
}

// Values of a nest that still has registers for 64 lanes. A tally keeps few of its values over a point, and its sums
// are chains of additions: several at once hide their latency.
enum { WIDE_VALUES = 12, TALLY_VALUES = 24 };

static bool has_random(const Probe *p) {
  for (size_t k = 0; k < p->nest->n_values; k++)
    if (p->nest->values[k].kind == VALUE_RANDOM) return true;
  return false;
}

// Random numbers come in blocks of four: 64 lanes keep 16 blocks together. Reductions without gathers work on up to 64
// lanes, so that several sums are under way at once.
static int lanes_of(const Scheme *scheme, const Probe *p) {
  if (scheme->n_out == 0 || scheme->along_reduction) return 1;
  if (p->sweep->kind == SWEEP_SCATTER && scheme->out[scheme->n_out - 1].index[0] < p->sweep->n_ordered) return 1;
  Size extent = scheme->out[scheme->n_out - 1].extent;
  bool reduces = p->sweep->kind == SWEEP_REDUCE || sweep_is_chunked(p->sweep) || p->sweep->kind == SWEEP_COMBINE;
  bool wide = (reduces && size_is_const(extent)) || has_random(p);
  bool tally = p->sweep->kind == SWEEP_TALLY;
  if (!wide || p->gathers || p->nest->n_values > (tally ? TALLY_VALUES : WIDE_VALUES)) return LANES;
  if (!size_is_const(extent)) return 4 * LANES;
  int lanes = LANES;
  while (lanes < 4 * LANES && 2 * lanes <= extent.scale) lanes *= 2;
  return lanes;
}

// ---- unrolling and residues ---------------------------------------------------------------------------------------

enum { UNROLLED_POINTS = 16, UNROLLED_VALUES = 48, MOST_RESIDUES = 16, MOST_BODIES = 64 };

static int64_t points_of_reduction(const Scheme *scheme) {
  int64_t points = 1;
  for (int k = 0; k < scheme->n_red; k++) {
    if (!size_is_const(scheme->red[k].extent) || scheme->red[k].extent.scale > UNROLLED_POINTS) return INT64_MAX;
    points *= scheme->red[k].extent.scale;
    if (points > UNROLLED_POINTS) return INT64_MAX;
  }
  return points;
}

// The least period after which every exact division by which index k is read repeats.
static int64_t period_of(const Probe *p, int k) {
  int64_t period = 1;
  for (size_t n = 0; n < p->nest->n_values; n++) {
    const Value *v = &p->nest->values[n];
    if (v->kind != VALUE_DIVIDES || p->var[k] < 0) continue;
    int64_t own = v->limit.scale / whole_gcd(v->limit.scale, llabs(expr_coef(v->at, p->var[k]).scale));
    period = period / whole_gcd(period, own) * own;
    if (period > MOST_RESIDUES) return 1;
  }
  return period;
}

// Small windows become straight-line code, and where they divide exactly, as the gradient of a stride does, each
// residue of an output index gets its own: what does not divide is then not there at all.
static void choose_unrolling(Scheme *scheme, const Probe *p) {
  int64_t points = points_of_reduction(scheme), bodies = 1;
  bool fits = points <= UNROLLED_POINTS && p->nest->n_values <= UNROLLED_VALUES && !scheme->along_reduction;
  if (!fits || (p->sweep->kind != SWEEP_REDUCE && p->sweep->kind != SWEEP_POINTS)) return;
  scheme->unrolled = true;
  for (int k = 0; k < scheme->n_out - (scheme->lanes > 1); k++) {
    SweepAxis *axis = &scheme->out[k];
    int64_t period = axis->n == 1 ? period_of(p, axis->index[0]) : 1;
    if (period == 1 || !size_is_const(axis->extent) || axis->extent.scale < period) continue;
    if (bodies * period > MOST_RESIDUES || bodies * period * points > MOST_BODIES) continue;
    bodies *= period;
    axis->period = period;
    axis->extent.scale = (axis->extent.scale + period - 1) / period;
  }
}

// ---- blocks -------------------------------------------------------------------------------------------------------

enum { TURNED_VALUES = 8 };  // of a body that is worth having 16 times

// A transposing sweep reads one element of 16 cache lines at a time: the axis along which a read is contiguous is cut
// into blocks, so that the lines are used up while they are near.
static void choose_blocks(Arena *arena, Scheme *scheme, const Probe *p) {
  if (p->sweep->kind != SWEEP_POINTS || scheme->lanes == 1) return;
  const SweepAxis *lane_axis = &scheme->out[scheme->n_out - 1];
  int last = lane_axis->index[lane_axis->n - 1];
  for (int k = 0; k < scheme->n_out - 1; k++) {
    SweepAxis *axis = &scheme->out[k];
    if (axis->n > 1 || axis->period > 1 || !size_is_const(axis->extent) || axis->extent.scale <= LANES) continue;
    bool contiguous = false;
    for (size_t n = 0; n < p->n; n++) {
      Size along = expr_coef(p->access[n], p->var[axis->index[0]]), lane = expr_coef(p->access[n], p->var[last]);
      contiguous |= size_equal(along, size_const(1)) && lane.scale > 1;
    }
    if (!contiguous) continue;
    axis->block = LANES;
    axis->name = arena_printf(arena, "%s_block", axis->name);
    axis->extent.scale = (axis->extent.scale + LANES - 1) / LANES;
    scheme->turned = p->nest->n_values <= TURNED_VALUES;
    return;
  }
}

static double extent_of(const Probe *p, const SweepAxis *axis) {
  return fmax(1, (double)size_value(axis->extent, p->sweep->plan->symbol_values));
}

static int symbols_in(Size size) {
  int n = 0;
  for (int k = 0; k < IR_MAX_SYMBOLS; k++) n += size.power[k];
  return n;
}

// ---- tiles --------------------------------------------------------------------------------------------------------

// 8 sums hide the latency of their additions, and load 6 vectors for 8 points.
enum { TILE_ROWS = 4, TILE_COLUMNS = 2, TILE_VALUES = 16 };

static bool has_condition(const Probe *p) {
  for (size_t k = 0; k < p->nest->n_values; k++)
    if (p->nest->values[k].kind == VALUE_INSIDE || p->nest->values[k].kind == VALUE_DIVIDES) return true;
  return false;
}

// Is something read in the reduction that does not move with this axis?
static bool is_shared_along(const Probe *p, const SweepAxis *axis, const SweepAxis *reduced) {
  for (size_t k = 0; k < p->n; k++)
    if (expr_has_var(p->access[k], p->var[reduced->index[0]]) && !expr_has_var(p->access[k], p->var[axis->index[0]]))
      return true;
  return false;
}

// A matrix of sums along rows of two others, as products and distances are: each element that is loaded serves a row
// or a column of a tile. The longer axis goes outside, so that what its rows read passes through the caches once.
static void choose_tile(Scheme *scheme, const Probe *p) {
  if (!scheme->along_reduction || p->sweep->kind != SWEEP_REDUCE || scheme->n_out != 2) return;
  if (sweep_goes_over_rows(p->sweep)) return;
  SweepAxis *rows = &scheme->out[0], *columns = &scheme->out[1];
  const SweepAxis *reduced = &scheme->red[scheme->n_red - 1];
  if (rows->n > 1 || columns->n > 1 || has_condition(p) || p->nest->n_values > TILE_VALUES) return;
  if (symbols_in(rows->extent) > 1 || symbols_in(columns->extent) > 1) return;
  if (!is_shared_along(p, rows, reduced) || !is_shared_along(p, columns, reduced)) return;
  if (extent_of(p, columns) > extent_of(p, rows)) {
    SweepAxis outer = *columns;
    *columns = *rows;
    *rows = outer;
  }
  if (size_is_const(rows->extent) && rows->extent.scale < TILE_ROWS) return;
  bool one = extent_of(p, columns) < TILE_COLUMNS;
  scheme->tile[0] = one ? TILE_ROWS * TILE_COLUMNS : TILE_ROWS;
  scheme->tile[1] = one ? 1 : TILE_COLUMNS;
}

// ---- cost ---------------------------------------------------------------------------------------------------------

// Nanoseconds for 16 lanes, roughly.
static double op_cost(Op op) {
  switch (op) {
    case OP_exp:
    case OP_log:
    case OP_sigmoid:
      return 5;
    case OP_tanh:
    case OP_erf:
      return 8;
    case OP_pow:
      return 25;
    case OP_div:
    case OP_sqrt:
    case OP_rsqrt:
    case OP_floordiv:
    case OP_mod:
      return 3;
    default:
      return 0.4;
  }
}

static double value_cost(const Probe *p, const Value *v) {
  switch (v->kind) {
    case VALUE_CONST:
    case VALUE_GIVEN:
      return 0;
    case VALUE_LOAD:
      return p->gathers ? 4 : 1;
    case VALUE_OP:
      return op_cost(v->op);
    case VALUE_RANDOM:
      return 20;
    case VALUE_INDEX:
    case VALUE_INSIDE:
    case VALUE_DIVIDES:
      return 0.5;
    case VALUE_RESULT:
      return 1;
  }
  return 0;
}

static double block_cost(const Probe *p, const Block *block) {
  double cost = 0;
  const int64_t *values = p->sweep->plan->symbol_values;
  for (size_t k = 0; k < block->n; k++) {
    const Stmt *s = &block->stmts[k];
    if (s->kind == STMT_LET) cost += value_cost(p, nest_value(p->nest, s->value));
    if (s->kind == STMT_UPDATE || s->kind == STMT_STORE) cost += 1;
    if (s->kind == STMT_IF) cost += block_cost(p, s->body);
    if (s->kind != STMT_LOOP) continue;
    const ExprVar *var = &p->nest->pool.vars[s->loop.var];
    double trips = var->unbounded ? 1 : (double)size_value(var->extent, values);
    bool chunked = sweep_is_chunked(p->sweep) && s->loop.limit && trips > (double)p->sweep->chunk;
    cost += (chunked ? (double)p->sweep->chunk : trips) * block_cost(p, s->body);
  }
  return cost;
}

// Of the whole sweep (CHUNKS: of one chunk).
static double sweep_cost(const Scheme *scheme, const Probe *p) {
  double lanes = scheme->lanes > 1 || scheme->along_reduction ? LANES : 1;
  const int64_t *values = p->sweep->plan->symbol_values;
  if (scheme->lanes > 1)
    lanes = fmin(lanes, fmax(1, (double)size_value(scheme->out[scheme->n_out - 1].extent, values)));
  return block_cost(p, p->nest->entry) / lanes + 1;
}

// ---- items --------------------------------------------------------------------------------------------------------

enum { ITEM_COST = 4000, ITEM_COST_MOST = 20000 };  // nanoseconds

// Leading axes that can be counted together: one symbol at most, none in a sum that is chunked (its chunks have it).
static int countable_axes(const Scheme *scheme, const Probe *p, int n) {
  int symbols = 0, most = sweep_is_chunked(p->sweep) ? 0 : 1;
  for (int k = 0; k < n; k++) {
    symbols += symbols_in(scheme->out[k].extent);
    if (symbols > most) return k;
  }
  return n;
}

// Parts of the lane axis, a multiple of the widest vector.
static int64_t lane_chunk_of(const Scheme *scheme, double lane_axis_cost, double extent) {
  double elements = extent * ITEM_COST / lane_axis_cost;
  int64_t unit = scheme->lanes > 64 ? scheme->lanes : 64;
  return ((int64_t)(elements / (double)unit) + 1) * unit;
}

// Leading axes in an item's number: not those that, taken into the item, still leave it small.
static int parallel_axes(const Scheme *scheme, const Probe *p, int outer, double *inner) {
  int k = outer;
  while (k > 0 && *inner < ITEM_COST / 2 && size_is_const(scheme->out[k - 1].extent)) {
    double more = *inner * extent_of(p, &scheme->out[k - 1]);
    if (more > ITEM_COST_MOST) break;
    *inner = more;
    k--;
  }
  int countable = p->sweep->kind == SWEEP_SCATTER ? 0 : countable_axes(scheme, p, k);
  for (; k > countable; k--) *inner *= extent_of(p, &scheme->out[k - 1]);
  return k;
}

// Can the lane axis be shared out? With a symbolic extent only where nothing else is.
static bool may_cut_lanes(const Scheme *scheme, const Probe *p, int outer) {
  if (scheme->lanes == 1) return false;
  Size extent = scheme->out[scheme->n_out - 1].extent;
  bool alone = scheme->n_parallel == 0 && !sweep_is_chunked(p->sweep);
  if (!size_is_const(extent) && !(alone && symbols_in(extent) == 1)) return false;
  return scheme->n_parallel == outer || p->sweep->kind == SWEEP_SCATTER;
}

// Blocks of whole tiles of rows.
static void choose_tile_items(Scheme *scheme, const Probe *p) {
  double tile = sweep_cost(scheme, p) / extent_of(p, &scheme->out[0]) * (double)scheme->tile[0];
  double tiles = tile < ITEM_COST ? ceil(ITEM_COST / tile) : 1;
  scheme->n_parallel = 1;
  scheme->block = (int64_t)tiles * scheme->tile[0];
  scheme->item_cost = (int64_t)(tiles * tile) + 20;
}

static void choose_items(Scheme *scheme, const Probe *p) {
  if (scheme->tile[0] > 0) {
    choose_tile_items(scheme, p);
    return;
  }
  int outer = scheme->n_out - (scheme->lanes > 1);
  double inner = sweep_cost(scheme, p);
  for (int k = 0; k < outer; k++) inner /= extent_of(p, &scheme->out[k]);
  scheme->n_parallel = parallel_axes(scheme, p, outer, &inner);
  if (inner > ITEM_COST_MOST && may_cut_lanes(scheme, p, outer)) {
    const SweepAxis *last = &scheme->out[scheme->n_out - 1];
    int64_t chunk = lane_chunk_of(scheme, inner, extent_of(p, last));
    if (size_is_const(last->extent) && chunk >= last->extent.scale) chunk = 0;
    scheme->lane_chunk = chunk;
    inner = chunk ? ITEM_COST : inner;
  } else if (scheme->n_parallel > 0 && !sweep_is_chunked(p->sweep) && inner < ITEM_COST) {
    scheme->block = (int64_t)ceil(ITEM_COST / inner);
    inner *= (double)scheme->block;
  }
  scheme->item_cost = (int64_t)inner + 20;
}

Scheme scheme_choose(Arena *arena, const Sweep *sweep) {
  Probe p = probe(arena, sweep);
  Scheme scheme = plain_scheme(sweep);
  scheme.along_reduction = goes_along_reduction(sweep);
  scheme.n_out = merge_axes(arena, &p, scheme.out, scheme.n_out, 0);
  scheme.n_red = merge_axes(arena, &p, scheme.red, scheme.n_red, scheme.along_reduction ? LANES : 0);
  scheme.lanes = lanes_of(&scheme, &p);
  choose_unrolling(&scheme, &p);
  choose_blocks(arena, &scheme, &p);
  choose_tile(&scheme, &p);
  choose_items(&scheme, &p);
  return scheme;
}
