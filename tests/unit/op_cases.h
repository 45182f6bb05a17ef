// Small graphs over odd shapes that between them use every row of ops.def and every kind of index node, with values to
// feed them. What a test compares (evaluator and reference, evaluator and compiled code, gradient and finite
// difference) is the test's business; the cases are here once. Header-only: a program includes this file and calls
// op_cases_each().
//
//   static void check(void *state, const OpCase *c) { ... }
//   op_cases_each(OP_CASES_ALL, check, state);
//
// A case's graph has `input` nodes, at most one symbol N (its value: OP_CASE_N) and OUT_RESULT outputs only.
// Values: op_case_fill() for one input, or op_case_source() as EvalEnv.source. They are pure functions of (case, input,
// fill), and every f32 value is a float, so that the evaluator and compiled code start from the same numbers.
#pragma once
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "ir.h"
#include "random.h"
#include "special_values.h"

enum { OP_CASE_N = 5 };

typedef enum OpCaseGroup {
  OP_CASES_POINTWISE = 1,  // one case for each pointwise op and type; one output for each shape
  OP_CASES_INDEX = 2,      // the general node
  OP_CASES_MOVE = 4,       // reshape, concat, gather, scatter_add, random, the builder's movements
  OP_CASES_MIX = 8,        // several nodes: softmax, normalisation, dropout, losses
  OP_CASES_ALL = 15
} OpCaseGroup;

typedef struct OpCase {
  const char *name;  // "index/conv2d stride 2": unique
  Graph *graph;
  double low, high;           // f32 inputs are between these (FILL_PLAIN, FILL_SMOOTH)
  int64_t int_low, int_high;  // i32 inputs likewise, both included
  bool exact;                 // float arithmetic must give exactly the evaluator's result, rounded to float once
  bool special;               // FILL_SPECIAL makes sense: no sums in which infinities and float overflow meet
  bool smooth;                // every output is f32 and differentiable in every f32 input near FILL_SMOOTH's values
} OpCase;

typedef enum OpFill {
  FILL_PLAIN,   // spread over low..high; i32 over int_low..int_high, so equal values occur
  FILL_SMOOTH,  // as plain, but no two f32 values of a case are near each other and none is near 0: away from every
                // kink
  FILL_SPECIAL  // among plain values: zeros of both signs, infinities, NaN, denormals, the largest and smallest numbers
} OpFill;

typedef void (*OpCaseVisit)(void *state, const OpCase *c);

// ---- values -------------------------------------------------------------------------------------------------------

static inline uint64_t op_common_divisor(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// The k-th of `count` different numbers in 0..1: a step that shares no factor with count visits each place once.
static inline double op_spread(uint64_t k, uint64_t count) {
  uint64_t step = count / 2 + 1;
  while (op_common_divisor(step, count) != 1) step++;
  return ((double)(k * step % count) + 0.5) / (double)count;
}

static inline const int64_t *op_case_symbols(void) {
  static const int64_t n[IR_MAX_SYMBOLS] = {OP_CASE_N, OP_CASE_N, OP_CASE_N, OP_CASE_N};
  return n;
}

// All f32 inputs of a case take turns in one sequence of different values, so that no two inputs are near either.
static inline double op_smooth_f32(const OpCase *c, const Node *input, uint64_t k) {
  uint64_t before = 0, all = 0;
  for (size_t i = 0; i < c->graph->n_nodes; i++) {
    const Node *node = &c->graph->nodes[i];
    if (node->op != OP_input || node->type != DT_F32) continue;
    if (!strcmp(node->name, input->name)) before = all;
    all += (uint64_t)shape_count(&node->shape, op_case_symbols());
  }
  if (all == 0) return c->high;
  double t = op_spread(before + k, all), zero = (0 - c->low) / (c->high - c->low), hole = 0.1;
  if (zero > hole && zero < 1 - hole)  // 0 is inside: leave a hole around it
    t = t < zero ? t * (zero - hole) / zero : 1 - (1 - t) * (1 - zero - hole) / (1 - zero);
  return (double)(float)(c->low + (c->high - c->low) * t);
}

// Element k of an input.
static inline double op_case_value(const OpCase *c, const Node *input, OpFill fill, uint64_t k) {
  uint64_t seed = random_stream(c->name), stream = random_stream(input->name), bits = random_bits(seed, stream, k);
  bool special = fill == FILL_SPECIAL && bits % 4 != 0;
  double t = (double)random_uniform(seed ^ 1, stream, k);
  switch (input->type) {
    case DT_F32:
      if (special) return op_special_f32(bits / 4);
      if (fill == FILL_SMOOTH) return op_smooth_f32(c, input, k);
      return (double)(float)(c->low + (c->high - c->low) * t);
    case DT_I32:
      if (special) return op_special_i32(bits / 4);
      return (double)c->int_low + floor(t * (double)(c->int_high - c->int_low + 1));
    case DT_BOOL:
      return bits % 2;
    default:
      return bits % 256;
  }
}

static inline void op_case_fill(const OpCase *c, const Node *input, OpFill fill, double *data, int64_t count) {
  for (int64_t k = 0; k < count; k++) data[k] = op_case_value(c, input, fill, (uint64_t)k);
}

typedef struct OpCaseSource {  // EvalEnv.state for op_case_source
  const OpCase *c;
  OpFill fill;
} OpCaseSource;

static inline bool op_case_source(void *state, const Node *input, double *data, int64_t count) {
  const OpCaseSource *source = state;
  op_case_fill(source->c, input, source->fill, data, count);
  return true;
}

// Evaluates a case's graph (or one made from it) with its values; seed and step are 1 and 0.
static inline EvalTensor *op_case_eval(const OpCase *c, const Graph *g, OpFill fill, Arena *arena) {
  OpCaseSource source = {c, fill};
  EvalEnv env = {.symbol_values = op_case_symbols(), .source = op_case_source, .state = &source, .seed = 1};
  EvalTensor *values = arena_array(arena, g->n_nodes, sizeof *values);
  const char *why = NULL;
  if (!graph_eval(g, &env, arena, values, &why)) dlc_bug("%s: %s", c->name, why);
  return values;
}

// The case's graph with an OUT_LOSS behind it: the sum over all f32 outputs of output * cotangent, the cotangents given
// by new inputs "cotangent.<output>" (their values come from op_case_value too). Its own outputs stay.
static inline Graph *op_case_with_loss(const OpCase *c) {
  const Graph *g = c->graph;
  Builder b = {.graph = graph_like(g)};
  NodeId *map = arena_array(g->arena, g->n_nodes, sizeof *map), loss = NODE_NONE;
  for (size_t k = 0; k < g->n_nodes; k++) map[k] = build_copy(&b, g, (NodeId)k, map);
  for (size_t k = 0; k < g->n_outputs; k++) {
    NodeId value = map[g->outputs[k].value];
    graph_output(b.graph, g->outputs[k].kind, g->outputs[k].name, value);
    Node node = *graph_node(b.graph, value);
    if (node.type != DT_F32) continue;
    const char *name = arena_printf(g->arena, "cotangent.%s", g->outputs[k].name);
    NodeId product = build_binary(&b, OP_mul, value, build_input(&b, name, DT_F32, &node.shape));
    const bool every[IR_MAX_RANK] = {true, true, true, true, true, true, true, true};
    NodeId sum = build_reduce(&b, COMBINE_SUM, product, every, false);
    loss = loss == NODE_NONE ? sum : build_binary(&b, OP_add, loss, sum);
  }
  if (loss != NODE_NONE) graph_output(b.graph, OUT_LOSS, "loss", loss);
  return b.graph;
}

// ---- making cases -------------------------------------------------------------------------------------------------

typedef struct OpCaseMaker {
  OpCaseVisit visit;
  void *state;
  int made;
  Guard guard;
} OpCaseMaker;

// Each case has an arena of its own: made here, freed by op_case_show().
static inline Arena *op_case_arena(OpCaseMaker *maker) {
  Arena *arena = arena_new(allocator_system(), &maker->guard);
  if (!arena) dlc_bug("out of memory");
  return arena;
}

static inline void op_case_show(OpCaseMaker *maker, const OpCase *c) {
  Arena *arena = c->graph->arena;
  maker->made++;
  maker->visit(maker->state, c);
  arena_free(arena);
}

static inline OpCase op_case_default(const char *name, Graph *g) {
  return (OpCase){.name = name, .graph = g, .low = -2, .high = 2, .int_low = -9, .int_high = 9};
}

// The graph of a text in which the header is left out: "%0 = input ...  return result "y" = %3".
static inline Graph *op_case_parse(Arena *arena, const char *name, const char *statements) {
  DiagSink *sink = diag_sink_new(arena);
  const char *text = arena_printf(arena, "graph \"%s\" (N) {\n%s\n}\n", name, statements);
  Graph *g = graph_parse(arena, sink, diag_add_source(sink, name, text, strlen(text)));
  Text report = text_new(arena);
  diag_render(sink, false, &report);
  if (!g) dlc_bug("case %s: %s", name, report.bytes);
  return g;
}

#include "op_cases_index.h"
#include "op_cases_move.h"
#include "op_cases_pointwise.h"

// Makes each case of the groups, shows it to `visit` and frees it. Returns how many there were.
static inline int op_cases_each(int groups, OpCaseVisit visit, void *state) {
  OpCaseMaker maker = {.visit = visit, .state = state};
  if (setjmp(maker.guard.jump)) dlc_bug("out of memory");
  if (groups & OP_CASES_POINTWISE) op_cases_pointwise(&maker);
  if (groups & OP_CASES_INDEX) op_cases_index(&maker);
  if (groups & OP_CASES_MOVE) op_cases_move(&maker);
  if (groups & OP_CASES_MIX) op_cases_mix(&maker);
  return maker.made;
}
