// Product-sums: which of them the micro-kernel takes, and what the others lack. The passes `halo`, `layout` and
// `order`, fusion and codegen all ask here, so that they never disagree. Answers follow from the graph's shapes alone.
//
// A product-sum is an index node y[out] = sum over red of a[..] * b[..] in f32. Its vector index is the result's last.
// It fits the micro-kernel when all of this holds:
// - no operand is a constant (those have no place in memory);
// - exactly one operand, called b, moves with the vector index, and with stride 1 in memory: the index stands in one
//   dimension of b, undivided, with factor 1, and every later dimension has extent 1; or b is a large matrix read
//   transposed, its rows by the one reduced index (`turned`: a transposed copy of it would cost more than turning it on
//   the way). The other operand is a;
// - the vector index has a constant extent of PRODUCT_MIN_WIDTH or more, there is a reduced index, and nothing is
// empty;
// - every read is inside its operand; one that is divided exactly (DIV_EXACT), wherever the division is exact. No read
// is
//   rounded down (DIV_FLOOR);
// - an exact division holds at most one output index (not the vector index) and one reduced index, of constant extents;
// no
//   index is in two of them; and the output's residue classes are PRODUCT_MAX_CLASSES or fewer;
// - symbols stand only in leading places: dimension 0 of the operands and the result, the first output index and the
// first
//   reduced index.
#pragma once
#include "ir.h"

enum {
  PRODUCT_MIN_WIDTH = 4,
  PRODUCT_MAX_CLASSES = 64,
  PRODUCT_MIN_REUSE = 6,  // multiply-adds for each element of a padded copy
  ROW_LANES = 16,
  NOMINAL_SYMBOL = 32  // what an unknown batch counts as where costs are weighed
};

typedef enum ProductNeed {
  PRODUCT_NEEDS_HALO = 1,  // constant-size reads leave their operands: a padded copy would do
  PRODUCT_NEEDS_PACK = 2,  // b is not contiguous: a copy with the moving dimension last would do, and pays
  PRODUCT_UNFIT = 4        // nothing helps
} ProductNeed;

typedef struct Product {
  unsigned needs;   // ProductNeed bits; 0: it fits
  int a, b;         // operands; unset where UNFIT
  int b_dim;        // dimension of b that holds the vector index
  bool turned;      // it is not the last one, and needs no copy
  const char *why;  // UNFIT: the reason, for people; else NULL
} Product;

// Any node may be asked.
Product product_analyse(const Graph *g, const Node *node);
bool product_fits(const Graph *g, const Node *node);
// Are the points of the result, but for its last index, visited in their order, so that the kernel can add up sums over
// them on its way (plan.h, Kernel)? Of a node that fits the micro-kernel.
bool product_in_order(const Graph *g, const Node *node);

// The order in which pass `layout` puts the reduced indices of a product-sum that fits, or lacks a packed copy only:
// that in which a is walked with the longest steps outside. order[k] is the old index that comes k-th; output indices
// stay, equal steps keep their order. False where all stay.
bool product_walk(const Graph *g, const Node *node, const Product *p, int *order);

// How far dimension d of the read reaches outside an operand of extent `dim`: elements before 0 and behind the end,
// both 0 where it stays inside. False where that depends on a symbol or the read is rounded down.
bool read_overhang(const IndexDef *def, const Read *read, int d, Dim dim, int64_t *before, int64_t *after);

// Elements by which the read's address moves when the index grows by one. False where that is no constant: a division
// of the index, or a symbolic extent inside.
bool read_stride(const Read *read, const Shape *operand, int index, int64_t *stride);

// 16 where a node's reduction goes along rows in 16 lanes: its innermost reduced index has an extent of 16 or more, or
// a symbol's, some read has stride 1 along it, and none that moves with it has stride 1 along the last output index of
// an extent other than 1. Else 1: one result a lane.
int row_lanes(const Graph *g, const Node *node);
// The lanes along the reduction that a reducing node has: what pass `order` gave a float sum or product, else
// row_lanes.
int reduction_lanes(const Graph *g, const Node *node);

// Index k of the read's expressions becomes place[k].
void read_renumber(Read *read, const int *place);

// For weighing costs: points of the node's whole index space, elements of a shape, as doubles that cannot overflow.
// symbol_values NULL: every symbol counts NOMINAL_SYMBOL.
double index_points(const IndexDef *def, const int64_t *symbol_values);
double shape_points(const Shape *shape, const int64_t *symbol_values);
