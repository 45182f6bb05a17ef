// Inside of the memory plan.
#pragma once
#include "plan.h"

// Sets plan->in_place; all NODE_NONE unless allowed. Lifetimes are known.
void plan_find_in_place(Arena *arena, Plan *plan, bool allowed);
// Does every point of the kernel read its own element of the input and no other?
bool plan_reads_at_point(Arena *arena, const Plan *plan, const Kernel *kernel, NodeId input);
// The graph with values of its forward part computed anew for its backward part; g itself where it has no loss.
const Graph *plan_recompute(Arena *arena, const Graph *g);
// The kernels between which the scratch of kernel k must keep what it holds.
void plan_scratch_life(const Plan *plan, int k, int *first, int *last);
// Sets `once` and `scratch_once` of the plan's kernels.
void plan_find_once(Arena *arena, Plan *plan);
// The node whose memory `id` is: itself, or what a chain of views shows.
NodeId plan_base(const Graph *g, NodeId id);
