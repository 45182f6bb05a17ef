// A kernel's values by demand: the value of a node at a point, down to memory inputs and constants (plan.h, Kernel).
#pragma once
#include "nest.h"
#include "plan.h"

typedef struct Memo {  // a node's value at a point, under a guard
  NodeId node;
  ValueId guard, value;
  const Expr *index[IR_MAX_RANK];
} Memo;

typedef struct Lower {
  const Plan *plan;
  const Kernel *kernel;
  Nest *nest;
  const Expr *point[IR_MAX_INDICES];  // the root's output indices
  struct KnownSum {
    NodeId node;
    ValueId value;
  } known[KERNEL_ROOTS_MOST];  // the kernel's sums there, as far as they are taken
  int n_known;
  Memo *memos;
  size_t n_memos, memos_capacity;
} Lower;

// A kernel's arguments: its inputs, its outputs, the scratch where it has one, those of the sums that it carries. args:
// room for lower_arg_count.
int lower_arg_count(const Kernel *kernel);
void lower_args(const Plan *plan, const Kernel *kernel, NestArg *args);
int lower_input_slot(const Kernel *kernel, NodeId id);   // -1: not an input
int lower_output_slot(const Kernel *kernel, NodeId id);  // dlc_bug where it is none
int lower_scratch_slot(const Kernel *kernel);
int lower_sum_slot(const Kernel *kernel, int sum);  // the scratch of kernel->sums[sum]
// The node whose points are swept: the kernel's space; or, where the kernel only stores a padded or transposed copy,
// what is copied: then no point needs a guard.
NodeId lower_space(const Plan *plan, const Kernel *kernel);
// The node at the point whose value the output stores: itself, or what it is a moved copy of (kernel_moved_output).
NodeId lower_output_source(const Plan *plan, const Kernel *kernel, NodeId output);

// The node's value at index[rank], computed in the nest's open block. Where `guard` does not hold the value does not
// matter, but nothing outside memory is touched.
ValueId lower_value(Lower *lower, NodeId id, const Expr *const *index, ValueId guard);

// The body of a reducing node, the root or a sum that the kernel carries, at the point index[n_out + n_red], with reads
// outside giving 0; or, where `counts` is not NULL (MAX and its like): *counts becomes the condition under which the
// point counts.
typedef struct Body {
  ValueId value;
  ValueId factor;  // of a plain product-sum: the sum is of value * factor, fused; else VALUE_NONE
} Body;
Body lower_sum_body(Lower *lower, const Node *node, const Expr *const *index, ValueId *counts);

// The index of dimension d that the node's operand k is read at, and the conditions under which it is inside: at most
// two values, both of which must hold; none where it always is. All variables of the index must be open.
const Expr *lower_read_index(Lower *lower, const Node *node, int k, int d, const Expr *const *index);
int lower_read_inside(Lower *lower, const Node *node, int k, int d, const Expr *const *index, ValueId *conditions);
// Is the contribution of a point to the root 0 (or left out) wherever its read k is outside?
bool lower_read_decides(const Node *root, int k);

// The sum's value at the point is known from now on.
void lower_know_sum(Lower *lower, NodeId sum, ValueId value);

// Element number of a point in a row-major tensor.
const Expr *lower_linear(Nest *nest, const Shape *shape, const Expr *const *index);
