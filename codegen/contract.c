// Analysis of product-sums: from affine reads to strided loops, residue classes, tiles and shares.
//
// On entry: the root is SUM of read0 * read1, all reads inside their operands (pass halo), B contiguous along the last
// output index (pass layout). On exit: every phase visits each of its points once, its reduction in the row-major order
// of the node's reduced indices.
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
  if (phase->lane.a != 0 || phase->lane.b != 1 || phase->lane.c != 1) return false;
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
  return true;
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

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static double efficiency(int64_t m, int64_t n, Tile tile) {
  int64_t width = tile.lanes * tile.vectors;
  double rows = (double)m / (double)round_up(m, tile.rows), columns = (double)n / (double)round_up(n, width);
  double loads = (double)(tile.vectors * tile.rows) / (tile.vectors + tile.rows);
  double chains = tile.rows * tile.vectors >= 8 ? 1.0 : tile.rows * tile.vectors / 8.0;
  return rows * columns * loads / (1 + loads) * chains;
}

Tile contract_tile(const Phase *phase, const Target *target, const int64_t *symbol_values) {
  int64_t m = dim_value(phase->row.extent, symbol_values), n = dim_value(phase->lane.extent, symbol_values);
  int lanes = target->vector_floats;
  while (lanes > 4 && n <= lanes / 2) lanes /= 2;
  int registers = target->registers - 1;
  int most_rows = phase->row.a % 1024 == 0 && phase->row.a != 0 ? 8 : 28;
  Tile best = {lanes, 1, 1};
  double best_value = 0;
  for (int vectors = 1; vectors <= 4 && (vectors - 1) * lanes < n; vectors++)
    for (int rows = 1; rows <= most_rows && rows <= m && rows * vectors + vectors + 1 <= registers; rows++) {
      Tile tile = {lanes, vectors, rows};
      double value = efficiency(m, n, tile);
      if (value > best_value * 1.0001) best = tile, best_value = value;
    }
  dlc_assert(best.rows * best.vectors + best.vectors + 1 <= registers);
  return best;
}

// ---- shares -------------------------------------------------------------------------------------------------------

// Vector FMAs of one block of rows over one panel: the cost of the innermost level.
static double block_work(const Contract *contract, const Phase *phase, Tile tile, int64_t rows, const int64_t *values) {
  double work = (double)rows * tile.vectors;
  for (int k = 0; k < phase->n_red; k++) {
    double extent = (double)dim_value(phase->red[k].extent, values);
    if (k == 0 && contract->chunk > 0 && extent > (double)contract->chunk) extent = (double)contract->chunk;
    work *= extent;
  }
  return work + (double)rows * tile.vectors * 4;
}

enum { ITEM_WORK = 16384, ITEM_WORK_MOST = 65536 };  // vector FMAs of an item: about 5 and 20 µs

Shares contract_shares(const Contract *contract, const Phase *phase, Tile tile, const int64_t *values) {
  Shares s = {0};
  int64_t width = tile.lanes * tile.vectors, rows = dim_value(phase->row.extent, values);
  s.panels = round_up(phase->lane.extent.scale, width) / width;
  double per_row = block_work(contract, phase, tile, 1, values);
  s.block_rows = round_up(rows, tile.rows);
  if (per_row * (double)rows > ITEM_WORK_MOST) {
    int64_t tiles = (int64_t)(ITEM_WORK / (per_row * tile.rows)) + 1;
    if (tiles * tile.rows < s.block_rows) s.block_rows = tiles * tile.rows;
  }
  // Levels from the inside: rows, outer[n-1..1], panel, outer[0], chunk. Take levels into the item while it stays
  // small.
  double work = block_work(contract, phase, tile, s.block_rows < rows ? s.block_rows : rows, values);
  int levels = 1 + phase->n_outer + 1 + 1;  // chunk, outers, panel, rows
  bool rows_whole = s.block_rows >= rows && dim_is_const(phase->row.extent);
  s.item_levels = levels;
  if (rows_whole) {
    s.item_levels--;
    for (int k = phase->n_outer - 1; k >= 1 && work < ITEM_WORK; k--, s.item_levels--)
      work *= (double)phase->outer[k].extent.scale;
  }
  DlcCount count = {.scale = 1, .divisor = 1, .times = 1};
  if (contract->chunk > 0) {
    count.scale = phase->red[0].extent.scale;
    count.symbol = phase->red[0].extent.symbol;
    count.divisor = contract->chunk;
  }
  int level = 1;  // the chunk's is counted
  if (phase->n_outer > 0 && level < s.item_levels) {
    Dim first = phase->outer[0].extent;
    if (dim_is_const(first))
      count.times *= first.scale;
    else
      count.scale = first.scale, count.symbol = first.symbol;
    level++;
  }
  count.times *= s.panels, level++;
  for (int k = 1; k < phase->n_outer && level < s.item_levels; k++, level++)
    count.times *= phase->outer[k].extent.scale;
  if (level < s.item_levels) {
    if (dim_is_const(phase->row.extent))
      count.times *= round_up(rows, s.block_rows) / s.block_rows;
    else
      count.scale = phase->row.extent.scale, count.symbol = phase->row.extent.symbol, count.divisor = s.block_rows;
  }
  s.items = count;
  s.item_cost = (int64_t)(work / 3.5) + 50;
  return s;
}
