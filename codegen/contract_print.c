// Contractions as text, for `dlc dump --stage loops`.
//
//   parallel n:N                         # work items: chunk, outer axes, panels, blocks of rows
//     for i:28
//       for rows j:28 by 14, lanes o:6 by 1 x 8
//         acc = 0
//         for r:5 {a += 32, b += 30}
//           for s:5 {a += 1, b += 6}
//             acc = fma(splat x[n, i + r, j + s, c], w[r, s, c, o], acc)
#include "contract.h"

static void indent(Text *out, int depth) { text_printf(out, "%*s", 2 * depth, ""); }

static void print_extent(const Graph *g, Dim extent, Text *out) {
  if (dim_is_const(extent))
    text_printf(out, "%lld", (long long)extent.scale);
  else if (extent.scale == 1)
    text_add(out, g->symbols[extent.symbol - 1]);
  else
    text_printf(out, "%lld*%s", (long long)extent.scale, g->symbols[extent.symbol - 1]);
}

// A merged axis has the names of its parts, slowest first: "ni" or "sc".
static void print_axis(const Contract *contract, const Graph *g, const Axis *axis, Text *out) {
  for (int p = axis->n_parts - 1; p >= 0; p--) text_add(out, contract->root->index->name[axis->part[p].index]);
  if (axis->n_parts == 0) text_add(out, "one");
  text_add(out, ":");
  print_extent(g, axis->extent, out);
}

static void print_levels(const Contract *contract, const Graph *g, const Phase *phase, const Shares *shares,
                         Text *out) {
  int depth = 2;
  if (contract->chunk > 0) {
    indent(out, depth++);
    text_add(out, "parallel chunk of ");
    print_axis(contract, g, &phase->red[0], out);
    text_printf(out, " by %lld\n", (long long)contract->chunk);
  }
  for (int k = 0, level = 1; k < phase->n_outer; k++, level++) {
    if (k == 1) level++;  // the panel's level
    indent(out, depth++);
    text_add(out, level < shares->item_levels ? "parallel " : "for ");
    print_axis(contract, g, &phase->outer[k], out);
    text_add(out, "\n");
  }
}

static void print_reduction(const Contract *contract, const Graph *g, const Phase *phase, Text *out) {
  int depth = 4;
  for (int k = 0; k < phase->n_red; k++) {
    indent(out, depth++);
    text_add(out, "for ");
    print_axis(contract, g, &phase->red[k], out);
    text_printf(out, " {a += %lld, b += %lld}\n", (long long)phase->red[k].a, (long long)phase->red[k].b);
  }
  indent(out, depth);
  text_printf(out, "acc = fma(splat(a%%%d), b%%%d, acc)\n", contract->root->in[contract->a],
              contract->root->in[contract->b]);
}

static void print_phase(const Contract *contract, const Graph *g, const Phase *phase, const Target *target,
                        const int64_t *symbol_values, Text *out) {
  Tile tile = contract_tile(phase, target, symbol_values);
  Shares shares = contract_shares(contract, phase, tile, symbol_values);
  print_levels(contract, g, phase, &shares, out);
  indent(out, 3);
  text_add(out, "tile rows ");
  print_axis(contract, g, &phase->row, out);
  text_printf(out, " by %d, lanes ", tile.rows);
  print_axis(contract, g, &phase->lane, out);
  text_printf(out, " by %d x %d\n", tile.vectors, tile.lanes);
  indent(out, 4);
  text_add(out, "acc = 0\n");
  if (!phase->empty) print_reduction(contract, g, phase, out);
  indent(out, 4);
  text_add(out, contract->chunk > 0 ? "store acc to the chunk's sums\n" : "store\n");
}

void contract_print(const Contract *contract, const Graph *g, const Target *target, const int64_t *symbol_values,
                    Text *out) {
  for (int k = 0; k < contract->n_phases; k++) {
    if (contract->n_phases > 1) text_printf(out, "  residue class %d of %d\n", k + 1, contract->n_phases);
    print_phase(contract, g, &contract->phases[k], target, symbol_values, out);
  }
}
