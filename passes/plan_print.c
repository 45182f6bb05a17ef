// Plans as tables, for people and golden tests.
#include "plan_inside.h"

static const char *region_name(Region region) {
  static const char *const names[] = {
      [REGION_NONE] = "none",   [REGION_ARENA] = "arena",           [REGION_PARAM] = "param", [REGION_GRAD] = "grad",
      [REGION_STATE] = "state", [REGION_STATE_NEXT] = "next state", [REGION_INPUT] = "input"};
  return names[region];
}

static void add_symbols(const Plan *plan, Text *out) {
  for (int k = 0; k < plan->graph->n_symbols; k++)
    text_printf(out, "%s%s = %lld", k ? ", " : " for ", plan->graph->symbols[k], (long long)plan->symbol_values[k]);
}

static void add_type(const Graph *g, const Node *node, Text *out) {
  text_add(out, dtype_name(node->type));
  shape_print(&node->shape, g->symbols, out);
}

// What the node is called in the program: its path or the name of a source; nothing where it has neither.
static void add_origin(const Node *node, Text *out) {
  const char *name = node->name ? node->name : node->path;
  if (!name) return;
  text_add(out, " ");
  text_add_quoted(out, name);
}

static void add_value(const Graph *g, NodeId id, Text *out) {
  text_printf(out, "%%%d ", id);
  add_type(g, graph_node(g, id), out);
  add_origin(graph_node(g, id), out);
}

// ---- groups ---------------------------------------------------------------------------------------------------------

static void add_op(const Graph *g, NodeId id, Text *out) {
  const Node *node = graph_node(g, id);
  text_printf(out, "%%%d %s", id, op_info(node->op)->name);
  if (node->op == OP_index) text_printf(out, " %s", combine_name(node->index->combine));
  if (node->op == OP_const) {
    text_add(out, " ");
    text_add_double(out, node->number);
  }
  if (node->tag) text_printf(out, " @%s", node->tag);
}

static void add_values(const Plan *plan, const char *title, const NodeId *ids, int n, Text *out) {
  for (int k = 0; k < n; k++) {
    text_printf(out, "  %-9s", k ? "" : title);
    add_value(plan->graph, ids[k], out);
    text_add(out, "\n");
  }
}

static void print_kernel(const Plan *plan, int number, Text *out) {
  const Kernel *kernel = &plan->kernels[number];
  text_printf(out, "kernel %d %s: %s over ", number, kernel->name,
              kernel->kind == KERNEL_CONTRACT ? "micro-kernel" : "loops");
  shape_print(&graph_node(plan->graph, kernel->space)->shape, plan->graph->symbols, out);
  text_printf(out, " at %%%d\n", kernel->space);
  for (int k = 0; k < kernel->n_nodes; k++) {
    text_printf(out, "  %-9s", k ? "" : "computes");
    add_op(plan->graph, kernel->nodes[k], out);
    bool sum = kernel_reduces(graph_node(plan->graph, kernel->nodes[k]));
    text_add(out, kernel->nodes[k] == kernel->root ? "  (root)\n" : sum ? "  (sum)\n" : "\n");
  }
  add_values(plan, "reads", kernel->inputs, kernel->n_inputs, out);
  add_values(plan, "stores", kernel->outputs, kernel->n_outputs, out);
  for (int s = 0; s < kernel->n_sums; s++) {
    text_printf(out, "  %-9s", s ? "" : "adds up");
    add_op(plan->graph, plan->kernels[kernel->sums[s]].root, out);
    text_printf(out, ", for kernel %d\n", kernel->sums[s]);
  }
  if (kernel->carrier >= 0)
    text_printf(out, "  summed   by kernel %d, %s\n", kernel->carrier, plan->kernels[kernel->carrier].name);
  else
    text_printf(out, "  alone    %s\n", kernel->why_alone);
}

void plan_print_groups(const Plan *plan, Text *out) {
  text_add(out, plan->graph->name);
  add_symbols(plan, out);
  text_printf(out, ": %d kernels\n", plan->n_kernels);
  for (int k = 0; k < plan->n_kernels; k++) print_kernel(plan, k, out);
}

// ---- memory ---------------------------------------------------------------------------------------------------------

static void print_row(const char *region, int64_t offset, int64_t bytes, Text *out) {
  text_printf(out, "%-10s %12lld %12lld  ", region, (long long)offset, (long long)bytes);
}

static void print_place(const Plan *plan, NodeId id, Text *out) {
  const Place *place = &plan->place[id];
  print_row(region_name(place->region), place->offset, place->bytes, out);
  if (place->region == REGION_ARENA && place->last < plan->n_kernels)
    text_printf(out, "%4d to %-4d  ", place->first, place->last);
  else if (place->region == REGION_ARENA)
    text_printf(out, "%4d to end   ", place->first);
  else if (place->region == REGION_INPUT)
    text_printf(out, "number %-4d   ", place->input);
  else
    text_printf(out, "%14s", "");
  add_value(plan->graph, id, out);
  text_add(out, "\n");
}

static void print_scratch(const Plan *plan, int number, Text *out) {
  const Kernel *kernel = &plan->kernels[number];
  if (kernel->scratch_bytes == 0) return;
  print_row("arena", kernel->scratch_offset, kernel->scratch_bytes, out);
  int first, last;
  plan_scratch_life(plan, number, &first, &last);
  if (last == plan->n_kernels)
    text_printf(out, "%4d to end   ", first);
  else
    text_printf(out, "%4d to %-4d  ", first, last);
  const IndexDef *def = graph_node(plan->graph, kernel->root)->index;
  text_printf(out, "%s of %s\n", def->order.winograd && !def->order.chunk ? "transformed weights" : "chunks",
              kernel->name);
}

void plan_print_memory(const Plan *plan, Text *out) {
  text_add(out, plan->graph->name);
  add_symbols(plan, out);
  text_printf(out, ": %d kernels, arena of %lld bytes\n", plan->n_kernels, (long long)plan->arena_bytes);
  text_printf(out, "%-10s %12s %12s  %-14s%s\n", "region", "offset", "bytes", "kernels", "value");
  for (NodeId id = 0; (size_t)id < plan->graph->n_nodes; id++)
    if (plan->place[id].region != REGION_NONE && plan_base(plan->graph, id) == id) print_place(plan, id, out);
  for (int k = 0; k < plan->n_kernels; k++) print_scratch(plan, k, out);
}
