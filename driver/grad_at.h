// dlc grad --at: a small model's values and gradients at a point, in double by the evaluator.
#pragma once
#include "pipeline.h"

// Prints every named value of the model at the point, with the derivative of its results' sum by it, and draws the
// graph
// (--dot and -o FILE.svg as well); --check compares with central differences, --jacobian prints Jacobians. Returns a
// status.
int grad_at(Pipeline *p);
