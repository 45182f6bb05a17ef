// Which outputs take the place of an input that nobody reads afterwards.
//
// On entry: kernels and lifetimes. On exit: plan->in_place names, for such an output, the input. An elementwise kernel
// may store over what it reads where every point reads its own element of it and no other: then each element is read
// before it is overwritten, whatever the order of the points.
#include "fuse.h"
#include "plan_inside.h"

typedef struct Walk {
  const Graph *g;
  const Kernel *kernel;
  NodeId input;
  bool *seen[2];   // elsewhere, at the point: by position among the kernel's nodes
  bool elsewhere;  // the input is read at other points
} Walk;

static void walk_value(Walk *w, NodeId id, bool at_point) {
  if (plan_base(w->g, id) == w->input && (id != w->input || !at_point)) w->elsewhere = true;
  int position = kernel_position(w->kernel, id);
  if (w->elsewhere || position < 0 || w->seen[at_point][position]) return;
  w->seen[at_point][position] = true;
  const Node *node = graph_node(w->g, id);
  for (int k = 0; k < node->n_in; k++) walk_value(w, node->in[k], at_point && fuse_at_point(w->g, node, k));
}

static bool is_moved(const Plan *plan, const Kernel *kernel, NodeId id) {
  const Graph *g = plan->graph;
  const Node *node = graph_node(g, id);
  return node->n_in == 1 && kernel_moved_output(g, id, node->in[0], NULL, NULL) &&
         kernel_position(kernel, node->in[0]) >= 0;
}

bool plan_reads_at_point(Arena *arena, const Plan *plan, const Kernel *kernel, NodeId input) {
  const Graph *g = plan->graph;
  Walk w = {.g = g, .kernel = kernel, .input = input};
  for (int k = 0; k < 2; k++) w.seen[k] = arena_array(arena, (size_t)kernel->n_nodes, sizeof **w.seen);
  for (int o = 0; o < kernel->n_outputs; o++) {
    NodeId id = kernel->outputs[o];
    walk_value(&w, is_moved(plan, kernel, id) ? graph_node(g, id)->in[0] : id, true);
  }
  for (int s = 0; s < kernel->n_sums; s++) {
    const Node *sum = graph_node(g, plan->kernels[kernel->sums[s]].root);
    for (int k = 0; k < sum->n_in; k++) walk_value(&w, sum->in[k], kernel_sum_reads_point(sum, k));
  }
  return !w.elsewhere;
}

enum { VECTOR = 16 };  // elements

// Rows of whole vectors. A row's last, partial vector is stored under a mask, and where the next load begins in what
// the mask leaves out it waits for the store: four times the time for rows of 6.
static bool has_whole_vectors(const Shape *shape) {
  Dim last = shape->rank ? shape->dim[shape->rank - 1] : dim_const(1);
  return dim_is_const(last) && last.scale % VECTOR == 0;
}

// Of the arena, dies here, as large, and not taken yet.
static bool may_be_taken(const Plan *plan, int k, NodeId input, NodeId output, const bool *taken) {
  const Place *from = &plan->place[input], *to = &plan->place[output];
  return from->region == REGION_ARENA && from->last == k && from->first < k && from->bytes == to->bytes &&
         !taken[input] && has_whole_vectors(&graph_node(plan->graph, input)->shape) &&
         graph_node(plan->graph, input)->type == graph_node(plan->graph, output)->type &&
         shape_equal(&graph_node(plan->graph, input)->shape, &graph_node(plan->graph, output)->shape);
}

static void take_places(Arena *arena, Plan *plan, int k, bool *taken) {
  const Kernel *kernel = &plan->kernels[k];
  for (int o = 0; o < kernel->n_outputs; o++) {
    NodeId output = kernel->outputs[o];
    if (plan->place[output].region != REGION_ARENA || is_moved(plan, kernel, output)) continue;
    for (int i = 0; i < kernel->n_inputs && plan->in_place[output] == NODE_NONE; i++) {
      NodeId input = kernel->inputs[i];
      if (!may_be_taken(plan, k, input, output, taken) || !plan_reads_at_point(arena, plan, kernel, input)) continue;
      plan->in_place[output] = input;
      taken[input] = true;
    }
  }
}

void plan_find_in_place(Arena *arena, Plan *plan, bool allowed) {
  size_t n = plan->graph->n_nodes;
  plan->in_place = arena_array(arena, n, sizeof *plan->in_place);
  for (size_t id = 0; id < n; id++) plan->in_place[id] = NODE_NONE;
  bool *taken = arena_array(arena, n, sizeof *taken);
  for (int k = 0; allowed && k < plan->n_kernels; k++)
    if (plan->kernels[k].root == NODE_NONE && !plan->kernels[k].once) take_places(arena, plan, k, taken);
}
