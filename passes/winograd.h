// Convolutions by Winograd's minimal filtering, F(4x4, 3x3) and F(2x2, 5x5): which product-sums can be summed so, and
// where it pays. The passes, the plan and codegen all ask here. Answers follow from the graph's shapes alone.
//
// A tile of 4x4 (2x2) results needs a window of 6x6 elements d and the 3x3 (5x5) filter g, per channel:
//   y = A' [ sum over channels of (G g G') * (B' d B) ] A        (* element by element, ' transposed)
// 36 products instead of 144 (100). The gradient of the weights is the transposed algorithm:
//   dg = G' [ sum over tiles of (B' d B) * (A dy A') ] G
// Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015 (arXiv 1509.09308), section 4.
//
// Order of operations under strict numerics: codegen/winograd_math.c for the transforms; each of the 36 sums adds up by
// fused multiply-add, over channels in order, or over the tiles of a chunk in order (image, row, column). Windows and
// tiles that stick out of their tensors see zeros there.
#pragma once
#include "ir.h"

enum {
  WINOGRAD_WINDOW = 6,  // elements a side: tile + filter - 1
  WINOGRAD_POINTS = WINOGRAD_WINDOW * WINOGRAD_WINDOW
};

typedef struct Winograd {
  int filter, tile;           // a side: 3 and 4, or 5 and 2
  bool gradient;              // of the weights: y[r, s, c, o] summed over n, i, j; else y[n, i, j, o] over r, s, c
  int images, other;          // operands of the node: [n, rows, columns, channels], and the weights or dy
  int64_t height, width;      // of the convolution's result
  int64_t channels, outputs;  // c and o
  int64_t image_rows, image_columns;            // of the images operand
  int64_t first_row, first_column;              // where the window of result 0, 0 begins in it
  bool turn_rows, turn_columns;                 // the filter's last row (column) meets the window's first
  int64_t other_rows, other_columns;            // gradient: extents of dy's operand,
  int64_t other_first_row, other_first_column;  // and where its result 0, 0 is
  Dim batch;
} Winograd;

// Has the node the form? It must fit the micro-kernel (product.h). *w is set only then.
bool winograd_analyse(const Graph *g, const Node *node, Winograd *w);
// Is it faster than the direct sum? Measured: docs/performance.md.
bool winograd_pays(const Winograd *w);
