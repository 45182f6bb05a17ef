// The memory plan: a place for every value that a kernel stores or reads.
//
// On entry: a graph that has been through the passes. On exit: kernels in execution order (fuse.c) and places by
// region. Sources have their own regions; gradients of parameters and new states go straight into their blocks, laid
// out by the tensor tables; everything else, and the scratch of chunked sums, lives in the arena from the kernel that
// stores it to the last that reads it. Results, losses and metrics live to the end of the step. Views share their
// operand's place.
#include "plan_inside.h"

#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "fuse.h"
#include "plan_pack.h"
#include "winograd.h"

enum { FLOAT_BYTES = 4, NAMED_TENSORS = 5 };

typedef struct Planner {
  Arena *arena;
  DiagSink *sink;
  const PlanOptions *options;
  Plan *plan;
  const Graph *g;
} Planner;

int kernel_position(const Kernel *kernel, NodeId id) {
  int low = 0, high = kernel->n_nodes;
  while (low < high) {
    int middle = (low + high) / 2;
    if (kernel->nodes[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < kernel->n_nodes && kernel->nodes[low] == id ? low : -1;
}

// ---- sizes ----------------------------------------------------------------------------------------------------------

static bool bytes_of(const Plan *plan, const Node *node, int64_t *bytes) {
  *bytes = dtype_size(node->type);
  for (int d = 0; d < node->shape.rank; d++)
    if (!checked_mul(*bytes, dim_value(node->shape.dim[d], plan->symbol_values), bytes)) return false;
  return true;
}

static bool set_size(Planner *p, NodeId id) {
  const Node *node = graph_node(p->g, id);
  if (bytes_of(p->plan, node, &p->plan->place[id].bytes)) return true;
  Text shape = text_new(p->arena);
  shape_print(&node->shape, p->g->symbols, &shape);
  diag_error(p->sink, DIAG_E0620, node->span, "a tensor of shape %s is larger than any memory", shape.bytes);
  return false;
}

static bool is_given(const Node *node) { return op_info(node->op)->class == OPC_SOURCE && node->op != OP_const; }

// Of everything that is in memory; what is only computed may be of any size.
static bool set_sizes(Planner *p) {
  for (NodeId id = 0; (size_t)id < p->g->n_nodes; id++)
    if (is_given(graph_node(p->g, id)) && !set_size(p, id)) return false;
  for (int k = 0; k < p->plan->n_kernels; k++) {
    const Kernel *kernel = &p->plan->kernels[k];
    for (int i = 0; i < kernel->n_inputs; i++)
      if (!set_size(p, kernel->inputs[i])) return false;
    for (int o = 0; o < kernel->n_outputs; o++)
      if (!set_size(p, kernel->outputs[o])) return false;
  }
  return true;
}

// ---- regions of their own -------------------------------------------------------------------------------------------

// Where a tensor is in its block, in bytes; -1 where the table does not have it. Graphs name tensors mostly in the
// table's order, so *next, the one behind the last that was found, is looked at first.
static int64_t find_offset(const TensorTable *table, const char *path, int *next) {
  if (!table) return -1;
  bool is_next = *next < table->n_items && !strcmp(table->items[*next].path, path);
  int found = is_next ? *next : tensor_find(table, path);
  if (found < 0) return -1;
  *next = found + 1;
  return table->items[found].offset * FLOAT_BYTES;
}

static int64_t offset_in(const TensorTable *table, const char *path, int *next) {
  int64_t offset = find_offset(table, path, next);
  if (offset < 0) dlc_bug("no tensor %s in the tables", path);
  return offset;
}

static void place_sources(Planner *p) {
  int next_param = 0, next_state = 0, n_inputs = 0;
  for (NodeId id = 0; (size_t)id < p->g->n_nodes; id++) {
    const Node *node = graph_node(p->g, id);
    Place *place = &p->plan->place[id];
    if (node->op == OP_input) {
      place->region = REGION_INPUT;
      place->input = n_inputs++;
    } else if (node->op == OP_param) {
      place->region = REGION_PARAM;
      place->offset = offset_in(p->plan->params, node->name, &next_param);
    } else if (node->op == OP_state) {
      place->region = REGION_STATE;
      place->offset = offset_in(p->plan->states, node->name, &next_state);
    }
  }
}

static void place_outputs(Planner *p) {
  int next_grad = 0, next_state = 0;
  for (size_t k = 0; k < p->g->n_outputs; k++) {
    const Output *output = &p->g->outputs[k];
    Place *place = &p->plan->place[output->value];
    if (output->kind == OUT_STATE) {
      place->region = REGION_STATE_NEXT;
      place->offset = offset_in(p->plan->states, output->name, &next_state);
    } else if (output->kind == OUT_GRAD) {
      int64_t offset = find_offset(p->plan->params, output->name, &next_grad);
      if (offset < 0) continue;  // of an input: a result like others
      place->region = REGION_GRAD;
      place->offset = offset;
    }
  }
}

// ---- lifetimes ------------------------------------------------------------------------------------------------------

NodeId plan_base(const Graph *g, NodeId id) {
  while (op_info(graph_node(g, id)->op)->class == OPC_VIEW) id = graph_node(g, id)->in[0];
  return id;
}

static void find_lifetimes(Planner *p) {
  Plan *plan = p->plan;
  for (int k = 0; k < plan->n_kernels; k++) {
    const Kernel *kernel = &plan->kernels[k];
    for (int o = 0; o < kernel->n_outputs; o++) {
      Place *place = &plan->place[kernel->outputs[o]];
      if (place->region == REGION_NONE) *place = (Place){REGION_ARENA, 0, 0, place->bytes, k, k};
    }
    for (int i = 0; i < kernel->n_inputs; i++) plan->place[plan_base(p->g, kernel->inputs[i])].last = k;
  }
  for (size_t k = 0; k < p->g->n_outputs; k++)
    plan->place[plan_base(p->g, p->g->outputs[k].value)].last = plan->n_kernels;
  for (int k = 0; k < plan->n_kernels; k++)
    for (int o = 0; plan->kernels[k].once && o < plan->kernels[k].n_outputs; o++) {
      Place *place = &plan->place[plan->kernels[k].outputs[o]];
      place->first = 0, place->last = plan->n_kernels;
    }
}

// False where the size overflows.
static bool set_scratch(Planner *p, Kernel *kernel) {
  if (kernel->root == NODE_NONE || graph_node(p->g, kernel->root)->op != OP_index) return true;
  const IndexDef *def = graph_node(p->g, kernel->root)->index;
  Winograd w;
  if (def->order.winograd && winograd_analyse(p->g, graph_node(p->g, kernel->root), &w) && !w.gradient) {
    kernel->scratch_bytes = WINOGRAD_POINTS * FLOAT_BYTES * w.channels * w.outputs;
    return true;
  }
  if (def->combine != COMBINE_SUM || def->order.chunk == 0) return true;
  int64_t extent = dim_value(def->extent[def->n_out], p->plan->symbol_values);
  int64_t chunks = extent / def->order.chunk + (extent % def->order.chunk > 0);
  int64_t sum_bytes;  // the root itself may have no place: only what follows it is stored
  if (!bytes_of(p->plan, graph_node(p->g, kernel->root), &sum_bytes)) return false;
  return chunks <= 1 || checked_mul(sum_bytes, chunks, &kernel->scratch_bytes);
}

// ---- the arena ------------------------------------------------------------------------------------------------------

void plan_scratch_life(const Plan *plan, int k, int *first, int *last) {
  const Kernel *kernel = &plan->kernels[k];
  *first = kernel->scratch_once ? 0 : kernel->carrier >= 0 ? kernel->carrier : k;
  *last = kernel->scratch_once ? plan->n_kernels : k;
}

// Gathers what lives in the arena: first the places in order of their nodes, then the scratch in order of kernels.
static size_t gather_blocks(const Plan *plan, const int *last, Block *blocks) {
  size_t n = 0;
  for (size_t id = 0; id < plan->graph->n_nodes; id++) {
    const Place *place = &plan->place[id];
    if (place->region == REGION_ARENA && place->bytes && plan->in_place[id] == NODE_NONE)
      blocks[n++] = (Block){.bytes = place->bytes, .first = place->first, .last = last[id]};
  }
  for (int k = 0; k < plan->n_kernels; k++) {
    const Kernel *kernel = &plan->kernels[k];
    if (kernel->scratch_bytes) {
      blocks[n] = (Block){.bytes = kernel->scratch_bytes};
      plan_scratch_life(plan, k, &blocks[n].first, &blocks[n].last);
      n++;
    }
  }
  return n;
}

// Whose place the node has at the end of the chain of those that take one over. An owner is stored by an earlier
// kernel, but may be a later node.
static NodeId first_owner(const Plan *plan, NodeId id) {
  while (plan->in_place[id] != NODE_NONE) id = plan->in_place[id];
  return id;
}

// The last kernel that needs each node's place, those that take it over included.
static int *last_needs(Planner *p) {
  const Plan *plan = p->plan;
  int *last = arena_array(p->arena, p->g->n_nodes, sizeof *last);
  for (size_t id = 0; id < p->g->n_nodes; id++) last[id] = plan->place[id].last;
  for (NodeId id = 0; (size_t)id < p->g->n_nodes; id++) {
    NodeId owner = first_owner(plan, id);
    if (plan->place[id].last > last[owner]) last[owner] = plan->place[id].last;
  }
  return last;
}

// Hands the offsets back, in the order of gather_blocks.
static void set_offsets(Plan *plan, const Block *blocks) {
  size_t n = 0;
  for (size_t id = 0; id < plan->graph->n_nodes; id++) {
    Place *place = &plan->place[id];
    if (place->region == REGION_ARENA && place->bytes && plan->in_place[id] == NODE_NONE)
      place->offset = blocks[n++].offset;
  }
  for (NodeId id = 0; (size_t)id < plan->graph->n_nodes; id++)
    if (plan->in_place[id] != NODE_NONE) plan->place[id].offset = plan->place[first_owner(plan, id)].offset;
  for (int k = 0; k < plan->n_kernels; k++)
    if (plan->kernels[k].scratch_bytes) plan->kernels[k].scratch_offset = blocks[n++].offset;
}

static bool pack(Planner *p) {
  Plan *plan = p->plan;
  Block *blocks = arena_array(p->arena, p->g->n_nodes + (size_t)plan->n_kernels, sizeof *blocks);
  size_t n = gather_blocks(plan, last_needs(p), blocks);
  plan->arena_bytes = pack_blocks(p->arena, blocks, n, !p->options->no_reuse);
  if (plan->arena_bytes < 0) {
    diag_error(p->sink, DIAG_E0620, SPAN_NONE, "the step's tensors are together larger than any memory");
    return false;
  }
  set_offsets(plan, blocks);
  return true;
}

static void place_views(Planner *p) {
  for (NodeId id = 0; (size_t)id < p->g->n_nodes; id++)
    if (op_info(graph_node(p->g, id)->op)->class == OPC_VIEW)
      p->plan->place[id] = p->plan->place[graph_node(p->g, id)->in[0]];
}

// ---- the limit ------------------------------------------------------------------------------------------------------

static void add_bytes(Text *out, int64_t bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double amount = (double)bytes;
  size_t unit = 0;
  while (amount >= 1024 && unit + 1 < sizeof units / sizeof *units) amount /= 1024, unit++;
  text_printf(out, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}

static const char *bytes_text(Arena *arena, int64_t bytes) {
  Text text = text_new(arena);
  add_bytes(&text, bytes);
  return text.bytes;
}

// The arena tensor with the most bytes among those smaller than `below` in the order (bytes, id), or NODE_NONE.
static NodeId next_largest(const Plan *plan, NodeId below) {
  NodeId found = NODE_NONE;
  for (NodeId id = 0; (size_t)id < plan->graph->n_nodes; id++) {
    const Place *place = &plan->place[id];
    if (place->region != REGION_ARENA || op_info(graph_node(plan->graph, id)->op)->class == OPC_VIEW) continue;
    int64_t most = below == NODE_NONE ? INT64_MAX : plan->place[below].bytes;
    if (place->bytes > most || (place->bytes == most && id <= below)) continue;  // named already
    if (found == NODE_NONE || place->bytes > plan->place[found].bytes) found = id;
  }
  return found;
}

static void note_tensor(Planner *p, Diag *diag, NodeId id) {
  const Node *node = graph_node(p->g, id);
  const Place *place = &p->plan->place[id];
  Text shape = text_new(p->arena);
  shape_print(&node->shape, p->g->symbols, &shape);
  const char *name = node->path ? node->path : p->plan->kernels[place->first].name;
  diag_line(p->sink, diag, DIAG_NOTE, "%s: %s%s of %s, needed by kernels %d to %d of %d",
            bytes_text(p->arena, place->bytes), dtype_name(node->type), shape.bytes, name, place->first,
            place->last < p->plan->n_kernels ? place->last : p->plan->n_kernels - 1, p->plan->n_kernels);
}

static bool is_within(const Plan *plan, int64_t limit) { return limit == 0 || plan->arena_bytes <= limit; }

static void report_limit(Planner *p, bool tried) {
  Diag *diag = diag_error(p->sink, DIAG_E0602, SPAN_NONE, "the step needs %s of memory, the limit is %s",
                          bytes_text(p->arena, p->plan->arena_bytes), bytes_text(p->arena, p->options->memory_limit));
  NodeId id = next_largest(p->plan, NODE_NONE);
  for (int k = 0; k < NAMED_TENSORS && id != NODE_NONE; k++, id = next_largest(p->plan, id)) note_tensor(p, diag, id);
  if (tried) diag_line(p->sink, diag, DIAG_NOTE, "the backward pass computes anew all that it can already");
  diag_line(p->sink, diag, DIAG_HELP, "a smaller batch takes less");
}

// ---------------------------------------------------------------------------------------------------------------------

static bool make_places(Planner *p) {
  place_sources(p);
  place_outputs(p);
  plan_find_once(p->arena, p->plan);
  find_lifetimes(p);
  for (int k = 0; k < p->plan->n_kernels; k++) {
    if (set_scratch(p, &p->plan->kernels[k])) continue;
    diag_error(p->sink, DIAG_E0620, SPAN_NONE, "the chunks of %s are larger than any memory", p->plan->kernels[k].name);
    return false;
  }
  plan_find_in_place(p->arena, p->plan, !p->options->no_reuse);
  if (!pack(p)) return false;
  place_views(p);
  return true;
}

static void verify(const Planner *p) {
#ifdef DLC_VERIFY
  Text why = text_new(p->arena);
  if (!plan_verify(p->plan, &why)) dlc_bug("%s", why.bytes);
#else
  (void)p;
#endif
}

// The plan for a graph that is `like` another plan but for its graph, whatever the limit. False after reporting.
static bool plan_graph(Planner *p, const Plan *like, const Graph *g) {
  p->plan = arena_alloc(p->arena, sizeof *p->plan);
  *p->plan = *like;
  p->plan->graph = p->g = g;
  p->plan->place = arena_array(p->arena, g->n_nodes, sizeof *p->plan->place);
  fuse_groups(p->arena, p->options, p->plan);
  if (!set_sizes(p) || !make_places(p)) return false;
  verify(p);
  return true;
}

Plan *plan_make(Arena *arena, DiagSink *sink, const Graph *g, const TensorTable *params, const TensorTable *states,
                const int64_t *symbol_values, const PlanOptions *options) {
  Plan like = {.params = params, .states = states};
  for (int k = 0; k < g->n_symbols; k++) like.symbol_values[k] = symbol_values[k];
  Planner p = {arena, sink, options, NULL, g};
  if (!plan_graph(&p, &like, g)) return NULL;
  if (is_within(p.plan, options->memory_limit)) return p.plan;
  const Graph *frugal = plan_recompute(arena, g);
  Plan *whole = p.plan;
  like.recomputes = true;
  if (frugal != g && !plan_graph(&p, &like, frugal)) return NULL;
  if (is_within(p.plan, options->memory_limit)) return p.plan;
  if (whole->arena_bytes <= p.plan->arena_bytes) p.plan = whole, p.g = g;
  report_limit(&p, p.plan->recomputes);
  return NULL;
}
