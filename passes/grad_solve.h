// Solving a read for the indices of its node. The gradient by x of a node that reads x[e1(z), .., ep(z)] collects, at
// each element u of x, the points z with e(z) = u. Each dimension's equation is solved for one index; the others stay
// free and are summed over. A read with a division e(z) // D = u is the equation e(z) = D u + m with a remainder m in
// 0..D.
//
// Variables of the forms: element index u[d] of the operand, index k of the node, remainder m[d] of dimension d.
#pragma once
#include "form.h"

enum { SOLVE_INDEX = IR_MAX_RANK, SOLVE_REMAINDER = SOLVE_INDEX + IR_MAX_INDICES, SOLVE_COUNT = FORM_VARIABLES };

typedef enum DimRole {
  DIM_OPEN,    // not yet looked at
  DIM_SOLVED,  // its equation gave an index a value
  DIM_WHOLE,   // its equation always holds: a dimension of 1 that is read at 0
  DIM_GUARD    // its equation is a condition on the other dimensions' u
} DimRole;

typedef struct ReadSolution {
  Form value[SOLVE_COUNT];    // of every index and remainder, in terms of the u of solved dimensions and what is free
  bool solved[SOLVE_COUNT];   // indices and remainders that have got a value; the others are their own
  bool present[SOLVE_COUNT];  // indices, and the remainders that were brought in
  bool rounded[SOLVE_COUNT];  // the value is rounded down: this index counts blocks
  int64_t modulus[SOLVE_COUNT];  // above 0: the value is taken modulo this: the index counts inside a block
  DimRole role[IR_MAX_RANK];
} ReadSolution;

// Nothing solved: every variable is its own value.
ReadSolution solution_empty(const IndexDef *def);
// The read that is solved in place of a node's own: of the operand as it is, or with dimensions taken apart. A
// dimension that is read at 4 a + b, b in 0..4, and is all of that, is two: [.., a, b, ..]. The gradient then has these
// dimensions and is reshaped: that is how groups of channels stay loops of their own.
typedef struct SolveTarget {
  Read read;
  Shape shape;
} SolveTarget;

SolveTarget solve_target(const Node *node, int operand, const Shape *shape);

// Solves the target for this operand of the node. An index of the result is preferred to a reduced one, a small
// coefficient to a large one: so the gradient of a convolution stays one, with the window's indices summed over.
//
// Windows side by side, x[.., 4 i + r, ..] with r in 0..4, need no sum: i = u // 4 and r = u mod 4. So it is where i
// and r are not needed inside other expressions.
//
// What is left of an index of one value is 0. False where the arithmetic leaves FORM_LIMIT.
bool solve_read(const Node *node, int operand, const SolveTarget *target, ReadSolution *s);
