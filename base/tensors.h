// The named tensors of a model: its parameters (trainable) and its states (updated by training without gradients).
// One flat block of floats holds all of a table's tensors, in declaration order, each starting on 64 bytes, and
// those of 1 MiB or more on a page, where hardware that reads ahead begins anew; optimizers sweep the whole block (the
// gaps hold zeros and stay zero). Gradients and optimizer slots are blocks of the same layout.
#pragma once
#include "hash.h"

enum { TENSOR_MAX_RANK = 8 };

typedef enum InitKind {
  INIT_ZEROS,
  INIT_ONES,
  INIT_CONSTANT,
  INIT_NORMAL,
  INIT_UNIFORM,
  INIT_XAVIER_UNIFORM,
  INIT_XAVIER_NORMAL,
  INIT_KAIMING_UNIFORM,
  INIT_KAIMING_NORMAL,
  INIT_ORTHOGONAL
} InitKind;

typedef struct Init {
  InitKind kind;
  double a, b;  // constant: value a. normal: mean a (0), std b. uniform: a..b. Others: unused
  int64_t fan_in,
      fan_out;  // 0: from the shape ([in, out] and [kh, kw, in, out]: the last two and the product of the rest)
} Init;

typedef struct TensorInfo {
  const char *path;  // "lenet5.conv2d_1.w"
  int rank;
  int64_t dim[TENSOR_MAX_RANK];  // [rank]
  int64_t count;                 // elements
  int64_t offset;                // of the first element in the block, in floats; a multiple of 16
  Init init;
  bool decay;   // regularisers apply
  bool frozen;  // --freeze: receives no update
} TensorInfo;

typedef struct TensorTable {
  TensorInfo *items;  // in declaration order
  int n_items;
  size_t capacity;
  HashTable by_path;     // places in items
  int64_t block_floats;  // length of the block, a multiple of 16
} TensorTable;

// Appends and lays out a tensor of a path of its own; sets count and offset. False when the size does not fit.
bool tensor_add(Arena *arena, TensorTable *table, const TensorInfo *info);
int tensor_find(const TensorTable *table, const char *path);  // -1 where absent
// Fills tensor `info` of `block` with its initial values: a pure function of (seed, path, init), computed in double.
void tensor_init(const TensorInfo *info, uint64_t seed, float *block);
// The same for all tensors of a block, by any number of threads: each draws a part of the block, one finishes.
void tensors_draw(const TensorTable *table, uint64_t seed, float *block, int64_t begin, int64_t end);
void tensors_finish(const TensorTable *table, float *block);
