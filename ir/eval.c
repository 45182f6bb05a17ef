// The evaluator: nodes in order, each from the values of its operands.
#include "eval.h"

#include <string.h>

#include "checked.h"
#include "random.h"

static int64_t count_of(const EvalTensor *t) { return shape_count(&t->shape, NULL); }

// The shape at the symbols' values; false where the element count does not fit.
static bool resolve_shape(const Shape *shape, const int64_t *symbol_values, Shape *resolved, int64_t *count) {
  *resolved = (Shape){.rank = shape->rank};
  *count = 1;
  for (int d = 0; d < shape->rank; d++) {
    int64_t n = shape->dim[d].scale;
    if (shape->dim[d].symbol && !checked_mul(n, symbol_values[shape->dim[d].symbol - 1], &n)) return false;
    resolved->dim[d] = dim_const(n);
    if (n < 0 || !checked_mul(*count, n, count)) return false;
  }
  return true;
}

static void eval_elements(const Evaluation *e, const Node *node, EvalTensor *result) {
  DType type = graph_node(e->graph, node->in[node->n_in - 1])->type;
  for (int64_t k = 0; k < count_of(result); k++) {
    double in[3];
    for (int a = 0; a < node->n_in; a++) {
      const EvalTensor *t = &e->values[node->in[a]];
      in[a] = t->data[t->shape.rank ? k : 0];
    }
    result->data[k] = eval_pointwise(node->op, type, in);
  }
}

static void eval_random(const Evaluation *e, const Node *node, EvalTensor *result) {
  uint64_t stream = random_step_stream(node->stream, e->env->step);
  for (int64_t k = 0; k < count_of(result); k++)
    result->data[k] = (double)random_uniform(e->env->seed, stream, (uint64_t)k);
}

static void eval_concat(const Evaluation *e, const Node *node, EvalTensor *result) {
  int64_t outer = 1, row = 0;  // the result is [outer, row], row the operands' rows one after the other
  for (int d = 0; d < node->axis; d++) outer *= result->shape.dim[d].scale;
  for (int k = 0; k < node->n_in && outer; k++) row += count_of(&e->values[node->in[k]]) / outer;
  int64_t at = 0;
  for (int k = 0; k < node->n_in && outer; k++) {
    const EvalTensor *t = &e->values[node->in[k]];
    int64_t width = count_of(t) / outer;
    for (int64_t r = 0; r < outer; r++)
      for (int64_t c = 0; c < width; c++) result->data[r * row + at + c] = t->data[r * width + c];
    at += width;
  }
}

// Elements in one row of a tensor: all dimensions but the first `lead`.
static int64_t row_width(const EvalTensor *t, int lead) {
  int64_t width = 1;
  for (int d = lead; d < t->shape.rank; d++) width *= t->shape.dim[d].scale;
  return width;
}

static void eval_gather(const Evaluation *e, const Node *node, EvalTensor *result) {
  const EvalTensor *rows = &e->values[node->in[0]], *index = &e->values[node->in[1]];
  int64_t width = row_width(rows, 1), n_rows = rows->shape.dim[0].scale;
  for (int64_t k = 0; k < count_of(index); k++) {
    int64_t row = (int64_t)index->data[k];
    if (row < 0 || row >= n_rows) continue;  // the result is zeroed
    for (int64_t c = 0; c < width; c++) result->data[k * width + c] = rows->data[row * width + c];
  }
}

static void eval_scatter_add(const Evaluation *e, const Node *node, EvalTensor *result) {
  const EvalTensor *index = &e->values[node->in[0]], *rows = &e->values[node->in[1]];
  int64_t width = row_width(rows, index->shape.rank), n_rows = result->shape.dim[0].scale;
  for (int64_t k = 0; k < count_of(index); k++) {
    int64_t row = (int64_t)index->data[k];
    if (row < 0 || row >= n_rows) continue;
    for (int64_t c = 0; c < width; c++) {
      double *sum = &result->data[row * width + c], pair[] = {*sum, rows->data[k * width + c]};
      *sum = eval_pointwise(OP_add, result->type, pair);
    }
  }
}

static bool eval_source(const Evaluation *e, const Node *node, EvalTensor *result, const char **why) {
  if (e->env->source && e->env->source(e->env->state, node, result->data, count_of(result))) return true;
  *why = arena_printf(e->arena, "no data for %s '%s'", op_info(node->op)->name, node->name);
  return false;
}

static void eval_reshape(const Evaluation *e, const Node *node, EvalTensor *result) {
  memcpy(result->data, e->values[node->in[0]].data, (size_t)count_of(result) * sizeof *result->data);
}

// The node's elements; its result has its shape and zeroed data.
static bool eval_data(const Evaluation *e, const Node *node, EvalTensor *result, const char **why) {
  switch (node->op) {
    case OP_input:
    case OP_param:
    case OP_state:
      return eval_source(e, node, result, why);
    case OP_index:
      return eval_index(e, node, result, why);
    case OP_const:
      result->data[0] = node->number;
      break;
    case OP_reshape:
      eval_reshape(e, node, result);
      break;
    case OP_concat:
      eval_concat(e, node, result);
      break;
    case OP_gather:
      eval_gather(e, node, result);
      break;
    case OP_scatter_add:
      eval_scatter_add(e, node, result);
      break;
    case OP_random:
      eval_random(e, node, result);
      break;
    default:
      eval_elements(e, node, result);
      break;
  }
  return true;
}

static bool eval_node(const Evaluation *e, NodeId id, const char **why) {
  const Node *node = graph_node(e->graph, id);
  EvalTensor *result = &e->values[id];
  int64_t count;
  result->type = node->type;
  if (!resolve_shape(&node->shape, e->env->symbol_values, &result->shape, &count)) {
    *why = arena_printf(e->arena, "%%%d does not fit 63 bits", id);
    return false;
  }
  result->data = arena_array(e->arena, (size_t)count, sizeof *result->data);
  return eval_data(e, node, result, why);
}

bool graph_eval(const Graph *g, const EvalEnv *env, Arena *arena, EvalTensor *values, const char **why) {
  Evaluation e = {g, env, arena, values};
  bool *needed = arena_array(arena, g->n_nodes, sizeof *needed);
  for (size_t k = 0; k < g->n_outputs; k++) needed[g->outputs[k].value] = true;
  for (size_t k = g->n_nodes; k-- > 0;) {
    needed[k] |= env->all;
    for (int a = 0; needed[k] && a < g->nodes[k].n_in; a++) needed[g->nodes[k].in[a]] = true;
  }
  for (size_t k = 0; k < g->n_nodes; k++) {
    values[k] = (EvalTensor){0};
    if (needed[k] && !eval_node(&e, (NodeId)k, why)) return false;
  }
  return true;
}
