// Contractions as text, for `dlc dump --stage loops`:
//
//   parallel n:N
//     for i:28
//       tile of 14 rows of j:28, 1 vectors of 8 lanes of o:6: a = %1, b = %2
//         sum = 0
//         for r:5 {a += 32, b += 30}
//           for s:5 {a += 1, b += 6}
//             sum = fma(a, b, sum)
//
// then what follows a sum, as a nest. A reduction in blocks has them around the tiles:
//
//     for blocks of k:2048 by 256, b packed
//       tile of 6 rows of ..
//         sum = 0, or as the block before left it
//         of the block, for k:2048 {a += 1, b += 2048}
#include "contract.h"

typedef struct Printer {
  const Contract *contract;
  const Graph *g;
  const Phase *phase;
  const Shares *shares;
  const Blocking *blocking;
  int indent;
  Text *out;
} Printer;

static void begin_line(Printer *p) { text_printf(p->out, "%*s", p->indent, ""); }

static void print_extent(const Graph *g, Dim extent, Text *out) {
  if (dim_is_const(extent))
    text_printf(out, "%lld", (long long)extent.scale);
  else if (extent.scale == 1)
    text_add(out, g->symbols[extent.symbol - 1]);
  else
    text_printf(out, "%lld*%s", (long long)extent.scale, g->symbols[extent.symbol - 1]);
}

// A merged axis has the names of its parts, slowest first: "ni" or "sc".
static void print_axis(const Printer *p, const Axis *axis) {
  for (int k = axis->n_parts - 1; k >= 0; k--) text_add(p->out, p->contract->root->index->name[axis->part[k].index]);
  if (axis->n_parts == 0) text_add(p->out, "one");
  text_add(p->out, ":");
  print_extent(p->g, axis->extent, p->out);
}

static void print_levels(Printer *p) {
  if (p->contract->chunk > 0) {
    begin_line(p);
    text_add(p->out, "parallel chunks of ");
    print_axis(p, &p->phase->red[0]);
    text_printf(p->out, " by %lld\n", (long long)p->contract->chunk);
    p->indent += 2;
  }
  bool in_order = p->contract->tally > 0;
  if (in_order) {
    begin_line(p);
    text_add(p->out, "parallel parts of ");
    print_axis(p, p->phase->n_outer > 0 ? &p->phase->outer[0] : &p->phase->row);
    text_printf(p->out, " by %lld, in order\n", (long long)p->shares->part);
    p->indent += 2;
  }
  for (int k = 0, level = 1; k < p->phase->n_outer; k++, level++) {
    if (k == 1) level++;  // the panel's level
    begin_line(p);
    text_add(p->out, level < p->shares->item_levels && !in_order ? "parallel " : "for ");
    print_axis(p, &p->phase->outer[k]);
    text_add(p->out, "\n");
    p->indent += 2;
  }
}

static void print_blocks(Printer *p) {
  for (int k = 0; k < p->blocking->level; k++) {
    begin_line(p);
    text_add(p->out, "for ");
    print_axis(p, &p->phase->red[k]);
    text_add(p->out, "\n");
    p->indent += 2;
  }
  begin_line(p);
  text_add(p->out, "for blocks of ");
  print_axis(p, &p->phase->red[p->blocking->level]);
  text_printf(p->out, " by %lld", (long long)p->blocking->size);
  if (p->blocking->panels > 1) text_printf(p->out, ", %lld panels in each", (long long)p->blocking->panels);
  if (p->blocking->packs) text_add(p->out, p->phase->lane.b == 1 ? ", b packed" : ", b turned");
  text_add(p->out, "\n");
  p->indent += 2;
}

static void print_reduction(Printer *p) {
  int first = p->blocking->size > 0 ? p->blocking->level : 0;
  for (int k = first; k < p->phase->n_red; k++) {
    begin_line(p);
    text_add(p->out, k == first && p->blocking->size > 0 ? "of the block, for " : "for ");
    print_axis(p, &p->phase->red[k]);
    text_printf(p->out, " {a += %lld, b += %lld}\n", (long long)p->phase->red[k].a, (long long)p->phase->red[k].b);
    p->indent += 2;
  }
  begin_line(p);
  text_add(p->out, "sum = fma(a, b, sum)\n");
  p->indent -= 2 * (p->phase->n_red - first);
}

void contract_print_phase(const Contract *contract, const Graph *g, const Phase *phase, Tile tile, const Shares *shares,
                          const Blocking *blocking, int indent, Text *out) {
  Printer p = {contract, g, phase, shares, blocking, indent, out};
  print_levels(&p);
  if (blocking->size > 0) print_blocks(&p);
  begin_line(&p);
  text_printf(out, "tile of %d rows of ", tile.rows);
  print_axis(&p, &phase->row);
  text_printf(out, ", %d vectors of %d lanes of ", tile.vectors, tile.lanes);
  print_axis(&p, &phase->lane);
  text_printf(out, ": a = %%%d, b = %%%d\n", contract->root->in[contract->a], contract->root->in[contract->b]);
  p.indent += 2;
  begin_line(&p);
  text_add(out, blocking->size > 0 ? "sum = 0, or as the block before left it\n" : "sum = 0\n");
  if (!phase->empty) print_reduction(&p);
  if (contract->chunk == 0) return;
  begin_line(&p);
  text_add(out, "chunk sums = sum\n");
}
