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
  int input;       // REGION_INPUT: number of the input, in order of the graph's input nodes
  int64_t offset;  // bytes from the region's base
  int64_t bytes;   // at the plan's symbol values
  int first, last; // REGION_ARENA: kernels (numbers) between which the place must keep its value
} Place;

typedef enum KernelKind {
  KERNEL_LOOP,     // the loop emitter: any group
  KERNEL_CONTRACT  // the micro-kernel: root is a plain product-sum, in bounds, one operand broadcast and one contiguous
} KernelKind;

// A group of nodes compiled together. At each point of the iteration space (the out indices of `root`, or of `outputs`
// where there is no root) it computes, in this order:
//   before the root: pointwise and movement nodes, evaluated at the points where the root's body reads them;
//   the root's reduction;
//   after it: pointwise nodes at the same point, whose other operands are memory inputs (at their own index maps),
//   constants, or nodes that can be recomputed there (movements, random).
// Every output has the iteration space's shape, or is a movement (transpose, pad, slice, broadcast) of a node that has.
typedef struct Kernel {
  KernelKind kind;
  const char *name;              // "conv2d_1.relu": readable, unique in the plan
  NodeId root;                   // a reducing index node, gather, scatter_add or concat; NODE_NONE: pointwise/movement only
  NodeId *nodes;   int n_nodes;    // all nodes computed inside, in topological order
  NodeId *inputs;  int n_inputs;   // values read from memory, each once
  NodeId *outputs; int n_outputs;  // values stored, each once
  int64_t scratch_bytes, scratch_offset;  // arena block for chunk sums (order.chunk > 0), or 0 bytes
  const char *why_alone;         // what stopped fusion with the neighbours, for `dlc explain`
} Kernel;

typedef struct Plan {
  const Graph *graph;
  Kernel *kernels; int n_kernels;
  Place *place;                  // [graph->n_nodes]; a view (reshape) has its operand's place
  int64_t symbol_values[IR_MAX_SYMBOLS];  // capacities that the plan was made for (the largest batch)
  int64_t arena_bytes;           // the peak of the step's own memory
  const TensorTable *params, *states;
} Plan;

typedef struct PlanOptions {
  bool no_fuse;            // one node, one kernel
  bool no_reuse;           // every value its own place (tests)
  int64_t memory_limit;    // bytes for the arena, 0: none
} PlanOptions;

// Groups and places the nodes of a graph that has been through the passes. NULL after reporting E0602 (over the memory
// limit: names the largest tensors).
Plan *plan_make(Arena *arena, DiagSink *sink, const Graph *g, const TensorTable *params, const TensorTable *states,
                const int64_t *symbol_values, const PlanOptions *options);
void plan_print_groups(const Plan *plan, Text *out);  // dlc dump --stage fused
void plan_print_memory(const Plan *plan, Text *out);  // dlc dump --stage plan
