// Differentiating the body of an index node, and what can be said of a body's value.
#pragma once
#include "grad_rules.h"

// The derivative of the body of `def` by its reads of `operand`, times `seed`: an instruction of `body`, in which the
// body's instruction k stands as copy[k]. NO_VALUE where no gradient passes.
int grad_body(Body *body, const IndexDef *def, const int *copy, int operand, int seed);
// Does a gradient pass from the body's value to its reads of `operand`? Where not, *blocker is the first op that stops
// it.
bool grad_body_passes(Arena *arena, const IndexDef *def, int operand, Op *blocker);
// Is the value certainly 0 at points where the reads of the marked operands ([n_in]) are all 0, whatever finite numbers
// the others are?
bool body_vanishes(const Body *body, int value, const bool *zero);
