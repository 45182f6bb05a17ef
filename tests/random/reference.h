// What compiled code must give, bit for bit: a graph computed in single precision exactly as strict numerics say
// (docs/architecture.md; Order in ir.h), one operation after the other. The third opinion beside the evaluator in
// double and compiled code: what it shares with the latter is the six functions exp, log, tanh, sigmoid, erf and pow,
// which it asks of a compiled kernel of one element (their own error is measured elsewhere, tests/unit/test_math.c).
//
// One thing follows from the kernel that a sum gets: the micro-kernel leaves out the points at which an exact division
// leaves a remainder, where the loops (and the evaluator) add 0 times the other factor, which is NaN where that is
// infinite or NaN. What the micro-kernel takes follows from shapes alone (passes/product.h), so bits are as fixed.
//
// Values are held in doubles, f32 values being floats. A convolution in transformed tiles is summed directly: such
// nodes agree within a tolerance only (reference_is_exact).
#pragma once
#include "ir.h"

typedef struct Functions Functions;  // the compiled ones

Functions *functions_new(Arena *arena);  // dlc_bug where they cannot be compiled
void functions_free(Functions *functions);

// Computes every node that an output needs; values is [g->n_nodes], as for graph_eval. `bound`: NULL, or [n_nodes]:
// bound[id][k] is how far element k may be from what the evaluator in double gives for the same operands' values:
// rounding inside the node, to first order; INFINITY where nothing can be said.
void reference_eval(const Functions *functions, const Graph *g, const EvalEnv *env, Arena *arena, EvalTensor *values,
                    double **bound);
// Node `id` by the evaluator in double, from its operands' values. NULL where it has too many operands to name.
EvalTensor *reference_alone(const Graph *g, NodeId id, const EvalEnv *env, Arena *arena, const EvalTensor *values);
// No node is summed in transformed tiles.
bool reference_is_exact(const Graph *g);
// Equal bits: the same number with the same sign, or both NaN.
bool same_number(double a, double b);
