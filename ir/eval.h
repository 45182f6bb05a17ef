// Between the files of the evaluator.
#pragma once
#include "ir.h"

typedef struct Evaluation {
  const Graph *graph;
  const EvalEnv *env;
  Arena *arena;
  EvalTensor *values;  // [graph->n_nodes]
} Evaluation;

// Fills the data of an index node's result (shape and data already there). False, with the reason, when its index space
// or one of its reads does not fit 63 bits at these symbols' values.
bool eval_index(const Evaluation *e, const Node *node, EvalTensor *result, const char **why);
