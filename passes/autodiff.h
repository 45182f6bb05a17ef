// What the files of pass `autodiff` share.
#pragma once
#include "passes.h"

typedef struct Autodiff {
  PassContext *ctx;
  const Graph *from;
  Builder b;  // into the result, which starts with the nodes of `from`
  NodeId loss;
  bool *active;     // [n_nodes of from]: a gradient by this node leads to a wanted tensor
  NodeId *adjoint;  // [n_nodes of from]: the gradient by this node, or NODE_NONE
} Autodiff;

// Does a gradient by the node hand one on to its operand k? Where the operand is f32 and none passes, *blocker is the
// name of the op that stops it; otherwise it is NULL.
bool autodiff_passes(const Graph *g, const Node *node, int k, const char **blocker);
// Reports the params that no gradient has reached, at the loss; false where there are any.
bool autodiff_check_params(const Autodiff *a);
