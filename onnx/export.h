// The exporter's inside: what a node of the graph is in ONNX's terms, and the messages that are being made.
//
//   match.c   finds, from the outputs back, what each needed node is: a convolution, a pool, a batch norm ..
//   export.c  makes ONNX's nodes of them, in order
//   proto.c   messages: nodes, attributes, tensors; the file's bytes
#pragma once
#include "ir.h"
#include "onnx_export.h"
#include "onnx.pb-c.h"

typedef enum MatchKind {
  MATCH_NONE,        // nothing: refused
  MATCH_SOURCE,      // input, parameter, state, constant
  MATCH_POINTWISE,   // an op of its own
  MATCH_RELU,        // leaf
  MATCH_BATCH_NORM,  // x, gamma, beta, mean, var; number: eps
  MATCH_CONV,        // x, w[, b]
  MATCH_EACH_CONV,   // x, w[, b]: depthwise
  MATCH_DENSE,       // x, w, b: a product of matrices and a bias
  MATCH_PRODUCT,     // a, b: a sum over products of elements, whatever their indices
  MATCH_MAX_POOL,    // x
  MATCH_SUM_POOL,    // x
  MATCH_REDUCE,      // x
  MATCH_GLOBAL,      // x: the mean over an image's places
  MATCH_BROADCAST,   // x
  MATCH_PART,        // x: elements in steps, or with zeros around
  MATCH_RESHAPE,
  MATCH_CONCAT,
  MATCH_GATHER
} MatchKind;

enum { MOST_LEAVES = 5 };

// Windows of pooling and convolution, along the directions of an image.
typedef struct Windows {
  int n;
  int64_t k[3], stride[3], dilation[3], begin[3], end[3];
} Windows;

typedef struct Match {
  MatchKind kind;
  NodeId leaf[MOST_LEAVES];
  int n_leaves;
  double number;
  Windows windows;
} Match;

// What node `id` is; uses[k]: how often node k is used by nodes that count.
void match_node(const Graph *g, NodeId id, const int *uses, Match *match);

typedef struct Out {  // an export in progress
  Arena *arena;
  const Graph *graph;
  Onnx__GraphProto proto;
  size_t nodes_capacity, tensors_capacity;
  int n_names;
} Out;

const char *out_name(Out *o, const char *what);  // a new name for a value
// A node with one result, whose name is returned.
const char *out_node(Out *o, const char *op, const char *const *in, int n_in, const char *result);
void out_int(Out *o, const char *name, int64_t value);  // attributes of the last node
void out_ints(Out *o, const char *name, const int64_t *values, int n);
void out_float(Out *o, const char *name, double value);
void out_text(Out *o, const char *name, const char *value);
// An initializer; `data` is kept.
const char *out_floats(Out *o, const char *name, int rank, const int64_t *dim, const float *data);
const char *out_whole(Out *o, int rank, int64_t count, const int64_t *values);
Onnx__ValueInfoProto *out_port(Out *o, const char *name, DType type, const Shape *shape);
// The file's bytes; NULL where they are more than 2 GiB.
uint8_t *out_bytes(Out *o, size_t *size);
