// What passes know about pointwise ops beyond ops.def. An op without a row has none of these properties: always safe.
#pragma once
#include "ir.h"

typedef enum Trait {
  TRAIT_COMMUTES = 1,  // operands can be swapped without changing a bit
  TRAIT_EXACT = 2,     // the evaluator's double, rounded to float once, is the op's f32 result
  TRAIT_TOTAL = 4      // finite for finite operands, overflow apart
} Trait;

bool op_has(Op op, Trait trait);
// Is folding the op on operands of this type by the evaluator exact? Integers and bools always are.
bool op_folds(Op op, DType operand_type);
