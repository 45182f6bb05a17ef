// Random graphs that verify: every op, every kind of index node, every type, odd sizes.
#pragma once
#include "choice.h"
#include "ir.h"

typedef struct MakeOptions {
  bool tame;  // roots, logarithms and quotients stay away from where they are steep, values stay moderate: gradients
              // can be compared with differences
  int most;   // about how many nodes are added to the sources
} MakeOptions;

// A graph with symbol N and OUT_RESULT outputs (and OUT_STATE ones); sources are inputs, params and states.
Graph *make_graph(Arena *arena, Choice *chance, const MakeOptions *options);
