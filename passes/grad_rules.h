// Gradients of the pointwise ops, each written once for graphs and for the bodies of index nodes.
#pragma once
#include "emitter.h"

// One application y = op(in[0], ..) and the gradient of the loss by y.
typedef struct GradSite {
  const int *in;  // operands
  int out;        // y
  int grad;       // dy
  bool want[3];   // operands whose gradient is needed
} GradSite;

// Does the op hand a gradient to its f32 operands at all?
bool grad_pointwise_passes(Op op);
// d[k]: the gradient by operand k where it is wanted and the op has one there, else NO_VALUE. In a graph it has the
// shape of the result.
void grad_pointwise(Emitter *e, Op op, const GradSite *site, int *d);
