// Algebraic identities that keep every bit, of one pointwise op at a time: in graphs and in bodies.
#pragma once
#include "emitter.h"

// A value equal to the op of these arguments in fewer or cheaper steps, or NO_VALUE where no identity fits. The value
// may be one of the arguments, and so have a lower rank than the op's result.
int algebra_simplify(Emitter *e, Op op, const int *args);
