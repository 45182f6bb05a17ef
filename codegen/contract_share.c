// How a contraction's loops are shared out among work items, and how its reduction is cut into blocks. Both decide
// speed alone: the order of a sum is that of its node.
#include "checked.h"
#include "contract.h"

static int64_t pieces(int64_t whole, int64_t size) { return (whole + size - 1) / size; }
static int64_t round_up(int64_t n, int64_t to) { return pieces(n, to) * to; }
static int64_t count_at(const DlcCount *count, const int64_t *values) {
  return count->times * pieces(count->scale * (count->symbol ? values[count->symbol - 1] : 1), count->divisor);
}
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Values of a level of the reduction that one sum goes through: a chunk's where there are chunks.
static int64_t reduced(const Contract *contract, const Phase *phase, int level, const int64_t *values) {
  int64_t extent = dim_value(phase->red[level].extent, values);
  return level == 0 && contract->chunk > 0 ? least(extent, contract->chunk) : extent;
}

static double reduced_points(const Contract *contract, const Phase *phase, const int64_t *values) {
  double points = 1;
  for (int k = 0; k < phase->n_red; k++) points *= (double)reduced(contract, phase, k, values);
  return points;
}

// ---- counting items -------------------------------------------------------------------------------------------------

enum { FMAS_PER_1000_NS = 3500, ITEM_START_NS = 50 };

static int64_t cost_of(double fmas) { return (int64_t)(fmas * 1000 / FMAS_PER_1000_NS) + ITEM_START_NS; }

// Multiplies by the pieces of `size` of a level. At most one level is symbolic.
static void count_level(DlcCount *count, Dim extent, int64_t size) {
  if (dim_is_const(extent)) {
    count->times *= pieces(extent.scale, size);
    return;
  }
  count->scale = extent.scale;
  count->symbol = extent.symbol;
  count->divisor = size;
}

// The first `item_levels` levels: chunk, outer[0], strips of panels, outer[1..], blocks of rows.
static DlcCount count_items(const Contract *contract, const Phase *phase, const Shares *s, int64_t strip) {
  DlcCount count = {.scale = 1, .divisor = 1, .times = 1};
  int level = 0, first = phase->n_outer > 0;
  if (contract->chunk > 0) count_level(&count, phase->red[0].extent, contract->chunk);
  level++;
  for (int k = 0; k < first && level < s->item_levels; k++, level++) count_level(&count, phase->outer[k].extent, 1);
  count_level(&count, dim_const(s->panels), strip), level++;
  for (int k = first; k < phase->n_outer && level < s->item_levels; k++, level++)
    count_level(&count, phase->outer[k].extent, 1);
  if (level < s->item_levels) count_level(&count, phase->row.extent, s->block_rows);
  return count;
}

// With Contract.tally: parts of the slowest axis, strips of panels.
static DlcCount count_parts(const Phase *phase, const Shares *s, int64_t strip) {
  DlcCount count = {.scale = 1, .divisor = 1, .times = 1};
  count_level(&count, phase->n_outer > 0 ? phase->outer[0].extent : phase->row.extent, s->part);
  count_level(&count, dim_const(s->panels), strip);
  return count;
}

static int all_levels(const Phase *phase) { return 1 + phase->n_outer + 1 + 1; }

// ---- shares ---------------------------------------------------------------------------------------------------------

enum { ITEM_WORK = 16384, ITEM_WORK_MOST = 65536 };  // vector FMAs of an item: about 5 and 20 µs

// Vector FMAs of so many rows over one panel: the cost of the innermost level.
static double block_work(const Contract *contract, const Phase *phase, Tile tile, int64_t rows, const int64_t *values) {
  double sums = (double)rows * tile.vectors;
  return sums * (reduced_points(contract, phase, values) + 4);
}

// An item visits a chunk of the first output index, which is the slowest part of the slowest axis.
static Shares shares_of_tally(const Contract *contract, const Phase *phase, Tile tile, const int64_t *values) {
  enum { PART_LEVELS = 3 };
  Dim slowest = phase->n_outer > 0 ? phase->outer[0].extent : phase->row.extent;
  int64_t whole = dim_value(slowest, values), first = dim_value(contract->root->index->extent[0], values);
  Shares s = {.panels = pieces(phase->lane.extent.scale, (int64_t)tile.lanes * tile.vectors),
              .item_levels = PART_LEVELS,
              .part = contract->tally * (whole / first)};
  double rows = (double)least(s.part, whole);
  for (int k = 1; k < phase->n_outer; k++) rows *= (double)phase->outer[k].extent.scale;
  s.block_rows = round_up(phase->n_outer > 0 ? phase->row.extent.scale : least(s.part, whole), tile.rows);
  if (phase->n_outer > 0) rows *= (double)phase->row.extent.scale;
  s.items = count_parts(phase, &s, 1);
  s.item_cost = cost_of(rows * block_work(contract, phase, tile, 1, values));
  return s;
}

Shares contract_shares(const Contract *contract, const Phase *phase, Tile tile, const int64_t *values) {
  if (contract->tally > 0) return shares_of_tally(contract, phase, tile, values);
  int64_t rows = dim_value(phase->row.extent, values);
  Shares s = {.panels = pieces(phase->lane.extent.scale, (int64_t)tile.lanes * tile.vectors),
              .block_rows = round_up(rows, tile.rows),
              .item_levels = all_levels(phase)};
  double tile_work = block_work(contract, phase, tile, tile.rows, values);
  if (block_work(contract, phase, tile, rows, values) > ITEM_WORK_MOST)
    s.block_rows = least(((int64_t)(ITEM_WORK / tile_work) + 1) * tile.rows, s.block_rows);
  double work = block_work(contract, phase, tile, least(s.block_rows, rows), values);
  // From the inside (rows, outer[n-1..1]) levels go into the item while it stays small.
  if (s.block_rows >= rows && dim_is_const(phase->row.extent)) {
    s.item_levels--;
    for (int k = phase->n_outer - 1; k >= 1 && work < ITEM_WORK; k--, s.item_levels--)
      work *= (double)phase->outer[k].extent.scale;
  }
  s.items = count_items(contract, phase, &s, 1);
  s.item_cost = cost_of(work);
  return s;
}

// ---- blocks ---------------------------------------------------------------------------------------------------------

enum {
  L2_HALF = 512 << 10,       // bytes that stay in a core's second cache beside others
  PANEL_BYTES = 256 << 10,   // of b's panel, from which on reading it once more is not free
  PACK_TILES = 8,            // tiles of rows that make a copy of b's block worth its price
  BLOCK_POINTS = 256,        // of the reduction: b's block is 64 KB where a panel is 64 wide
  COLUMN_POINTS = 96,        // where a is read by columns, so that each point takes a cache line of a;
  COLUMN_POINTS_LEAST = 32,  // fewer where those lines fall into few sets of the first cache:
  COLUMN_POINTS_A_SET = 24,  // so many for each of the 4 KB that addresses of one set are apart
  SET_BYTES = 4096,
  BLOCK_POINTS_TURNED = 512,  // b is read in rows of 2 KB
  STREAM_BYTES = 2 << 20,     // of b, from which on it comes from memory or the third cache
  STREAM_LANES = 1024,        // it is then read in rows of 4 KB,
  STREAM_POINTS = 8,          // so many side by side: hardware that reads ahead can follow them
  STREAM_POINTS_ROWS = 32,    // more with several rows, whose sums have to be put away and fetched
  BLOCK_ROWS = 1024,          // most rows whose sums wait
  BLOCK_ITEMS = 8,            // items wanted: so many, where rows are left to cut
  WAITING_BYTES = 256 << 10   // most bytes of sums that wait
};

// What the choice is made from.
typedef struct Traffic {
  int64_t rows, width;    // of the phase; of a panel
  double panel_bytes;     // of b under one panel
  double b_bytes;         // of whole rows of b: what a panel, read by rows, is spread over
  bool many;              // rows enough for a copy
  int64_t column_points;  // most points of a block where a is read by columns; else 0
  bool turned;            // b's lanes are apart in memory
  bool apart;             // b's rows are longer than a panel
  bool streams;           // a matrix that is read once or a few times
} Traffic;

// `step` floats from one point to the next: their lines fall into 4096 / gcd sets, 64 bytes each.
static int64_t column_points(int64_t step) {
  int64_t sets = SET_BYTES / whole_gcd(step * 4, SET_BYTES), points = COLUMN_POINTS_A_SET * sets;
  if (points > COLUMN_POINTS) return COLUMN_POINTS;
  return points > COLUMN_POINTS_LEAST ? points : COLUMN_POINTS_LEAST;
}

static Traffic traffic_of(const Contract *contract, const Phase *phase, Tile tile, const int64_t *values) {
  const Axis *inner = &phase->red[phase->n_red - 1];
  Traffic t = {.rows = dim_value(phase->row.extent, values), .width = (int64_t)tile.lanes * tile.vectors};
  double points = reduced_points(contract, phase, values);
  t.panel_bytes = points * (double)t.width * 4;
  t.b_bytes = points * (double)(inner->b > t.width ? inner->b : t.width) * 4;
  t.many = t.rows >= PACK_TILES * tile.rows;
  if (inner->a != 1) t.column_points = column_points(inner->a);
  t.turned = phase->lane.b != 1;
  t.apart = inner->b != t.width;
  t.streams = !t.turned && t.b_bytes > STREAM_BYTES && phase->n_outer == 0 && phase->n_red == 1;
  return t;
}

static bool blocks_pay(const Traffic *t, Tile tile) {
  bool read_again = t->many || (t->rows > tile.rows && t->panel_bytes > PANEL_BYTES);
  return t->turned || t->streams || (read_again && t->b_bytes > L2_HALF);
}

static int64_t block_points(const Traffic *t, bool packs) {
  if (t->turned) return BLOCK_POINTS_TURNED;
  if (t->streams && !packs) return t->rows == 1 ? STREAM_POINTS : STREAM_POINTS_ROWS;
  return t->column_points ? t->column_points : BLOCK_POINTS;
}

// Cuts the innermost level at which the points reach `most`, into equal blocks. Returns the points of a block.
static int64_t cut_reduction(const Contract *contract, const Phase *phase, const int64_t *values, int64_t most,
                             Blocking *cut) {
  int64_t inner = 1;
  for (cut->level = phase->n_red - 1; cut->level > 0; cut->level--) {
    int64_t extent = reduced(contract, phase, cut->level, values);
    if (inner * extent > most) break;
    inner *= extent;
  }
  int64_t extent = reduced(contract, phase, cut->level, values), size = inner < most ? most / inner : 1;
  cut->size = pieces(extent, pieces(extent, size));
  if (phase->lane.b != 1) cut->size = least(round_up(cut->size, TURNED_POINTS), most);
  return cut->size * inner;
}

// Two strips at least, so that there are some for several threads.
static int64_t strip_panels(const Traffic *t, int64_t panels, int64_t block_rows) {
  int64_t strip = t->streams ? STREAM_LANES / t->width : 1;
  while (strip > 1 && (strip * 2 > panels || strip * t->width * block_rows * 4 > WAITING_BYTES)) strip /= 2;
  return strip > 1 ? strip : 1;
}

// Rows of a block: as many as their sums may wait, but few enough for some items for every thread.
static void share_blocks(const Contract *contract, const Phase *phase, Tile tile, const int64_t *values,
                         const Traffic *t, Blocking *cut, Shares *shares) {
  int64_t rows = least(t->rows, BLOCK_ROWS);
  if (contract->tally > 0) {
    shares->block_rows = least(round_up(rows, tile.rows), shares->block_rows);
    cut->panels = strip_panels(t, shares->panels, shares->block_rows);
    shares->items = count_parts(phase, shares, cut->panels);
    shares->item_cost *= cut->panels;
    return;
  }
  shares->item_levels = all_levels(phase);
  for (;; rows /= 2) {
    shares->block_rows = round_up(rows, tile.rows);
    cut->panels = strip_panels(t, shares->panels, shares->block_rows);
    shares->items = count_items(contract, phase, shares, cut->panels);
    if (count_at(&shares->items, values) >= BLOCK_ITEMS || rows < 2 * PACK_TILES * tile.rows) break;
  }
  shares->item_cost = cost_of(block_work(contract, phase, tile, rows, values) * (double)cut->panels);
}

Blocking contract_blocking(const Contract *contract, const Phase *phase, Tile tile, const int64_t *values,
                           Shares *shares) {
  Blocking cut = {0};
  if (phase->empty || phase->n_red == 0) return cut;
  Traffic t = traffic_of(contract, phase, tile, values);
  if (!blocks_pay(&t, tile)) return cut;
  cut.packs = t.turned || (t.apart && t.many);
  int64_t points = cut_reduction(contract, phase, values, block_points(&t, cut.packs), &cut);
  share_blocks(contract, phase, tile, values, &t, &cut, shares);
  cut.packed_at = round_up(shares->block_rows * t.width * cut.panels, 16);
  int64_t packed = cut.packs ? round_up(points, TURNED_POINTS) * t.width : 0;
  cut.local_bytes = round_up(4 * (cut.packed_at + packed), 64);
  return cut;
}
