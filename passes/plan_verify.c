// Checks plans: what plan.h says of kernels and places, against the graph.
#include <stdlib.h>
#include <string.h>

#include "fuse.h"
#include "plan_inside.h"
#include "product.h"

typedef struct Check {
  const Plan *plan;
  const Graph *g;
  Text *why;
  int *stored_by;  // [n_nodes]: kernel, or -1
  int *inside;     // [n_nodes]: 2k + 1 where kernel k computes the node, 2k + 2 where it is an input of it
  int *behind;     // [n_nodes]: 2k + 1 where it is kernel k's root or needs it, 2k + 2 where it is a moved copy of that
} Check;

#define BREACH(c, ...) (text_printf((c)->why, __VA_ARGS__), false)

// ---- kernels --------------------------------------------------------------------------------------------------------

static bool is_source(const Graph *g, NodeId id) {
  const Node *node = graph_node(g, id);
  return op_info(node->op)->class == OPC_SOURCE && node->op != OP_const;
}

static bool check_inputs(Check *c, int k) {
  const Kernel *kernel = &c->plan->kernels[k];
  for (int i = 0; i < kernel->n_inputs; i++) {
    NodeId id = kernel->inputs[i], base = plan_base(c->g, id);
    const Place *place = &c->plan->place[base];
    if (i && kernel->inputs[i - 1] >= id) return BREACH(c, "kernel %d: inputs are not in order", k);
    if (place->region == REGION_NONE) return BREACH(c, "kernel %d reads %%%d, which has no place", k, id);
    if (!is_source(c->g, base) && c->stored_by[base] < 0)
      return BREACH(c, "kernel %d reads %%%d, which no kernel before it stores", k, id);
    if (place->region == REGION_ARENA && place->last < k)
      return BREACH(c, "kernel %d reads %%%d after the end of its place", k, id);
    c->inside[id] = 2 * k + 2;
  }
  return true;
}

// Roots that read memory only.
static bool reads_memory_only(const Kernel *kernel, const Node *root) {
  return kernel->kind == KERNEL_CONTRACT || root->op != OP_index;
}

static bool is_of_rows(const Check *c, int k) {
  NodeId root = c->plan->kernels[k].root;
  return root != NODE_NONE && kernel_sums_rows(c->g, graph_node(c->g, root));
}

// A sum of the same rows as the root.
static bool is_row_sum(const Check *c, int k, NodeId id) {
  const Node *root = graph_node(c->g, c->plan->kernels[k].root), *node = graph_node(c->g, id);
  return is_of_rows(c, k) && kernel_sums_rows(c->g, node) && kernel_same_rows(c->g, root, node);
}

// What needs the root, or a sum before it, reads it, and whatever else needs it, at the point, or at its row; moved
// copies are read by nobody.
static bool check_behind(Check *c, int k, NodeId id) {
  const Node *node = graph_node(c->g, id);
  if (fuse_is_root(node)) c->behind[id] = 2 * k + 1;
  for (int j = 0; j < node->n_in; j++) {
    NodeId in = node->in[j];
    if (c->behind[in] == 2 * k + 2) return BREACH(c, "kernel %d: %%%d reads a moved output", k, id);
    if (c->behind[in] != 2 * k + 1) continue;
    bool moved = kernel_moved_output(c->g, id, in, NULL, NULL);
    Where where = fuse_where(c->g, node, j);
    if (!moved && where != AT_POINT && (where != AT_ROW || !is_of_rows(c, k)))
      return BREACH(c, "kernel %d: %%%d reads the root at other points", k, id);
    c->behind[id] = 2 * k + (moved ? 2 : 1);
  }
  return true;
}

static bool check_node(Check *c, int k, NodeId id) {
  const Kernel *kernel = &c->plan->kernels[k];
  const Node *node = graph_node(c->g, id);
  if (op_info(node->op)->class == OPC_VIEW || is_source(c->g, id))
    return BREACH(c, "kernel %d computes %%%d, which needs no computing", k, id);
  if (fuse_is_root(node) && id != kernel->root && (kernel->root == NODE_NONE || !is_row_sum(c, k, id)))
    return BREACH(c, "kernel %d has a second root, %%%d, which is no sum of the same rows", k, id);
  if (id == kernel->root && kernel->carrier >= 0) return check_behind(c, k, id);  // another kernel reads for it
  for (int j = 0; j < node->n_in; j++) {
    bool computed = c->inside[node->in[j]] == 2 * k + 1, read = c->inside[node->in[j]] == 2 * k + 2;
    if (!computed && !read) return BREACH(c, "kernel %d: %%%d asks for %%%d, which it has not", k, id, node->in[j]);
    if (computed && id == kernel->root && reads_memory_only(kernel, node))
      return BREACH(c, "kernel %d: its root reads %%%d, which is not in memory", k, node->in[j]);
  }
  return check_behind(c, k, id);
}

static bool check_nodes(Check *c, int k) {
  const Kernel *kernel = &c->plan->kernels[k];
  bool root = false, space = false;
  for (int j = 0; j < kernel->n_nodes; j++) {
    NodeId id = kernel->nodes[j];
    if (j && kernel->nodes[j - 1] >= id) return BREACH(c, "kernel %d: nodes are not in order", k);
    if (c->inside[id] == 2 * k + 2) return BREACH(c, "kernel %d both reads and computes %%%d", k, id);
    c->inside[id] = 2 * k + 1;
    root |= id == kernel->root;
    space |= id == kernel->space;
    if (!check_node(c, k, id)) return false;
  }
  if (!space || (kernel->root != NODE_NONE && (!root || kernel->space != kernel->root)))
    return BREACH(c, "kernel %d does not compute its root or space", k);
  bool contract = kernel->root != NODE_NONE && product_fits(c->g, graph_node(c->g, kernel->root));
  if (contract != (kernel->kind == KERNEL_CONTRACT)) return BREACH(c, "kernel %d has the wrong kind", k);
  return true;
}

static bool is_moved(const Check *c, const Kernel *kernel, NodeId id) {
  const Node *node = graph_node(c->g, id);
  if (node->n_in != 1 || !kernel_moved_output(c->g, id, node->in[0], NULL, NULL)) return false;
  return shape_equal(&graph_node(c->g, node->in[0])->shape, &graph_node(c->g, kernel->space)->shape);
}

static bool check_outputs(Check *c, int k) {
  const Kernel *kernel = &c->plan->kernels[k];
  if (kernel->n_outputs + kernel->n_sums == 0) return BREACH(c, "kernel %d stores nothing", k);
  for (int j = 0; j < kernel->n_outputs; j++) {
    NodeId id = kernel->outputs[j];
    const Place *place = &c->plan->place[id];
    if (c->inside[id] != 2 * k + 1) return BREACH(c, "kernel %d stores %%%d, which it does not compute", k, id);
    if (c->stored_by[id] >= 0) return BREACH(c, "kernels %d and %d both store %%%d", c->stored_by[id], k, id);
    c->stored_by[id] = k;
    if (kernel->once && place->region == REGION_ARENA && place->last != c->plan->n_kernels)
      return BREACH(c, "%%%d is computed once and does not keep its place", id);
    if (place->region == REGION_NONE) return BREACH(c, "kernel %d stores %%%d, which has no place", k, id);
    if (place->region == REGION_ARENA && place->first != (kernel->once ? 0 : k))
      return BREACH(c, "%%%d's place begins at another kernel", id);
    bool same = shape_equal(&graph_node(c->g, id)->shape, &graph_node(c->g, kernel->space)->shape);
    bool row =
        is_of_rows(c, k) && kernel_has_row_shape(graph_node(c->g, kernel->root), &graph_node(c->g, id)->shape, NULL);
    if (!same && !row && !is_moved(c, kernel, id))
      return BREACH(c, "kernel %d stores %%%d, which has another shape", k, id);
  }
  return true;
}

// The sums of kernel k are roots of later kernels with scratch, carried by it alone, and it has what they read.
static bool check_sums(Check *c, int k) {
  const Kernel *kernel = &c->plan->kernels[k];
  if (kernel->carrier >= k) return BREACH(c, "kernel %d is summed by a later one", k);
  for (int s = 0; s < kernel->n_sums; s++) {
    int number = kernel->sums[s];
    if (number <= k || number >= c->plan->n_kernels || c->plan->kernels[number].carrier != k)
      return BREACH(c, "kernel %d does not carry kernel %d's sum", k, number);
    const Kernel *summing = &c->plan->kernels[number];
    const Node *sum = graph_node(c->g, summing->root);
    if (!kernel_may_carry(sum) || !summing->scratch_bytes) return BREACH(c, "kernel %d cannot be carried", number);
    for (int j = 0; j < sum->n_in; j++)
      if (c->inside[sum->in[j]] != 2 * k + 1 && c->inside[sum->in[j]] != 2 * k + 2 &&
          graph_node(c->g, sum->in[j])->op != OP_const)
        return BREACH(c, "kernel %d: the sum %%%d asks for %%%d, which it has not", k, summing->root, sum->in[j]);
  }
  return true;
}

static bool check_results(Check *c) {
  for (size_t k = 0; k < c->g->n_outputs; k++) {
    NodeId id = c->g->outputs[k].value;
    const Place *place = &c->plan->place[id];
    if (c->stored_by[id] < 0) return BREACH(c, "no kernel stores the output %%%d", id);
    if (place->region == REGION_ARENA && place->last < c->plan->n_kernels)
      return BREACH(c, "the output %%%d does not keep its place", id);
  }
  return true;
}

// ---- overlaps -------------------------------------------------------------------------------------------------------

typedef struct Piece {  // a piece of the arena for a while
  int64_t begin, end;
  int first, last;
  NodeId id;  // NODE_NONE: scratch
} Piece;

static int compare_pieces(const void *a, const void *b) {
  const Piece *x = a, *y = b;
  return x->first != y->first ? x->first - y->first : x->id - y->id;
}

static size_t gather_pieces(const Plan *plan, const bool *taken, Piece *pieces) {
  size_t n = 0;
  for (NodeId id = 0; (size_t)id < plan->graph->n_nodes; id++) {
    const Place *p = &plan->place[id];
    if (p->region == REGION_ARENA && p->bytes && plan_base(plan->graph, id) == id)
      pieces[n++] = (Piece){p->offset, p->offset + p->bytes, p->first, p->last - taken[id], id};
  }
  for (int k = 0; k < plan->n_kernels; k++) {
    const Kernel *kernel = &plan->kernels[k];
    int first, last;
    plan_scratch_life(plan, k, &first, &last);
    if (kernel->scratch_bytes)
      pieces[n++] =
          (Piece){kernel->scratch_offset, kernel->scratch_offset + kernel->scratch_bytes, first, last, NODE_NONE};
  }
  if (n) qsort(pieces, n, sizeof *pieces, compare_pieces);
  return n;
}

// `alive`, in order of addresses, loses what ends before `now`.
static size_t bury(Piece *alive, size_t n, int now) {
  size_t kept = 0;
  for (size_t k = 0; k < n; k++)
    if (alive[k].last >= now) alive[kept++] = alive[k];
  return kept;
}

// An output in the place of an input: that one lives up to this kernel, and each of its elements is read before.
static bool check_in_place(Check *c, bool *taken) {
  const Plan *plan = c->plan;
  for (NodeId id = 0; (size_t)id < c->g->n_nodes; id++) {
    NodeId owner = plan->in_place[id];
    if (owner == NODE_NONE) continue;
    int k = c->stored_by[id];
    const Place *place = &plan->place[owner];
    if (k < 0 || taken[owner] || place->last != k || place->offset != plan->place[id].offset ||
        !plan_reads_at_point(c->why->arena, plan, &plan->kernels[k], owner))
      return BREACH(c, "%%%d may not take the place of %%%d", id, owner);
    taken[owner] = true;
  }
  return true;
}

static bool check_overlaps(Check *c) {
  const Plan *plan = c->plan;
  bool *taken = arena_array(c->why->arena, c->g->n_nodes, sizeof *taken);
  if (!check_in_place(c, taken)) return false;
  size_t most = plan->graph->n_nodes + (size_t)plan->n_kernels, n_alive = 0;
  Piece *pieces = arena_array(c->why->arena, most, sizeof *pieces),
        *alive = arena_array(c->why->arena, most, sizeof *alive);
  size_t n = gather_pieces(plan, taken, pieces);
  for (size_t k = 0; k < n; k++) {
    const Piece *s = &pieces[k];
    if (s->begin < 0 || s->begin % 64 || s->end > plan->arena_bytes)
      return BREACH(c, "the place of %%%d is outside the arena or not aligned", s->id);
    n_alive = bury(alive, n_alive, s->first);
    size_t at = n_alive;
    while (at > 0 && alive[at - 1].begin > s->begin) at--;
    if ((at > 0 && alive[at - 1].end > s->begin) || (at < n_alive && alive[at].begin < s->end))
      return BREACH(c, "the place of %%%d overlaps another at kernel %d", s->id, s->first);
    memmove(&alive[at + 1], &alive[at], (n_alive - at) * sizeof *alive);
    alive[at] = *s;
    n_alive++;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------------------------------

bool plan_verify(const Plan *plan, Text *why) {
  Check c = {.plan = plan, .g = plan->graph, .why = why};
  c.stored_by = arena_array(why->arena, c.g->n_nodes, sizeof *c.stored_by);
  c.inside = arena_array(why->arena, c.g->n_nodes, sizeof *c.inside);
  c.behind = arena_array(why->arena, c.g->n_nodes, sizeof *c.behind);
  for (size_t k = 0; k < c.g->n_nodes; k++) c.stored_by[k] = -1;
  for (int k = 0; k < plan->n_kernels; k++)
    if (!check_inputs(&c, k) || !check_nodes(&c, k) || !check_outputs(&c, k) || !check_sums(&c, k)) return false;
  return check_results(&c) && check_overlaps(&c);
}
