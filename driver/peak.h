// What this machine can do, measured by loops of our own in some milliseconds: the limits that a kernel's time is held
// against.
#pragma once
#include "threads.h"

typedef struct Peak {
  double gflops;  // fused multiply-adds, 2 operations each, in the widest vectors
  double gbytes;  // bytes a second, in 10^9: a block larger than any cache copied, both ways counted
} Peak;

// By all threads of the team. The arena holds nothing afterwards.
Peak peak_measure(Arena *arena, Team *team);
// The better of two: measured before and after, so that a busy moment does not make a kernel look faster than it can
// be.
Peak peak_best(Peak a, Peak b);
