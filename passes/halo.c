// Pass `halo`: product-sums that read outside their operands read zero-padded copies instead.
//
// On entry: any graph. On exit: every product-sum that only its out-of-bounds reads kept from the micro-kernel reads
// inside its operands, unless the padding would be out of proportion. Every bit is kept: a read outside gave 0, and the
// pad holds 0 there.
//
// A value has at most one padded copy, large enough for all its readers, made right behind the value, so that fusion
// can let the value's kernel write it. Where every user of a computed value is a product-sum, all of them read the
// copy, and the value itself is never stored.
#include "passes.h"
#include "product.h"
#include "rewrite.h"

#include <string.h>

enum {
  HALO_MAX_GROWTH = 8,                // padded elements for each of the value
  HALO_MIN_REUSE = PRODUCT_MIN_REUSE  // multiply-adds for each padded element
};

typedef struct Margin {
  int64_t before[IR_MAX_RANK], after[IR_MAX_RANK];
  bool other_users;  // somebody reads the value who cannot read the copy
  NodeId copy;       // in the new graph
} Margin;

typedef struct Halo {
  const Graph *from;
  Rewrite w;
  Margin **margin;  // [n_nodes], NULL: no copy
  bool *accepted;   // [n_nodes]: product-sums whose reads outside go to copies
} Halo;

// Widens `m` by what the read needs. True when it needs anything.
static bool margin_widen(Margin *m, const IndexDef *def, const Read *read, const Shape *shape) {
  bool any = false;
  for (int d = 0; d < read->rank; d++) {
    int64_t before, after;
    if (!read_overhang(def, read, d, shape->dim[d], &before, &after)) dlc_bug("a margin depends on a symbol");
    if (before > m->before[d]) m->before[d] = before;
    if (after > m->after[d]) m->after[d] = after;
    any |= before || after;
  }
  return any;
}

static double padded_count(const Margin *m, const Shape *shape) {
  double count = shape_points(shape, NULL);
  for (int d = 0; d < shape->rank; d++) {
    double dim = (double)shape->dim[d].scale;
    if (m->before[d] || m->after[d]) count *= (dim + (double)m->before[d] + (double)m->after[d]) / dim;
  }
  return count;
}

static bool margin_pays(const Margin *m, const Shape *shape, const IndexDef *def) {
  double padded = padded_count(m, shape);
  return padded <= HALO_MAX_GROWTH * shape_points(shape, NULL) && padded * HALO_MIN_REUSE <= index_points(def, NULL);
}

// The margin of the node's operand k widened for this reader, in *m. True where the reader needs any.
static bool margin_with(const Halo *h, const Node *node, int k, Margin *m) {
  const Margin *held = h->margin[node->in[k]];
  *m = held ? *held : (Margin){.copy = NODE_NONE};
  return margin_widen(m, node->index, &node->index->reads[k], &graph_node(h->from, node->in[k])->shape);
}

static void request_margins(Halo *h, NodeId id) {
  const Node *node = graph_node(h->from, id);
  if (!(product_analyse(h->from, node).needs & PRODUCT_NEEDS_HALO)) return;
  Margin wanted;
  for (int k = 0; k < 2; k++)
    if (margin_with(h, node, k, &wanted) &&
        !margin_pays(&wanted, &graph_node(h->from, node->in[k])->shape, node->index))
      return;
  h->accepted[id] = true;
  for (int k = 0; k < 2; k++) {
    if (!margin_with(h, node, k, &wanted)) continue;
    Margin **held = &h->margin[node->in[k]];
    if (!*held) *held = arena_alloc(h->from->arena, sizeof **held);
    **held = wanted;
  }
}

// May operand k of the product-sum read the value's copy? Not where the read will be packed anyway.
static bool can_read_copy(const Halo *h, NodeId id, int k) {
  Product p = product_analyse(h->from, graph_node(h->from, id));
  if (p.needs & PRODUCT_UNFIT) return false;
  if ((p.needs & PRODUCT_NEEDS_HALO) && !h->accepted[id]) return false;
  return !(p.needs & PRODUCT_NEEDS_PACK) || k == p.a;
}

static void find_other_users(Halo *h) {
  const Graph *g = h->from;
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    for (int k = 0; k < node->n_in; k++) {
      Margin *m = h->margin[node->in[k]];
      if (m && !can_read_copy(h, id, k)) m->other_users = true;
    }
    if (h->margin[id] && op_info(node->op)->class == OPC_SOURCE) h->margin[id]->other_users = true;
  }
  for (size_t k = 0; k < g->n_outputs; k++)
    if (h->margin[g->outputs[k].value]) h->margin[g->outputs[k].value]->other_users = true;
}

static void shift_read(Read *read, const Margin *m) {
  for (int d = 0; d < read->rank; d++) read->at[d].offset += m->before[d] * read->at[d].divisor;
}

static bool reads_outside(const Halo *h, const Node *node, int k) {
  Margin none = {.copy = NODE_NONE};
  return margin_widen(&none, node->index, &node->index->reads[k], &graph_node(h->from, node->in[k])->shape);
}

// Moves those reads of the current node to padded copies that need it or that spare the value its place.
static void rewrite_product(Halo *h) {
  NodeId id = h->w.at;
  const Node *node = graph_node(h->from, id);
  IndexDef def = *node->index;
  Read reads[2] = {def.reads[0], def.reads[1]};
  NodeId in[2];
  bool moved = false;
  def.reads = reads;
  for (int k = 0; k < 2; k++) {
    const Margin *m = h->margin[node->in[k]];
    in[k] = h->w.map[node->in[k]];
    if (!m || !can_read_copy(h, id, k)) continue;
    if (m->other_users && !reads_outside(h, node, k)) continue;
    shift_read(&reads[k], m);
    in[k] = m->copy;
    moved = true;
  }
  if (moved)
    rewrite_replace(&h->w, build_index(rewrite_builder(&h->w), &def, in, 2));
  else
    rewrite_keep(&h->w);
}

static void rewrite_node_of(Halo *h) {
  NodeId id = h->w.at;
  const Node *node = graph_node(h->from, id);
  Margin *m = h->margin[id];
  if (m) rewrite_builder(&h->w);  // the copy stands behind the node
  if (node->op == OP_index && index_is_plain_product(node->index))
    rewrite_product(h);
  else
    rewrite_keep(&h->w);
  if (!m) return;
  Builder *b = rewrite_builder(&h->w);
  b->origin = (Origin){"halo", node->path ? node->path : node->name, node->span};
  m->copy = build_pad(b, h->w.map[id], m->before, m->after);
}

Graph *pass_halo(PassContext *ctx, const Graph *g) {
  Halo h = {.from = g, .w = rewrite_begin(ctx, g)};
  h.margin = arena_array(ctx->arena, g->n_nodes, sizeof *h.margin);
  h.accepted = arena_array(ctx->arena, g->n_nodes, sizeof *h.accepted);
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) request_margins(&h, id);
  find_other_users(&h);
  for (; rewrite_more(&h.w); h.w.at++) rewrite_node_of(&h);
  return rewrite_end(&h.w);
}
