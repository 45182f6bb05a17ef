// For tests of passes, fusion and plans: graphs from their text form, tables for their tensors, one arena for each
// test.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "passes.h"
#include "plan.h"
#include "product.h"

typedef struct Fixture {
  Arena *arena;
  DiagSink *sink;
  Guard guard;
  TensorTable params, states;
} Fixture;

static inline int fixture_setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  if (!f) return -1;
  f->arena = arena_new(allocator_system(), &f->guard);
  if (!f->arena || setjmp(f->guard.jump)) return -1;
  f->sink = diag_sink_new(f->arena);
  *state = f;
  return 0;
}

static inline int fixture_teardown(void **state) {
  Fixture *f = *state;
  arena_free(f->arena);
  free(f);
  return 0;
}

static inline const char *fixture_errors(Fixture *f) {
  Text out = text_new(f->arena);
  diag_render(f->sink, false, &out);
  return out.bytes;
}

static inline Graph *fixture_parse(Fixture *f, const char *text) {
  Graph *g = graph_parse(f->arena, f->sink, diag_add_source(f->sink, "t.dlir", text, strlen(text)));
  if (!g) fail_msg("%s", fixture_errors(f));
  return g;
}

// Runs one pass and verifies its result.
static inline Graph *fixture_pass(Fixture *f, PassFn pass, const Graph *g) {
  PassContext ctx = {.arena = f->arena, .sink = f->sink, .verify = true};
  Graph *result = pass(&ctx, g);
  if (!result) fail_msg("%s", fixture_errors(f));
  Text why = text_new(f->arena);
  if (!graph_verify(result, &why)) fail_msg("%s", why.bytes);
  return result;
}

// The passes between the gradients and fusion.
static inline Graph *fixture_prepare(Fixture *f, const Graph *g) {
  static const PassFn passes[] = {pass_halo, pass_layout, pass_order, pass_winograd, pass_outputs};
  Graph *result = NULL;
  for (size_t k = 0; k < sizeof passes / sizeof *passes; k++) g = result = fixture_pass(f, passes[k], g);
  return result;
}

// Tables that hold the graph's params and states, in the order of its nodes.
static inline void fixture_tables(Fixture *f, const Graph *g) {
  f->params = f->states = (TensorTable){0};
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    if (node->op != OP_param && node->op != OP_state) continue;
    TensorInfo info = {.path = node->name, .rank = node->shape.rank};
    for (int d = 0; d < info.rank; d++) info.dim[d] = node->shape.dim[d].scale;
    assert_true(tensor_add(f->arena, node->op == OP_param ? &f->params : &f->states, &info));
  }
}

// The plan for `batch` of every symbol, checked. NULL where it was refused.
static inline Plan *fixture_plan(Fixture *f, const Graph *g, int64_t batch, const PlanOptions *options) {
  fixture_tables(f, g);
  const int64_t values[IR_MAX_SYMBOLS] = {batch, batch, batch, batch};
  Plan *plan = plan_make(f->arena, f->sink, g, &f->params, &f->states, values, options);
  Text why = text_new(f->arena);
  if (plan && !plan_verify(plan, &why)) {
    plan_print_groups(plan, &why);
    plan_print_memory(plan, &why);
    fail_msg("%s", why.bytes);
  }
  return plan;
}

// From text to plan, through the passes.
static inline Plan *fixture_plan_text(Fixture *f, const char *text, int64_t batch) {
  const PlanOptions options = {0};
  Plan *plan = fixture_plan(f, fixture_prepare(f, fixture_parse(f, text)), batch, &options);
  if (!plan) fail_msg("%s", fixture_errors(f));
  return plan;
}

// The node of this op, counted from 0 in the graph's order; for index nodes also by combine. NODE_NONE where there is
// none.
static inline NodeId fixture_find(const Graph *g, Op op, int combine, int number) {
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    if (node->op == op && (op != OP_index || (int)node->index->combine == combine) && number-- == 0) return id;
  }
  return NODE_NONE;
}

// The node with this tag, counted from 0.
static inline NodeId fixture_tagged(const Graph *g, const char *tag, int number) {
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    if (node->tag && strcmp(node->tag, tag) == 0 && number-- == 0) return id;
  }
  return NODE_NONE;
}

static inline int fixture_count_tag(const Graph *g, const char *tag) {
  int n = 0;
  while (fixture_tagged(g, tag, n) != NODE_NONE) n++;
  return n;
}
