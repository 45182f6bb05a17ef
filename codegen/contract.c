// Analysis of product-sums: from affine reads to strided loops, residue classes and tiles.
//
// On entry: the root is SUM of read0 * read1, all reads inside their operands (pass halo), B contiguous along the last
// output index (pass layout) or a matrix to be turned (product.h). On exit: every phase visits each of its points once,
// its reduction in the row-major order of the node's reduced indices.
#include "contract.h"
#include "checked.h"

#include <string.h>

// ---- strides ------------------------------------------------------------------------------------------------------

// Row-major element strides; false where a dimension behind the first is symbolic.
static bool strides_of(const Shape *shape, int64_t *stride) {
  int64_t next = 1;
  for (int d = shape->rank - 1; d >= 0; d--) {
    stride[d] = next;
    if (d > 0 && !dim_is_const(shape->dim[d])) return false;
    if (d > 0 && __builtin_mul_overflow(next, shape->dim[d].scale, &next)) return false;
  }
  return true;
}

// What a residue class fixes: index k of the node is position * period[k] + residue[k].
typedef struct Residues {
  int64_t period[IR_MAX_INDICES], residue[IR_MAX_INDICES];
} Residues;

static int64_t offset_at(const IndexExpr *e, const Residues *r) {
  int64_t value = e->offset;
  for (int t = 0; t < e->n_terms; t++) value += e->term[t].coef * r->residue[e->term[t].index];
  return value;
}

static bool divides(const Read *read, const Residues *r) {
  for (int d = 0; d < read->rank; d++)
    if (read->at[d].kind == DIV_EXACT && offset_at(&read->at[d], r) % read->at[d].divisor != 0) return false;
  return true;
}

// The least periods under which every exact division is decided by the residues alone.
static void find_periods(const IndexDef *def, Residues *r) {
  for (int k = 0; k < def->n_out + def->n_red; k++) r->period[k] = 1, r->residue[k] = 0;
  for (int n = 0; n < 2; n++)
    for (int d = 0; d < def->reads[n].rank; d++) {
      const IndexExpr *e = &def->reads[n].at[d];
      for (int t = 0; e->kind == DIV_EXACT && t < e->n_terms; t++) {
        int64_t period = e->divisor / whole_gcd(e->term[t].coef, e->divisor), *held = &r->period[e->term[t].index];
        *held = *held / whole_gcd(*held, period) * period;
      }
    }
}

// Adds the element strides of one read to each index's total, and its offset.
static void add_read(const Read *read, const int64_t *stride, const Residues *r, int64_t *total, int64_t *offset) {
  for (int d = 0; d < read->rank; d++) {
    const IndexExpr *e = &read->at[d];
    int64_t divisor = e->kind == DIV_EXACT ? e->divisor : 1;
    *offset += offset_at(e, r) / divisor * stride[d];
    for (int t = 0; t < e->n_terms; t++)
      total[e->term[t].index] += e->term[t].coef * r->period[e->term[t].index] / divisor * stride[d];
  }
}

// ---- axes ---------------------------------------------------------------------------------------------------------

static Axis axis_of(const IndexDef *def, int index, const Residues *r, const int64_t *a, const int64_t *b,
                    const int64_t *c) {
  Dim extent = def->extent[index];
  int64_t period = r->period[index], residue = r->residue[index];
  if (period > 1) extent.scale = extent.scale > residue ? (extent.scale - residue + period - 1) / period : 0;
  Axis axis = {.extent = extent, .a = a[index], .b = b[index], .c = c[index], .n_parts = 1};
  axis.part[0].index = index;
  axis.part[0].extent = extent.scale;
  axis.part[0].scale = period;
  axis.part[0].offset = residue;
  return axis;
}

static bool is_one(const Axis *axis) { return dim_is_const(axis->extent) && axis->extent.scale == 1; }

// Can `outside` become the slower part of `inside`?
static bool merges(const Axis *outside, const Axis *inside) {
  int64_t n = inside->extent.scale;
  return dim_is_const(inside->extent) && outside->a == inside->a * n && outside->b == inside->b * n &&
         outside->c == inside->c * n && inside->n_parts + outside->n_parts <= CONTRACT_MAX_PARTS;
}

static void merge(const Axis *outside, Axis *inside) {
  for (int p = 0; p < outside->n_parts; p++) inside->part[inside->n_parts++] = outside->part[p];
  inside->extent = (Dim){outside->extent.scale * inside->extent.scale, outside->extent.symbol};
}

// Appends an axis to a list ordered outermost first, merging where the strides allow.
static void push_axis(Axis *list, int *n, const Axis *axis, bool may_merge) {
  if (is_one(axis)) return;
  Axis joined = *axis;
  if (may_merge && *n > 0 && merges(&list[*n - 1], &joined)) {
    merge(&list[*n - 1], &joined);
    list[*n - 1] = joined;
    return;
  }
  list[(*n)++] = joined;
}

// The row axis: the innermost axis along which b does not move, merged with its neighbours; among equals the longest.
static void choose_row(Phase *phase) {
  int best = -1;
  for (int k = 0; k < phase->n_outer; k++) {
    const Axis *axis = &phase->outer[k];
    if (axis->b != 0) continue;
    bool longer = best < 0 || !dim_is_const(axis->extent) || axis->extent.scale >= 4 ||
                  (dim_is_const(phase->outer[best].extent) && axis->extent.scale >= phase->outer[best].extent.scale);
    if (longer) best = k;
  }
  phase->row = (Axis){.extent = dim_const(1)};
  if (best < 0) return;
  phase->row = phase->outer[best];
  memmove(&phase->outer[best], &phase->outer[best + 1], (size_t)(phase->n_outer - best - 1) * sizeof *phase->outer);
  phase->n_outer--;
}

// ---- phases -------------------------------------------------------------------------------------------------------

typedef struct Analysis {
  const Graph *g;
  Contract *contract;
  const IndexDef *def;
  int64_t stride_a[IR_MAX_RANK], stride_b[IR_MAX_RANK], stride_c[IR_MAX_RANK];
  Residues residues;
} Analysis;

static bool next_residue(Residues *r, int from, int to) {
  for (int k = to - 1; k >= from; k--) {
    if (++r->residue[k] < r->period[k]) return true;
    r->residue[k] = 0;
  }
  return false;
}

// Sets the reduced residues of the one class that divides. 1 found, 0 none, -1 several.
static int solve_reduced(Analysis *s) {
  const IndexDef *def = s->def;
  int from = def->n_out, to = def->n_out + def->n_red, found = 0;
  Residues keep = s->residues;
  for (int k = from; k < to; k++) s->residues.residue[k] = 0;
  do {
    if (!divides(&def->reads[0], &s->residues) || !divides(&def->reads[1], &s->residues)) continue;
    keep = s->residues;
    found++;
  } while (next_residue(&s->residues, from, to));
  s->residues = keep;
  return found > 1 ? -1 : found;
}

// Blocks of a matrix whose rows the reduction walks can be turned on the way.
static bool can_turn(const Phase *phase, int64_t chunk) {
  return chunk == 0 && phase->n_red == 1 && phase->red[0].b == 1 && dim_is_const(phase->red[0].extent);
}

static bool fill_axes(const Analysis *s, Phase *phase) {
  const IndexDef *def = s->def;
  int64_t a[IR_MAX_INDICES] = {0}, b[IR_MAX_INDICES] = {0}, c[IR_MAX_INDICES] = {0};
  add_read(&def->reads[s->contract->a], s->stride_a, &s->residues, a, &phase->a0);
  add_read(&def->reads[s->contract->b], s->stride_b, &s->residues, b, &phase->b0);
  for (int k = 0; k < def->n_out; k++) {
    c[k] = s->stride_c[k] * s->residues.period[k];
    phase->c0 += s->stride_c[k] * s->residues.residue[k];
    phase->first[k] = s->residues.residue[k];
  }
  int lane = def->n_out - 1;
  phase->lane = axis_of(def, lane, &s->residues, a, b, c);
  if (phase->lane.a != 0 || phase->lane.c != 1) return false;
  for (int k = 0; k < lane; k++) {
    Axis axis = axis_of(def, k, &s->residues, a, b, c);
    bool mergeable = phase->n_outer > 0 && axis.b == 0 && phase->outer[phase->n_outer - 1].b == 0;
    push_axis(phase->outer, &phase->n_outer, &axis, mergeable);
  }
  for (int k = def->n_out; k < def->n_out + def->n_red; k++) {
    Axis axis = axis_of(def, k, &s->residues, a, b, c);
    if (dim_is_const(axis.extent) && axis.extent.scale == 0) phase->empty = true;
    bool chunked = s->contract->chunk > 0;  // then red[0] is the chunked index, alone
    if (chunked && k == def->n_out)
      phase->red[phase->n_red++] = axis;
    else
      push_axis(phase->red, &phase->n_red, &axis, phase->n_red > chunked);
  }
  choose_row(phase);
  return phase->lane.b == 1 || can_turn(phase, s->contract->chunk);
}

static bool has_points(const Analysis *s) {
  for (int k = 0; k < s->def->n_out; k++)
    if (dim_is_const(s->def->extent[k]) && s->def->extent[k].scale <= s->residues.residue[k]) return false;
  return true;
}

// Symbolic extents cannot be cut into residues; nor can the lane or the chunked index.
static bool periods_allowed(const Analysis *s) {
  const IndexDef *def = s->def;
  for (int k = 0; k < def->n_out + def->n_red; k++) {
    if (s->residues.period[k] == 1) continue;
    if (!dim_is_const(def->extent[k]) || k == def->n_out - 1) return false;
    if (k == def->n_out && s->contract->chunk > 0) return false;
  }
  return true;
}

// The number of work items has room for one symbol, that of the chunks where there are any.
static bool one_symbol_at_most(const Phase *phase, bool chunked) {
  int symbolic = !dim_is_const(phase->row.extent) + !dim_is_const(phase->lane.extent);
  for (int k = 0; k < phase->n_outer; k++) symbolic += !dim_is_const(phase->outer[k].extent);
  for (int k = 1; k < phase->n_outer; k++)
    if (!dim_is_const(phase->outer[k].extent)) return false;
  for (int k = 1; k < phase->n_red; k++)
    if (!dim_is_const(phase->red[k].extent)) return false;
  return symbolic <= (chunked ? 0 : 1) && dim_is_const(phase->lane.extent);
}

enum { MOST_PHASES = 64 };

static bool add_phases(Arena *arena, Analysis *s) {
  int64_t count = 1;
  for (int k = 0; k < s->def->n_out; k++) count *= s->residues.period[k];
  if (count > MOST_PHASES) return false;
  s->contract->phases = arena_array(arena, (size_t)count, sizeof(Phase));
  do {
    if (!has_points(s)) continue;
    Phase *phase = &s->contract->phases[s->contract->n_phases];
    int found = solve_reduced(s);
    if (found < 0) return false;
    phase->empty = found == 0;
    if (!fill_axes(s, phase) || !one_symbol_at_most(phase, s->contract->chunk > 0)) return false;
    s->contract->n_phases++;
  } while (next_residue(&s->residues, 0, s->def->n_out));
  return true;
}

static bool reads_index(const Read *read, int index) {
  for (int d = 0; d < read->rank; d++)
    if (index_coef(&read->at[d], index)) return true;
  return false;
}

bool contract_analyse(Arena *arena, const Graph *g, NodeId root, int64_t chunk, Contract *contract) {
  const Node *node = graph_node(g, root);
  const IndexDef *def = node->index;
  if (node->op != OP_index || !index_is_plain_product(def) || def->n_out < 1 || node->n_in != 2) return false;
  *contract = (Contract){.root = node, .chunk = chunk};
  contract->a = reads_index(&def->reads[0], def->n_out - 1) ? 1 : 0;
  contract->b = 1 - contract->a;
  Analysis s = {.g = g, .contract = contract, .def = def};
  if (!strides_of(&graph_node(g, node->in[contract->a])->shape, s.stride_a)) return false;
  if (!strides_of(&graph_node(g, node->in[contract->b])->shape, s.stride_b)) return false;
  if (!strides_of(&node->shape, s.stride_c)) return false;
  find_periods(def, &s.residues);
  return periods_allowed(&s) && add_phases(arena, &s);
}

// ---- tile ---------------------------------------------------------------------------------------------------------

enum { TILE_CHAINS = 8 };  // sums that must be under way at a time

int contract_row_sizes(Dim extent, int full, int *sizes) {
  int n = 0;
  sizes[n++] = full;
  if (dim_is_const(extent)) {
    if (extent.scale % full) sizes[n++] = (int)(extent.scale % full);
    return n;
  }
  for (int size = 16; size >= 1; size /= 2)
    if (size < full && (size <= 4 || size * 2 > full)) sizes[n++] = size;
  return n;
}

// What a point of the reduction costs in a tile, in FMAs of a vector: one each, but no less than the latency of a sum
// on two units or than the loads take; the last term prefers the tile with fewer loads among equals.
static double tile_cost(int rows, int vectors) {
  double fmas = rows * vectors, loads = rows + vectors;
  double cost = fmas > loads ? fmas : loads;
  return (cost > TILE_CHAINS ? cost : TILE_CHAINS) + 0.02 * loads;
}

static double rows_cost(Dim extent, int64_t m, int rows, int vectors) {
  int sizes[CONTRACT_ROW_SIZES], n = contract_row_sizes(extent, rows, sizes);
  double cost = 0;
  for (int k = 0; k < n; k++) {
    cost += (double)(m / sizes[k]) * tile_cost(sizes[k], vectors);
    m %= sizes[k];
  }
  return cost;
}

// Of a point of the reduction, over all rows and lanes.
static double phase_cost(const Phase *phase, Tile tile, int64_t m) {
  int64_t width = (int64_t)tile.lanes * tile.vectors, n = phase->lane.extent.scale, rest = n % width;
  double cost = (double)(n / width) * rows_cost(phase->row.extent, m, tile.rows, tile.vectors);
  if (rest > 0) cost += rows_cost(phase->row.extent, m, tile.rows, (int)((rest + tile.lanes - 1) / tile.lanes));
  return cost;
}

// KERNELS' rules: the registers that a tile takes; the operand of a single row needs none for b, which the FMA reads.
static bool tile_fits(int rows, int vectors, int registers) {
  return (rows == 1 ? vectors + 2 : rows * vectors + vectors + 1) <= registers;
}

// Vectors of a row: wide where there is one row alone, so that b is read in long pieces; but some panels are left for
// the threads.
static int most_vectors(int64_t m, int64_t n, int lanes) {
  int most = m == 1 ? 16 : 4;
  while (most > 4 && (int64_t)most * lanes * 8 > n) most /= 2;
  return most;
}

Tile contract_tile(const Phase *phase, const Target *target, const int64_t *symbol_values) {
  int64_t m = dim_value(phase->row.extent, symbol_values), n = phase->lane.extent.scale;
  int lanes = target->vector_floats;
  while (lanes > 4 && n <= lanes / 2) lanes /= 2;
  int registers = target->registers - 1;
  int most_rows = phase->row.a % 1024 == 0 && phase->row.a != 0 ? 8 : 28;
  Tile best = {lanes, 1, 1};
  double best_cost = phase_cost(phase, best, m);
  for (int vectors = 1; vectors <= most_vectors(m, n, lanes) && (vectors - 1) * lanes < n; vectors++)
    for (int rows = 1; rows <= most_rows && rows <= m && tile_fits(rows, vectors, registers); rows++) {
      Tile tile = {lanes, vectors, rows};
      double cost = phase_cost(phase, tile, m);
      if (cost < best_cost * 0.9999) best = tile, best_cost = cost;
    }
  dlc_assert(tile_fits(best.rows, best.vectors, registers));
  return best;
}
