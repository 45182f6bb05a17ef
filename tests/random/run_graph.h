// A graph that has been through the passes: planned, compiled for this process and run once, with its tensors between
// pages that may not be touched.
#pragma once
#include "codegen.h"
#include "fill.h"
#include "plan.h"

typedef struct How {
  const char *cpu;  // "native", "x86-64-v3", ..
  PlanOptions plan;
  bool no_contract;  // every kernel through the loop emitter
  int parts;         // > 0: in the calling thread, each launch in so many parts, the last first
  int threads;       // else: by a team of so many, every launch shared out
  bool front;        // regions of memory begin behind a guard page; else they end before one
  int64_t spare;     // the plan is for so many rows more than are run
} How;

// The tables of params and states that the graph names.
void graph_tables(Arena *arena, const Graph *g, TensorTable *params, TensorTable *states);

typedef struct BuiltGraph {
  const Graph *graph;
  TensorTable params, states;
  Plan *plan;
  Compiled *compiled;  // graph_unbuild frees it
} BuiltGraph;

// Plans for symbols of this value, and compiles. False with the compiler's report in *why.
bool graph_build(Arena *arena, const Graph *g, int64_t capacity, const How *how, BuiltGraph *built, Text *why);
// Runs it: outputs[k] are output k's values, in the arena. False where something was written right behind an output.
bool graph_execute(Arena *arena, const BuiltGraph *built, const Fill *fill, const How *how, EvalTensor *outputs,
                   Text *why);
void graph_unbuild(BuiltGraph *built);
// All of it.
bool run_graph(Arena *arena, const Graph *g, const Fill *fill, const How *how, EvalTensor *outputs, Text *why);
