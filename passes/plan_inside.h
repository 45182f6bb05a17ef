// Inside of the memory plan.
#pragma once
#include "plan.h"

// The node whose memory `id` is: itself, or what a chain of views shows.
NodeId plan_base(const Graph *g, NodeId id);
