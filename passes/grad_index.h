// Gradients of index nodes. They are index nodes again: a sum over the points that read an element (grad_solve.h), of
// the result's gradient times the body's derivative.
#pragma once
#include "grad_rules.h"

// The gradients of node `id` by its operands, given the gradient `dy` by its result: d[k] for each wanted operand, in
// the operand's shape, NODE_NONE where the body hands none on. False where the gradient cannot be written as an index
// node: *why then says, for people, what it would need. Wanted operands are f32, and so is the node.
bool grad_index(Builder *b, NodeId id, NodeId dy, const bool *want, NodeId *d, const char **why);
// Does a gradient pass from the node to this operand? Where not, *blocker is the name of what stops it.
bool grad_index_passes(Arena *arena, const Node *node, int operand, const char **blocker);
