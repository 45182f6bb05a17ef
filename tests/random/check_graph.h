// Everything that must hold of a graph, whatever it computes:
//
//   verify    it verifies
//   text      print, parse, print gives the same graph and the same text
//   local     each node's value in single precision is the evaluator's within the rounding of that node
//   pass      every bit of every output is the same without simplifications, with all, without each, in another order
//   run       it can be planned and compiled
//   bits      compiled code gives the bits of reference.h: fused or not, by the micro-kernel or by loops, on each
//             instruction set, in any number of parts and threads, at other capacities
//   gradient  the gradients are the slopes of the loss in double precision
//   twin      another way to write the graph gives the same bits
#pragma once
#include "choice.h"
#include "fill.h"
#include "passes.h"
#include "reference.h"
#include "tally.h"

typedef enum Fault {
  FAULT_NONE,
  FAULT_VERIFY,
  FAULT_TEXT,
  FAULT_LOCAL,
  FAULT_PASS,
  FAULT_RUN,
  FAULT_BITS,
  FAULT_GRADIENT,
  FAULT_TWIN,
  FAULT_SOURCE,  // of programs: not accepted, or not the same after `dlc fmt`
  FAULT_COUNT
} Fault;
const char *fault_name(Fault fault);

typedef struct Check {
  Arena *arena;  // for what the check leaves behind nothing of
  const Functions *functions;
  Tally *tally;
  Choice *chance;  // which runs are made, how passes are shuffled
  Fill fill;
  bool train;  // with a loss and its gradients
  bool tame;   // gradients are compared with differences
  int runs;    // how many times it is compiled
  bool whole;  // a program's graph: what is detached has no gradient anyway, and every param gets one
  Text why;    // of a fault
} Check;

Fault check_graph(Check *check, const Graph *g);
// The graph as `mode` and a list of passes give it; NULL with a report in check->why.
const Graph *check_passes(Check *check, const Graph *g, const char *list);
