// A kernel as sweeps.
#include "sweep.h"

static const char *const letters[IR_MAX_RANK] = {"i", "j", "k", "l", "m", "n", "p", "q"};

static void set_shape(Sweep *sweep, const Shape *shape) {
  sweep->n_out = shape->rank;
  for (int d = 0; d < shape->rank; d++) {
    sweep->extent[d] = shape->dim[d];
    sweep->name[d] = letters[d];
  }
}

static void set_indices(Sweep *sweep, const IndexDef *def, int n_red) {
  sweep->n_out = def->n_out;
  sweep->n_red = n_red;
  for (int k = 0; k < def->n_out + n_red; k++) {
    sweep->extent[k] = def->extent[k];
    sweep->name[k] = def->name[k];
  }
}

typedef struct SweepList {
  Arena *arena;
  Sweep *items;
  size_t n, capacity;
} SweepList;

static Sweep *add(SweepList *list, const Plan *plan, const Kernel *kernel, SweepKind kind) {
  list->items = arena_grow(list->arena, list->items, list->n, &list->capacity, sizeof *list->items);
  Sweep *sweep = &list->items[list->n++];
  *sweep = (Sweep){.kind = kind, .plan = plan, .kernel = kernel};
  const Node *space = graph_node(plan->graph, lower_space(plan, kernel));
  if (space->op == OP_index)
    set_indices(sweep, space->index, 0);
  else
    set_shape(sweep, &space->shape);
  return sweep;
}

static void add_reduction(SweepList *list, const Plan *plan, const Kernel *kernel) {
  const IndexDef *def = graph_node(plan->graph, kernel->root)->index;
  bool chunked = def->order.chunk > 0 && kernel->scratch_bytes > 0;
  if (!chunked || kernel->carrier < 0) {
    Sweep *sweep = add(list, plan, kernel, chunked ? kernel->n_sums ? SWEEP_TALLY : SWEEP_CHUNKS : SWEEP_REDUCE);
    set_indices(sweep, def, def->n_red);
    if (chunked) sweep->chunk = def->order.chunk;
  }
  if (!chunked) return;
  add(list, plan, kernel, SWEEP_COMBINE)->chunk = def->order.chunk;
}

int sweep_sums(const Plan *plan, const Kernel *kernel, SweepSum *sums) {
  int n = 0;
  if (kernel->root != NODE_NONE && kernel->kind == KERNEL_LOOP)
    sums[n++] = (SweepSum){graph_node(plan->graph, kernel->root), lower_scratch_slot(kernel)};
  for (int k = 0; k < kernel->n_sums; k++)
    sums[n++] = (SweepSum){graph_node(plan->graph, plan->kernels[kernel->sums[k]].root), lower_sum_slot(kernel, k)};
  return n;
}

// A kernel without root that carries sums.
static void add_tally(SweepList *list, const Plan *plan, const Kernel *kernel) {
  const IndexDef *def = graph_node(plan->graph, plan->kernels[kernel->sums[0]].root)->index;
  Sweep *sweep = add(list, plan, kernel, SWEEP_TALLY);
  set_indices(sweep, def, def->n_red);
  sweep->chunk = def->order.chunk;
}

bool sweep_stores_row(const Plan *plan, const Kernel *kernel, NodeId output) {
  const Graph *g = plan->graph;
  const Shape *shape = &graph_node(g, output)->shape;
  return kernel->root != NODE_NONE && kernel_sums_rows(g, graph_node(g, kernel->root)) &&
         kernel_has_row_shape(graph_node(g, kernel->root), shape, NULL);
}

bool sweep_goes_over_rows(const Sweep *sweep) {
  const Kernel *kernel = sweep->kernel;
  int sums = 0;
  for (int k = 0; k < kernel->n_nodes; k++) sums += kernel_reduces(graph_node(sweep->plan->graph, kernel->nodes[k]));
  for (int k = 0; k < kernel->n_outputs; k++)
    if (sweep_stores_row(sweep->plan, kernel, kernel->outputs[k])) return true;
  return sums > 1;
}

static void add_concat(SweepList *list, const Plan *plan, const Kernel *kernel) {
  const Node *root = graph_node(plan->graph, kernel->root);
  for (int k = 0; k < root->n_in; k++) {
    Sweep *sweep = add(list, plan, kernel, SWEEP_PART);
    set_shape(sweep, &graph_node(plan->graph, root->in[k])->shape);
    sweep->part = k;
  }
}

static void add_scatter(SweepList *list, const Plan *plan, const Kernel *kernel) {
  const Node *root = graph_node(plan->graph, kernel->root);
  add(list, plan, kernel, SWEEP_CLEAR);
  Sweep *sweep = add(list, plan, kernel, SWEEP_SCATTER);
  set_shape(sweep, &graph_node(plan->graph, root->in[1])->shape);
  sweep->n_ordered = graph_node(plan->graph, root->in[0])->shape.rank;
}

int sweep_list(Arena *arena, const Plan *plan, const Kernel *kernel, Sweep **sweeps) {
  SweepList list = {.arena = arena};
  const Node *root = kernel->root == NODE_NONE ? NULL : graph_node(plan->graph, kernel->root);
  if (!root && kernel->n_sums)
    add_tally(&list, plan, kernel);
  else if (!root || root->op == OP_gather)
    add(&list, plan, kernel, SWEEP_POINTS);
  else if (root->op == OP_index)
    add_reduction(&list, plan, kernel);
  else if (root->op == OP_concat)
    add_concat(&list, plan, kernel);
  else if (root->op == OP_scatter_add)
    add_scatter(&list, plan, kernel);
  else
    dlc_bug("kernel %s has a %s as its root", kernel->name, op_info(root->op)->name);
  for (int k = 0; k < kernel->n_outputs; k++)
    if (lower_output_source(plan, kernel, kernel->outputs[k]) != kernel->outputs[k])
      add(&list, plan, kernel, SWEEP_BORDER)->part = k;
  *sweeps = list.items;
  return (int)list.n;
}

Nest *sweep_nest(Arena *arena, const Sweep *sweep) {
  if (sweep->kind == SWEEP_BORDER) return border_build(arena, sweep);
  for (int k = 0; k < sweep->n_out; k++)
    if (sweep->extent[k].scale == 0) return NULL;
  Scheme scheme = scheme_choose(arena, sweep);
  return sweep_build(arena, sweep, &scheme, NULL);
}
