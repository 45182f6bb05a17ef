// Pass `layout`: how the product-sums of the micro-kernel walk through memory.
//
// On entry: pass `halo` has run. On exit, of every product-sum that fits the micro-kernel or that only a transposed
// copy kept from it:
// - b is contiguous along the vector index: where it was not, the node reads a copy in which the moving dimension comes
//   last, the others keeping their order ([kh,kw,in,out] becomes [kh,kw,out,in] for an input gradient). Where the copy
//   costs too much against the work (product.c: PACK_MIN_REUSE), the node stays as it is; so does a large matrix, which
//   the micro-kernel turns on the way (product.h). Copies of one value with the same dimension last are one node, made
//   in front of its first reader;
// - the reduced indices stand in the order in which a is walked with the longest steps outside: the batch, rows,
// columns,
//   channels. Row-major order of the reduced indices is the order in which a strict sum adds up.
#include "passes.h"
#include "product.h"
#include "rewrite.h"

typedef struct Packed {  // the copies of one value
  int dim;               // of the value, moved last
  NodeId copy;           // in the new graph
  struct Packed *next;
} Packed;

typedef struct Layout {
  Rewrite w;
  Packed **packed;  // [n_nodes]
} Layout;

// The copy of old node `value` with `dim` last, for a reader with this origin.
static NodeId packed_copy(Layout *l, NodeId value, int dim, const Node *reader) {
  for (const Packed *p = l->packed[value]; p; p = p->next)
    if (p->dim == dim) return p->copy;
  int rank = graph_node(l->w.from, value)->shape.rank, permutation[IR_MAX_RANK], n = 0;
  for (int d = 0; d < rank; d++)
    if (d != dim) permutation[n++] = d;
  permutation[n] = dim;
  Builder *b = rewrite_builder(&l->w);
  b->origin = (Origin){"pack", reader->path, reader->span};
  Packed *p = arena_alloc(l->w.from->arena, sizeof *p);
  *p = (Packed){dim, build_transpose(b, l->w.map[value], permutation), l->packed[value]};
  l->packed[value] = p;
  return p->copy;
}

static void move_last(Read *read, int dim) {
  IndexExpr moved = read->at[dim];
  for (int d = dim; d + 1 < read->rank; d++) read->at[d] = read->at[d + 1];
  read->at[read->rank - 1] = moved;
}

// ---- the order of the reduced indices -------------------------------------------------------------------------------

static void permute(IndexDef *def, const int *order) {
  const IndexDef old = *def;
  int place[IR_MAX_INDICES];
  for (int k = 0; k < def->n_out + def->n_red; k++) {
    place[order[k]] = k;
    def->extent[k] = old.extent[order[k]];
    def->name[k] = old.name[order[k]];
  }
  for (int k = 0; k < 2; k++) read_renumber(&def->reads[k], place);
}

// ---------------------------------------------------------------------------------------------------------------------

static void rewrite_product(Layout *l, const Node *node, const Product *p) {
  IndexDef def = *node->index;
  Read reads[2] = {def.reads[0], def.reads[1]};
  NodeId in[2] = {l->w.map[node->in[0]], l->w.map[node->in[1]]};
  int order[IR_MAX_INDICES];
  bool pack = p->needs & PRODUCT_NEEDS_PACK;
  def.reads = reads;
  if (pack) {
    in[p->b] = packed_copy(l, node->in[p->b], p->b_dim, node);
    move_last(&reads[p->b], p->b_dim);
  }
  bool moved = product_walk(l->w.from, node, p, order);
  if (!pack && !moved) {
    rewrite_keep(&l->w);
    return;
  }
  permute(&def, order);
  rewrite_replace(&l->w, build_index(rewrite_builder(&l->w), &def, in, 2));
}

Graph *pass_layout(PassContext *ctx, const Graph *g) {
  Layout l = {.w = rewrite_begin(ctx, g), .packed = arena_array(ctx->arena, g->n_nodes, sizeof *l.packed)};
  for (; rewrite_more(&l.w); l.w.at++) {
    const Node *node = rewrite_node(&l.w);
    Product p = product_analyse(g, node);
    if (p.needs == 0 || p.needs == PRODUCT_NEEDS_PACK)
      rewrite_product(&l, node, &p);
    else
      rewrite_keep(&l.w);
  }
  return rewrite_end(&l.w);
}
