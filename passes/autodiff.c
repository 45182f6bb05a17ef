// Pass `autodiff`: reverse-mode differentiation of the loss.
//
// On entry: any graph with an OUT_LOSS. On exit: the same nodes with the same ids, then those of the gradients, and an
// OUT_GRAD output for every param, in the order of the nodes, and then every wanted input. Gradients that were there
// before are no longer outputs.
//
// Nodes are visited from the loss downwards; a node's gradient is the sum of what its users hand it, added up in that
// order. A node from which no gradient leads to a wanted tensor gets none, and no gradient that is 0 everywhere is
// built.
#include "autodiff.h"

#include "grad_index.h"

#include <string.h>

static const Node *node_of(const Autodiff *a, NodeId id) { return graph_node(a->from, id); }

// Adds to the gradient by an operand.
static void accumulate(Autodiff *a, NodeId operand, NodeId term) {
  NodeId *sum = &a->adjoint[operand];
  if (term == NODE_NONE || !a->active[operand]) return;
  *sum = *sum == NODE_NONE ? term : build_binary(&a->b, OP_add, *sum, term);
}

// ---- pointwise ops --------------------------------------------------------------------------------------------------

// The gradient by a rank-0 operand of an elementwise op over a tensor: the sum over the elements.
static NodeId sum_to_rank(Autodiff *a, int rank, NodeId term) {
  static const bool all[IR_MAX_RANK] = {true, true, true, true, true, true, true, true};
  bool whole = rank == graph_node(a->b.graph, term)->shape.rank;
  return whole ? term : build_reduce(&a->b, COMBINE_SUM, term, all, false);
}

static void grad_elements(Autodiff *a, NodeId id, NodeId dy) {
  const Node *node = node_of(a, id);
  GraphEmitter e = graph_emitter(&a->b);
  GradSite site = {.in = node->in, .out = id, .grad = dy};
  int d[3];
  for (int k = 0; k < node->n_in; k++) site.want[k] = a->active[node->in[k]];
  grad_pointwise(&e.emit, node->op, &site, d);
  for (int k = 0; k < node->n_in; k++)
    if (d[k] != NO_VALUE) accumulate(a, node->in[k], sum_to_rank(a, node_of(a, node->in[k])->shape.rank, d[k]));
}

// ---- the other ops --------------------------------------------------------------------------------------------------

static bool report_too_much(const Autodiff *a, NodeId id, const char *what) {
  diag_error(a->ctx->sink, DIAG_E0331, node_of(a, id)->span, "no gradient can be written for this: it needs %s", what);
  return false;
}

static bool grad_rule_index(Autodiff *a, NodeId id, NodeId dy) {
  const Node *node = node_of(a, id);
  const char *why;
  bool *want = arena_array(a->from->arena, (size_t)node->n_in, sizeof *want);
  NodeId *d = arena_array(a->from->arena, (size_t)node->n_in, sizeof *d);
  for (int k = 0; k < node->n_in; k++) want[k] = a->active[node->in[k]];
  if (!grad_index(&a->b, id, dy, want, d, &why)) return report_too_much(a, id, why);
  for (int k = 0; k < node->n_in; k++) accumulate(a, node->in[k], d[k]);
  return true;
}

static bool grad_rule_reshape(Autodiff *a, NodeId id, NodeId dy) {
  NodeId in = node_of(a, id)->in[0];
  accumulate(a, in, build_reshape(&a->b, dy, &node_of(a, in)->shape));
  return true;
}

// The part of dy that starts at `start` (in units of the axis' symbol) and has the operand's shape. A symbolic axis S*N
// is taken apart into [S, N], where the part is a slice by numbers.
static NodeId take_part(Autodiff *a, NodeId dy, int axis, int64_t start, const Shape *part) {
  const Shape whole = graph_node(a->b.graph, dy)->shape;
  Dim along = part->dim[axis];
  if (dim_is_const(along)) return build_slice(&a->b, dy, axis, along.scale ? start : 0, along.scale, 1);
  if (whole.rank == IR_MAX_RANK) return NODE_NONE;
  Shape apart = {.rank = whole.rank + 1};
  for (int d = 0; d < whole.rank; d++) apart.dim[d + (d > axis)] = whole.dim[d];
  apart.dim[axis] = dim_const(whole.dim[axis].scale);
  apart.dim[axis + 1] = (Dim){1, along.symbol};
  NodeId slice = build_slice(&a->b, build_reshape(&a->b, dy, &apart), axis, start, along.scale, 1);
  return build_reshape(&a->b, slice, part);
}

static bool grad_rule_concat(Autodiff *a, NodeId id, NodeId dy) {
  const Node *node = node_of(a, id);
  int64_t start = 0;
  for (int k = 0; k < node->n_in; k++) {
    const Shape *part = &node_of(a, node->in[k])->shape;
    if (a->active[node->in[k]]) {
      NodeId taken = take_part(a, dy, node->axis, start, part);
      if (taken == NODE_NONE) return report_too_much(a, id, "too many dimensions");
      accumulate(a, node->in[k], taken);
    }
    start += part->dim[node->axis].scale;
  }
  return true;
}

static bool grad_rule_gather(Autodiff *a, NodeId id, NodeId dy) {
  const Node *node = node_of(a, id);
  accumulate(a, node->in[0], build_scatter_add(&a->b, node->in[1], dy, node_of(a, node->in[0])->shape.dim[0]));
  return true;
}

static bool grad_rule_scatter_add(Autodiff *a, NodeId id, NodeId dy) {
  const Node *node = node_of(a, id);
  accumulate(a, node->in[1], build_gather(&a->b, dy, node->in[0]));
  return true;
}

// ---- the table ------------------------------------------------------------------------------------------------------

typedef bool (*TensorRule)(Autodiff *a, NodeId id, NodeId dy);  // false after reporting
#define grad_rule_none NULL                                     // what the gradient column says where there is none

static const TensorRule tensor_rules[OP_COUNT] = {
#define OP_TENSOR(mnemonic, arity, class, gradient, meaning) [OP_##mnemonic] = grad_rule_##gradient,
#include "ops.def"
};

static bool grad_node(Autodiff *a, NodeId id) {
  const Node *node = node_of(a, id);
  const char *tag = node->tag ? arena_printf(a->from->arena, "d.%s", node->tag) : NULL;
  a->b.origin = (Origin){tag, node->path, node->span};
  if (tensor_rules[node->op]) return tensor_rules[node->op](a, id, a->adjoint[id]);
  grad_elements(a, id, a->adjoint[id]);
  return true;
}

bool autodiff_passes(const Graph *g, const Node *node, int k, const char **blocker) {
  *blocker = NULL;
  if (graph_node(g, node->in[k])->type != DT_F32) return false;
  if (node->op == OP_index) return grad_index_passes(g->arena, node, k, blocker);
  if (tensor_rules[node->op] || grad_pointwise_passes(node->op)) return true;
  *blocker = op_info(node->op)->name;
  return false;
}

// ---- the pass -------------------------------------------------------------------------------------------------------

static bool is_wanted(const PassContext *ctx, const Node *node) {
  if (node->op == OP_param) return true;
  for (int k = 0; node->op == OP_input && node->type == DT_F32 && k < ctx->n_grad_inputs; k++)
    if (!strcmp(node->name, ctx->grad_inputs[k])) return true;
  return false;
}

static void mark_active(Autodiff *a) {
  const char *blocker;
  for (NodeId id = 0; (size_t)id < a->from->n_nodes; id++) {
    const Node *node = node_of(a, id);
    a->active[id] = is_wanted(a->ctx, node);
    for (int k = 0; k < node->n_in && !a->active[id]; k++)
      a->active[id] = a->active[node->in[k]] && autodiff_passes(a->from, node, k, &blocker);
  }
}

static bool sweep(Autodiff *a) {
  if (a->active[a->loss]) a->adjoint[a->loss] = build_const(&a->b, DT_F32, 1);
  for (NodeId id = a->loss; id >= 0; id--)
    if (a->adjoint[id] != NODE_NONE && !grad_node(a, id)) return false;
  return true;
}

static void add_gradient(Autodiff *a, NodeId source) {
  const Node *node = node_of(a, source);
  NodeId gradient = a->adjoint[source];
  if (gradient == NODE_NONE) gradient = build_broadcast_to(&a->b, build_const(&a->b, DT_F32, 0), &node->shape);
  graph_output(a->b.graph, OUT_GRAD, node->name, gradient);
}

static void add_outputs(Autodiff *a) {
  for (size_t k = 0; k < a->from->n_outputs; k++) {
    const Output *output = &a->from->outputs[k];
    if (output->kind != OUT_GRAD) graph_output(a->b.graph, output->kind, output->name, output->value);
  }
  for (NodeId id = 0; (size_t)id < a->from->n_nodes; id++)
    if (node_of(a, id)->op == OP_param) add_gradient(a, id);
  for (int k = 0; k < a->ctx->n_grad_inputs; k++) {
    NodeId input = graph_find_source(a->from, OP_input, a->ctx->grad_inputs[k]);
    if (input != NODE_NONE && node_of(a, input)->type == DT_F32) add_gradient(a, input);
  }
}

Graph *pass_autodiff(PassContext *ctx, const Graph *g) {
  const Output *loss = graph_find_output(g, OUT_LOSS, NULL);
  if (!loss) {
    diag_error(ctx->sink, DIAG_E0332, SPAN_NONE, "graph '%s' has no loss to differentiate", g->name);
    return NULL;
  }
  Autodiff a = {.ctx = ctx, .from = g, .b = {.graph = graph_prefix(g, g->n_nodes)}, .loss = loss->value};
  a.active = arena_array(g->arena, g->n_nodes, sizeof *a.active);
  a.adjoint = arena_array(g->arena, g->n_nodes, sizeof *a.adjoint);
  for (size_t k = 0; k < g->n_nodes; k++) a.adjoint[k] = NODE_NONE;
  mark_active(&a);
  if (!sweep(&a) || !autodiff_check_params(&a)) return NULL;
  add_outputs(&a);
  return a.b.graph;
}
