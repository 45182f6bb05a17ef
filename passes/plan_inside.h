// Inside of the memory plan.
#pragma once
#include "plan.h"

// The kernels between which the scratch of kernel k must keep what it holds.
void plan_scratch_life(const Plan *plan, int k, int *first, int *last);
// Sets `once` and `scratch_once` of the plan's kernels.
void plan_find_once(Arena *arena, Plan *plan);
// The node whose memory `id` is: itself, or what a chain of views shows.
NodeId plan_base(const Graph *g, NodeId id);
