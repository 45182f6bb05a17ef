// Convolutions in transformed tiles (passes/winograd.h) as functions: which a sweep becomes, how the work is cut.
//
// A convolution is two functions: the weights transformed into the kernel's scratch [36][c][o], then the sums. A
// gradient of the weights is one, whose results are the chunks' sums like any chunked sum's, or the result where there
// is one chunk. A work item of the sums is a block of tiles and a part of the outputs:
//
//   transform the tiles' windows        V[36][tiles][c]      in the thread's own memory
//   36 products, by the micro-kernel    M[36][tiles][o] = V * U
//   transform back, tile by tile, and go on with what follows a sum
//
// where the kernel carries sums over its points (plan.h) a chunk of images, in blocks of whole rows of tiles: such a
// row is transformed back as a strip of image rows, which the sums go over pixel by pixel; of a gradient a chunk
// of images and a part of the outputs:
//
//   for each block of tiles: transform windows V[36][tiles][c] and tiles Z[36][tiles][o]; S[36][c][o] += V' * Z
//   transform S back
#pragma once
#include <llvm-c/Core.h>

#include "contract.h"
#include "sweep.h"
#include "winograd.h"

typedef enum WinogradStage { WINOGRAD_WEIGHTS, WINOGRAD_SUMS, WINOGRAD_GRADIENT } WinogradStage;

typedef struct WinogradCode {
  WinogradStage stage;
  const Sweep *sweep;
  const Node *root;
  Winograd shape;
  int lanes, wide;        // of vectors in the transforms, in what follows the sums
  int64_t rows, columns;  // tiles of an image
  int64_t block;          // tiles
  int64_t chunk;          // images of an item; 0: an item is a block
  SweepSum sums[SWEEP_SUMS_MOST];
  int n_sums;
  int64_t parts, part_outputs;  // of the outputs; channels of the weights' stage
  int64_t v_stride, m_stride;   // floats between two tiles' rows in V, and in M or Z
  Contract product;             // the micro-kernel's: of the sums or of the gradient
  Phase phase;
  Tile tile;
  Shares shares;
  int64_t v_at, m_at, s_at, edge_at;  // floats in the thread's memory: V, M or Z, S or the tile's results, a window
  int64_t local_bytes;
  DlcCount items;
  int64_t item_cost;  // nanoseconds
} WinogradCode;

// The functions of a sweep, in order: 0 where its root is not summed in transformed tiles.
int winograd_list(Arena *arena, const Sweep *sweep, const Target *target, WinogradCode **codes);
void winograd_key(Arena *arena, const WinogradCode *code, Text *out);  // equal keys, equal code
void winograd_emit(Arena *arena, LLVMModuleRef module, const char *symbol, const WinogradCode *code);
void winograd_print(Arena *arena, const WinogradCode *code, int indent, Text *out);
