// Fusion and the memory plan: what codegen compiles. A Plan is a list of kernels in execution order and a place in
// memory for every value that some kernel stores or reads.
#pragma once
#include "ir.h"
#include "tensors.h"

typedef enum Region {
  REGION_NONE,        // never in memory: recomputed or kept in registers inside a kernel
  REGION_ARENA,       // the step's one block; `offset` in bytes
  REGION_PARAM,       // the parameter block; `offset` in bytes
  REGION_GRAD,        // the gradient block, laid out as the parameter block
  REGION_STATE,       // the state block as the step finds it
  REGION_STATE_NEXT,  // the state block that the step leaves; becomes current only when the step is accepted
  REGION_INPUT,       // caller's memory; `input` says which
  REGION_COUNT
} Region;

typedef struct Place {
  Region region;
  int input;        // REGION_INPUT: number of the input, in order of the graph's input nodes
  int64_t offset;   // bytes from the region's base
  int64_t bytes;    // at the plan's symbol values
  int first, last;  // REGION_ARENA: kernels (numbers) between which the place must keep its value; last is n_kernels
                    // where the caller reads it after the step; 0 and n_kernels where it is computed once
} Place;

typedef enum KernelKind {
  KERNEL_LOOP,     // the loop emitter: any group
  KERNEL_CONTRACT  // the micro-kernel: root is a plain product-sum, in bounds, one operand broadcast and one contiguous
} KernelKind;

// A group of nodes compiled together. Its iteration space is the shape of one of its nodes, `space`: the root where
// there is one. Values are found by demand: a node's value at a point asks for its operands' values at the points where
// the node reads them, down to memory inputs and constants. A node is evaluated
//   at the point: the root, and what reads the root or an input at the point of the space itself: nodes of the space's
//     shape, linked by pointwise operands of that shape and by identity reads of MAP nodes; or
//   elsewhere, as often as it is read: pointwise, MAP, random and constant nodes of any shape, at the index maps of the
//     reads that lead to them (a rank-0 operand: at its one point).
// - Before the root: only a reducing index node as root has nodes there, and only in a KERNEL_LOOP: its body's reads
// ask
//   for them. The root of a KERNEL_CONTRACT, concat, gather and scatter_add read memory inputs alone.
// - After the root: nodes at the point and what they ask for elsewhere. Nothing reads the root but at the point.
// concat,
//   gather and scatter_add have nothing after them.
// - Fusion changes no bit: every node is rounded op by op as if it were stored. The only fused multiply-add is that of
// a
//   root which is itself a plain product-sum (index_is_plain_product), in both kernel kinds.
// - An output is a node at the point, stored at the space's points; or a moved output (kernel_moved_output): a padded
// or
//   transposed copy of a node at the point. It is stored through its map, the kernel also writes the zeros that no
//   point reaches, and nothing in the kernel reads it.
// - Rows: a KERNEL_LOOP whose root sums over rows (kernel_sums_rows) may hold more than one such sum of the same rows
//   (kernel_same_rows), the root the last, and nodes of the rows' own shape behind them. What needs a sum reads it, and
//   whatever else needs it, at the row (kernel_reads_row) or at the point. The sums are taken one after the other, row
//   by row; an output of the rows' shape is stored by one more pass over the row.
// - A view (reshape) stands among the inputs under its own id; what it shows is never computed in the same kernel.
// - Sums: a kernel may carry sums [c | n, i, j] whose points [n, i, j, c] are its own: it adds up their chunks on its
// way,
//   in their order, into the scratch of the sums' kernels, which combine them. It then goes over its points chunk by
//   chunk, and asks for what the sums' bodies read as it does for its own nodes, at the points or elsewhere. A carrier
//   is a kernel without root, another such sum, or a product-sum that visits its points in order (product.h).
// - Inputs and outputs never overlap in memory, nor does the scratch; but an output may have the very place of an input
// that
//   every point reads its own element of (Plan.in_place).
typedef struct Kernel {
  KernelKind kind;   // CONTRACT if and only if product_fits(root)
  const char *name;  // "conv2d_1.relu": readable, unique in the plan
  NodeId root;       // a reducing index node, gather, scatter_add or concat; NODE_NONE: pointwise/movement only; of
                     // several sums the last
  NodeId space;      // whose shape is iterated over: the root, or a pointwise, MAP or random node at the point
  NodeId *nodes;
  int n_nodes;  // all nodes computed inside, constants included, in order of their ids
  NodeId *inputs;
  int n_inputs;  // values read from memory, each once, in order of their ids
  NodeId *outputs;
  int n_outputs;  // values stored, each once, in order of their ids
  // Arena block, or 0 bytes. For chunk sums, [chunks, result elements] of f32: where the root has a chunked order, and
  // the plan's symbol values make more than one chunk (one is summed straight into the result). For a convolution in
  // transformed tiles, the weights [36, channels, outputs].
  int64_t scratch_bytes, scratch_offset;
  // In inference, where parameters and states stay as they are: what the kernel stores, or its scratch, follows from
  // them alone. It is computed once, and its places are nobody else's, ever.
  bool once, scratch_once;
  int *sums;              // numbers of the kernels whose root this one adds up the chunks of
  int n_sums;             // KERNEL_SUMS_MOST at most
  int carrier;            // the kernel that adds up this one's chunks; -1: itself
  const char *why_alone;  // what stopped fusion with the neighbours, for `dlc explain`
} Kernel;

enum { KERNEL_SUMS_MOST = 4, KERNEL_ROOTS_MOST = 8 };

// Where the node stands among the kernel's `nodes`; -1: it is not computed there.
int kernel_position(const Kernel *kernel, NodeId id);

// Is `sum` a chunked sum [c | n, i, ..] in plain order over all elements of tensors of one shape [n, i, .., c], the
// result's index the last? What some kernel over that shape can carry.
bool kernel_may_carry(const Node *sum);
// Is read k of such a sum at the point?
bool kernel_sum_reads_point(const Node *sum, int k);

// Does the node reduce: sum, take an extreme or its position?
static inline bool kernel_reduces(const Node *node) {
  return node->op == OP_index && node->index->combine != COMBINE_MAP;
}
// A row of [out.. | reduced..] is all its reduced points; extents of 1 do not count. Does the node, no product-sum for
// the micro-kernel, reduce whole rows of some operand, in plain order or along them, without chunks?
bool kernel_sums_rows(const Graph *g, const Node *node);
// Two nodes that sum rows: do they go over the same points, with the same lanes?
bool kernel_same_rows(const Graph *g, const Node *a, const Node *b);
// Is the shape that of the rows' elements, [out.., reduced..] but for extents of 1? index: NULL, or which index of
// `sum` stands for each dimension, -1: none (an extent of 1).
bool kernel_has_row_shape(const Node *sum, const Shape *shape, int *index);
// Read k of an index node: at the leading indices, in order, but for extents of 1? *whole: at all of them.
bool kernel_reads_row(const Graph *g, const Node *node, int k, bool *whole);

// Is `output` a moved output of a kernel that computes `source` at the point? It is where output[i] = source[p] with
// p[d] = i[axis[d]] + offset[d], every index of i used once, the last one last, and every p has its i: so source's
// point p goes to i[axis[d]] = p[d] - offset[d]. axis and offset have IR_MAX_RANK places; NULL where not wanted.
bool kernel_moved_output(const Graph *g, NodeId output, NodeId source, int *axis, int64_t *offset);

typedef struct Plan {
  const Graph *graph;
  Kernel *kernels;
  int n_kernels;
  Place *place;      // [graph->n_nodes]; a view (reshape) has its operand's place
  NodeId *in_place;  // [graph->n_nodes]: the input whose place an output takes as the last to read it; NODE_NONE: none
  int64_t symbol_values[IR_MAX_SYMBOLS];  // capacities that the plan was made for (the largest batch)
  int64_t arena_bytes;                    // the peak of the step's own memory
  bool recomputes;                        // values are computed anew in the backward part, to keep to the limit
  const TensorTable *params, *states;
} Plan;

typedef struct PlanOptions {
  bool no_fuse;          // one node, one kernel
  bool no_reuse;         // every value its own place (tests)
  int64_t memory_limit;  // bytes for the arena, 0: none
} PlanOptions;

// Groups and places the nodes of a graph that has been through the passes (`outputs` at least). Where that is over the
// memory limit, values of the forward part are computed anew in the backward part: plan->graph is then another graph,
// of the same outputs. NULL after reporting E0602 (over the memory limit: names the largest tensors) or E0620 (a size
// that 63 bits cannot hold). Params and states that the graph names must be in the tables; symbol_values holds one
// value for each of the graph's symbols.
Plan *plan_make(Arena *arena, DiagSink *sink, const Graph *g, const TensorTable *params, const TensorTable *states,
                const int64_t *symbol_values, const PlanOptions *options);
// Checks a plan against this header's words and its graph: every value is stored before it is read and keeps its place
// until then, no two places that live at the same time overlap, kernels hold what they may. False with the first breach
// in *why. plan_make calls it in builds with DLC_VERIFY.
bool plan_verify(const Plan *plan, Text *why);
void plan_print_groups(const Plan *plan, Text *out);  // dlc dump --stage fused
void plan_print_memory(const Plan *plan, Text *out);  // dlc dump --stage plan
