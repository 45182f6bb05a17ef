// Values by demand. On entry the plan and its graph verify; every variable of the indices handed in is open in the
// nest.
#include "lower.h"

#include <string.h>

// ---- arguments ----------------------------------------------------------------------------------------------------

int lower_arg_count(const Kernel *kernel) {
  return kernel->n_inputs + kernel->n_outputs + (kernel->scratch_bytes > 0) + kernel->n_sums;
}

void lower_args(const Plan *plan, const Kernel *kernel, NestArg *args) {
  int n = 0;
  for (int k = 0; k < kernel->n_inputs; k++)
    args[n++] = (NestArg){graph_node(plan->graph, kernel->inputs[k])->type, kernel->inputs[k]};
  for (int k = 0; k < kernel->n_outputs; k++)
    args[n++] = (NestArg){graph_node(plan->graph, kernel->outputs[k])->type, kernel->outputs[k]};
  if (kernel->scratch_bytes > 0) args[n++] = (NestArg){DT_F32, NODE_NONE};
  for (int k = 0; k < kernel->n_sums; k++) args[n++] = (NestArg){DT_F32, NODE_NONE};
}

int lower_input_slot(const Kernel *kernel, NodeId id) {
  for (int k = 0; k < kernel->n_inputs; k++)
    if (kernel->inputs[k] == id) return k;
  return -1;
}

int lower_output_slot(const Kernel *kernel, NodeId id) {
  for (int k = 0; k < kernel->n_outputs; k++)
    if (kernel->outputs[k] == id) return kernel->n_inputs + k;
  dlc_bug("%s does not store %%%d", kernel->name, id);
}

int lower_scratch_slot(const Kernel *kernel) {
  dlc_assert(kernel->scratch_bytes > 0);
  return kernel->n_inputs + kernel->n_outputs;
}

int lower_sum_slot(const Kernel *kernel, int sum) {
  dlc_assert(sum < kernel->n_sums);
  return kernel->n_inputs + kernel->n_outputs + (kernel->scratch_bytes > 0) + sum;
}

static bool is_padded_copy(const Graph *g, NodeId output) {
  const Node *node = graph_node(g, output);
  if (node->op != OP_index || node->n_in != 1) return false;
  Dim copied, all;
  bool counted = shape_elements(&graph_node(g, node->in[0])->shape, &copied) && shape_elements(&node->shape, &all);
  return counted && !dim_equal(copied, all) && kernel_moved_output(g, output, node->in[0], NULL, NULL);
}

NodeId lower_space(const Plan *plan, const Kernel *kernel) {
  const Graph *g = plan->graph;
  bool copies = kernel->root == NODE_NONE && kernel->n_outputs == 1 && kernel->outputs[0] == kernel->space;
  return copies && is_padded_copy(g, kernel->space) ? graph_node(g, kernel->space)->in[0] : kernel->space;
}

NodeId lower_output_source(const Plan *plan, const Kernel *kernel, NodeId output) {
  const Graph *g = plan->graph;
  const Node *node = graph_node(g, output);
  NodeId space = lower_space(plan, kernel);
  if (output == kernel->root || output == space || node->op != OP_index || node->n_in != 1) return output;
  NodeId source = node->in[0];
  if (!kernel_moved_output(g, output, source, NULL, NULL)) return output;
  if (source == space) return source;
  if (kernel_position(kernel, source) < 0) return output;
  bool at_point = shape_equal(&graph_node(g, source)->shape, &graph_node(g, space)->shape);
  return at_point ? source : output;
}

const Expr *lower_linear(Nest *nest, const Shape *shape, const Expr *const *index) {
  Size stride[IR_MAX_RANK];
  shape_strides(shape, stride);
  const Expr *sum = expr_const(&nest->pool, 0);
  for (int d = 0; d < shape->rank; d++) sum = expr_add(&nest->pool, sum, expr_scale(&nest->pool, index[d], stride[d]));
  return sum;
}

static bool is_empty(const Shape *shape) {
  for (int d = 0; d < shape->rank; d++)
    if (shape->dim[d].scale == 0) return true;
  return false;
}

// ---- reads --------------------------------------------------------------------------------------------------------

// offset + sum of coef * index, undivided.
static const Expr *numerator(ExprPool *pool, const IndexExpr *e, const Expr *const *index) {
  const Expr *sum = expr_const(pool, e->offset);
  for (int t = 0; t < e->n_terms; t++)
    sum = expr_add(pool, sum, expr_scale(pool, index[e->term[t].index], size_const(e->term[t].coef)));
  return sum;
}

const Expr *lower_read_index(Lower *lower, const Node *node, int k, int d, const Expr *const *index) {
  const IndexExpr *e = &node->index->reads[k].at[d];
  return expr_div(&lower->nest->pool, numerator(&lower->nest->pool, e, index), size_const(e->divisor));
}

int lower_read_inside(Lower *lower, const Node *node, int k, int d, const Expr *const *index, ValueId *conditions) {
  const IndexExpr *e = &node->index->reads[k].at[d];
  const Shape *operand = &graph_node(lower->plan->graph, node->in[k])->shape;
  ValueId divides = VALUE_NONE;
  if (e->kind == DIV_EXACT) divides = nest_divides(lower->nest, numerator(&lower->nest->pool, e, index), e->divisor);
  ValueId inside = nest_inside(lower->nest, lower_read_index(lower, node, k, d, index), size_of(operand->dim[d]));
  int n = 0;
  if (divides != VALUE_NONE) conditions[n++] = divides;
  if (inside != VALUE_NONE) conditions[n++] = inside;
  return n;
}

// The read's conditions, and'ed.
static ValueId read_inside(Lower *lower, const Node *node, int k, const Expr *const *index) {
  ValueId all = VALUE_NONE, conditions[2];
  for (int d = 0; d < node->index->reads[k].rank; d++) {
    int n = lower_read_inside(lower, node, k, d, index, conditions);
    for (int c = 0; c < n; c++) all = nest_and(lower->nest, all, conditions[c]);
  }
  return all;
}

static ValueId lower_read(Lower *lower, const Node *node, int k, const Expr *const *index, ValueId guard,
                          ValueId *counts) {
  Nest *nest = lower->nest;
  const Node *operand = graph_node(lower->plan->graph, node->in[k]);
  if (is_empty(&operand->shape)) {
    if (counts) *counts = nest_const(nest, DT_BOOL, 0);
    return nest_const(nest, operand->type, 0);
  }
  const Expr *at[IR_MAX_RANK];
  for (int d = 0; d < operand->shape.rank; d++) at[d] = lower_read_index(lower, node, k, d, index);
  ValueId inside = read_inside(lower, node, k, index);
  if (nest_is_false(nest, inside)) {
    if (counts) *counts = inside;
    return nest_const(nest, operand->type, 0);
  }
  ValueId value = lower_value(lower, node->in[k], at, nest_and(nest, guard, inside));
  if (!counts) return nest_or_zero(nest, inside, value);
  *counts = nest_and(nest, *counts, inside);
  return value;
}

// ---- bodies -------------------------------------------------------------------------------------------------------

typedef struct BodyJob {
  Lower *lower;
  const Node *node;
  const Expr *const *index;
  ValueId guard, *counts;
} BodyJob;

static ValueId lower_scalar(const BodyJob *job, const Scalar *s, const ValueId *values) {
  Nest *nest = job->lower->nest;
  switch (s->kind) {
    case SCALAR_READ:
      return lower_read(job->lower, job->node, s->arg[0], job->index, job->guard, job->counts);
    case SCALAR_INDEX:
      return nest_index(nest, job->index[s->arg[0]]);
    case SCALAR_CONST:
      return nest_const(nest, s->type, s->number);
    case SCALAR_OP:
      break;
  }
  ValueId args[3];
  int n = op_info(s->op)->arity;
  for (int a = 0; a < n; a++) args[a] = values[s->arg[a]];
  return nest_op(nest, s->op, s->type, args, n);
}

static const ValueId *lower_body(const BodyJob *job) {
  const IndexDef *def = job->node->index;
  ValueId *values = arena_array(job->lower->nest->arena, (size_t)def->n_body, sizeof *values);
  for (int k = 0; k < def->n_body; k++) values[k] = lower_scalar(job, &def->body[k], values);
  return values;
}

Body lower_sum_body(Lower *lower, const Node *node, const Expr *const *index, ValueId *counts) {
  BodyJob job = {lower, node, index, VALUE_NONE, counts};
  if (index_is_plain_product(node->index)) {
    ValueId a = lower_read(lower, node, 0, index, VALUE_NONE, NULL);
    return (Body){a, lower_read(lower, node, 1, index, VALUE_NONE, NULL)};
  }
  return (Body){lower_body(&job)[node->index->n_body - 1], VALUE_NONE};
}

static bool is_finite_const(const Scalar *s) { return s->kind == SCALAR_CONST && s->number - s->number == 0; }

// Given which earlier instructions are 0: is this one?
static bool stays_zero(const Scalar *body, const Scalar *s, const bool *zero) {
  const int *arg = s->arg;
  switch (s->op) {
    case OP_select:
      return (zero[arg[0]] || zero[arg[1]]) && zero[arg[2]];
    case OP_mul:
      return (zero[arg[0]] && is_finite_const(&body[arg[1]])) || (zero[arg[1]] && is_finite_const(&body[arg[0]]));
    case OP_and:
      return zero[arg[0]] || zero[arg[1]];
    case OP_add:
    case OP_sub:
    case OP_or:
      return zero[arg[0]] && zero[arg[1]];
    case OP_neg:
    case OP_abs:
    case OP_detach:
    case OP_to_f32:
    case OP_to_i32:
      return zero[arg[0]];
    default:
      return false;
  }
}

bool lower_read_decides(const Node *root, int k) {
  const IndexDef *def = root->index;
  if (def->combine != COMBINE_SUM) return def->combine != COMBINE_PROD;
  bool zero[256];
  if (def->n_body > (int)(sizeof zero / sizeof *zero)) return false;
  for (int i = 0; i < def->n_body; i++) {
    const Scalar *s = &def->body[i];
    zero[i] = (s->kind == SCALAR_READ && s->arg[0] == k) || (s->kind == SCALAR_CONST && s->number == 0) ||
              (s->kind == SCALAR_OP && stays_zero(def->body, s, zero));
  }
  return zero[def->n_body - 1];
}

// ---- nodes --------------------------------------------------------------------------------------------------------

static ValueId lower_pointwise(Lower *lower, const Node *node, const Expr *const *index, ValueId guard) {
  ValueId args[3];
  for (int k = 0; k < node->n_in; k++) args[k] = lower_value(lower, node->in[k], index, guard);
  return nest_op(lower->nest, node->op, node->type, args, node->n_in);
}

static ValueId lower_map(Lower *lower, const Node *node, const Expr *const *index, ValueId guard) {
  dlc_assert(node->index->combine == COMBINE_MAP);
  BodyJob job = {lower, node, index, guard, NULL};
  return lower_body(&job)[node->index->n_body - 1];
}

// y[i.., j..] = a[b[i..], j..]
static ValueId lower_gather(Lower *lower, const Node *node, const Expr *const *index, ValueId guard) {
  const Graph *g = lower->plan->graph;
  const Node *rows = graph_node(g, node->in[0]), *where = graph_node(g, node->in[1]);
  if (is_empty(&rows->shape)) return nest_const(lower->nest, node->type, 0);
  const Expr *at[IR_MAX_RANK];
  at[0] = expr_data(&lower->nest->pool, lower_value(lower, node->in[1], index, guard));
  for (int d = 1; d < rows->shape.rank; d++) at[d] = index[where->shape.rank + d - 1];
  ValueId inside = nest_inside(lower->nest, at[0], size_of(rows->shape.dim[0]));
  ValueId value = lower_value(lower, node->in[0], at, nest_and(lower->nest, guard, inside));
  return nest_or_zero(lower->nest, inside, value);
}

static ValueId lower_node(Lower *lower, NodeId id, const Expr *const *index, ValueId guard) {
  const Node *node = graph_node(lower->plan->graph, id);
  switch (op_info(node->op)->class) {
    case OPC_POINTWISE:
      return lower_pointwise(lower, node, index, guard);
    case OPC_INDEX:
      return lower_map(lower, node, index, guard);
    case OPC_RANDOM:
      return nest_random(lower->nest, node->stream, lower_linear(lower->nest, &node->shape, index));
    case OPC_MOVE:
      if (node->op == OP_gather) return lower_gather(lower, node, index, guard);
      break;
    case OPC_SOURCE:
    case OPC_VIEW:
      break;
  }
  dlc_bug("kernel %s computes %%%d, a %s, inside", lower->kernel->name, id, op_info(node->op)->name);
}

static const Memo *find_memo(const Lower *lower, NodeId id, int rank, const Expr *const *index, ValueId guard) {
  for (size_t k = 0; k < lower->n_memos; k++) {
    const Memo *m = &lower->memos[k];
    if (m->node != id || m->guard != guard) continue;
    if (rank && memcmp(m->index, index, (size_t)rank * sizeof *index)) continue;
    if (nest_is_visible(lower->nest, m->value)) return m;
  }
  return NULL;
}

static void keep_memo(Lower *lower, NodeId id, int rank, const Expr *const *index, ValueId guard, ValueId value) {
  lower->memos =
      arena_grow(lower->nest->arena, lower->memos, lower->n_memos, &lower->memos_capacity, sizeof *lower->memos);
  Memo *memo = &lower->memos[lower->n_memos++];
  *memo = (Memo){.node = id, .guard = guard, .value = value};
  if (rank) memcpy(memo->index, index, (size_t)rank * sizeof *index);
}

void lower_know_sum(Lower *lower, NodeId sum, ValueId value) {
  dlc_assert(lower->n_known < KERNEL_ROOTS_MOST);
  lower->known[lower->n_known++] = (struct KnownSum){sum, value};
}

static const struct KnownSum *find_sum(const Lower *lower, NodeId id) {
  for (int k = 0; k < lower->n_known; k++)
    if (lower->known[k].node == id) return &lower->known[k];
  return NULL;
}

ValueId lower_value(Lower *lower, NodeId id, const Expr *const *index, ValueId guard) {
  const Node *node = graph_node(lower->plan->graph, id);
  if (node->op == OP_const) return nest_const(lower->nest, node->type, node->number);
  int slot = lower_input_slot(lower->kernel, id), rank = node->shape.rank;
  if (slot >= 0) return nest_load(lower->nest, slot, lower_linear(lower->nest, &node->shape, index), guard);
  const struct KnownSum *sum = find_sum(lower, id);
  if (sum) {
    dlc_assert(rank == 0 || !memcmp(lower->point, index, (size_t)rank * sizeof *index));
    return sum->value;
  }
  const Memo *memo = find_memo(lower, id, rank, index, guard);
  if (memo) return memo->value;
  ValueId value = lower_node(lower, id, index, guard);
  keep_memo(lower, id, rank, index, guard, value);
  return value;
}
